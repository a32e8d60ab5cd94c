//! The root file systems that hosts boot from, each made once and kept: a plain one, and one for
//! hosts that run pods.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::cache;
use crate::container_image;
use crate::error::LabError;
use crate::kubelet;
use crate::kubernetes;
use crate::options::{Note, Tell};
use crate::tool;

/// The distribution that hosts run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, clap::ValueEnum)]
pub enum Suite {
    /// Debian 11, with systemd 247.
    Bullseye,
    /// Debian 12, with systemd 252.
    #[default]
    Bookworm,
    /// Debian 13, with systemd 257.
    Trixie,
    /// Ubuntu 22.04, with systemd 249.
    Jammy,
    /// Ubuntu 24.04, with systemd 255.
    Noble,
}

impl Suite {
    /// Its name, as the mirror has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Suite::Bullseye => "bullseye",
            Suite::Bookworm => "bookworm",
            Suite::Trixie => "trixie",
            Suite::Jammy => "jammy",
            Suite::Noble => "noble",
        }
    }

    /// Where its packages are, if it is not the mirror that mmdebstrap has for Debian.
    fn mirror(self) -> Option<&'static str> {
        match self {
            Suite::Bullseye | Suite::Bookworm | Suite::Trixie => None,
            Suite::Jammy | Suite::Noble => Some("http://archive.ubuntu.com/ubuntu"),
        }
    }
}

/// What everything runs that is not tried on several.
pub(crate) const SUITE: &str = "bookworm";

/// Everything the image needs: the package lists are not kept in it, so nothing can be added later.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,openssh-server,sudo,iproute2,nftables,procps,\
                        curl,zstd,ca-certificates";

/// What is done to the fresh root, in order. `$1` is its path.
const HOOKS: [&str; 5] = [
    // Every host gets keys of its own.
    "rm -f \"$1\"/etc/ssh/ssh_host_*",
    "printf '127.0.0.1 localhost\\n::1 localhost\\n' > \"$1\"/etc/hosts && : > \"$1\"/etc/resolv.conf",
    "chroot \"$1\" useradd --create-home --shell /bin/bash ops",
    "echo 'ops ALL=(ALL) NOPASSWD: ALL' > \"$1\"/etc/sudoers.d/ops && chmod 0440 \"$1\"/etc/sudoers.d/ops",
    // Housekeeping that would start in the middle of a rehearsal, and in all hosts at once.
    "systemctl --root=\"$1\" mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
     e2scrub_all.timer fstrim.timer",
];

/// Makes the image if it is missing, and returns its root folder, which nobody may change.
pub fn ensure(suite: Suite, tell: Tell) -> Result<PathBuf, LabError> {
    let target = folder(suite.as_str(), &recipe_hash(suite, &[]));
    cache::ensure_fetched(&target, |partial| {
        tell(&Note::BuildingImage { suite: suite.as_str() });
        bootstrap(suite, PACKAGES, &partial.join("root"))
    })?;
    Ok(target.join("root"))
}

/// Whether the image is there already.
pub fn is_made(suite: Suite) -> bool {
    folder(suite.as_str(), &recipe_hash(suite, &[])).join("root").is_dir()
}

/// Makes the image of hosts that run pods if it is missing, with the container image that they take
/// in at their first boot, and returns its root folder.
pub(crate) fn ensure_with_kubelet(tell: Tell) -> Result<PathBuf, LabError> {
    let program = kubernetes::ensure_kubelet(tell)?;
    container_image::ensure_pause()?;
    let target =
        folder(&format!("{SUITE}-kubelet"), &recipe_hash(Suite::Bookworm, &kubelet::recipe()));
    cache::ensure_fetched(&target, |partial| {
        tell(&Note::BuildingImage { suite: SUITE });
        let root = partial.join("root");
        bootstrap(Suite::Bookworm, &format!("{PACKAGES},{}", kubelet::PACKAGES), &root)?;
        kubelet::install(&program, &root)
    })?;
    Ok(target.join("root"))
}

fn folder(name: &str, recipe: &str) -> PathBuf {
    cache::root().join("images").join(format!("{name}-{}", &recipe[..12]))
}

fn bootstrap(suite: Suite, packages: &str, root: &Path) -> Result<(), LabError> {
    let hooks = HOOKS.map(|hook| format!("--customize-hook={hook}"));
    let root = root.display().to_string();
    let include = format!("--include={packages}");
    let fixed = ["--quiet", "--variant=minbase", &include];
    let hooks = hooks.iter().map(String::as_str);
    let source = [suite.as_str(), &root].into_iter().chain(suite.mirror());
    tool::run("mmdebstrap", fixed.into_iter().chain(hooks).chain(source)).map(drop)
}

/// A changed recipe is another image: the old one stays for hosts that were made from it.
fn recipe_hash(suite: Suite, more: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in [suite.as_str(), PACKAGES].iter().chain(&HOOKS).chain(more) {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    format!("{:x}", hash.finalize())
}

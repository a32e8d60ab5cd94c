//! The root file system that all hosts boot from, made once and kept.

use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use crate::cache;
use crate::error::LabError;
use crate::lab::{Note, Tell};
use crate::tool;

/// What hosts run.
const SUITE: &str = "bookworm";

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
pub fn ensure(tell: Tell) -> Result<PathBuf, LabError> {
    let target = cache::root().join("images").join(format!("{SUITE}-{}", &recipe_hash()[..12]));
    cache::ensure_built(&target, |partial| {
        tell(&Note::BuildingImage { suite: SUITE });
        let hooks = HOOKS.map(|hook| format!("--customize-hook={hook}"));
        let root = partial.join("root").display().to_string();
        let include = format!("--include={PACKAGES}");
        let fixed = ["--quiet", "--variant=minbase", &include];
        let hooks = hooks.iter().map(String::as_str);
        tool::run("mmdebstrap", fixed.into_iter().chain(hooks).chain([SUITE, &root])).map(drop)
    })?;
    Ok(target.join("root"))
}

/// A changed recipe is another image: the old one stays for hosts that were made from it.
fn recipe_hash() -> String {
    let mut hash = Sha256::new();
    for part in [SUITE, PACKAGES].iter().chain(&HOOKS) {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    format!("{:x}", hash.finalize())
}

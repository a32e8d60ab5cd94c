//! etcd releases, laid out as the project publishes them: one archive a version, and its checksum.
//!
//! The binaries are the distribution's where it has the version, else built from the project's own
//! Go modules. Each version is made once and kept.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::archive::{self, digest};
use crate::cache;
use crate::error::LabError;
use crate::go::Module;
use crate::mirror;
use crate::options::{Note, Tell};
use crate::tool;

/// The versions that scenarios are run on: the newest patch of each line, one patch before for
/// rolls, and the last 3.4 that can be had.
pub const TRIED: [Version; 5] = [
    Version::new(3, 4, 23),
    Version::new(3, 5, 35),
    Version::new(3, 6, 14),
    Version::new(3, 6, 16),
    Version::new(3, 7, 3),
];

/// A version of etcd, also one that is too old for anything but being upgraded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u16,
    minor: u16,
    patch: u16,
}

/// Why a text is not a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a version: write it as MAJOR.MINOR.PATCH, for example 3.6.16")]
pub struct VersionError;

impl Version {
    /// A version by its numbers.
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }

    /// The Debian suite whose packages hold this version.
    fn suite(self) -> Option<&'static str> {
        match (self.minor, self.patch) {
            (3, 25) => Some("bullseye"),
            (4, 23) => Some("bookworm"),
            _ => None,
        }
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let parts: Result<Vec<u16>, _> = text.split('.').map(str::parse).collect();
        match parts.as_deref() {
            Ok([major, minor, patch]) => Ok(Self::new(*major, *minor, *patch)),
            _ => Err(VersionError),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A release archive on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The archive.
    pub archive: PathBuf,
    /// Its SHA-256 digest, in lower-case hex.
    pub sha256: String,
}

/// Makes the archive and the checksum file of a version, unless they are there.
pub fn ensure(version: Version, tell: Tell) -> Result<Release, LabError> {
    let arch = architecture()?;
    let name = format!("etcd-v{version}-linux-{arch}");
    let target = mirror::folder().join("etcd").join(format!("v{version}"));
    let file = format!("{name}.tar.gz");
    cache::ensure_built(&target, |partial| {
        let binaries = ensure_binaries(version, &arch, tell)?;
        pack(&binaries, &name, &partial.join(&file))?;
        let sums = partial.join("SHA256SUMS");
        let line = format!("{}  {file}\n", digest(&partial.join(&file))?);
        fs::write(&sums, line).map_err(LabError::file("write", &sums))
    })?;
    let sums = target.join("SHA256SUMS");
    let text = fs::read_to_string(&sums).map_err(LabError::file("read", &sums))?;
    let sha256 = text.split_whitespace().next().unwrap_or_default().to_owned();
    Ok(Release { archive: target.join(&file), sha256 })
}

/// The architecture in the words of etcd's releases, which Debian shares.
pub fn architecture() -> Result<String, LabError> {
    Ok(tool::run("dpkg", ["--print-architecture"])?.trim().to_owned())
}

/// Makes `etcd`, `etcdctl` and, where the version has it, `etcdutl`, unless they are there.
pub fn ensure_binaries(version: Version, arch: &str, tell: Tell) -> Result<PathBuf, LabError> {
    let target = cache::root().join("binaries").join(format!("v{version}-{arch}"));
    cache::ensure_fetched(&target, |partial| {
        tell(&Note::BuildingRelease { version });
        match version.suite() {
            Some(suite) => unpack_packages(suite, partial)?,
            None if version >= Version::new(3, 5, 0) => build(version, partial)?,
            None => return Err(LabError::UnknownRelease(version)),
        }
        let says = tool::run(&partial.join("etcd").display().to_string(), ["--version"])?;
        if says.lines().next() == Some(&format!("etcd Version: {version}")) {
            return Ok(());
        }
        Err(LabError::WrongRelease { wanted: version, says })
    })?;
    Ok(target)
}

/// Unpacks a suite's packages without installing them.
fn unpack_packages(suite: &str, folder: &Path) -> Result<(), LabError> {
    let tree = folder.join("tree");
    let path = tree.display().to_string();
    tool::run(
        "mmdebstrap",
        ["--quiet", "--variant=extract", "--include=etcd-server,etcd-client", suite, &path],
    )?;
    for program in ["etcd", "etcdctl"] {
        let from = tree.join("usr/bin").join(program);
        fs::rename(&from, folder.join(program)).map_err(LabError::file("move", &from))?;
    }
    remove(&tree)
}

/// Builds from Go modules.
fn build(version: Version, folder: &Path) -> Result<(), LabError> {
    const PROGRAMS: [(&str, &str); 3] =
        [("server", "etcd"), ("etcdctl", "etcdctl"), ("etcdutl", "etcdutl")];
    let module = Module::make(folder.join("module"))?;
    let wanted = PROGRAMS.map(|(module, _)| format!("go.etcd.io/etcd/{module}/v3@v{version}"));
    module.go(["get".to_owned()].into_iter().chain(wanted))?;
    for (part, program) in PROGRAMS {
        module.build(&format!("go.etcd.io/etcd/{part}/v3"), "", &folder.join(program))?;
    }
    module.discard()
}

/// Packs the same bytes for the same binaries, whenever and by whomever.
fn pack(binaries: &Path, name: &str, archive: &Path) -> Result<(), LabError> {
    let tar = archive.with_extension("");
    archive::pack(binaries, &format!("--transform=s,^\\.,{name},"), &tar)?;
    tool::run("gzip", ["--no-name".as_ref(), tar.as_os_str()]).map(drop)
}

fn remove(folder: &Path) -> Result<(), LabError> {
    fs::remove_dir_all(folder).map_err(LabError::file("remove", folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_three_numbers_are_a_version() {
        assert_eq!("3.3.25".parse(), Ok(Version::new(3, 3, 25)));
        for bad in ["", "3", "3.6", "v3.6.1", "3.6.1.0", "3.6.x"] {
            assert_eq!(bad.parse::<Version>(), Err(VersionError), "{bad:?}");
        }
    }

    #[test]
    fn the_same_binaries_make_the_same_archive() {
        let folder = std::env::temp_dir().join(format!("quorate-lab-pack-{}", std::process::id()));
        let sums: Vec<String> = ["one", "two"]
            .map(|copy| {
                let binaries = folder.join(copy);
                fs::create_dir_all(&binaries).unwrap();
                fs::write(binaries.join("etcd"), "binary").unwrap();
                let archive = folder.join(format!("{copy}.tar.gz"));
                pack(&binaries, "etcd-v3.6.16-linux-amd64", &archive).unwrap();
                let names = tool::run("tar", ["-tf".as_ref(), archive.as_os_str()]).unwrap();
                assert_eq!(names, "etcd-v3.6.16-linux-amd64/\netcd-v3.6.16-linux-amd64/etcd\n");
                digest(&archive).unwrap()
            })
            .to_vec();
        assert_eq!(sums[0], sums[1]);
        fs::remove_dir_all(&folder).unwrap();
    }
}

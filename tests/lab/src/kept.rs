//! Disks that outlive their lab, so that others can begin with what was done to them.
//!
//! What is on a disk knows its host's addresses: a lab that begins with kept disks has the subnet of the lab
//! that they are from.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::address::Subnet;
use crate::cache;
use crate::error::LabError;
use crate::lab::Lab;
use crate::name::HostId;
use crate::teardown;
use crate::tool;

/// How many of one kind stay. Several checkouts, each with a program of its own, share a cache.
const STAY: usize = 4;

/// Disks in the cache that were kept, or are to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    kind: String,
    folder: PathBuf,
}

impl Kept {
    /// Those of a kind, `a-z0-9-`, that a program has made what they are, as this process asked for it: of
    /// another build of either nothing is kept.
    pub fn by(program: &Path, kind: &str) -> Result<Self, LabError> {
        let this =
            env::current_exe().map_err(LabError::file("find", Path::new("/proc/self/exe")))?;
        let mut hash = Sha256::new();
        for path in [program, &this] {
            let build = fs::metadata(path).map_err(LabError::file("read", path))?;
            let parts = (path, build.len(), build.mtime(), build.mtime_nsec());
            hash.update(format!("{parts:?}\0"));
        }
        let name = format!("{kind}.{}", &format!("{:x}", hash.finalize())[..16]);
        Ok(Self { kind: kind.to_owned(), folder: all().join(name) })
    }

    /// Makes them, unless they are there, by a function that fills a folder with [`Lab::keep`]. Others who
    /// want the same wait.
    pub fn ensure(&self, make: impl FnOnce(&Path) -> Result<(), LabError>) -> Result<(), LabError> {
        let mut made = false;
        cache::ensure_built(&self.folder, |partial| {
            made = true;
            make(partial)
        })?;
        if made { self.remove_old() } else { Ok(()) }
    }

    /// Where they are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes those of this kind that were made longest ago.
    fn remove_old(&self) -> Result<(), LabError> {
        let entries = fs::read_dir(all()).map_err(LabError::file("read", &all()))?;
        let mut same: Vec<_> = entries
            .flatten()
            .filter(|entry| {
                let path = entry.path();
                let of_kind = path.file_stem() == Some(OsStr::new(&self.kind));
                of_kind && path.is_dir() && path.extension().is_none_or(|end| end != "partial")
            })
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        same.sort();
        same.reverse();
        for (_, folder) in same.into_iter().skip(STAY) {
            teardown::remove_folder(&folder)?;
        }
        Ok(())
    }
}

fn all() -> PathBuf {
    cache::root().join("kept")
}

/// Copies the disks of hosts, which must be off, into a folder.
pub(crate) fn copy(
    lab: &Path,
    hosts: &[HostId],
    subnet: Subnet,
    to: &Path,
) -> Result<(), LabError> {
    for host in hosts {
        copy_host(&lab.join(host.to_string()), &to.join(host.to_string()))?;
    }
    let path = to.join("subnet");
    let text = serde_json::to_string(&subnet)
        .map_err(|source| LabError::State { path: path.clone(), source })?;
    fs::write(&path, text).map_err(LabError::file("write", &path))
}

/// The subnet that kept disks are of.
pub(crate) fn subnet(folder: &Path) -> Result<Subnet, LabError> {
    let path = folder.join("subnet");
    let text = fs::read_to_string(&path).map_err(LabError::file("read", &path))?;
    serde_json::from_str(&text).map_err(|source| LabError::State { path, source })
}

/// Gives a host that has no disk yet a copy of a kept one, if there is one for it.
pub(crate) fn give(kept: &Path, host: HostId, folder: &Path) -> Result<(), LabError> {
    let from = kept.join(host.to_string());
    if folder.exists() || !from.exists() {
        return Ok(());
    }
    copy_host(&from, folder)
}

/// A host's folder without its mounts.
fn copy_host(from: &Path, to: &Path) -> Result<(), LabError> {
    cache::ensure_folder(to)?;
    for part in ["host-keys", "provisioned", "disk.ext4"] {
        let options = ["-a", "--sparse=always", "--reflink=auto"].map(OsStr::new);
        let part = from.join(part);
        tool::run("cp", options.into_iter().chain([part.as_os_str(), to.as_os_str()]))?;
    }
    Ok(())
}

impl Lab {
    /// Cuts the power of all hosts, copies their disks into a folder, and boots them again.
    pub fn keep(&self, folder: &Path) -> Result<(), LabError> {
        let hosts = self.hosts()?;
        let ids: Vec<HostId> = hosts.iter().map(crate::Host::id).collect();
        self.on_all_hosts(crate::Host::kill)?;
        copy(&cache::lab_disks(self.name()), &ids, self.subnet(), folder)?;
        self.on_all_hosts(crate::Host::boot)
    }
}

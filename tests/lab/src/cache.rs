//! Where things live: what is worth keeping between labs, and what belongs to one lab.

use std::env;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::LabError;
use crate::name::LabName;

/// Where every running lab keeps its state; emptied by a reboot of the machine, as the labs are.
pub const RUN: &str = "/run/quorate-lab";

/// The cache: root images, release archives, keys. Safe to delete while no lab is up.
///
/// `QUORATE_LAB_CACHE`, or `/var/cache/quorate-lab`.
pub fn root() -> PathBuf {
    env::var_os("QUORATE_LAB_CACHE")
        .map_or_else(|| PathBuf::from("/var/cache/quorate-lab"), PathBuf::from)
}

/// The folder with the state of one lab.
pub fn lab_state(name: &LabName) -> PathBuf {
    Path::new(RUN).join(name.as_str())
}

/// The folder with the disks of one lab. In the cache, not in `/run`: a disk in memory would make
/// every sync free and every figure about it a lie.
pub fn lab_disks(name: &LabName) -> PathBuf {
    root().join("disks").join(name.as_str())
}

/// Makes a folder and its parents.
pub(crate) fn ensure_folder(path: &Path) -> Result<(), LabError> {
    fs::create_dir_all(path).map_err(LabError::file("make", path))
}

/// Waits for an exclusive lock on a file, which is made if it is missing. Dropping the file
/// releases it, and so does the end of the process, however it comes.
pub(crate) fn lock(path: &Path) -> Result<File, LabError> {
    let file = open_lock(path)?;
    file.lock().map_err(LabError::file("lock", path))?;
    Ok(file)
}

/// Takes a lock as [`lock`] does, unless somebody holds it.
pub(crate) fn try_lock(path: &Path) -> Result<Option<File>, LabError> {
    let file = open_lock(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(LabError::file("lock", path)(source)),
    }
}

fn open_lock(path: &Path) -> Result<File, LabError> {
    let open = || {
        if let Some(folder) = path.parent() {
            ensure_folder(folder)?;
        }
        File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(LabError::file("open", path))
    };
    // Two runs that sweep the same dead lab: one may remove its folder before the other opens the file in it.
    match open() {
        Err(LabError::File { source, .. }) if source.kind() == ErrorKind::NotFound => open(),
        done => done,
    }
}

/// Makes `target` by `make`, once on this machine, by the first process that asks: others wait, and a build
/// that was interrupted leaves nothing that looks finished.
pub(crate) fn ensure_built(
    target: &Path,
    make: impl FnOnce(&Path) -> Result<(), LabError>,
) -> Result<(), LabError> {
    if target.exists() {
        return Ok(());
    }
    let beside = |suffix: &str| {
        let mut name = target.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let _guard = lock(&beside(".lock"))?;
    if target.exists() {
        return Ok(());
    }
    let partial = beside(".partial");
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(LabError::file("remove", &partial))?;
    }
    ensure_folder(&partial)?;
    make(&partial)?;
    fs::rename(&partial, target).map_err(LabError::file("make", target))
}

/// The variable under which nothing is fetched: what `lab prepare` could not get is not there.
const PREPARED: &str = "QUORATE_LAB_PREPARED";

/// As [`ensure_built`], for what comes from elsewhere and takes minutes.
pub(crate) fn ensure_fetched(
    target: &Path,
    make: impl FnOnce(&Path) -> Result<(), LabError>,
) -> Result<(), LabError> {
    if env::var_os(PREPARED).is_some() && !target.exists() {
        return Err(LabError::NotPrepared(target.to_owned()));
    }
    ensure_built(target, make)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_build_is_repeated_and_a_finished_one_never() {
        let folder = env::temp_dir().join(format!("quorate-lab-cache-{}", std::process::id()));
        let target = folder.join("thing");
        let failed = ensure_built(&target, |partial| {
            fs::write(partial.join("half"), "").unwrap();
            Err(LabError::NoSubnet)
        });
        assert!(failed.is_err() && !target.exists());
        ensure_built(&target, |partial| {
            assert!(!partial.join("half").exists());
            fs::write(partial.join("whole"), "").map_err(LabError::file("write", partial))
        })
        .unwrap();
        assert!(target.join("whole").exists());
        ensure_built(&target, |_| Err(LabError::NoSubnet)).unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }
}

//! What all labs of this machine share: the first one changes it, the last one puts it back.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::cache;
use crate::disk;
use crate::error::LabError;
use crate::state::known_labs;

/// Every systemd holds a dozen inotify instances of the same user, root; the usual limit of 128
/// is gone with the ninth host.
const INSTANCES: &str = "/proc/sys/fs/inotify/max_user_instances";
const ENOUGH: u32 = 8192;

/// Where `ip` keeps named namespaces: it mounts the folder when the first one is made, and leaves
/// the mount when the last one goes.
const NAMESPACES: &str = "/run/netns";

/// Makes the machine ready for labs, and remembers how it was, unless another lab did so before. Then writes a lab
/// down: until that is done, no other lab takes itself for the last one.
pub(crate) fn prepared<T>(write_down: impl FnOnce() -> Result<T, LabError>) -> Result<T, LabError> {
    let _guard = lock()?;
    remember_namespaces()?;
    raise_instances()?;
    write_down()
}

/// Puts the machine back as it was, if no lab is left.
pub(crate) fn restore_after_last() -> Result<(), LabError> {
    let _guard = lock()?;
    if !known_labs().is_empty() {
        return Ok(());
    }
    if let Some(former) = recall("inotify-limit") {
        fs::write(INSTANCES, former).map_err(LabError::file("write", Path::new(INSTANCES)))?;
        forget("inotify-limit")?;
    }
    let empty = fs::read_dir(NAMESPACES).is_ok_and(|mut entries| entries.next().is_none());
    if recall("namespaces").is_some() && empty {
        disk::unmount(Path::new(NAMESPACES))?;
        forget("namespaces")?;
    }
    Ok(())
}

fn lock() -> Result<File, LabError> {
    cache::lock(&Path::new(cache::RUN).join("machine.lock"))
}

fn raise_instances() -> Result<(), LabError> {
    let path = Path::new(INSTANCES);
    let text = fs::read_to_string(path).map_err(LabError::file("read", path))?;
    let enough = text.trim().parse::<u32>().is_ok_and(|limit| limit >= ENOUGH);
    if enough {
        return Ok(());
    }
    remember("inotify-limit", text.trim())?;
    fs::write(path, ENOUGH.to_string()).map_err(LabError::file("write", path))
}

fn remember_namespaces() -> Result<(), LabError> {
    if disk::is_mounted(Path::new(NAMESPACES))? { Ok(()) } else { remember("namespaces", "") }
}

fn remember(what: &str, value: &str) -> Result<(), LabError> {
    let path = memory(what);
    fs::write(&path, value).map_err(LabError::file("write", &path))
}

fn recall(what: &str) -> Option<String> {
    fs::read_to_string(memory(what)).ok()
}

fn forget(what: &str) -> Result<(), LabError> {
    let path = memory(what);
    fs::remove_file(&path).map_err(LabError::file("remove", &path))
}

fn memory(what: &str) -> PathBuf {
    Path::new(cache::RUN).join(format!("former-{what}"))
}

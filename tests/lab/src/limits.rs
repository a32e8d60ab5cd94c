//! Limits of the kernel that many hosts at once run into, raised while a lab is up.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cache;
use crate::error::LabError;

/// Every systemd holds a dozen inotify instances of the same user, root; the usual limit of 128
/// is gone with the ninth host.
const INSTANCES: &str = "/proc/sys/fs/inotify/max_user_instances";
const ENOUGH: u32 = 8192;

/// Raises the limit and remembers what it was, unless that was done before.
pub fn ensure_raised() -> Result<(), LabError> {
    let path = Path::new(INSTANCES);
    let text = fs::read_to_string(path).map_err(LabError::file("read", path))?;
    let enough = text.trim().parse::<u32>().is_ok_and(|limit| limit >= ENOUGH);
    if enough {
        return Ok(());
    }
    let memory = memory();
    cache::ensure_folder(Path::new(cache::RUN))?;
    fs::write(&memory, &text).map_err(LabError::file("write", &memory))?;
    fs::write(path, ENOUGH.to_string()).map_err(LabError::file("write", path))
}

/// Puts the former limit back. To be called when the last lab is gone.
pub fn restore() -> Result<(), LabError> {
    let memory = memory();
    let Ok(former) = fs::read_to_string(&memory) else { return Ok(()) };
    fs::write(INSTANCES, former.trim()).map_err(LabError::file("write", Path::new(INSTANCES)))?;
    fs::remove_file(&memory).map_err(LabError::file("remove", &memory))
}

fn memory() -> PathBuf {
    Path::new(cache::RUN).join("former-inotify-limit")
}

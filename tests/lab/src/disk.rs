//! A host's disk: an ext4 file system in a file, which outlives the host's reboots.
//!
//! The root that a host sees is the shared image with the host's own changes laid over it
//! (overlayfs, its upper layer on the disk), except for `/var`, which is a plain folder of the
//! disk: databases and container engines want a real file system under them.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::cache;
use crate::error::LabError;
use crate::ledger::{Ledger, Resource};
use crate::tool;

/// How long a mount may stay busy: the kernel takes the mounts of killed containers down a little
/// after their last process.
const PATIENCE: Duration = Duration::from_secs(5);

/// How large a disk is. Only what is written takes space on the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DiskSize(u32);

impl DiskSize {
    /// A disk of so many MiB.
    pub fn megabytes(megabytes: u32) -> Self {
        Self(megabytes)
    }
}

impl Default for DiskSize {
    /// 20 GiB: room for twice the 8 GiB that etcd recommends as the highest quota.
    fn default() -> Self {
        Self(20 << 10)
    }
}

/// The disk of one host and where it is mounted.
#[derive(Debug, Clone)]
pub struct Disk {
    folder: PathBuf,
    ledger: Ledger,
}

impl Disk {
    /// The disk that is kept in a folder, whether it is there or not.
    pub fn in_folder(folder: PathBuf, ledger: Ledger) -> Self {
        Self { folder, ledger }
    }

    /// The host's root, while the disk is mounted.
    pub fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    /// The device under the disk, `MAJOR:MINOR`, while it is mounted.
    pub fn device(&self) -> Result<String, LabError> {
        let disk = self.folder.join("disk");
        let said = tool::run("mountpoint", ["--fs-devno".as_ref(), disk.as_os_str()])?;
        Ok(said.trim().to_owned())
    }

    /// Makes the disk if it is missing, and mounts it over the image.
    pub fn ensure_mounted(&self, size: DiskSize, image: &Path) -> Result<(), LabError> {
        let (file, disk, root) =
            (self.folder.join("disk.ext4"), self.folder.join("disk"), self.root());
        cache::ensure_folder(&disk)?;
        cache::ensure_folder(&root)?;
        if !file.exists() {
            make(&file, size)?;
        }
        self.mount(&disk, &["-o", "loop,noatime"], Some(&file))?;
        for layer in ["upper", "work"] {
            cache::ensure_folder(&disk.join(layer))?;
        }
        let var = disk.join("var");
        if !var.exists() {
            let partial = disk.join("var.partial");
            let paths = [image.join("var"), partial.clone()];
            tool::run("cp", ["-a".as_ref(), paths[0].as_os_str(), paths[1].as_os_str()])?;
            fs::rename(&partial, &var).map_err(LabError::file("make", &var))?;
        }
        let layers = format!(
            "lowerdir={},upperdir={},workdir={}",
            image.display(),
            disk.join("upper").display(),
            disk.join("work").display()
        );
        self.mount(&root, &["-t", "overlay", "-o", &layers], Some(Path::new("overlay")))?;
        self.mount(&root.join("var"), &["--bind"], Some(&var))
    }

    /// Unmounts everything, as a machine does that is switched off. Then all is in the disk's file, also where
    /// another host's namespace holds the file system a little longer.
    pub fn unmount(&self) -> Result<(), LabError> {
        let disk = self.folder.join("disk");
        if is_mounted(&disk)? {
            tool::run("sync", ["--file-system".as_ref(), disk.as_os_str()])?;
        }
        for point in [self.root().join("var"), self.root(), self.folder.join("disk")] {
            unmount(&point)?;
        }
        Ok(())
    }

    fn mount(&self, point: &Path, options: &[&str], source: Option<&Path>) -> Result<(), LabError> {
        self.ledger.record(&Resource::Mount(point.to_owned()))?;
        if is_mounted(point)? {
            return Ok(());
        }
        let options = options.iter().map(|option| option.as_ref());
        let source = source.iter().map(|source| source.as_os_str());
        tool::run("mount", options.chain(source).chain([point.as_os_str()])).map(drop)
    }
}

/// Makes a file system, sparse, under its name only once it is whole.
fn make(file: &Path, size: DiskSize) -> Result<(), LabError> {
    let partial = file.with_extension("partial");
    tool::run(
        "truncate",
        ["--size".as_ref(), format!("{}M", size.0).as_ref(), partial.as_os_str()],
    )?;
    // Nothing reserved for root, and nothing zeroed that the sparse file already holds as zeros.
    let quick = "lazy_itable_init=1,lazy_journal_init=1,nodiscard";
    tool::run(
        "mkfs.ext4",
        ["-q", "-F", "-m", "0", "-E", quick]
            .map(AsRef::as_ref)
            .into_iter()
            .chain([partial.as_os_str()]),
    )?;
    fs::rename(&partial, file).map_err(LabError::file("make", file))
}

/// Whether something is mounted at this very place.
pub(crate) fn is_mounted(point: &Path) -> Result<bool, LabError> {
    Ok(mount_points()?.iter().any(|mounted| mounted == point))
}

/// Unmounts what is mounted here, if anything is.
pub(crate) fn unmount(point: &Path) -> Result<(), LabError> {
    let deadline = Instant::now() + PATIENCE;
    while is_mounted(point)? {
        match tool::run("umount", [point]) {
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(20)),
            Ok(_) => {}
        }
    }
    Ok(())
}

/// Every mount point of this process's view.
pub(crate) fn mount_points() -> Result<Vec<PathBuf>, LabError> {
    let path = Path::new("/proc/self/mountinfo");
    let text = fs::read_to_string(path).map_err(LabError::file("read", path))?;
    Ok(parse_mount_points(&text))
}

fn parse_mount_points(mountinfo: &str) -> Vec<PathBuf> {
    let unescape = |text: &str| {
        // The kernel escapes what would break the columns.
        text.replace("\\040", " ")
            .replace("\\011", "\t")
            .replace("\\012", "\n")
            .replace("\\134", "\\")
    };
    mountinfo
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(|point| unescape(point).into())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_with_spaces_are_read_whole() {
        let mountinfo = "\
36 35 98:0 / /mnt/a\\040b rw,noatime shared:1 - ext4 /dev/root rw
37 35 98:0 /x /mnt/c rw - ext4 /dev/root rw
";
        assert_eq!(parse_mount_points(mountinfo), [Path::new("/mnt/a b"), Path::new("/mnt/c")]);
    }
}

//! Folders of this machine as places for backups.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, OFlags, RenameFlags, linkat, renameat_with};
use rustix::io::Errno;

use super::Stored;
use crate::backups::name::{FileName, part_of};

pub(super) fn stage(path: &Path, name: &str) -> io::Result<Staged> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    Staged::create(path, &part_of(name), name)
}

/// The files of ours. A folder that is not there holds none.
pub(super) fn files(path: &Path) -> io::Result<Vec<Stored>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().and_then(FileName::read) else { continue };
        match entry.metadata() {
            Ok(about) if about.is_file() => files.push(Stored { name, size: about.len() }),
            // A link or a pipe of our name is not ours to read.
            Ok(_) => {}
            // Somebody else prunes.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(files)
}

pub(super) fn remove(path: &Path, name: &str) -> io::Result<()> {
    match fs::remove_file(path.join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => sync_folder(path),
    }
}

/// A file that is being written. Dropped before it is published, it leaves nothing behind.
#[derive(Debug)]
pub struct Staged {
    file: File,
    until: Until,
    whole: PathBuf,
}

/// Where a file is until it has its name.
#[derive(Debug)]
enum Until {
    /// Under a name of its own, which a killed run leaves behind.
    Part(PathBuf),
    /// Nowhere: it is gone with the process.
    Nameless,
}

impl Staged {
    /// Begins `name` in `folder`, as `part`.
    ///
    /// # Errors
    /// Of the file system.
    pub fn create(folder: &Path, part: &str, name: &str) -> io::Result<Self> {
        let (part, whole) = (folder.join(part), folder.join(name));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        Ok(Self { file, until: Until::Part(part), whole })
    }

    /// Begins `name` in `folder` without any name, so that not even a kill leaves something of it. Where the file
    /// system can't, it begins as `part`.
    ///
    /// # Errors
    /// Of the file system.
    pub fn nameless(folder: &Path, part: &str, name: &str) -> io::Result<Self> {
        let flags = (OFlags::TMPFILE | OFlags::CLOEXEC).bits().cast_signed();
        let opened = OpenOptions::new().write(true).mode(0o600).custom_flags(flags).open(folder);
        match opened {
            // Without /proc it could not be given its name.
            Ok(file) if path_of(&file).symlink_metadata().is_ok() => {
                Ok(Self { file, until: Until::Nameless, whole: folder.join(name) })
            }
            _ => Self::create(folder, part, name),
        }
    }

    /// Gives the file its name, once all of it is on the disk. Another file of that name stays as it is.
    ///
    /// # Errors
    /// Of the file system, such as that the name is taken.
    pub fn publish(self) -> io::Result<()> {
        self.file.sync_all()?;
        match &self.until {
            Until::Part(part) => rename_beside(part, &self.whole)?,
            Until::Nameless => {
                linkat(CWD, path_of(&self.file), CWD, &self.whole, AtFlags::SYMLINK_FOLLOW)?;
            }
        }
        sync_folder(self.whole.parent().unwrap_or(Path::new(".")))
    }
}

impl Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Until::Part(part) = &self.until {
            // Published, it has this name no more.
            let _ = fs::remove_file(part);
        }
    }
}

/// By which an open file without a name can be reached.
fn path_of(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// Renames without replacing. File systems that cannot, such as NFS, can link, which does not replace either.
fn rename_beside(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            fs::hard_link(from, to)?;
            fs::remove_file(from)
        }
        renamed => renamed.map_err(io::Error::from),
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let path = if path == Path::new("") { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}

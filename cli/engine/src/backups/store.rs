//! A place that holds backups. A file appears there whole or not at all, with mode 0600, and never in the place of
//! another.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use inventories::BackupTarget;
use rustix::fs::{AtFlags, CWD, OFlags, RenameFlags, linkat, renameat_with};
use rustix::io::Errno;

use super::name::{FileName, part_of};

/// A place that holds backups, by the name that the inventory has for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// A folder of this machine.
    Folder {
        /// As the inventory has it.
        name: String,
        /// Where it is.
        path: PathBuf,
    },
}

/// A file of ours in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What it is.
    pub name: FileName,
    /// How long it is.
    pub size: u64,
}

impl Store {
    /// The place that a target of the inventory means; `folder` is where relative paths begin.
    pub fn of(target: &BackupTarget, resolve: impl Fn(&Path) -> PathBuf) -> Self {
        match target {
            BackupTarget::Folder(path) => {
                Self::Folder { name: target.to_string(), path: resolve(path) }
            }
        }
    }

    /// As the inventory has it.
    pub fn name(&self) -> &str {
        let Self::Folder { name, path: _ } = self;
        name
    }

    /// Begins a file. Nothing of it shows under its name before [`Staged::publish`].
    ///
    /// # Errors
    /// Of the file system.
    pub fn stage(&self, name: &str) -> io::Result<Staged> {
        let Self::Folder { path, .. } = self;
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Staged::create(path, &part_of(name), name)
    }

    /// Writes a small file.
    ///
    /// # Errors
    /// Of the file system; there may be one of that name already.
    pub fn put(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut staged = self.stage(name)?;
        staged.write_all(content)?;
        staged.publish()
    }

    /// The files of ours. A folder that is not there holds none.
    ///
    /// # Errors
    /// It could not be read.
    pub fn files(&self) -> io::Result<Vec<Stored>> {
        let Self::Folder { path, .. } = self;
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

    /// A file, from its beginning.
    ///
    /// # Errors
    /// Of the file system.
    pub fn open(&self, name: &str) -> io::Result<File> {
        let Self::Folder { path, .. } = self;
        File::open(path.join(name))
    }

    /// A small file.
    ///
    /// # Errors
    /// Of the file system, or it is larger.
    pub fn read(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(name)?.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too large"));
        }
        Ok(bytes)
    }

    /// Deletes a file. One that is gone is no error.
    ///
    /// # Errors
    /// Of the file system.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        let Self::Folder { path, .. } = self;
        match fs::remove_file(path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => sync_folder(path),
        }
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
    /// Under a name of its own, which whoever is killed leaves behind.
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

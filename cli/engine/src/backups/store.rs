//! A place that holds backups. A file appears there whole or not at all, and never in the place of another.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inventories::{BackupTarget, SftpTarget};
use remote::sftp::{self, SftpError};

use super::name::FileName;
use super::s3::{Bucket, Ranges, Upload};
use super::sftp::{Arriving, FarFolder, LogIn};
use crate::pool::LoginError;

mod folder;

pub use folder::Staged;

/// A place that holds backups, by the name that the inventory has for it.
#[derive(Debug, Clone)]
pub enum Store {
    /// A folder of this machine. Its files have mode 0600.
    Folder {
        /// As the inventory has it.
        name: String,
        /// Where it is.
        path: PathBuf,
    },
    /// A bucket of an S3 server.
    S3 {
        /// As the inventory has it.
        name: String,
        /// What reaches it.
        bucket: Arc<Bucket>,
    },
    /// A folder of another host. Its files have mode 0600.
    Sftp {
        /// As the inventory has it.
        name: String,
        /// What reaches it.
        folder: Arc<FarFolder>,
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
    /// The place that a target of the inventory means; `resolve` says where a relative path begins, `look` gives
    /// the variables that name credentials, and `log_in` the login of another host.
    pub fn for_target(
        target: &BackupTarget,
        resolve: impl Fn(&Path) -> PathBuf,
        look: fn(&str) -> Option<OsString>,
        log_in: impl FnOnce(&SftpTarget) -> LogIn,
    ) -> Self {
        let name = target.to_string();
        match target {
            BackupTarget::Folder(path) => Self::Folder { name, path: resolve(path) },
            BackupTarget::S3(target) => {
                let ca_file = target.server.ca_file.as_deref().map(resolve);
                Self::S3 { name, bucket: Arc::new(Bucket::new(target, ca_file, look)) }
            }
            BackupTarget::Sftp(target) => {
                let folder = FarFolder::new(target.folder().to_owned(), log_in(target));
                Self::Sftp { name, folder: Arc::new(folder) }
            }
        }
    }

    /// As the inventory has it.
    pub fn name(&self) -> &str {
        match self {
            Self::Folder { name, .. } | Self::S3 { name, .. } | Self::Sftp { name, .. } => name,
        }
    }

    /// Starts a file. Nothing of it shows under its name before [`Unpublished::publish`].
    ///
    /// # Errors
    /// Of the file system or the server.
    pub fn stage(&self, name: &str) -> io::Result<Unpublished> {
        match self {
            Self::Folder { path, .. } => folder::stage(path, name).map(Unpublished::File),
            Self::S3 { bucket, .. } => Ok(Unpublished::Object(bucket.upload(name)?)),
            Self::Sftp { folder, .. } => folder.stage(name).map(Unpublished::Far),
        }
    }

    /// Writes a small file.
    ///
    /// # Errors
    /// Of the file system or the server; there may be one of that name already.
    pub fn put(&self, name: &str, content: &[u8]) -> io::Result<()> {
        match self {
            Self::S3 { bucket, .. } => Ok(bucket.put(name, content)?),
            Self::Folder { .. } | Self::Sftp { .. } => {
                let mut staged = self.stage(name)?;
                staged.write_all(content)?;
                staged.publish()
            }
        }
    }

    /// The files of ours. A folder that is not there holds none.
    ///
    /// # Errors
    /// It could not be read.
    pub fn files(&self) -> io::Result<Vec<Stored>> {
        match self {
            Self::Folder { path, .. } => folder::files(path),
            Self::S3 { bucket, .. } => Ok(bucket.files()?),
            Self::Sftp { folder, .. } => folder.files(),
        }
    }

    /// Whether it is a folder that is not there: never written to, or not mounted. One that may not be looked at is
    /// another matter: reading it says why.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Folder { path, .. } => {
                fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
            }
            Self::S3 { .. } => false,
            Self::Sftp { folder, .. } => folder.is_missing(),
        }
    }

    /// That a folder is there, for those who rely on what it holds.
    ///
    /// # Errors
    /// It is missing.
    pub fn is_there(&self) -> io::Result<()> {
        match self.is_missing() {
            true => Err(io::Error::new(io::ErrorKind::NotFound, "there is no such folder")),
            false => Ok(()),
        }
    }

    /// A file, from its beginning.
    ///
    /// # Errors
    /// Of the file system or the server.
    pub fn open(&self, name: &str) -> io::Result<Reading> {
        match self {
            Self::Folder { path, .. } => File::open(path.join(name)).map(Reading::File),
            Self::S3 { bucket, .. } => Ok(Reading::Object(bucket.open(name)?)),
            Self::Sftp { folder, .. } => folder.open(name).map(Reading::Far),
        }
    }

    /// A small file.
    ///
    /// # Errors
    /// Of the file system or the server, or it is larger.
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
    /// Of the file system or the server.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match self {
            Self::Folder { path, .. } => folder::remove(path, name),
            Self::S3 { bucket, .. } => Ok(bucket.remove(name)?),
            Self::Sftp { folder, .. } => folder.remove(name),
        }
    }

    /// What the operator should change to keep what is stored there, as far as it can be seen without harm.
    pub fn caution(&self) -> Option<&'static str> {
        match self {
            Self::Folder { .. } => None,
            Self::S3 { bucket, .. } => bucket.caution(),
            Self::Sftp { folder, .. } => folder.caution(),
        }
    }

    /// What to look at where it can't be read.
    pub fn advice(&self) -> String {
        match self {
            Self::Folder { name, .. } => format!("check {name} on this machine: is it mounted?"),
            Self::S3 { name, .. } => format!(
                "check the endpoint, the credentials and the permissions for {name}: quorate snapshot list"
            ),
            Self::Sftp { name, .. } => {
                format!("check the login and the folder of {name}: quorate snapshot list")
            }
        }
    }

    /// What to do about a failure to read it, beyond what the failure says itself.
    pub fn advice_on(&self, error: &io::Error) -> Option<String> {
        match self {
            Self::Folder { .. } => Some(self.advice()),
            // What a bucket's server says is advice enough.
            Self::S3 { .. } => None,
            Self::Sftp { .. } => {
                let known = error.get_ref()?;
                let of_login = known.downcast_ref::<LoginError>().and_then(LoginError::hint);
                of_login.or_else(|| known.downcast_ref::<SftpError>().and_then(SftpError::hint))
            }
        }
    }

    /// Whether a network is between here and what it holds, so that it may answer late or never.
    pub fn is_far(&self) -> bool {
        match self {
            Self::Folder { .. } => false,
            Self::S3 { .. } | Self::Sftp { .. } => true,
        }
    }
}

/// A file that has no name yet. Dropped before it is published, it leaves nothing behind.
#[derive(Debug)]
pub enum Unpublished {
    /// In a folder.
    File(Staged),
    /// In a bucket.
    Object(Upload),
    /// In a folder of another host.
    Far(Arriving),
}

impl Unpublished {
    /// Gives the file its name, once all of it is stored. Another file of that name stays as it is.
    ///
    /// # Errors
    /// Of the file system or the server, such as that the name is taken.
    pub fn publish(self) -> io::Result<()> {
        match self {
            Self::File(staged) => staged.publish(),
            Self::Object(upload) => Ok(upload.publish()?),
            Self::Far(arriving) => arriving.publish(),
        }
    }
}

impl Write for Unpublished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(staged) => staged.write(bytes),
            Self::Object(upload) => upload.write(bytes),
            Self::Far(arriving) => arriving.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(staged) => staged.flush(),
            Self::Object(upload) => upload.flush(),
            Self::Far(arriving) => arriving.flush(),
        }
    }
}

/// A stored file that is being read.
#[derive(Debug)]
pub enum Reading {
    /// Of a folder.
    File(File),
    /// Of a bucket.
    Object(Ranges),
    /// Of a folder of another host.
    Far(sftp::Reading),
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Object(ranges) => ranges.read(buffer),
            Self::Far(reading) => reading.read(buffer),
        }
    }
}

//! Where a cluster's backups go, who can open them, and how many are kept.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::inventory::Ssh;

/// The backups of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backups {
    /// Where each backup goes, at least one, each once.
    pub to: Vec<BackupTarget>,
    /// age or SSH public keys, at least one: those of `[pki]` unless set.
    pub recipients: Vec<String>,
    /// How many `prune` keeps; `None` where nothing says so, and then it deletes nothing.
    pub keep: Option<Keep>,
    /// How old the newest good backup may be.
    pub max_age: Option<Duration>,
    /// How old the newest backup may be that somebody opened and that an etcd started from.
    pub max_age_opened: Option<Duration>,
}

/// A place that holds backups.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum BackupTarget {
    /// A folder of the machine that runs quorate.
    Folder(PathBuf),
    /// A bucket of an S3 server.
    S3(S3Target),
    /// A folder of another host, over SFTP.
    Sftp(SftpTarget),
}

/// A folder of another host, and how to log in there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SftpTarget {
    /// What is written of the login; SSH's own configuration says the rest.
    pub ssh: Ssh,
    /// The folder as a URL has it: `/srv/etcd`, or `/~/etcd` for one in the login's home.
    pub path: String,
}

impl SftpTarget {
    /// The folder as the host takes it: without a leading slash it begins at the login's home.
    pub fn folder(&self) -> &Path {
        Path::new(self.path.strip_prefix("/~/").unwrap_or(&self.path))
    }
}

/// A part of a bucket, and the server that has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct S3Target {
    /// The bucket.
    pub bucket: String,
    /// What every object's name starts with, without slashes at its ends; may be empty.
    pub prefix: String,
    /// The server.
    pub server: S3Server,
}

/// How a cluster's S3 server is reached. Credentials are never part of an inventory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct S3Server {
    /// Its URL, without a path.
    pub endpoint: String,
    /// The region that requests are signed for.
    pub region: String,
    /// Where a URL has the bucket.
    pub style: BucketStyle,
    /// The CAs that sign its certificate; `None` for those that this machine trusts.
    pub ca_file: Option<PathBuf>,
}

/// Where a URL has the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BucketStyle {
    /// First in the path: `https://server/bucket/object`.
    Path,
    /// First in the host's name: `https://bucket.server/object`.
    Host,
}

/// As an inventory spells it.
impl fmt::Display for BackupTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackupTarget::Folder(path) => write!(f, "file:{}", path.display()),
            BackupTarget::S3(S3Target { bucket, prefix, .. }) if prefix.is_empty() => {
                write!(f, "s3://{bucket}")
            }
            BackupTarget::S3(S3Target { bucket, prefix, .. }) => {
                write!(f, "s3://{bucket}/{prefix}")
            }
            BackupTarget::Sftp(SftpTarget { ssh, path }) => {
                f.write_str("sftp://")?;
                if let Some(user) = &ssh.user {
                    write!(f, "{user}@")?;
                }
                match ssh.host.contains(':') {
                    true => write!(f, "[{}]", ssh.host)?,
                    false => f.write_str(&ssh.host)?,
                }
                if let Some(port) = ssh.port {
                    write!(f, ":{port}")?;
                }
                f.write_str(path)
            }
        }
    }
}

/// The newest backup of each of the last so many hours, days and weeks that have one. Not all of them are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    /// Hours, of UTC.
    pub hourly: u32,
    /// Days, of UTC.
    pub daily: u32,
    /// Weeks, from Monday on.
    pub weekly: u32,
}

//! Where a cluster's backups go, who can open them, and how many are kept.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

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
}

/// A place that holds backups.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum BackupTarget {
    /// A folder of the machine that runs quorate.
    Folder(PathBuf),
}

/// As an inventory spells it.
impl fmt::Display for BackupTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackupTarget::Folder(path) => write!(f, "file:{}", path.display()),
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

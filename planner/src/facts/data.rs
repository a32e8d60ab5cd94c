//! What a member's data directory holds.

use std::collections::{BTreeMap, BTreeSet};

use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// A member's data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDirectory {
    /// Permission bits.
    pub mode: u32,
    /// Owner's name.
    pub owner: String,
    /// Group's name.
    pub group: String,
    /// Whether nothing is in it but what was set aside and what a file system itself puts there.
    pub empty: bool,
    /// Whether it holds a write-ahead log.
    pub wal: bool,
    /// Whose the files are that etcd made there, as `OWNER:GROUP`.
    pub owners: BTreeSet<String>,
    /// What tells where its content is from. Looked at only while nothing says that the member was in a quorum.
    pub origin: DataOrigin,
    /// Whether restored data lies beside it, which is not in its place yet.
    pub restored: bool,
    /// What was set aside here instead of being deleted: bytes by name.
    pub archives: BTreeMap<String, u64>,
}

/// What tells where the content of a data directory is from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DataOrigin {
    /// Files of the write-ahead log.
    pub segments: usize,
    /// Snapshots of the raft log.
    pub snapshots: usize,
    /// Bytes of the database.
    pub database: u64,
    /// Whether the log was last written before the bootstrap's token was.
    pub older_than_token: bool,
    /// The cluster id that the log was started with, in hex, where its first file tells.
    pub cluster_id: Option<String>,
}

/// When an archive was set aside, by its host's clock: its name starts with that. `None` for a name that quorate did
/// not give.
pub fn set_aside(archive: &str) -> Option<OffsetDateTime> {
    let stamp = format_description!("[year][month][day]T[hour][minute][second]Z");
    let (at, _) = archive.split_once('-')?;
    PrimitiveDateTime::parse(at, &stamp).ok().map(PrimitiveDateTime::assume_utc)
}

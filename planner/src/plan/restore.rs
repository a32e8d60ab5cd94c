//! What a restore brings to its hosts.

use std::collections::BTreeMap;

use inventories::{AccountName, EtcdVersion, HostName};
use serde::Serialize;

/// A snapshot that is restored: an opened file, the same on every host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StagedSnapshot {
    /// Its sha256 in hex, checked on the host.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
}

/// What a member's data is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Staging {
    /// The snapshot.
    pub snapshot: StagedSnapshot,
    /// The release whose tool restores it.
    pub version: EtcdVersion,
    /// The member's name.
    pub name: HostName,
    /// Where its peers find it.
    pub peer_url: String,
    /// The members of the restored cluster, and their peer URLs.
    pub initial_cluster: BTreeMap<HostName, String>,
    /// How many revisions are added to those of the snapshot; `None` where the release can't.
    pub bump: Option<u64>,
    /// Whose the data is.
    pub account: AccountName,
}

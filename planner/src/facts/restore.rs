//! What a restore that is not finished has done on a host.

use templates::BootstrapToken;

/// The record of a restore on one host. It is there from the moment in which the host has all that it needs, until
/// every member is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreRecord {
    /// The token of the restored cluster: new with each restore, and the same on every host of it.
    pub token: BootstrapToken,
    /// The sha256 of the snapshot, opened, in hex.
    pub sha256: String,
    /// The members of the restored cluster and their peer URLs, as etcd writes them.
    pub members: String,
    /// How many revisions were added to those of the snapshot, where its release could.
    pub bump: Option<u64>,
    /// How far it is.
    pub phase: RestorePhase,
}

/// How far a restore is on one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RestorePhase {
    /// The new data lies beside the old, which is as it was.
    Staged,
    /// The old data is archived, or is about to be.
    SetAside,
    /// The new data is in its place.
    Placed,
}

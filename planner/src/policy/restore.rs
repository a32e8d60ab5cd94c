//! What an operator asks for with a restore.

use std::collections::BTreeSet;

use inventories::{ClusterName, EtcdVersion, HostName};
use time::OffsetDateTime;

/// The highest revision that a cluster may begin with: half of what etcd can count to, with as much left to go on. A
/// million writes a second would take more than a hundred thousand years to come so far.
pub const MAX_REVISION: u64 = 1 << 62;

/// A cluster's data is to become what a snapshot holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreRequest {
    /// The cluster.
    pub cluster: ClusterName,
    /// The snapshot.
    pub snapshot: RestoreSource,
    /// The highest revision of this cluster that any backup knows.
    pub highest_known: u64,
    /// The targets that can't be read: what they hold is unknown.
    pub unread: BTreeSet<String>,
    /// The names of the members that the cluster had when its newest backup was taken.
    pub members: BTreeSet<String>,
    /// Clusters whose clients the operator has stopped.
    pub clients_stopped: BTreeSet<ClusterName>,
    /// Clusters whose former members run nowhere, as the operator says: nothing else tells who they were.
    pub old_members_stopped: BTreeSet<ClusterName>,
    /// Clusters that may lose what they hold beyond the snapshot.
    pub allow_data_loss: BTreeSet<ClusterName>,
    /// Hosts that are permanently gone, as the operator says: they can't be asked to stop.
    pub gone: BTreeSet<HostName>,
}

/// A snapshot as it is known before it is opened on the hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreSource {
    /// What the operator calls it: a backup's id, or a file.
    pub name: String,
    /// The sha256 of the opened file, in hex.
    pub sha256: String,
    /// The size of the opened file.
    pub bytes: u64,
    /// The revision that it holds, where that is known.
    pub revision: Option<u64>,
    /// The release that made it, where that is known.
    pub etcd_version: Option<EtcdVersion>,
    /// The alarms that were raised when it was taken, as `alarm KIND of member ID`, where that is known: they are in
    /// it, and are raised again.
    pub alarms: BTreeSet<String>,
    /// When it was taken, where that is known.
    pub taken: Option<OffsetDateTime>,
}

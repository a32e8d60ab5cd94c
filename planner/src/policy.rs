//! The operator's choices and the thresholds of preflight, each with its argument.

use std::collections::BTreeSet;
use std::time::Duration;

use inventories::{ClusterName, HostName, KubernetesName};

use crate::facts::Observed;
use crate::plan::DefragRule;
use crate::selection::Selection;

mod restore;

pub use restore::{MAX_REVISION, RestoreRequest, RestoreSource};

/// What the operator allows, and where preflight draws its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Below this many processors preflight warns (etcd's hardware guide: 2 to 4 for a small cluster).
    pub min_cores: u32,
    /// Below this many bytes of memory preflight warns (etcd's hardware guide: 8 GB for a small cluster).
    pub min_memory: u64,
    /// Above this skew against the operator's clock, in milliseconds, preflight warns.
    pub skew_warn_ms: i64,
    /// Above this skew no certificate is issued: it would not be valid yet, or not any more, on the host.
    pub skew_refuse_ms: i64,
    /// Above this time of a synced write, 99 of 100, preflight warns (etcd's advice for its log).
    pub disk_warn: Duration,
    /// Above this no cluster is formed: a single write takes longer than the heartbeat that waits
    /// for it, so leaders are lost under load.
    pub disk_refuse: Duration,
    /// Clusters that may be formed on a slower disk.
    pub allow_slow_disk: BTreeSet<ClusterName>,
    /// Clusters that may lose their quorum while a member restarts.
    pub allow_outage: BTreeSet<ClusterName>,
    /// Clusters that may be formed although they were formed before.
    pub allow_reform: BTreeSet<ClusterName>,
    /// Kubernetes clusters whose API servers may be switched to another etcd, away from what they hold now.
    pub allow_switch: BTreeSet<KubernetesName>,
    /// Clusters that may change their minor version of etcd without a snapshot before.
    pub allow_no_backup: BTreeSet<ClusterName>,
    /// Clusters that ran out of space and may lose all revisions but the newest.
    pub compact_now: BTreeSet<ClusterName>,
    /// Hosts whose failed members are replaced by new ones.
    pub replace: BTreeSet<HostName>,
    /// Hosts whose members get new certificates, whatever theirs are.
    pub reissue: BTreeSet<HostName>,
    /// The ids, in hex, of members to remove whose host the inventory does not have.
    pub remove_members: BTreeSet<String>,
    /// What is done instead of what the inventory asks for.
    pub maintenance: Option<Maintenance>,
    /// What the plan is narrowed to.
    pub selection: Selection,
}

/// Work that no inventory asks for, but an operator. A plan for it holds nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Maintenance {
    /// Databases are rewritten without their free pages.
    Defragment(DefragRule),
    /// A cluster's data becomes what a snapshot holds.
    Restore(Box<RestoreRequest>),
    /// A cluster is removed from its hosts.
    Destroy(DestroyRequest),
    /// Removes from a host what is left of a cluster that the inventory does not have.
    Remove(RemoveRequest),
}

/// Which cluster to remove from which host. The desired state has the cluster with this one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoveRequest {
    /// Of which.
    pub cluster: ClusterName,
    /// On which host.
    pub host: HostName,
}

/// A cluster that is to be removed from its hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestroyRequest {
    /// Which.
    pub cluster: ClusterName,
    /// The API servers that say in its data that they are alive; unknown where no member answers.
    pub api_servers: Observed<BTreeSet<String>>,
}

/// Bytes that etcd's write-ahead log needs besides the database: 64 MB a file, one being filled and
/// one prepared.
pub const WAL_BYTES: u64 = 2 * 64 * 1024 * 1024;

/// etcd's own default interval between heartbeats, in milliseconds.
pub const DEFAULT_HEARTBEAT_MS: u32 = 100;

/// etcd's own default election timeout, in milliseconds.
pub const DEFAULT_ELECTION_MS: u32 = 1_000;

/// Round trips that an election timeout should have room for (etcd's guide to tuning).
pub const ROUND_TRIPS_AN_ELECTION: u32 = 10;

/// The longest election timeout that etcd takes, in milliseconds.
pub const MAX_ELECTION_MS: u32 = 50_000;

/// etcd's own default quota, in force where the inventory sets none.
pub const DEFAULT_QUOTA_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// Bytes that a release needs while it is installed: archive and unpacked binaries together.
pub const RELEASE_BYTES: u64 = 200 * 1024 * 1024;

impl Default for Policy {
    fn default() -> Self {
        Self {
            min_cores: 2,
            // Firmware and the kernel keep some of 8 GB for themselves.
            min_memory: 7_500_000_000,
            skew_warn_ms: 1_000,
            skew_refuse_ms: 60_000,
            disk_warn: Duration::from_millis(10),
            disk_refuse: Duration::from_millis(150),
            allow_slow_disk: BTreeSet::new(),
            allow_outage: BTreeSet::new(),
            allow_reform: BTreeSet::new(),
            allow_switch: BTreeSet::new(),
            allow_no_backup: BTreeSet::new(),
            compact_now: BTreeSet::new(),
            replace: BTreeSet::new(),
            reissue: BTreeSet::new(),
            remove_members: BTreeSet::new(),
            maintenance: None,
            selection: Selection::default(),
        }
    }
}

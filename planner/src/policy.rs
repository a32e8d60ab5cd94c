//! The operator's choices and the thresholds of preflight, each with its argument.

use std::collections::BTreeSet;

use inventories::ClusterName;

use crate::selection::Selection;

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
    /// Clusters that may lose their quorum while a member restarts.
    pub allow_outage: BTreeSet<ClusterName>,
    /// What the plan is narrowed to.
    pub selection: Selection,
}

/// Bytes that etcd's write-ahead log needs besides the database: 64 MB a file, one being filled and
/// one prepared.
pub const WAL_BYTES: u64 = 2 * 64 * 1024 * 1024;

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
            allow_outage: BTreeSet::new(),
            selection: Selection::default(),
        }
    }
}

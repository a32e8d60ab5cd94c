//! What etcd says of itself.

use inventories::{EtcdVersion, Minor};

use super::Observed;

/// What a member said through `etcdctl` on its own host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdFacts {
    /// Cluster id, in hex.
    pub cluster_id: String,
    /// Member id, in hex.
    pub member_id: String,
    /// The leader's member id, in hex; `None` when the member knows no leader.
    pub leader: Option<String>,
    /// Version of the running server.
    pub version: String,
    /// The minor whose schema its database has, which follows the cluster's version. etcd tells it since 3.6.
    pub storage: Observed<Minor>,
    /// The minor to which a downgrade was enabled that is not finished. etcd tells it since 3.6.
    pub downgrade: Observed<Minor>,
    /// Size of the database, in bytes.
    pub db_size: u64,
    /// Bytes of it that are in use.
    pub db_in_use: u64,
    /// Last raft index that the member has.
    pub raft_index: u64,
    /// Last raft index that the member has applied.
    pub raft_applied: u64,
    /// Raft term.
    pub raft_term: u64,
    /// The revision that its data has reached.
    pub revision: u64,
    /// Whether it is a learner.
    pub learner: bool,
    /// Alarms, as `alarm KIND of member ID`, and other errors that the member reports.
    pub errors: Vec<String>,
    /// Whether etcd's own authentication is on and forbids quorate's certificate even to read. Only the
    /// leader is asked.
    pub forbids_us: bool,
    /// Whether etcd's own authentication is on. Only members of 3.4 are asked: nothing but their upgrade depends on it.
    pub authentication: Observed<bool>,
    /// The member list, as this member has it.
    pub members: Observed<Vec<ListedMember>>,
}

impl EtcdFacts {
    /// The minor that the member runs; `None` where its version is none that can be read.
    pub fn minor(&self) -> Option<Minor> {
        Some(self.version.parse::<EtcdVersion>().ok()?.minor())
    }
}

/// How an alarm begins among [`EtcdFacts::errors`].
pub const ALARM: &str = "alarm ";

/// One row of etcd's member list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedMember {
    /// Member id, in hex.
    pub id: String,
    /// Name; empty while the member has never started.
    pub name: String,
    /// Peer URLs, sorted.
    pub peer_urls: Vec<String>,
    /// Client URLs, sorted.
    pub client_urls: Vec<String>,
    /// Whether it is a learner.
    pub learner: bool,
}

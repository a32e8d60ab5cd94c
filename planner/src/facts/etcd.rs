//! What etcd says of itself.

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
    /// Whether it is a learner.
    pub learner: bool,
    /// Alarms, as `alarm KIND of member ID`, and other errors that the member reports.
    pub errors: Vec<String>,
    /// Whether etcd's own authentication is on and forbids quorate's certificate even to read. Only the
    /// leader is asked.
    pub forbids_us: bool,
    /// The member list, as this member has it.
    pub members: Observed<Vec<ListedMember>>,
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

//! What a plan says besides its steps: how things are, what is refused and why, what waits.

mod code;

use std::collections::{BTreeMap, BTreeSet};

use inventories::{ClusterName, EtcdVersion, HostName};
use serde::Serialize;

use crate::facts::{Commit, Holder};
use crate::quorum::Quorum;
use crate::stops::Stops;
pub use code::FindingCode;

/// Everything that a reader of the plan must know besides its steps.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PlanReport {
    /// What the plan is for.
    #[serde(skip)]
    pub purpose: Purpose,
    /// How each cluster is now.
    pub clusters: BTreeMap<ClusterName, ClusterNow>,
    /// The applies that hosts remember as their last, newest first.
    pub last_applies: Vec<LastApply>,
    /// Hosts whose lock a run holds at this moment.
    pub locked: Vec<LockedHosts>,
    /// Hosts that could not be seen, and why.
    pub unseen: BTreeMap<HostName, String>,
    /// What was found that is worth a look and stops nothing.
    pub warnings: Vec<Finding>,
    /// What is wrong or not supported, and which steps each leaves out of the plan.
    pub blocked: Vec<Blocked>,
    /// Changes that are wanted and held back, because they are not safe now. The rest continues.
    pub held: Vec<Finding>,
    /// What will be due later.
    pub waiting: Vec<Finding>,
    /// What a narrowed plan leaves out.
    pub left_out: Vec<LeftOut>,
    /// What is on the hosts and not in the inventory; quorate leaves it alone.
    pub unmanaged: Vec<Finding>,
    /// What the steps do to each cluster's quorum, in the order of execution.
    pub quorum: Vec<QuorumNote>,
    /// The hops to another minor of etcd, of which the plan does the first of each cluster.
    pub hops: Vec<Hop>,
    /// What can't be undone.
    pub one_way: Vec<String>,
    /// What clients will notice.
    pub clients: Vec<String>,
    /// The names, of hosts or clusters, that the operator must give besides approving: approval alone is not enough for
    /// what happens to them.
    #[serde(skip)]
    pub confirm: BTreeSet<String>,
}

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purpose {
    /// The hosts become what the inventory says.
    #[default]
    Inventory,
    /// Databases are rewritten without their free pages.
    Defragment,
    /// A cluster's data becomes what a snapshot holds.
    Restore,
    /// A cluster is removed from its hosts.
    Destroy,
    /// It removes from a host what is left of a cluster that the inventory does not have.
    Remove,
}

/// The last apply of these hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastApply {
    /// Who remembers it.
    pub hosts: BTreeSet<HostName>,
    /// When it began, as RFC 3339 in UTC.
    pub at: String,
    /// Person and machine.
    pub by: String,
    /// The first characters of the plan's hash.
    pub plan: String,
    /// The commit of the inventory, where it was in git.
    pub commit: Option<Commit>,
    /// Whether the inventory held more than the commit.
    pub dirty: bool,
    /// Its result, as the word of its exit code; `unfinished` where it did not end.
    pub outcome: String,
}

/// Hosts whose lock a run holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LockedHosts {
    /// Who.
    pub holder: Holder,
    /// Which.
    pub hosts: BTreeSet<HostName>,
}

/// How a cluster is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClusterNow {
    /// How far it is formed.
    pub formation: Formation,
    /// etcd's id of it, in hex, once it has one.
    pub cluster_id: Option<String>,
    /// Voters and how many of them answer.
    pub quorum: Quorum,
    /// Members whose hosts were not reached.
    #[serde(skip)]
    pub unseen: usize,
    /// The member that leads.
    pub leader: Option<HostName>,
    /// Who reports it.
    #[serde(skip)]
    pub led: Led,
    /// Members of a formed cluster that are down, with the state of their unit.
    pub down: BTreeMap<HostName, String>,
    /// Members that are up and have much of the log still to apply: how many entries each has applied, and
    /// of how many.
    #[serde(skip)]
    pub late: BTreeMap<HostName, (u64, u64)>,
    /// Alarms, as etcd names them.
    pub alarms: Vec<String>,
}

/// How a formed cluster stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Every voter is up, and no alarm is raised.
    Healthy,
    /// Every voter is up, and an alarm is raised: etcd refuses writes, or answers nothing.
    Alarmed,
    /// There is a quorum, and some voters are down.
    Degraded,
    /// Too few are up, even if every member whose host was not reached is.
    Lost,
    /// Too few are known to be up; the members whose hosts were not reached decide.
    NotKnown,
}

impl ClusterNow {
    /// What its quorum and its alarms say.
    pub fn standing(&self) -> Standing {
        let quorum = self.quorum;
        let at_best = Quorum { healthy: quorum.healthy + self.unseen, ..quorum };
        match (quorum.holds(), at_best.holds()) {
            (true, _) if quorum.healthy < quorum.voters => Standing::Degraded,
            (true, _) if !self.alarms.is_empty() => Standing::Alarmed,
            (true, _) => Standing::Healthy,
            (false, true) => Standing::NotKnown,
            (false, false) => Standing::Lost,
        }
    }
}

/// The source of the leader's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Led {
    /// The leader itself.
    Itself,
    /// Other members; the leader's host could not be seen.
    Unseen,
    /// Other members; the leader's host was seen, and the leader did not answer there.
    Silent,
    /// Members know a leader, and no list gives its name.
    Unnamed,
    /// Nobody leads: no member that is up knows a leader that is up.
    Nobody,
    /// Nobody could be asked who would have to know.
    Unknown,
}

/// How far a cluster is formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Formation {
    /// There is nothing of it.
    Absent,
    /// A bootstrap started and never had a quorum.
    Started,
    /// It had a quorum at least once, so its data counts.
    Formed,
    /// It was formed before, as other hosts or the record beside the inventory say; the hosts of its
    /// members show nothing of it.
    Elsewhere,
    /// Not every host could be seen, and none of those that were says that it is formed.
    Unknown,
}

/// Something found, on a host or of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// Stable word for scripts, such as `port-taken`.
    pub code: FindingCode,
    /// The host it was found on.
    pub host: Option<HostName>,
    /// The cluster it concerns.
    pub cluster: Option<ClusterName>,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A finding that keeps steps out of the plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Blocked {
    /// What was found.
    pub finding: Finding,
    /// What it stops, never empty.
    pub stops: BTreeSet<Stops>,
}

impl PlanReport {
    /// Adds a finding that stops something. One of a machine is found once for each cluster that asks:
    /// it is told once, and stops what it stops for each of them.
    pub(crate) fn block(&mut self, finding: Finding, stops: impl IntoIterator<Item = Stops>) {
        match self.blocked.iter_mut().find(|blocked| blocked.finding == finding) {
            Some(known) => known.stops.extend(stops),
            None => {
                let stops = stops.into_iter().collect();
                self.blocked.push(Blocked { finding, stops });
            }
        }
    }

    /// Every finding that keeps something that is wanted out of the plan.
    pub fn refused(&self) -> impl Iterator<Item = &Finding> {
        self.blocked.iter().map(|blocked| &blocked.finding).chain(&self.held)
    }
}

/// What a narrowed plan leaves out of one cluster, or of what serves whole hosts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LeftOut {
    /// The cluster; `None` for what serves every cluster of a host.
    pub cluster: Option<ClusterName>,
    /// The hosts.
    pub hosts: BTreeSet<HostName>,
    /// How many steps.
    pub steps: usize,
    /// How many findings that block or hold back something of the whole plan.
    pub problems: usize,
}

/// A release on a cluster's way to another minor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hop {
    /// The cluster.
    pub cluster: ClusterName,
    /// Its place among the cluster's hops, from 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
    /// The farthest from it that a member runs before.
    pub from: EtcdVersion,
    /// The release that all members run afterwards.
    pub to: EtcdVersion,
    /// Which flags and defaults change.
    pub changes: Vec<String>,
    /// What clients notice.
    pub clients: String,
    /// Until when it can be undone, and how.
    pub undo: String,
}

/// What one step does to a cluster's quorum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuorumNote {
    /// The cluster.
    pub cluster: ClusterName,
    /// What happens, such as `start etcd-1, etcd-2, etcd-3`.
    pub what: String,
    /// Members up afterwards (for a restart: while it lasts).
    pub up: usize,
    /// Members that a quorum needs.
    pub needed: usize,
}

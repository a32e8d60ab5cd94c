//! What is left of a cluster, and which ways lead out, the one that loses least first.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use inventories::inventory::Runtime;
use inventories::{ClusterName, HostName};

use crate::facts::{EtcdFacts, HostFacts, MemberFacts, Observed, RestorePhase, SiteFacts};
use crate::named;
use crate::plan::{Plan, StepKind};
use crate::quorum::Quorum;
use crate::report::Finding;
use crate::spec::ClusterSpec;

/// What is left of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// How many members a quorum takes.
    pub needed: usize,
    /// How many members have a vote: by the cluster's own list, not the inventory's.
    pub voters: usize,
    /// What keeps members running.
    pub runtime: Runtime,
    /// Each member, the newest data first.
    pub members: Vec<Left>,
    /// What leads out, the best first.
    pub ways: Vec<Way>,
}

/// What is left of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Its host.
    pub host: HostName,
    /// What is there.
    pub state: State,
}

/// What is left of a member, the least useful first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The host is there, and the data is not.
    Empty,
    /// The host can't be looked at.
    Unseen(String),
    /// It has no vote yet, and its data may still be on its way.
    Learner,
    /// Its data is there, and it does not answer.
    Silent,
    /// It answers, and knows no leader.
    Alone(Reached),
    /// It answers, and knows the leader.
    Serves(Reached),
}

/// How far a member's data is. The term decides before the index, as in raft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reached {
    /// Its raft term.
    pub term: u64,
    /// The last raft index that it has applied.
    pub applied: u64,
    /// Its revision.
    pub revision: u64,
}

/// A way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// There is a quorum: nothing has to be restored.
    Quorum,
    /// Some member follows a leader: there is a quorum, though not all of it was seen. It may be on these hosts.
    Led(Vec<HostName>),
    /// A restore was started, from the snapshot of this sha256: it is to be finished.
    Finish(String),
    /// Enough members have their data: with these running there is a quorum again, and nothing is lost.
    Start(Vec<HostName>),
    /// The same, if enough of these hosts come back with their data.
    Reach(Vec<HostName>),
    /// A new cluster from what this member has. It answers.
    Survivor(HostName),
    /// The same, once this member runs; without a quorum it still answers what a snapshot asks.
    Revive(HostName),
    /// The newest backup: no member has data that can be brought up.
    Backup,
}

/// What is left of a cluster.
pub fn recovery(cluster: &ClusterSpec, facts: &SiteFacts) -> Recovery {
    let own = |host: &HostName| facts.hosts.get(host)?.known()?.clusters.get(&cluster.name);
    let seen = || facts.hosts.keys().filter_map(own);
    let named = named::named(seen());
    let state = |host: &HostName| match facts.hosts.get(host) {
        Some(Observed::Known(seen)) => seen_of(cluster, seen),
        Some(Observed::Unknown(why)) => State::Unseen(why.clone()),
        Some(Observed::Absent) | None => State::Unseen("the inventory does not have it".to_owned()),
    };
    let had = |host: &&HostName| own(host).is_some_and(|own| own.has_log() || own.had_quorum());
    let wanted = cluster.members.keys().chain(facts.hosts.keys().filter(had)).cloned();
    let names = named.keys().filter_map(|name| HostName::new(name).ok());
    let hosts: BTreeSet<HostName> = names.chain(wanted).collect();
    let left = |host: &HostName| Left { host: host.clone(), state: state(host) };
    let mut members: Vec<Left> = hosts.iter().map(left).collect();
    rank(&mut members);
    // Where the members are known, one of the inventory that is none of them has no vote.
    let votes = |left: &&Left| {
        let listed = named.get(left.host.as_str());
        left.state != State::Learner && listed.map_or(named.is_empty(), |one| !one.learner)
    };
    let voters: Vec<Left> = members.iter().filter(votes).cloned().collect();
    let needed = Quorum { voters: voters.len(), healthy: 0 }.size();
    let started = seen().filter_map(|own| own.restore.known());
    let mut started = started.filter(|record| record.phase != RestorePhase::Staged);
    let ways = match started.next() {
        Some(record) => vec![Way::Finish(record.sha256.clone())],
        None => ways(&voters, needed),
    };
    Recovery { needed, voters: voters.len(), runtime: cluster.runtime, members, ways }
}

/// What a restore that is planned now would lack, each a sentence without a full stop. `plan` is that of a restore for
/// which the operator allowed everything, which says nothing of one that was started before.
pub fn lacks(cluster: &ClusterName, found: &Recovery, plan: Option<&Plan>) -> Vec<String> {
    let unfinished = found.ways.iter().find_map(|way| match way {
        Way::Finish(sha256) => Some(format!(
            "a restore was started but not finished, from the snapshot of sha256 {sha256}: run quorate recover --cluster {cluster}"
        )),
        _ => None,
    });
    let told = |finding: &Finding| match &finding.host {
        Some(host) => format!("{host}: {}", finding.message),
        None => finding.message.clone(),
    };
    let blocked = plan.into_iter().flat_map(|plan| &plan.report.blocked);
    let blocked = blocked.map(|blocked| told(&blocked.finding));
    let steps = plan.into_iter().flat_map(|plan| &plan.steps);
    let releases = steps.filter_map(|step| match &step.kind {
        StepKind::InstallRelease { version, .. } => Some(format!(
            "{}: etcd {version} is not installed, and its tool restores the backup",
            step.host()
        )),
        _ => None,
    });
    unfinished.into_iter().chain(blocked).chain(releases).collect()
}

/// The most useful first; hosts of which the same is known by their names.
fn rank(members: &mut [Left]) {
    members.sort_by_key(|left| (Reverse(left.state.rank()), left.host.clone()));
}

impl State {
    fn rank(&self) -> (u8, Option<Reached>) {
        match self {
            State::Empty => (0, None),
            State::Unseen(_) => (1, None),
            State::Learner => (2, None),
            State::Silent => (3, None),
            State::Alone(reached) => (4, Some(*reached)),
            State::Serves(reached) => (5, Some(*reached)),
        }
    }
}

fn seen_of(cluster: &ClusterSpec, seen: &HostFacts) -> State {
    let Some(own) = seen.clusters.get(&cluster.name) else { return State::Empty };
    match own.etcd.known() {
        Some(etcd) if etcd.learner => State::Learner,
        Some(etcd) if etcd.leader.is_some() => State::Serves(reached(etcd)),
        Some(etcd) => State::Alone(reached(etcd)),
        None => silent(own),
    }
}

fn reached(etcd: &EtcdFacts) -> Reached {
    Reached { term: etcd.raft_term, applied: etcd.raft_applied, revision: etcd.revision }
}

/// What can't be read may be there.
fn silent(own: &MemberFacts) -> State {
    match &own.data {
        Observed::Known(data) if data.wal => State::Silent,
        Observed::Known(_) | Observed::Absent => State::Empty,
        Observed::Unknown(why) => State::Unseen(why.clone()),
    }
}

fn ways(members: &[Left], needed: usize) -> Vec<Way> {
    let hosts = |is: fn(&State) -> bool| -> Vec<HostName> {
        members.iter().filter(|left| is(&left.state)).map(|left| left.host.clone()).collect()
    };
    let serving = hosts(|state| matches!(state, State::Serves(_)));
    let alone = hosts(|state| matches!(state, State::Alone(_)));
    let silent = hosts(|state| *state == State::Silent);
    let unseen = hosts(|state| matches!(state, State::Unseen(_)));
    if serving.len() >= needed.max(1) {
        return vec![Way::Quorum];
    }
    // Nobody follows a leader that has no quorum, and a restore beside it makes a second cluster.
    if !serving.is_empty() {
        return vec![Way::Led(unseen)];
    }
    let there = alone.len() + silent.len();
    let last = alone.first().cloned().map_or(Way::Backup, Way::Survivor);
    if there >= needed.max(1) {
        let starts = Way::Start(silent.clone());
        // Those that answer find each other, or can be helped to; one that does not answer may never start again.
        return if silent.is_empty() { vec![starts] } else { vec![starts, last] };
    }
    let mut ways = Vec::new();
    if there + unseen.len() >= needed.max(1) {
        ways.push(Way::Reach(unseen));
    }
    // Its data may be the newest.
    ways.extend(silent.first().cloned().map(Way::Revive));
    ways.push(last);
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(applied: u64) -> Reached {
        Reached { term: 2, applied, revision: applied }
    }

    fn of(states: [State; 3]) -> Vec<Way> {
        let left = |(n, state)| Left { host: host(n), state };
        let mut members: Vec<Left> = (1..).zip(states).map(left).collect();
        rank(&mut members);
        ways(&members, 2)
    }

    fn host(n: u8) -> HostName {
        HostName::new(&format!("etcd-{n}")).unwrap()
    }

    fn unseen() -> State {
        State::Unseen("no answer".to_owned())
    }

    #[test]
    fn where_nothing_has_to_be_lost_no_restore_is_proposed() {
        let quorum = [State::Serves(at(5)), State::Serves(at(4)), State::Empty];
        assert_eq!(of(quorum), [Way::Quorum]);
        assert_eq!(
            of([State::Alone(at(5)), State::Silent, State::Empty]),
            [Way::Start(vec![host(2)]), Way::Survivor(host(1))]
        );
        assert_eq!(
            of([State::Silent, unseen(), State::Silent]),
            [Way::Start(vec![host(1), host(3)]), Way::Backup]
        );
        // Each knows a leader that is gone by now, or hears none: they may find one.
        assert_eq!(of([State::Alone(at(5)), State::Alone(at(4)), unseen()]), [Way::Start(vec![])]);
    }

    #[test]
    fn hosts_that_may_come_back_go_before_the_survivor_with_the_newest_data() {
        let reach = Way::Reach(vec![host(2), host(3)]);
        assert_eq!(
            of([State::Alone(at(5)), unseen(), unseen()]),
            [reach.clone(), Way::Survivor(host(1))]
        );
        assert_eq!(
            of([State::Silent, unseen(), unseen()]),
            [reach, Way::Revive(host(1)), Way::Backup]
        );
        assert_eq!(of([State::Empty, State::Empty, State::Alone(at(1))]), [Way::Survivor(host(3))]);
        assert_eq!(of([State::Empty, State::Empty, State::Empty]), [Way::Backup]);
    }

    #[test]
    fn nothing_is_restored_while_anybody_follows_a_leader() {
        assert_eq!(
            of([State::Serves(at(5)), unseen(), unseen()]),
            [Way::Led(vec![host(2), host(3)])]
        );
        assert_eq!(of([State::Serves(at(5)), State::Silent, State::Empty]), [Way::Led(vec![])]);
    }

    #[test]
    fn a_member_that_does_not_answer_is_not_hidden_by_one_that_does() {
        let left = |n, state| Left { host: host(n), state };
        let five = [
            left(1, State::Alone(at(5))),
            left(2, State::Silent),
            left(3, State::Empty),
            left(4, State::Empty),
            left(5, State::Empty),
        ];
        assert_eq!(ways(&five, 3), [Way::Revive(host(2)), Way::Survivor(host(1))]);
    }

    #[test]
    fn the_term_counts_before_the_index() {
        let late = Reached { term: 3, applied: 4, revision: 4 };
        let rank = |state: State| state.rank();
        assert!(rank(State::Alone(late)) > rank(State::Alone(at(9))));
        assert!(rank(State::Serves(at(1))) > rank(State::Alone(late)));
        let other = State::Unseen("another reason".to_owned());
        assert_eq!(rank(other), rank(unseen()));
    }
}

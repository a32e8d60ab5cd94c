//! How far a restore is, as its records on the hosts tell.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use inventories::{ClusterName, HostName};
use templates::BootstrapToken;

use crate::decide::assess::View;
use crate::facts::{MemberFacts, Observed, RestorePhase, RestoreRecord, SiteFacts};
use crate::plan::{Plan, StepKind};

/// How far the restore of one snapshot is.
pub(super) struct Stand<'a> {
    /// The host and the record from which it continues; `None` where it starts.
    pub(super) resumed: Option<(&'a HostName, &'a RestoreRecord)>,
    /// How far each member of the inventory is.
    pub(super) members: BTreeMap<&'a HostName, At>,
    /// The hosts on which another restore went too far to be undone.
    pub(super) others: BTreeMap<&'a HostName, &'a RestoreRecord>,
}

/// How far a member is in this restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// Nothing was done on its host.
    Nothing,
    /// According to the record.
    Recorded(RestorePhase),
    /// Its record is removed already: it was proven.
    Ended,
    /// The restored cluster serves, and this member of it has lost its data since.
    Lost,
}

/// What the record of a restore must say that continues from it.
pub(super) struct Wanted<'w> {
    pub(super) sha256: &'w str,
    /// The members of the restored cluster and their peer URLs, as etcd writes them.
    pub(super) members: &'w str,
    /// How many revisions must be added at least, where that can be done.
    pub(super) bump: Option<u64>,
}

impl<'a> Stand<'a> {
    pub(super) fn new(view: &View<'a>, facts: &'a SiteFacts, wanted: &Wanted<'_>) -> Self {
        let furthest = furthest(view, wanted);
        let all = |resumed| -> BTreeMap<&'a HostName, At> {
            view.members.iter().map(|(host, own)| (*host, at(own, view, resumed))).collect()
        };
        let members = all(furthest.map(|(_, record)| record));
        // A member that had its data, and so may have been started, and lost it, must not get the same again: it would
        // have forgotten what the others count on.
        let is_whole = |(host, at): (&&HostName, &At)| is_whole(view.members[host], *at);
        let resumes = members.iter().all(is_whole) || !members.values().copied().any(may_run);
        let (resumed, members) = match without_lost(view, &members) {
            _ if resumes => (furthest, members),
            Some(members) => (furthest, members),
            None => (None, all(None)),
        };
        let others = records(facts, view).filter(|(_, record)| {
            record.phase != RestorePhase::Staged && record.sha256 != wanted.sha256
        });
        Self { resumed, members, others: others.collect() }
    }

    /// How far the member of a host is.
    pub(super) fn at(&self, host: &HostName) -> At {
        self.members.get(host).copied().unwrap_or(At::Nothing)
    }

    /// Whether every member has the restored data: what is left is to start them and to prove them.
    pub(super) fn is_placed(&self) -> bool {
        let is_placed = |at: &At| may_run(*at) || *at == At::Lost;
        self.resumed.is_some() && self.members.values().all(is_placed)
    }

    /// Whether data of before was archived for it on some host: then nobody goes back by starting what is stopped.
    pub(super) fn has_started(&self) -> bool {
        self.members
            .values()
            .any(|at| matches!(at, At::Recorded(RestorePhase::SetAside)) || may_run(*at))
    }
}

/// Whether the member may have been started on its restored data.
fn may_run(at: At) -> bool {
    matches!(at, At::Recorded(RestorePhase::Placed) | At::Ended)
}

fn is_whole(own: &MemberFacts, at: At) -> bool {
    match at {
        At::Nothing | At::Lost => false,
        At::Recorded(RestorePhase::Placed) => own.has_log(),
        At::Recorded(_) | At::Ended => true,
    }
}

/// How far the members are of a restored cluster that serves, where all others of it have lost their data: they are
/// lost as members are of any cluster. `None` where nobody serves, or somebody has other data.
fn without_lost<'a>(
    view: &View<'a>,
    members: &BTreeMap<&'a HostName, At>,
) -> Option<BTreeMap<&'a HostName, At>> {
    let serves = |(host, at): (&&HostName, &At)| {
        let etcd = view.members[host].etcd.known();
        may_run(*at) && etcd.is_some_and(|etcd| etcd.leader.is_some())
    };
    let is_empty = |own: &MemberFacts| match &own.data {
        Observed::Known(data) => data.empty && !data.restored,
        Observed::Absent => true,
        Observed::Unknown(_) => false,
    };
    let at = |(host, at): (&&'a HostName, &At)| match view.members[host] {
        own if is_whole(own, *at) => Some((*host, *at)),
        own => is_empty(own).then_some((*host, At::Lost)),
    };
    members.iter().any(serves).then(|| members.iter().map(at).collect())?
}

/// The token of the restore that a plan continues; `None` where it starts one, with a new token.
pub fn token(plan: &Plan, facts: &SiteFacts, cluster: &ClusterName) -> Option<BootstrapToken> {
    let host = plan.steps.iter().find_map(|step| match &step.kind {
        StepKind::EndRestore { token_of, .. } if step.cluster() == Some(cluster) => {
            token_of.as_ref()
        }
        _ => None,
    })?;
    let own = facts.hosts.get(host)?.known()?.clusters.get(cluster)?;
    own.restore.known().map(|record| record.token.clone())
}

/// The record of this restore that is furthest, and of these the first by host. One that only prepared data which would
/// begin below what clients have seen by now counts for nothing.
fn furthest<'a>(view: &View<'a>, wanted: &Wanted<'_>) -> Option<(&'a HostName, &'a RestoreRecord)> {
    let is_it = |(_, record): &(&HostName, &RestoreRecord)| {
        (record.sha256.as_str(), record.members.as_str()) == (wanted.sha256, wanted.members)
            && (record.phase != RestorePhase::Staged || record.bump >= wanted.bump)
    };
    let all = view.members.iter().filter_map(|(host, own)| Some((*host, own.restore.known()?)));
    all.filter(is_it).max_by_key(|(host, record)| (record.phase, Reverse(*host)))
}

/// The records on all hosts that have anything of the cluster.
fn records<'a>(
    facts: &'a SiteFacts,
    view: &View<'a>,
) -> impl Iterator<Item = (&'a HostName, &'a RestoreRecord)> {
    let cluster = view.members.values().next().map(|own| &own.cluster);
    facts.hosts.iter().filter_map(move |(host, seen)| {
        Some((host, seen.known()?.clusters.get(cluster?)?.restore.known()?))
    })
}

fn at(own: &MemberFacts, view: &View<'_>, resumed: Option<&RestoreRecord>) -> At {
    let Some(resumed) = resumed else { return At::Nothing };
    match &own.restore {
        Observed::Known(record) if record.token == resumed.token => {
            // The record is written before the move.
            let waits = own.data.known().is_some_and(|data| data.restored && !data.wal);
            let is_placed = record.phase == RestorePhase::Placed && !waits;
            At::Recorded(if is_placed {
                record.phase
            } else {
                record.phase.min(RestorePhase::SetAside)
            })
        }
        Observed::Absent if has_ended(own, view, resumed) => At::Ended,
        Observed::Known(_) | Observed::Absent | Observed::Unknown(_) => At::Nothing,
    }
}

/// Records are removed once every member has the marker of the restored cluster. So a member without a record has
/// ended where it has its data, and the marker that one with a record has by then.
fn has_ended(own: &MemberFacts, view: &View<'_>, resumed: &RestoreRecord) -> bool {
    let (Some(marker), true) = (own.marker.known(), own.has_log()) else { return false };
    let is_placed = |other: &&&MemberFacts| {
        let record = other.restore.known();
        record.is_some_and(|one| one.token == resumed.token && one.phase == RestorePhase::Placed)
    };
    let has_it = |other: &&MemberFacts| {
        let other = other.marker.known();
        other.is_some_and(|other| {
            (&other.cluster_id, other.revision_floor) == (&marker.cluster_id, marker.revision_floor)
        })
    };
    marker.revision_floor.is_some() && view.members.values().filter(is_placed).any(has_it)
}

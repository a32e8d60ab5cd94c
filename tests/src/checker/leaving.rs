//! Members that `members` no longer names are removed in one order only, and nobody else is.

use inventories::{ClusterName, HostName};
use planner::facts::{EtcdFacts, ListedMember, MemberFacts};
use planner::plan::{Guard, Leaver};
use planner::report::Purpose;
use planner::spec::ClusterSpec;
use planner::{Step, StepKind};

use super::joining::list;
use super::reading::Reading;
use super::restoring;

pub(super) fn violations(reading: &Reading<'_>) -> Vec<String> {
    let removals = reading.steps(|kind| matches!(kind, StepKind::RemoveListed { .. }));
    let mut found = Vec::new();
    for removal in &removals {
        let StepKind::RemoveListed { id, leaver, .. } = &removal.kind else { continue };
        found.extend(of_removal(reading, removal, id, *leaver));
        let others = removals.iter().filter(|other| {
            other.id != removal.id
                && other.cluster() == removal.cluster()
                && !reading.is_before(removal, other)
                && !reading.is_before(other, removal)
        });
        found.extend(others.map(|other| format!("{}: at once with {}", removal.id, other.id)));
    }
    for removal in reading.steps(removes) {
        let saves =
            of_cluster(reading, removal, |kind| matches!(kind, StepKind::SaveSnapshot { .. }));
        let saved = saves.iter().any(|save| reading.is_before(save, removal));
        // A plan may leave out every host that could save one.
        if !saved && reading.plan.selection.is_everything() {
            found.push(format!("{}: no snapshot is saved before", removal.id));
        }
    }
    let changes = |kind: &StepKind| {
        matches!(kind, StepKind::RemoveListed { .. } | StepKind::AddLearner { .. })
    };
    let even = reading.steps(changes).into_iter();
    // What nobody here knows makes no cluster odd.
    let is_stray = |step: &&Step| {
        matches!(step.kind, StepKind::RemoveListed { leaver: Leaver::Stray | Leaver::NoVote, .. })
    };
    let even = even.filter(|step| !is_stray(step));
    let even = even.filter(|step| reading.cluster(step).members.len().is_multiple_of(2));
    found.extend(even.map(|step| format!("{}: it makes the cluster even", step.id)));
    found.extend(reading.plan.steps.iter().filter_map(|step| elsewhere(reading, step)));
    found
}

/// What a removal breaks.
fn of_removal(reading: &Reading<'_>, removal: &Step, id: &str, leaver: Leaver) -> Vec<String> {
    let cluster = reading.cluster(removal);
    let told = |why: &str| format!("{}: {why}", removal.id);
    let Some(rows) = list(reading, cluster) else { return vec![told("nobody knows the list")] };
    let Some(row) = rows.iter().find(|row| row.id == id) else {
        return vec![told("the cluster does not list it")];
    };
    // With two members of one name, the host's own etcd reports which one it is.
    let is_it = |host: &&HostName| {
        let seen = reading.member(host, &cluster.name).and_then(|member| member.etcd.known());
        let other = seen.map(|etcd| &etcd.member_id).filter(|other| **other != row.id);
        other.is_none_or(|other| rows.iter().all(|row| row.id != *other))
    };
    let host = host_of(reading, cluster, row).filter(is_it);
    let is_stray = leaver == Leaver::Stray || (row.learner && host.is_none());
    let Some(host) = host.filter(|_| leaver != Leaver::Stray) else {
        let why = match (is_stray, host) {
            (true, None) => return Vec::new(),
            (true, Some(_)) => "the inventory has its host",
            (false, _) => "the inventory does not have its host",
        };
        return vec![told(why)];
    };
    let mut found = Vec::new();
    let is_member = cluster.members.contains_key(host);
    if is_member && !gets_a_new_one(reading, removal, host) {
        found.push(told("`members` names it"));
    }
    if !is_as_told(reading.member(host, &cluster.name), row, leaver) {
        found.push(told("it is not seen to do what the step says"));
    }
    let promotes =
        of_cluster(reading, removal, |kind| matches!(kind, StepKind::PromoteMember { .. }));
    let adds = of_cluster(reading, removal, |kind| matches!(kind, StepKind::AddLearner { .. }));
    if row.learner || leaver == Leaver::Failed {
        let late = adds.iter().filter(|add| !reading.is_before(removal, add));
        found.extend(late.map(|add| told(&format!("{} comes before", add.id))));
    } else if is_member {
        // Nobody stands in for it meanwhile.
        let others = cluster.members.keys().filter(|other| *other != host);
        let missing = others.filter(|other| !is_healthy_voter(reading, cluster, rows, other));
        found.extend(missing.map(|other| told(&format!("{other} is no healthy voter"))));
        let more = adds.iter().filter(|add| add.host() != host);
        found.extend(more.map(|add| told(&format!("{} changes the list as well", add.id))));
    } else {
        let early = promotes.iter().filter(|promote| !reading.is_before(promote, removal));
        found.extend(early.map(|promote| told(&format!("it comes before {}", promote.id))));
        let stays = |host: &&HostName| {
            let promoted = promotes.iter().any(|promote| promote.host() == *host);
            !promoted && !is_healthy_voter(reading, cluster, rows, host)
        };
        let missing = cluster.members.keys().filter(stays);
        found.extend(missing.map(|host| told(&format!("{host} is no healthy voter by then"))));
    }
    let proofs = of_cluster(reading, removal, |kind| matches!(kind, StepKind::ProveHealthy { .. }));
    if !proofs.iter().any(|proof| reading.is_before(removal, proof)) {
        found.push(told("nobody proves the cluster afterwards"));
    }
    found
}

/// Whether the host of a member that is removed gets a new one afterwards, which starts from nothing.
fn gets_a_new_one(reading: &Reading<'_>, removal: &Step, host: &HostName) -> bool {
    let follows = |kind: fn(&StepKind) -> bool| {
        let steps = of_cluster(reading, removal, kind).into_iter();
        steps.filter(|step| step.host() == host).any(|step| reading.is_before(removal, step))
    };
    follows(|kind| matches!(kind, StepKind::ForgetMember { .. }))
        && follows(|kind| matches!(kind, StepKind::AddLearner { .. }))
        && follows(|kind| matches!(kind, StepKind::PromoteMember { .. }))
}

/// Whether as many of the others must answer as hold a quorum by then without the member that goes.
pub(super) fn counts_the_rest(reading: &Reading<'_>, removal: &Step, id: &str) -> bool {
    let cluster = reading.cluster(removal);
    let Some(rows) = list(reading, cluster) else { return false };
    let by_then = |kind: fn(&StepKind) -> bool| {
        let steps = of_cluster(reading, removal, kind).into_iter();
        steps.filter(|step| reading.is_before(step, removal)).collect::<Vec<_>>()
    };
    let gone = by_then(removes);
    let is_gone = |row: &&ListedMember| {
        row.id == id || gone.iter().any(|step| removed(&step.kind) == Some(&row.id))
    };
    let joined = by_then(|kind| matches!(kind, StepKind::PromoteMember { .. })).len();
    let voters = rows.iter().filter(|row| !row.learner && !is_gone(row)).count() + joined;
    let goes =
        rows.iter().filter(is_gone).filter_map(|row| Some((row, host_of(reading, cluster, row)?)));
    // A row of the same name that is somebody else's takes nobody of the inventory along.
    let serves = matches!(removal.kind, StepKind::RemoveListed { leaver: Leaver::Serves, .. });
    let stays = |row: &ListedMember, host: &HostName| {
        !(serves && row.id == id) && cluster.members.contains_key(host)
    };
    let goes: Vec<&HostName> =
        goes.filter(|(row, host)| !stays(row, host)).map(|(_, host)| host).collect();
    let Guard::OthersHealthy { clusters } = &removal.guard else { return false };
    clusters.get(&cluster.name).is_some_and(|others| {
        others.needed > voters / 2
            && others.members.len() >= others.needed
            && others.members.contains_key(removal.host())
            && others.members.keys().all(|host| !goes.contains(&host))
    })
}

/// Whether a step removes from its host a member that its cluster does not list, or no longer does by then.
pub(super) fn is_off_the_list(reading: &Reading<'_>, step: &Step) -> bool {
    let StepKind::DecommissionMember { peer_url, .. } = &step.kind else { return false };
    let Some(rows) = list(reading, reading.cluster(step)) else { return false };
    let is_it =
        |row: &&ListedMember| row.name == step.host().as_str() || row.peer_urls.contains(peer_url);
    let removed_before = |row: &ListedMember| {
        let removals = of_cluster(reading, step, removes).into_iter();
        let mut removals = removals.filter(|removal| removed(&removal.kind) == Some(&row.id));
        removals.any(|removal| reading.is_before(removal, step))
    };
    rows.iter().filter(is_it).all(removed_before)
}

/// On a host that is not among the members of a cluster nothing is done for it but to clear what a removed one left.
fn elsewhere(reading: &Reading<'_>, step: &Step) -> Option<String> {
    let cluster = reading.spec.clusters.get(step.cluster()?)?;
    let is_member = cluster.members.contains_key(step.host());
    let decommissions = matches!(step.kind, StepKind::DecommissionMember { .. });
    let told = |why: &str| Some(format!("{}: {why}", step.id));
    // `destroying` sees to a cluster that goes from everywhere.
    if matches!(reading.plan.report.purpose, Purpose::Destroy | Purpose::Remove) {
        return None;
    }
    match (decommissions, is_member) {
        (true, true) => told("`members` names it"),
        (true, false) if restoring::is_proven_before(reading, step) => None,
        (true, false) if !is_off_the_list(reading, step) => told("the cluster lists it"),
        // A restore stops and archives it.
        (false, false) if restoring::ends_a_member(&step.kind) => None,
        (false, false) => told("the host is not among the members"),
        (true, false) | (false, true) => None,
    }
}

/// Whether a member was seen to serve, or not to run; of one that can't be seen, the others are asked. One that has no
/// vote may do what it likes.
fn is_as_told(seen: Option<&MemberFacts>, row: &ListedMember, leaver: Leaver) -> bool {
    let serves =
        |member: &MemberFacts| member.etcd.known().is_some_and(|etcd| etcd.leader.is_some());
    match leaver {
        Leaver::NoVote => row.learner,
        Leaver::Stray => !row.learner && seen.is_none(),
        Leaver::Serves => seen.is_some_and(serves),
        Leaver::Failed => {
            seen.is_none_or(|member| member.etcd.known().is_none() && member.running.is_absent())
        }
    }
}

fn is_healthy_voter(
    reading: &Reading<'_>,
    cluster: &ClusterSpec,
    rows: &[ListedMember],
    host: &HostName,
) -> bool {
    let votes = |etcd: &EtcdFacts| {
        let is_it = |row: &&ListedMember| row.id == etcd.member_id && !row.learner;
        etcd.leader.is_some() && rows.iter().any(|row| is_it(&row))
    };
    let member = reading.member(host, &cluster.name);
    member.and_then(|member| member.etcd.known()).is_some_and(votes)
}

/// The host of a row: by its name, or where it has not started, by its address.
fn host_of<'a>(
    reading: &Reading<'a>,
    cluster: &ClusterSpec,
    row: &ListedMember,
) -> Option<&'a HostName> {
    let port = cluster.members.values().next()?.member.ports.peer;
    let hosts = &reading.spec.addresses;
    let is_it = |host: &HostName, peer| match row.name.as_str() {
        "" => row.peer_urls.contains(&templates::PeerUrl::new(peer, port).to_string()),
        name => host.as_str() == name,
    };
    hosts.iter().find(|(host, at)| is_it(host, at.peer)).map(|(host, _)| host)
}

/// The steps of a kind of the cluster of a step.
fn of_cluster<'a>(
    reading: &Reading<'a>,
    of: &Step,
    is: impl Fn(&StepKind) -> bool,
) -> Vec<&'a Step> {
    let cluster: Option<&ClusterName> = of.cluster();
    reading.steps(is).into_iter().filter(|step| step.cluster() == cluster).collect()
}

fn removes(kind: &StepKind) -> bool {
    removed(kind).is_some()
}

/// The id of the member that a kind takes out of the list.
fn removed(kind: &StepKind) -> Option<&String> {
    match kind {
        StepKind::RemoveMember { id, .. } | StepKind::RemoveListed { id, .. } => Some(id),
        _ => None,
    }
}

//! A cluster is formed once, by all of its members together, and never again.

use std::collections::BTreeSet;

use inventories::HostName;
use inventories::inventory::Runtime;
use planner::plan::FormationState;
use planner::spec::ClusterSpec;
use planner::{Observed, Step, StepKind};

use super::reading::Reading;
use super::restoring;
use super::{joining, renders};

pub(super) fn violations(reading: &Reading<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for start in reading.steps(StepKind::is_start) {
        let cluster = reading.cluster(start);
        if joining::joins(reading, start) {
            found.extend(joining::amnesia(reading, start));
        } else if reading.is_formed(cluster) || restoring::is_restored(reading, cluster) {
            found.extend(amnesia(reading, start));
        } else {
            found.extend(lone_start(reading, start, cluster));
            found.extend(formed_before(reading, start, cluster));
        }
    }
    for discard in reading.steps(|kind| *kind == StepKind::DiscardBootstrap) {
        found.extend(lost_data(reading, discard));
    }
    for token in reading.steps(|kind| *kind == StepKind::StoreToken) {
        found.extend(token_under_a_process(reading, token));
    }
    for marker in reading.steps(|kind| matches!(kind, StepKind::WriteMarker { .. })) {
        found.extend(unproven(reading, marker));
    }
    for listed in reading.steps(|kind| matches!(kind, StepKind::ListByAddress { .. })) {
        found.extend(unproven(reading, listed));
    }
    for open in reading.steps(|kind| matches!(kind, StepKind::OpenDiscovery { .. })) {
        found.extend(opened_too_late(reading, open));
    }
    for close in reading.steps(|kind| matches!(kind, StepKind::CloseDiscovery { .. })) {
        found.extend(closed_too_early(reading, close));
    }
    for unit in reading.steps(|kind| renders(kind, FormationState::Existing)) {
        found.extend(too_early(reading, unit));
    }
    found
}

/// A member of a formed cluster that has no log starts only if it never took part: it has the token
/// of the bootstrap and no witness of a quorum, or the list says that it published nothing.
fn amnesia(reading: &Reading<'_>, start: &Step) -> Option<String> {
    let member = reading.seen(start)?;
    if member.data.known().is_some_and(|data| data.wal) || restoring::gets_data(reading, start) {
        return None;
    }
    let cluster = reading.cluster(start);
    let lists: Vec<_> = cluster
        .members
        .keys()
        .filter_map(|host| reading.member(host, &cluster.name)?.etcd.known())
        .filter(|etcd| etcd.leader.is_some())
        .filter_map(|etcd| etcd.members.known())
        .collect();
    let rows = || lists.iter().flat_map(|list| list.iter());
    let published =
        rows().any(|row| row.name == start.host().as_str() && !row.client_urls.is_empty());
    let took_part = member.quorum_seen || !member.marker.is_absent() || published;
    let unproven = lists.is_empty() && member.token.known().is_none();
    (took_part || unproven).then(|| format!("{}: a member without its memory starts", start.id))
}

/// A member that forms a cluster starts when every other one could: all hosts seen, every token and
/// every unit in place.
fn lone_start(reading: &Reading<'_>, start: &Step, cluster: &ClusterSpec) -> Vec<String> {
    let mut found = Vec::new();
    for host in cluster.members.keys() {
        let Some(member) = reading.member(host, &cluster.name) else {
            found.push(format!("{}: a cluster is formed while {host} is unseen", start.id));
            continue;
        };
        let made = |is: &dyn Fn(&StepKind) -> bool| {
            let steps = reading.steps(is).into_iter();
            let mut here = steps.filter(|s| *s.host() == *host && s.cluster() == start.cluster());
            here.any(|step| reading.is_before(step, start))
        };
        if member.token.known().is_none() && !made(&|kind| *kind == StepKind::StoreToken) {
            found.push(format!("{}: {host} has no token yet", start.id));
        }
        // To write a pod is to start it.
        if cluster.runtime == Runtime::StaticPod {
            continue;
        }
        let unit = templates::Layout::new(&cluster.name).unit_file();
        let seen = member.files.get(&unit).is_some_and(|file| file.known().is_some());
        if !seen && !made(&|kind| renders(kind, FormationState::New)) {
            found.push(format!("{}: {host} has no unit yet", start.id));
        }
    }
    found
}

/// A cluster is formed only where nothing says that it was formed before: no other host, all of which were
/// seen, and no record beside the inventory.
fn formed_before(reading: &Reading<'_>, start: &Step, cluster: &ClusterSpec) -> Vec<String> {
    let mut found = Vec::new();
    let mut judge = |host: &HostName, traces: Option<&BTreeSet<String>>| match traces {
        Some(traces) if !traces.contains(cluster.name.as_str()) => {}
        Some(_) => found.push(format!("{}: {host} shows that it was formed before", start.id)),
        None => found.push(format!("{}: a cluster is formed while {host} is unseen", start.id)),
    };
    for host in reading.spec.hosts().into_iter().filter(|host| !cluster.members.contains_key(*host))
    {
        judge(host, reading.host(host).map(|host| &host.other_clusters));
    }
    for host in &reading.spec.bystanders {
        judge(host, reading.facts.bystanders.get(host).and_then(Observed::known));
    }
    if !cluster.formed.is_absent() {
        found.push(format!("{}: its record says that it was formed before", start.id));
    }
    found
}

/// Only what never had a quorum is removed, and only after every host has answered.
fn lost_data(reading: &Reading<'_>, discard: &Step) -> Option<String> {
    let cluster = reading.cluster(discard);
    let all_seen = cluster.members.keys().all(|h| reading.member(h, &cluster.name).is_some());
    (reading.is_formed(cluster) || !all_seen)
        .then(|| format!("{}: data that may have had a quorum is discarded", discard.id))
}

/// Another token replaces the one that a log was born with only after every such log is gone.
fn token_under_a_process(reading: &Reading<'_>, token: &Step) -> Option<String> {
    let discards = reading.steps(|kind| *kind == StepKind::DiscardBootstrap);
    let mut of_cluster = discards.into_iter().filter(|step| step.cluster() == token.cluster());
    of_cluster
        .any(|discard| !reading.is_before(discard, token))
        .then(|| format!("{}: another token before the old bootstrap is gone", token.id))
}

/// A record is for a token that every host has by then, and no member looks for it before.
fn opened_too_late(reading: &Reading<'_>, open: &Step) -> Vec<String> {
    let of_cluster = |step: &&Step| step.cluster() == open.cluster();
    let tokens = reading.steps(|kind| *kind == StepKind::StoreToken).into_iter();
    let tokens = tokens.filter(of_cluster).filter(|token| !reading.is_before(token, open));
    let tokens = tokens.map(|token| format!("{}: it comes before {}", open.id, token.id));
    let starts = reading.steps(StepKind::is_start).into_iter();
    let starts = starts.filter(of_cluster).filter(|start| {
        let has_log = reading.seen(start).and_then(|m| m.data.known()).is_some_and(|d| d.wal);
        !has_log && !reading.is_before(open, start)
    });
    tokens.chain(starts.map(|start| format!("{}: no record is there yet", start.id))).collect()
}

/// A record goes when every member has found the others: after whatever still starts is proven.
fn closed_too_early(reading: &Reading<'_>, close: &Step) -> Option<String> {
    let cluster = reading.cluster(close);
    let is_found = |host: &HostName| {
        let member = reading.member(host, &cluster.name);
        let has_log = member.and_then(|m| m.data.known()).is_some_and(|data| data.wal);
        let starts = reading.steps(StepKind::is_start).into_iter();
        has_log || starts.into_iter().any(|s| *s.host() == *host && s.cluster() == close.cluster())
    };
    let whole = cluster.members.keys().all(is_found);
    let starts = reading.steps(StepKind::is_start).into_iter();
    let starts = starts.filter(|step| step.cluster() == close.cluster()).count();
    let early = starts > 0 && unproven(reading, close).is_some();
    (!whole || early).then(|| format!("{}: a member may still look for the record", close.id))
}

/// A marker says that a cluster is formed: only after the proof, and the proof after every start.
fn unproven(reading: &Reading<'_>, marker: &Step) -> Option<String> {
    let of_cluster = |step: &&Step| step.cluster() == marker.cluster();
    let proofs = reading.steps(|kind| matches!(kind, StepKind::ProveHealthy { .. }));
    let mut before =
        proofs.into_iter().filter(of_cluster).filter(|proof| reading.is_before(proof, marker));
    let starts = reading.steps(StepKind::is_start);
    let proven = before.any(|proof| {
        starts.iter().copied().filter(of_cluster).all(|start| reading.is_before(start, proof))
    });
    (!proven).then(|| format!("{}: it comes before the proof", marker.id))
}

/// A unit or pod that never forms a cluster again is written where a cluster is formed: seen so, or marked
/// before. Else the member could not start at all.
fn too_early(reading: &Reading<'_>, unit: &Step) -> Option<String> {
    let cluster = reading.cluster(unit);
    let was = reading.is_formed(cluster) || restoring::is_restored(reading, cluster);
    let markers = reading.makers(unit, &|kind| matches!(kind, StepKind::WriteMarker { .. }));
    let marked = markers.iter().any(|marker| reading.is_before(marker, unit));
    (!was && !marked).then(|| format!("{}: it says that the cluster is formed", unit.id))
}

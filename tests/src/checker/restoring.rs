//! A restore goes through its phases with all members at once, and nobody begins before all are ready.

use std::collections::BTreeSet;

use inventories::HostName;
use planner::facts::{MemberFacts, Observed, RestorePhase};
use planner::plan::{Guard, Staging};
use planner::report::Purpose;
use planner::spec::ClusterSpec;
use planner::{Step, StepKind};

use super::reading::Reading;

/// Whether a step stops a member for a restore.
pub(super) fn stops(kind: &StepKind) -> bool {
    matches!(kind, StepKind::StopForRestore { .. })
}

/// Whether a step looks for clients before anybody stops.
pub(super) fn looks(kind: &StepKind) -> bool {
    matches!(kind, StepKind::LookForClients)
}

fn stages(kind: &StepKind) -> bool {
    matches!(kind, StepKind::StageRestore(_))
}

pub(super) fn sets_aside(kind: &StepKind) -> bool {
    matches!(kind, StepKind::SetAsideForRestore { .. })
}

fn places(kind: &StepKind) -> bool {
    matches!(kind, StepKind::PlaceRestore { .. })
}

fn ends(kind: &StepKind) -> bool {
    matches!(kind, StepKind::EndRestore { .. })
}

fn is_of_restore(kind: &StepKind) -> bool {
    stages(kind) || looks(kind) || stops(kind) || sets_aside(kind) || places(kind) || ends(kind)
}

/// Whether a step ends any member, so that it can't come up beside the restored cluster.
pub(super) fn ends_a_member(kind: &StepKind) -> bool {
    looks(kind) || stops(kind) || sets_aside(kind)
}

/// Whether a plan restores this cluster.
pub(super) fn is_restored(reading: &Reading<'_>, cluster: &ClusterSpec) -> bool {
    let steps = reading.steps(is_of_restore);
    steps.iter().any(|step| step.cluster() == Some(&cluster.name))
}

/// Whether a member that starts gets restored data first.
pub(super) fn gets_data(reading: &Reading<'_>, start: &Step) -> bool {
    reading.makers(start, &places).iter().any(|place| reading.is_before(place, start))
}

/// Whether a restored cluster, which has a list of its own, is proven before a step.
pub(super) fn is_proven_before(reading: &Reading<'_>, step: &Step) -> bool {
    let proofs = reading.steps(|kind| matches!(kind, StepKind::ProveHealthy { .. }));
    let mut proofs = proofs.iter().filter(|proof| proof.cluster() == step.cluster());
    is_restored(reading, reading.cluster(step))
        && proofs.any(|proof| reading.is_before(proof, step))
}

pub(super) fn violations(reading: &Reading<'_>) -> Vec<String> {
    let mut found = Vec::new();
    // A cluster that goes gets no data: `destroying` sees to that.
    if matches!(reading.plan.report.purpose, Purpose::Destroy | Purpose::Remove) {
        return found;
    }
    for cluster in reading.spec.clusters.values() {
        let of = |is: &dyn Fn(&StepKind) -> bool| -> Vec<&Step> {
            let mut steps = reading.steps(is);
            steps.retain(|step| step.cluster() == Some(&cluster.name));
            steps
        };
        if of(&is_of_restore).is_empty() {
            found.extend(left_alone(reading, cluster));
            continue;
        }
        let proves = |kind: &StepKind| matches!(kind, StepKind::ProveHealthy { .. });
        let marks = |kind: &StepKind| matches!(kind, StepKind::WriteMarker { .. });
        let phases: [Vec<&Step>; 9] = [
            of(&stages),
            of(&looks),
            of(&stops),
            of(&sets_aside),
            of(&places),
            of(&StepKind::is_start),
            of(&proves),
            of(&marks),
            of(&ends),
        ];
        for (number, phase) in phases.iter().enumerate() {
            let earlier = phases[..number].iter().flatten();
            for (first, later) in earlier.flat_map(|first| phase.iter().map(move |it| (first, it)))
            {
                if !reading.is_before(first, later) {
                    found.push(format!("{}: it does not wait for {}", later.id, first.id));
                }
            }
        }
        found.extend(whole(reading, cluster, &phases));
        found.extend(one_snapshot(&phases[0], &cluster.name.to_string()));
    }
    found
}

/// While a restore is half done, nothing else is done for the cluster.
fn left_alone(reading: &Reading<'_>, cluster: &ClusterSpec) -> Vec<String> {
    let half_done = |host: &HostName| {
        let own = reading.member(host, &cluster.name).map(|own| &own.restore);
        matches!(own, Some(Observed::Known(record)) if record.phase != RestorePhase::Staged)
    };
    if !cluster.members.keys().any(half_done) {
        return Vec::new();
    }
    let steps = reading.plan.steps.iter().filter(|step| step.cluster() == Some(&cluster.name));
    steps.map(|step| format!("{}: a restore is half done", step.id)).collect()
}

/// Every member has its part, and whoever else may come up.
fn whole(reading: &Reading<'_>, cluster: &ClusterSpec, phases: &[Vec<&Step>; 9]) -> Vec<String> {
    let [_, looked, stopped, set_aside, placed, started, ..] = phases;
    let on = |steps: &[&Step]| -> BTreeSet<HostName> {
        steps.iter().map(|step| step.host().clone()).collect()
    };
    let (looked, stopped, set_aside, placed) = (on(looked), on(stopped), on(set_aside), on(placed));
    let mut found = Vec::new();
    if looked != stopped {
        found.push(format!("{}: members stop whose clients nobody looks for", cluster.name));
    }
    for host in cluster.members.keys() {
        let Some(own) = reading.member(host, &cluster.name) else {
            found.push(format!("{host}: a restore continues without it"));
            continue;
        };
        let record = own.restore.known().map(|record| record.phase);
        let has_it = record == Some(RestorePhase::Placed);
        if !placed.is_empty() && !placed.contains(host) && !has_it {
            found.push(format!("{host}: it gets no restored data"));
        }
        if !placed.is_empty() && !stopped.contains(host) {
            found.push(format!("{host}: it is not stopped"));
        }
    }
    if placed
        != set_aside.iter().filter(|host| cluster.members.contains_key(*host)).cloned().collect()
    {
        found.push(format!("{}: data is placed where none was set aside", cluster.name));
    }
    // Other hosts with data of the cluster.
    for (host, seen) in &reading.facts.hosts {
        let Some(own) = seen.known().and_then(|seen| seen.clusters.get(&cluster.name)) else {
            continue;
        };
        let could_come_up = own.is_up() || own.has_log();
        if !cluster.members.contains_key(host) && could_come_up && !set_aside.contains(host) {
            found.push(format!("{host}: what it has of the cluster could come up"));
        }
    }
    let is_loose = |start: &&&Step| start.guard != Guard::HasLog;
    found.extend(
        started
            .iter()
            .filter(is_loose)
            .map(|start| format!("{}: it may begin without data", start.id)),
    );
    found.extend(reading.facts.hosts.keys().filter_map(|host| {
        let own: &MemberFacts = reading.member(host, &cluster.name)?;
        let is_unknown = matches!(own.restore, Observed::Unknown(_));
        is_unknown.then(|| format!("{host}: how far it is, nobody knows"))
    }));
    found
}

/// Every member gets the same file, and as many revisions more.
fn one_snapshot(stages: &[&Step], cluster: &str) -> Option<String> {
    let what = |step: &&Step| match &step.kind {
        StepKind::StageRestore(Staging { snapshot, bump, initial_cluster, .. }) => {
            format!("{snapshot:?} {bump:?} {initial_cluster:?}")
        }
        _ => String::new(),
    };
    let all: BTreeSet<String> = stages.iter().map(what).collect();
    (all.len() > 1).then(|| format!("{cluster}: members get different data"))
}

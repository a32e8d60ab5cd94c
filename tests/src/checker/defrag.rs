//! A database is rewritten only where that pays, in a cluster in which nothing is wrong, and by a plan that does
//! nothing else.

use inventories::inventory::Runtime;
use planner::plan::{DefragRule, DefragWay};
use planner::spec::ClusterSpec;
use planner::{Step, StepKind};

use super::reading::Reading;

/// Above so many bytes in use a member is stopped for it.
const MOST_ONLINE: u64 = 400_000_000;
/// A member that lacks more entries of the log has not caught up.
const NEAR: u64 = 5000;

pub(super) fn violations(reading: &Reading<'_>) -> Vec<String> {
    let defrags = reading.steps(|kind| matches!(kind, StepKind::Defragment { .. }));
    if defrags.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for other in reading.plan.steps.iter().filter(|step| !belongs(&step.kind)) {
        found.push(format!("{}: a plan that defragments does nothing else", other.id));
    }
    for step in defrags {
        let StepKind::Defragment { way, rule, .. } = &step.kind else { continue };
        found.extend(of_member(reading, step, *way, *rule));
        let cluster = reading.cluster(step);
        found.extend(unhealthy(reading, step, cluster));
        let is_back = |kind: &StepKind| matches!(kind, StepKind::AwaitRejoin { .. });
        if !reading.makers(step, &is_back).iter().any(|back| reading.is_before(step, back)) {
            found.push(format!("{}: nobody waits for the member", step.id));
        }
        found.extend(hands_over_too_late(reading, step));
    }
    found
}

fn belongs(kind: &StepKind) -> bool {
    matches!(
        kind,
        StepKind::Defragment { .. }
            | StepKind::Compact { .. }
            | StepKind::Disarm { .. }
            | StepKind::MoveLeader { .. }
            | StepKind::AwaitRejoin { .. }
            | StepKind::StartMember { .. }
            | StepKind::ProveHealthy { .. }
    )
}

/// What its own numbers say.
fn of_member(
    reading: &Reading<'_>,
    step: &Step,
    way: DefragWay,
    rule: DefragRule,
) -> Option<String> {
    let told = |why: &str| Some(format!("{}: {why}", step.id));
    let member = reading.seen(step)?;
    if member.runs_by() == Some(Runtime::StaticPod) && way != DefragWay::Stopped(Runtime::StaticPod)
    {
        return told("its kubelet restarts a pod that does not answer");
    }
    let Some(etcd) = member.etcd.known() else {
        let stops = way != DefragWay::Online;
        return if stops { None } else { told("nobody knows how long it takes") };
    };
    let free = etcd.db_size.saturating_sub(etcd.db_in_use);
    if free * 100 < etcd.db_size * u64::from(rule.min_free_percent) || free < rule.min_free_bytes {
        return told("it is not worth it");
    }
    if etcd.db_in_use > MOST_ONLINE && way == DefragWay::Online {
        return told("it takes too long for a member that runs");
    }
    None
}

/// Every member answers, votes, knows a leader and has caught up; or it is started before.
fn unhealthy(reading: &Reading<'_>, step: &Step, cluster: &ClusterSpec) -> Vec<String> {
    let starts = reading.steps(StepKind::is_start);
    let started = |host: &inventories::HostName| {
        starts.iter().any(|start| {
            start.host() == host
                && start.cluster() == Some(&cluster.name)
                && reading.is_before(start, step)
        })
    };
    let answers: Vec<_> = cluster
        .members
        .keys()
        .filter_map(|host| reading.member(host, &cluster.name)?.etcd.known())
        .collect();
    let newest = answers.iter().map(|etcd| etcd.raft_index).max().unwrap_or_default();
    let is_well = |host: &inventories::HostName| {
        let etcd = reading.member(host, &cluster.name).and_then(|member| member.etcd.known());
        etcd.is_some_and(|etcd| {
            etcd.leader.is_some()
                && !etcd.learner
                && newest.saturating_sub(etcd.raft_applied) <= NEAR
                && !etcd.errors.iter().any(|error| error.contains("CORRUPT"))
        })
    };
    let ill = cluster.members.keys().filter(|host| !is_well(host) && !started(host));
    ill.map(|host| format!("{}: {host} is not healthy", step.id)).collect()
}

/// A leader is asked to hand over before it stands still, and in its own turn: earlier, and it may lead again by then.
fn hands_over_too_late(reading: &Reading<'_>, step: &Step) -> Option<String> {
    let etcd = reading.seen(step)?.etcd.known()?;
    let leads = etcd.leader.as_ref() == Some(&etcd.member_id);
    let alone = reading.cluster(step).members.len() == 1;
    let is_move = |kind: &StepKind| matches!(kind, StepKind::MoveLeader { .. });
    let moves = reading.makers(step, &is_move);
    let turns = reading.makers(step, &|kind| matches!(kind, StepKind::Defragment { .. }));
    let moved = moves.iter().any(|first| {
        let others = reading.steps(|kind| matches!(kind, StepKind::Defragment { .. }));
        let mut others = others.into_iter().filter(|other| {
            other.cluster() == step.cluster() && turns.iter().all(|own| own.id != other.id)
        });
        reading.is_before(first, step) && others.all(|other| reading.is_before(other, first))
    });
    (leads && !alone && !moved).then(|| format!("{}: it leads, and nothing hands over", step.id))
}

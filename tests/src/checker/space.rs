//! A NOSPACE alarm goes last, after every member of its cluster is back, and only where no other alarm is raised. In
//! a restore it goes before the cluster is proven: what runs until then is another cluster.

use inventories::ClusterName;
use planner::plan::Quota;
use planner::{Step, StepKind};

use super::reading::Reading;

/// etcd's own quota, where no flag sets another one.
const DEFAULT: u64 = 2 << 30;

pub(super) fn violations(reading: &Reading<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for disarm in reading.steps(|kind| matches!(kind, StepKind::Disarm { .. })) {
        let StepKind::Disarm { alarms, quotas, .. } = &disarm.kind else { continue };
        let cluster = reading.cluster(disarm);
        let mut told = |why: String| found.push(format!("{}: {why}", disarm.id));
        let mut raised: Vec<String> = Vec::new();
        for host in cluster.members.keys() {
            let seen = reading.member(host, &cluster.name);
            let etcd = seen.and_then(|member| member.etcd.known());
            raised.extend(etcd.into_iter().flat_map(|etcd| etcd.errors.clone()));
            let runs = seen.and_then(|member| member.running.known());
            let quota = runs.map(|runs| quota(runs));
            match quotas.get(host) {
                None => told(format!("nobody looks how full {host} is")),
                Some(Quota { bytes, .. }) if quota.is_some_and(|quota| quota != *bytes) => {
                    told(format!("{host} has another quota"));
                }
                Some(_) => {}
            }
        }
        let restores = of_cluster(reading, &cluster.name)
            .iter()
            .any(|step| matches!(step.kind, StepKind::EndRestore { .. }));
        if restores {
            continue;
        }
        for alarm in raised.iter().filter(|error| error.starts_with("alarm ")) {
            let id = alarm.strip_prefix("alarm NOSPACE of member ");
            if !id.is_some_and(|id| alarms.contains(id)) {
                told(format!("it clears another alarm: {alarm}"));
            }
        }
        for other in of_cluster(reading, &cluster.name) {
            if other.id != disarm.id && !reading.is_before(other, disarm) {
                told(format!("{} comes later", other.id));
            }
        }
    }
    for compact in reading.steps(|kind| matches!(kind, StepKind::Compact { .. })) {
        let cluster = reading.cluster(compact);
        let is_turn = |step: &&&Step| matches!(step.kind, StepKind::Defragment { .. });
        let all = of_cluster(reading, &cluster.name);
        for turn in all.iter().filter(is_turn) {
            if !reading.is_before(compact, turn) {
                found.push(format!("{}: it is rewritten before it is compacted", turn.id));
            }
        }
    }
    found
}

fn of_cluster<'r>(reading: &Reading<'r>, cluster: &ClusterName) -> Vec<&'r Step> {
    let steps = reading.plan.steps.iter();
    steps.filter(|step| step.cluster() == Some(cluster)).collect()
}

fn quota(running: &[String]) -> u64 {
    let flag = |argument: &String| argument.strip_prefix("--quota-backend-bytes=")?.parse().ok();
    running.iter().find_map(flag).unwrap_or(DEFAULT)
}

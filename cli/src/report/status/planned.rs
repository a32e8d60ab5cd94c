//! What the planner found of a cluster. Whatever keeps a plan from being done is a problem of the cluster.

use planner::cost;
use planner::report::{Finding, FindingCode, PlanReport};
use planner::spec::ClusterSpec;

/// What blocks the plan. Hosts that were not reached and measured times are reported elsewhere.
pub(super) fn problems(cluster: &ClusterSpec, report: &PlanReport) -> Vec<String> {
    let concerns = |blocked: &&planner::report::Blocked| {
        blocked.stops.iter().any(|stop| match (stop.cluster(), stop.host()) {
            (Some(name), _) => *name == cluster.name,
            (None, Some(host)) => cluster.members.contains_key(host),
            (None, None) => true,
        })
    };
    let findings = report.blocked.iter().filter(concerns).map(|blocked| &blocked.finding);
    findings
        .filter(|found| found.code != FindingCode::Unseen && !cost::is_timed(found.code))
        .map(line)
        .collect()
}

/// What the plan warns about.
pub(super) fn warnings(cluster: &ClusterSpec, report: &PlanReport) -> Vec<String> {
    let concerns = |found: &&Finding| match (&found.cluster, &found.host) {
        (Some(name), _) => *name == cluster.name,
        (None, Some(host)) => cluster.members.contains_key(host),
        (None, None) => true,
    };
    let findings = report.warnings.iter().filter(concerns);
    findings.filter(|found| !cost::is_timed(found.code)).map(line).collect()
}

fn line(found: &Finding) -> String {
    let host = found.host.as_ref().map(|host| format!("{host}: ")).unwrap_or_default();
    format!("{host}{} [{}]", found.message, found.code)
}

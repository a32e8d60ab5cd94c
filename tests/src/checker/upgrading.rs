//! A member gets another minor only beside a neighbour, in a cluster in which nothing is wrong, with its release, a
//! snapshot and a readable log before, and with a proof after it.

use inventories::{EtcdVersion, HostName, Minor};
use planner::facts::{EtcdFacts, Observed};
use planner::spec::ClusterSpec;
use planner::{Step, StepKind};

use super::reading::Reading;

pub(super) fn violations(reading: &Reading<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let restarts = reading.steps(StepKind::disrupts);
    for step in restarts.into_iter().filter(|step| step.cluster().is_some()) {
        let cluster = reading.cluster(step);
        let Some(is) = runs(reading, cluster, step.host()) else { continue };
        if is.minor() == cluster.version.minor() || matches!(step.kind, StepKind::Defragment { .. })
        {
            continue;
        }
        let told = |why: String| format!("{}: {why}", step.id);
        found.extend(far(reading, cluster).map(told));
        found.extend(unprepared(reading, step, cluster, is).into_iter().map(told));
        if is.minor() < cluster.version.minor() {
            found.extend(ill(reading, cluster).into_iter().map(told));
        } else if !is_told(reading, step, cluster)
            && !cluster.members.keys().any(|host| has_stayed(reading, cluster, host))
        {
            found.push(told("the cluster has reached the later minor".to_owned()));
        }
    }
    found
}

fn etcd<'a>(
    reading: &Reading<'a>,
    cluster: &ClusterSpec,
    host: &HostName,
) -> Option<&'a EtcdFacts> {
    reading.member(host, &cluster.name)?.etcd.known()
}

fn runs(reading: &Reading<'_>, cluster: &ClusterSpec, host: &HostName) -> Option<EtcdVersion> {
    etcd(reading, cluster, host)?.version.parse().ok()
}

/// Whether an earlier step enables the downgrade to the wanted minor.
fn is_told(reading: &Reading<'_>, step: &Step, cluster: &ClusterSpec) -> bool {
    let told = reading.steps(
        |kind| matches!(kind, StepKind::EnableDowngrade { to, .. } if *to == cluster.version),
    );
    let mut told = told.into_iter().filter(|told| told.cluster() == Some(&cluster.name));
    told.any(|told| reading.is_before(told, step)) && ill(reading, cluster).is_empty()
}

fn has_stayed(reading: &Reading<'_>, cluster: &ClusterSpec, host: &HostName) -> bool {
    let is = runs(reading, cluster, host);
    is.is_some_and(|is| is.minor() == cluster.version.minor())
}

/// A minor that some member would have to reach in more than one step.
fn far(reading: &Reading<'_>, cluster: &ClusterSpec) -> Option<String> {
    let wanted = cluster.version.minor();
    let mut all = cluster.members.keys().filter_map(|host| runs(reading, cluster, host));
    all.find(|is| is.minor().number().abs_diff(wanted.number()) > 1)
        .map(|is| format!("{is} is not a neighbour of {wanted}"))
}

/// What must have ended before, on every host.
fn unprepared(
    reading: &Reading<'_>,
    step: &Step,
    cluster: &ClusterSpec,
    is: EtcdVersion,
) -> Vec<String> {
    let mut missing = Vec::new();
    let of_cluster = |other: &&Step| other.cluster() == Some(&cluster.name);
    let saves = reading.steps(|kind| matches!(kind, StepKind::SaveSnapshot { .. }));
    if !saves.iter().filter(|save| of_cluster(save)).any(|save| reading.is_before(save, step)) {
        missing.push("no snapshot is saved before".to_owned());
    }
    let restarts = reading.steps(StepKind::disrupts);
    let restarts = |host: &&HostName| {
        let of_host = |other: &&Step| other.host() == *host;
        restarts.iter().any(|other| of_host(other) && of_cluster(other))
    };
    for host in cluster.members.keys().filter(restarts) {
        let known = reading.host(host).and_then(|host| host.releases.get(&cluster.version));
        let installs = reading.steps(
            |kind| matches!(kind, StepKind::InstallRelease { version, .. } if *version == cluster.version),
        );
        let mut installs = installs.into_iter().filter(|install| install.host() == host);
        let is_there = known.is_some_and(|release| release.known().is_some());
        if !is_there && !installs.any(|install| reading.is_before(install, step)) {
            missing.push(format!("{host} does not have the release yet"));
        }
    }
    let is_up = is.minor() < cluster.version.minor();
    let logs = reading
        .makers(step, &|kind| matches!(kind, StepKind::PrepareLog { from, .. } if *from == is));
    if is_up
        && cluster.version.minor() > Minor::V3_5
        && !logs.iter().any(|log| reading.is_before(log, step))
    {
        missing.push("nobody looked at its log".to_owned());
    }
    missing
}

/// What is wrong with a cluster that must be well, by what its members say.
fn ill(reading: &Reading<'_>, cluster: &ClusterSpec) -> Vec<String> {
    let least = |minor: Minor| match minor {
        Minor::V3_5 => 32,
        Minor::V3_6 => 11,
        Minor::V3_4 | Minor::V3_7 => 0,
    };
    let why = |host: &HostName| -> Option<&'static str> {
        let Some(etcd) = etcd(reading, cluster, host) else { return Some("does not answer") };
        let Ok(is) = etcd.version.parse::<EtcdVersion>() else {
            return Some("runs nobody knows what");
        };
        let leaves = is.minor() < cluster.version.minor();
        if etcd.leader.is_none() {
            Some("knows no leader")
        } else if etcd.learner {
            Some("is a learner")
        } else if !etcd.errors.is_empty() {
            Some("reports an error")
        } else if leaves && is.patch() < least(is.minor()) {
            Some("runs a patch that its minor can't be left from")
        } else if is.minor() == Minor::V3_4
            && (etcd.forbids_us || etcd.authentication != Observed::Known(false))
        {
            Some("may have authentication on")
        } else {
            None
        }
    };
    let members = cluster.members.keys();
    members.filter_map(|host| Some(format!("{host} {}", why(host)?))).collect()
}

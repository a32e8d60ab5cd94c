//! The order of clusters that the site wants: a change is proven in one cluster before it reaches the next.

use std::collections::{BTreeMap, BTreeSet};

use inventories::{ClusterName, HostName};

use crate::decide::assess::View;
use crate::plan::{Step, StepId, StepKind};
use crate::report::{Finding, FindingCode, PlanReport};
use crate::spec::{ClusterSpec, SiteSpec};
use crate::stops::Stops;

/// A cluster whose turn comes before this one's, and that can't have it now.
pub(crate) fn unfinished(
    spec: &SiteSpec,
    cluster: &ClusterSpec,
    report: &PlanReport,
) -> Option<ClusterName> {
    let turn = spec.turn_of(&cluster.name);
    let held: BTreeSet<&ClusterName> =
        report.held.iter().filter_map(|held| held.cluster.as_ref()).collect();
    let stops: Vec<&Stops> = report.blocked.iter().flat_map(|blocked| &blocked.stops).collect();
    let is_stopped = |one: &ClusterSpec| {
        stops.iter().any(|stops| match stops {
            Stops::Cluster(name)
            | Stops::Changes(name)
            | Stops::Member(_, name)
            | Stops::Settings(_, name) => *name == one.name,
            Stops::Host(host) => one.members.contains_key(host),
            Stops::ApiServer(_) => false,
        })
    };
    // Clusters without a place in the order have their turn together.
    let earlier = spec.clusters.values().filter(|one| spec.turn_of(&one.name) < turn);
    let mut waiting = earlier.filter(|one| held.contains(&one.name) || is_stopped(one));
    waiting.next().map(|one| one.name.clone())
}

/// Why these members get nothing new yet: a cluster before theirs waits. `needs` says what they would get.
pub(crate) fn held(cluster: &ClusterSpec, view: &View<'_>, needs: &str) -> Option<Finding> {
    let first = view.waits_for_cluster.as_ref()?;
    Some(Finding {
        code: FindingCode::ClusterOrder,
        host: None,
        cluster: Some(cluster.name.clone()),
        message: format!("{needs} once {first} has its changes, which comes first in [site] order"),
        hint: Some(format!(
            "resolve what {first} waits for, or leave it out: quorate apply --cluster {}",
            cluster.name
        )),
    })
}

/// Lets the turns of each cluster's members wait for the ends of all turns of the clusters before it. What an earlier
/// cluster itself waits for is not made to wait for it.
pub(super) fn enforce(steps: &mut BTreeMap<StepId, Step>, spec: &SiteSpec) {
    let clusters: BTreeSet<ClusterName> =
        steps.values().filter_map(|step| step.cluster().cloned()).collect();
    for turn in 1..=spec.order.len() {
        let is_earlier = |step: &&Step| {
            step.cluster().is_some_and(|cluster| spec.turn_of(cluster) < turn) && is_end(&step.kind)
        };
        let ends: BTreeSet<StepId> =
            steps.values().filter(is_earlier).map(|step| step.id.clone()).collect();
        let before = ancestors(steps, &ends);
        let later = clusters.iter().filter(|cluster| spec.turn_of(cluster) == turn);
        let waiting: BTreeSet<StepId> = later.flat_map(|cluster| turns(steps, cluster)).collect();
        for id in waiting.difference(&before) {
            if let Some(step) = steps.get_mut(id) {
                step.after.extend(ends.iter().cloned());
            }
        }
    }
}

/// What shows that a member took a change well.
fn is_end(kind: &StepKind) -> bool {
    matches!(
        kind,
        StepKind::AwaitRejoin { .. }
            | StepKind::TryCertificates { .. }
            | StepKind::ProveVersion { .. }
            | StepKind::ProveHealthy { .. }
    )
}

/// The steps of a cluster by which members that run get something new: those that take one down, or give it
/// certificates, and what each of them needs on its own host. A member that is only started waits for nobody.
fn turns(steps: &BTreeMap<StepId, Step>, cluster: &ClusterName) -> BTreeSet<StepId> {
    let own = || of_cluster(steps, cluster);
    let change = |step: &&Step| {
        step.kind.disrupts() || matches!(step.kind, StepKind::TryCertificates { .. })
    };
    let changing: BTreeSet<&HostName> = own().filter(change).map(Step::host).collect();
    let changes: BTreeSet<StepId> = own().filter(change).map(|step| step.id.clone()).collect();
    let before = ancestors(steps, &changes);
    let of_them = own().filter(|step| changing.contains(step.host()) && before.contains(&step.id));
    of_them.map(|step| step.id.clone()).collect()
}

fn of_cluster<'s>(
    steps: &'s BTreeMap<StepId, Step>,
    cluster: &'s ClusterName,
) -> impl Iterator<Item = &'s Step> {
    steps.values().filter(move |step| step.cluster() == Some(cluster))
}

/// These steps, and all that they wait for.
fn ancestors(steps: &BTreeMap<StepId, Step>, of: &BTreeSet<StepId>) -> BTreeSet<StepId> {
    let mut found = of.clone();
    let mut left: Vec<&StepId> = of.iter().collect();
    while let Some(id) = left.pop() {
        // What is not in the plan is not waited for.
        let Some(step) = steps.get(id) else { continue };
        left.extend(step.after.iter().filter(|id| found.insert((*id).clone())));
    }
    found
}

//! Which hosts an apply locks.

use std::collections::BTreeSet;

use inventories::{ClusterName, HostName};

use crate::facts::{Observed, SiteFacts};
use crate::plan::{Plan, StepKind};
use crate::spec::{ClusterSpec, SiteSpec};

/// Somebody else could be at work on the hosts of a cluster that can't be locked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "only {seen} of the {all} hosts of cluster {cluster} can be locked; quorate needs more than half"
)]
pub struct TooFewToLock {
    /// The cluster.
    pub cluster: ClusterName,
    /// How many of its hosts were seen.
    pub seen: usize,
    /// How many it has.
    pub all: usize,
}

/// Every host of the clusters that a plan touches, as far as it was seen: more than half of each, so that no two applies
/// have a cluster at once. And whatever other host the plan touches: of a member that leaves.
pub fn hosts_to_lock(
    plan: &Plan,
    spec: &SiteSpec,
    facts: &SiteFacts,
) -> Result<BTreeSet<HostName>, TooFewToLock> {
    let touched: BTreeSet<&HostName> = plan.steps.iter().map(|step| step.host()).collect();
    let is_seen = |host: &&HostName| matches!(facts.hosts.get(*host), Some(Observed::Known(_)));
    let mut hosts: BTreeSet<HostName> = touched.iter().map(|host| (*host).clone()).collect();
    // The API server's arguments must not change meanwhile.
    let wires = |cluster: &ClusterSpec| {
        let users = spec.kubernetes.values();
        let mut users = users.filter(|one| one.clusters().any(|name| *name == cluster.name));
        let is_wired = |host: &HostName| {
            plan.steps
                .iter()
                .any(|step| step.host() == host && matches!(step.kind, StepKind::ApiServer(_)))
        };
        users.any(|one| one.apiservers.iter().any(is_wired))
    };
    let of_step = |cluster: &ClusterSpec| {
        plan.steps.iter().any(|step| step.cluster() == Some(&cluster.name))
            || cluster.members.keys().any(|host| touched.contains(host))
    };
    let takes = |cluster: &&ClusterSpec| {
        (plan.selection.takes(cluster) && of_step(cluster)) || wires(cluster)
    };
    for cluster in spec.clusters.values().filter(takes) {
        let seen: Vec<&HostName> = cluster.members.keys().filter(is_seen).collect();
        if seen.len() <= cluster.members.len() / 2 {
            let (seen, all) = (seen.len(), cluster.members.len());
            return Err(TooFewToLock { cluster: cluster.name.clone(), seen, all });
        }
        hosts.extend(seen.into_iter().cloned());
    }
    Ok(hosts)
}

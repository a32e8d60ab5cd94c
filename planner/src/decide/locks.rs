//! Which hosts an apply locks.

use std::collections::BTreeSet;

use inventories::{ClusterName, HostName};

use crate::facts::{Observed, SiteFacts};
use crate::plan::Plan;
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
    let clusters = plan.selection.of(spec);
    let of_step = |cluster: &ClusterSpec| {
        plan.steps.iter().any(|step| step.cluster() == Some(&cluster.name))
            || cluster.members.keys().any(|host| touched.contains(host))
    };
    for cluster in clusters.filter(|cluster| of_step(cluster)) {
        let seen: Vec<&HostName> = cluster.members.keys().filter(is_seen).collect();
        if seen.len() <= cluster.members.len() / 2 {
            let (seen, all) = (seen.len(), cluster.members.len());
            return Err(TooFewToLock { cluster: cluster.name.clone(), seen, all });
        }
        hosts.extend(seen.into_iter().cloned());
    }
    Ok(hosts)
}

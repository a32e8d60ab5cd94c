//! Narrowing a plan to some clusters and some hosts. It removes steps and never adds one: what is
//! left is what the whole plan would do there, and what it leaves out is reported.

use std::collections::{BTreeMap, BTreeSet};

use inventories::{ClusterName, HostName, Kubernetes};
use serde::Serialize;

use crate::plan::{Step, StepId, StepKind};
use crate::report::{Finding, FindingCode, LeftOut, PlanReport};
use crate::spec::{ClusterSpec, SiteSpec};

/// What of a site is planned for. An empty set takes all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Selection {
    /// Clusters.
    pub clusters: BTreeSet<ClusterName>,
    /// Hosts. A cluster is judged by all of its members, whichever of them are here.
    pub hosts: BTreeSet<HostName>,
}

impl Selection {
    /// Whether nothing is left out.
    pub fn is_everything(&self) -> bool {
        self.clusters.is_empty() && self.hosts.is_empty()
    }

    /// Whether something may be changed on this host.
    pub fn takes_host(&self, host: &HostName) -> bool {
        self.hosts.is_empty() || self.hosts.contains(host)
    }

    /// Whether this cluster is planned for: it is selected, and has a member on a selected host.
    pub fn takes(&self, cluster: &ClusterSpec) -> bool {
        (self.clusters.is_empty() || self.clusters.contains(&cluster.name))
            && cluster.members.keys().any(|host| self.takes_host(host))
    }

    /// Whether the API servers of this Kubernetes cluster are planned for: an etcd cluster that they use is selected, and
    /// so is one of their hosts.
    pub fn takes_kubernetes(&self, kubernetes: &Kubernetes) -> bool {
        let mut used = kubernetes.clusters();
        (self.clusters.is_empty() || used.any(|name| self.clusters.contains(name)))
            && kubernetes.apiservers.iter().any(|host| self.takes_host(host))
    }

    /// The clusters that are planned for.
    pub fn planned_clusters<'a>(
        &'a self,
        spec: &'a SiteSpec,
    ) -> impl Iterator<Item = &'a ClusterSpec> + 'a {
        spec.clusters.values().filter(|cluster| self.takes(cluster))
    }

    /// Every host of what is planned for, also those on which nothing is changed.
    pub fn judged_hosts<'a>(&'a self, spec: &'a SiteSpec) -> BTreeSet<&'a HostName> {
        let members = self.planned_clusters(spec).flat_map(|cluster| cluster.members.keys());
        let kubernetes = spec.configured().filter(|(_, one)| self.takes_kubernetes(one));
        members.chain(kubernetes.flat_map(|(_, one)| &one.apiservers)).collect()
    }
}

/// A cluster begins with all of its members at once, or not at all.
pub(crate) fn bootstrap(cluster: &ClusterSpec, selection: &Selection) -> Option<Finding> {
    let missing: Vec<&str> = cluster
        .members
        .keys()
        .filter(|host| !selection.takes_host(host))
        .map(HostName::as_str)
        .collect();
    (!missing.is_empty()).then(|| Finding {
        code: FindingCode::NarrowedBootstrap,
        host: None,
        cluster: Some(cluster.name.clone()),
        message: format!(
            "a cluster is formed on all of its hosts at once, and --host leaves out {}",
            missing.join(", ")
        ),
        hint: Some("select its other hosts too, or leave out --host".to_owned()),
    })
}

/// Removes the steps that wait for a proof which can't come, because a member that is down is on
/// a host that is left alone.
pub(crate) fn without_proof(steps: &mut Vec<Step>) {
    let is_proof = |step: &&Step| matches!(step.kind, StepKind::ProveHealthy { .. });
    let mut gone: BTreeSet<StepId> =
        steps.iter().filter(is_proof).map(|step| step.id.clone()).collect();
    loop {
        let before = gone.len();
        let follows = |step: &&Step| !step.after.is_disjoint(&gone);
        let more: Vec<StepId> = steps.iter().filter(follows).map(|s| s.id.clone()).collect();
        gone.extend(more);
        if gone.len() == before {
            break;
        }
    }
    steps.retain(|step| !gone.contains(&step.id));
}

/// What the whole plan holds and the narrowed one does not: one entry a cluster, and one for what
/// serves whole hosts.
pub(crate) fn left_out(
    (whole, of_whole): (&BTreeMap<StepId, Step>, &PlanReport),
    (narrowed, of_part): (&BTreeMap<StepId, Step>, &PlanReport),
) -> Vec<LeftOut> {
    let told: BTreeSet<&Finding> = of_part.refused().collect();
    let mut by_cluster: BTreeMap<Option<&ClusterName>, LeftOut> = BTreeMap::new();
    for step in whole.values().filter(|step| !narrowed.contains_key(&step.id)) {
        let left = by_cluster.entry(step.cluster()).or_default();
        left.cluster = step.cluster().cloned();
        left.hosts.insert(step.host().clone());
        left.steps += 1;
    }
    for finding in of_whole.refused().filter(|finding| !told.contains(finding)) {
        let left = by_cluster.entry(finding.cluster.as_ref()).or_default();
        left.cluster.clone_from(&finding.cluster);
        left.hosts.extend(finding.host.clone());
        left.problems += 1;
    }
    by_cluster.into_values().collect()
}

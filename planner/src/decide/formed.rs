//! A cluster is formed once. Traces of it are not only on its members' hosts, but also on hosts that it no longer
//! names, and in a record beside the inventory, in the operator's own version control.
//!
//! Without these, a commit that replaces every member at once, or gives every host another address, would
//! form a second and empty cluster under the same name and CAs.

use std::collections::BTreeMap;

use inventories::{ClusterName, HostName};
use serde::{Deserialize, Serialize};

use crate::decide::assess::View;
use crate::facts::{Observed, SiteFacts};
use crate::plan::{Plan, Step, StepKind};
use crate::policy::Policy;
use crate::report::{Finding, FindingCode, Formation, PlanReport};
use crate::spec::{ClusterSpec, SiteSpec};
use crate::stops::Stops;

/// What is recorded of a formed cluster beside the inventory. It names no host: those change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FormedRecord {
    /// etcd's cluster id, in hex.
    pub cluster_id: String,
    /// The day on which the record was written.
    pub formed: String,
}

/// Whether the operator allows a cluster to be formed that was formed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reform {
    /// As always.
    Refused,
    /// By name.
    Allowed,
}

impl Reform {
    pub(crate) fn for_cluster(cluster: &ClusterSpec, policy: &Policy) -> Self {
        if policy.allow_reform.contains(&cluster.name) { Self::Allowed } else { Self::Refused }
    }
}

/// What hosts that are not the cluster's members report about it.
#[derive(Debug, Default)]
pub(crate) struct Elsewhere<'a> {
    /// Those that carry traces of it.
    pub(crate) traces: Vec<&'a HostName>,
    /// Those that could not be seen, and why.
    pub(crate) unseen: BTreeMap<&'a HostName, &'a str>,
}

impl<'a> Elsewhere<'a> {
    pub(crate) fn from_facts(cluster: &ClusterSpec, facts: &'a SiteFacts) -> Self {
        let mut found = Self::default();
        let of_others = facts.hosts.iter().filter(|(name, _)| !cluster.members.contains_key(*name));
        for (name, host) in of_others {
            match host {
                Observed::Known(host) if host.other_clusters.contains(cluster.name.as_str()) => {
                    found.traces.push(name);
                }
                Observed::Unknown(why) => {
                    found.unseen.insert(name, why);
                }
                Observed::Known(_) | Observed::Absent => {}
            }
        }
        for (name, traces) in &facts.bystanders {
            match traces {
                Observed::Known(traces) if traces.contains(cluster.name.as_str()) => {
                    found.traces.push(name);
                }
                Observed::Unknown(why) => {
                    found.unseen.insert(name, why);
                }
                Observed::Known(_) | Observed::Absent => {}
            }
        }
        found
    }
}

/// Refuses to form a cluster that was formed before; where it is allowed, warns.
pub(crate) fn check(
    cluster: &ClusterSpec,
    view: &View<'_>,
    policy: &Policy,
    report: &mut PlanReport,
) {
    match view.now.formation {
        Formation::Formed => other_id(cluster, view, Reform::for_cluster(cluster, policy), report),
        Formation::Elsewhere => {
            report.block(refusal(cluster, view), [Stops::Cluster(cluster.name.clone())]);
        }
        Formation::Unknown => {
            for finding in waits(cluster, view) {
                report.block(finding, [Stops::Cluster(cluster.name.clone())]);
            }
        }
        Formation::Absent | Formation::Started => {
            if Reform::for_cluster(cluster, policy) == Reform::Allowed
                && let Some(evidence) = evidence(cluster, view)
            {
                report.one_way.push(format!(
                    "{evidence}; --allow-reform {} forms it again, empty",
                    cluster.name
                ));
            }
        }
    }
}

/// The trace of an earlier forming that is not on one of the members' hosts, as a sentence.
fn evidence(cluster: &ClusterSpec, view: &View<'_>) -> Option<String> {
    let hosts = &view.elsewhere.traces;
    if !hosts.is_empty() {
        let names: Vec<&str> = hosts.iter().map(|host| host.as_str()).collect();
        return Some(format!(
            "cluster {} was formed before: {} {} its data or records, but {} not in `members`",
            cluster.name,
            names.join(", "),
            if names.len() == 1 { "holds" } else { "hold" },
            if names.len() == 1 { "is" } else { "are" }
        ));
    }
    let path = record_path(&cluster.name);
    match &cluster.formed {
        Observed::Known(FormedRecord { cluster_id, formed }) => Some(format!(
            "cluster {} was formed before: {path} records cluster id {cluster_id}, formed {formed}, but \
             its members' hosts have no trace of it",
            cluster.name
        )),
        Observed::Unknown(why) => Some(format!(
            "cluster {} may have been formed before: can't read {path}: {why}",
            cluster.name
        )),
        Observed::Absent => None,
    }
}

fn refusal(cluster: &ClusterSpec, view: &View<'_>) -> Finding {
    let evidence = evidence(cluster, view).unwrap_or_default();
    let place = cluster.place_of("members");
    Finding {
        code: FindingCode::FormedBefore,
        host: None,
        cluster: Some(cluster.name.clone()),
        message: format!(
            "{evidence}; forming it again would give clients a second, empty cluster under the same \
             name and CAs"
        ),
        hint: Some(format!(
            "restore the members and addresses that it was formed with in {}:{}\n\
             or, to form a new, empty cluster anyway: quorate apply --allow-reform {}",
            place.file, place.line, cluster.name
        )),
    }
}

/// A host outside of the cluster might hold its records, so forming waits until quorate has checked it.
fn waits<'a>(cluster: &'a ClusterSpec, view: &'a View<'_>) -> impl Iterator<Item = Finding> + 'a {
    view.waits_for().map(|host| Finding {
        code: FindingCode::Unseen,
        host: Some(host.clone()),
        cluster: Some(cluster.name.clone()),
        message: format!(
            "can't form cluster {} until quorate has checked this host: it is not a member now, but may \
             have been one",
            cluster.name
        ),
        hint: Some(format!(
            "make the host reachable, or remove it from the inventory if the machine is gone\n\
             or, if cluster {} was never formed on it: quorate apply --allow-reform {0}",
            cluster.name
        )),
    })
}

fn other_id(cluster: &ClusterSpec, view: &View<'_>, reform: Reform, report: &mut PlanReport) {
    let (Some(id), Observed::Known(record)) = (&view.now.cluster_id, &cluster.formed) else {
        return;
    };
    if *id == record.cluster_id {
        return;
    }
    let path = record_path(&cluster.name);
    if reform == Reform::Allowed {
        report.one_way.push(format!(
            "--allow-reform {}: an apply that changes the cluster overwrites {path} with cluster id {id}",
            cluster.name
        ));
    }
    report.warnings.push(Finding {
        code: FindingCode::FormedOtherwise,
        host: None,
        cluster: Some(cluster.name.clone()),
        message: format!(
            "the hosts carry cluster id {id}, but {path} records {}, formed {}",
            record.cluster_id, record.formed
        ),
        hint: Some(format!(
            "find out which cluster holds the data\n\
             if the hosts are right: git rm {path}, and commit that; the next apply that changes the \
             cluster writes it again"
        )),
    });
}

/// The records that an apply leaves beside the inventory: of each cluster that it worked on and that has a
/// marker now, where there is none yet, or where it was allowed to form the cluster again, or restored it.
pub fn records(
    spec: &SiteSpec,
    plan: &Plan,
    facts: &SiteFacts,
    policy: &Policy,
) -> BTreeMap<ClusterName, FormedRecord> {
    let worked_on = |cluster: &&ClusterSpec| {
        plan.steps.iter().any(|step| step.cluster() == Some(&cluster.name))
    };
    // By the operator's word it is another cluster than the one that is recorded.
    let is_another = |cluster: &ClusterSpec| {
        let ends = |step: &Step| {
            matches!(step.kind, StepKind::EndRestore { .. })
                && step.cluster() == Some(&cluster.name)
        };
        Reform::for_cluster(cluster, policy) == Reform::Allowed || plan.steps.iter().any(ends)
    };
    let record = |cluster: &ClusterSpec| {
        let marked = cluster.members.keys().find_map(|host| {
            facts.hosts.get(host)?.known()?.clusters.get(&cluster.name)?.marker.known()
        });
        // Only what was proven: a bootstrap that stopped before may still be discarded.
        let cluster_id = marked?.cluster_id.clone();
        let replaces = match &cluster.formed {
            Observed::Absent => true,
            Observed::Known(record) => record.cluster_id != cluster_id && is_another(cluster),
            Observed::Unknown(_) => is_another(cluster),
        };
        let formed = facts.observed_at.date().to_string();
        replaces.then(|| (cluster.name.clone(), FormedRecord { cluster_id, formed }))
    };
    spec.clusters.values().filter(worked_on).filter_map(record).collect()
}

/// Where the record of a cluster is, seen from the inventory.
pub fn record_path(cluster: &ClusterName) -> String {
    format!("pki/{cluster}/formed.toml")
}

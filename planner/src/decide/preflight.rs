//! What must be true of a host before anything is changed on it. Every finding of every host is
//! reported at once.

mod at_boot;
pub mod cost;
mod host;
mod kubelet;
mod names;
mod network;
mod parents;
mod unit;

use inventories::{ClusterName, HostName};

use crate::decide::assess::View;
use crate::decide::membership::Joining;
use crate::decide::unknowns;
use crate::facts::{HostFacts, Observed, SiteFacts};
use crate::policy::Policy;
use crate::report::{Finding, FindingCode, Formation, PlanReport};
use crate::spec::{ClusterSpec, MemberSpec, SiteSpec};
use crate::stops::Stops;
pub(crate) use host::bytes;

/// One member's host, and where it stands.
struct Subject<'a> {
    spec: &'a SiteSpec,
    cluster: &'a ClusterSpec,
    member: &'a MemberSpec,
    name: &'a HostName,
    facts: &'a HostFacts,
    formation: Formation,
    /// etcd's id of the formed cluster.
    cluster_id: Option<&'a str>,
    /// Whether it is yet to join a formed cluster, and nothing of it runs.
    joins: bool,
}

impl Subject<'_> {
    fn finding(&self, code: FindingCode, message: String, hint: &str) -> Finding {
        Finding {
            code,
            host: Some(self.name.clone()),
            cluster: Some(self.cluster.name.clone()),
            message,
            hint: Some(hint.to_owned()),
        }
    }

    /// What is wrong with the machine stops all that is done on it.
    fn machine(&self) -> Stops {
        Stops::Host(self.name.clone())
    }

    /// What is in the way of forming the cluster stops the cluster, and no other one on the host. What is in the way of
    /// a new member stops that member.
    fn forming(&self) -> Stops {
        if self.joins { self.its_member() } else { Stops::Cluster(self.cluster.name.clone()) }
    }

    /// What keeps the member's process from its files stops all that is done for the member.
    fn its_member(&self) -> Stops {
        Stops::Member(self.name.clone(), self.cluster.name.clone())
    }

    /// What the member's process would lack stops nothing of what it has.
    fn settings(&self) -> Stops {
        Stops::Settings(self.name.clone(), self.cluster.name.clone())
    }

    /// A finding about the machine: the same whichever cluster asks.
    fn host_finding(&self, code: FindingCode, message: String, hint: &str) -> Finding {
        Finding { cluster: None, ..self.finding(code, message, hint) }
    }
}

/// Adds what was found on every host of a cluster to the report.
pub(crate) fn check(
    spec: &SiteSpec,
    cluster: &ClusterSpec,
    view: &View<'_>,
    facts: &SiteFacts,
    policy: &Policy,
    report: &mut PlanReport,
) {
    let formation = view.now.formation;
    for (name, member) in &cluster.members {
        let Some(Observed::Known(host)) = facts.hosts.get(name) else { continue };
        let joins = matches!(view.joining.get(name), Some(Joining::Unlisted | Joining::Failed(_)));
        let cluster_id = view.now.cluster_id.as_deref();
        let subject =
            Subject { spec, cluster, member, name, facts: host, formation, cluster_id, joins };
        host::check(&subject, policy, report);
        kubelet::check(&subject, report);
        parents::check(&subject, report);
        at_boot::check(&subject, report);
        not_known(&subject, report);
        network::check(&subject, report);
        cost::disk(&subject, policy, report);
    }
    if formation != Formation::Formed {
        names::check(cluster, facts, report);
    }
    cost::distance(cluster, facts, report);
    unseen(cluster, view, facts, report);
}

/// A cluster is formed only when everything is known; a formed one continues without the member.
fn not_known(subject: &Subject<'_>, report: &mut PlanReport) {
    let Some(facts) = subject.facts.clusters.get(&subject.cluster.name) else { return };
    let unknowns = unknowns::unknowns(subject.cluster, subject.member, subject.facts, facts);
    let Some((first, rest)) = unknowns.split_first() else { return };
    let more = if rest.is_empty() { String::new() } else { format!(", and {} more", rest.len()) };
    let finding = subject.finding(
        FindingCode::NotKnown,
        format!("can't read {first}{more}; quorate leaves this member alone"),
        "check the host: its disk may be failing",
    );
    if subject.formation == Formation::Formed {
        report.warnings.push(finding);
    } else {
        report.block(finding, [subject.forming()]);
    }
}

/// A cluster is formed only when all its hosts are seen: one that is not might hold its data.
fn unseen(cluster: &ClusterSpec, view: &View<'_>, facts: &SiteFacts, report: &mut PlanReport) {
    if view.now.formation != Formation::Unknown {
        return;
    }
    for host in view.unseen.iter().filter(|host| !facts.misled.contains_key(**host)) {
        let finding = Finding {
            code: FindingCode::Unseen,
            host: Some((*host).clone()),
            cluster: Some(cluster.name.clone()),
            message: format!(
                "cluster {} may already exist here: nothing is planned for it until that can be \
                 checked",
                cluster.name
            ),
            hint: Some(
                "fix what stands after `unreachable` above; remove the host from `members` only if it was \
                 never a member"
                    .to_owned(),
            ),
        };
        report.block(finding, [Stops::Cluster(cluster.name.clone())]);
    }
}

/// Adds a finding once, however many clusters ask about the same machine.
fn push_once(findings: &mut Vec<Finding>, finding: Finding) {
    if !findings.contains(&finding) {
        findings.push(finding);
    }
}

/// The cluster of a systemd unit that quorate made, by its name.
fn cluster_of_unit(unit: &str) -> Option<ClusterName> {
    ClusterName::new(unit.strip_prefix("etcd-")?.strip_suffix(".service")?).ok()
}

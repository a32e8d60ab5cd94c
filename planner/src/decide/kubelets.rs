//! New settings for standalone kubelets whose hosts run pods. A kubelet that starts with another cgroup driver ends
//! every pod of its host, so hosts take turns. As with a restart, all other members must be healthy, the leader hands
//! over, and the next host waits until this host's members are back.

use std::collections::{BTreeMap, BTreeSet};

use inventories::HostName;
use inventories::inventory::Runtime;
use templates::{RenderError, head, pod};

use crate::decide::assess::{self, View};
use crate::decide::form;
use crate::decide::formed::Reform;
use crate::decide::member_context::MemberContext;
use crate::decide::membership;
use crate::decide::moving;
use crate::decide::planner::{judge, members};
use crate::decide::roll;
use crate::decide::runtime;
use crate::decide::trials;
use crate::facts::{KubeletFacts, Observed, SiteFacts};
use crate::plan::{Guard, Step, StepId, Verb};
use crate::policy::Policy;
use crate::report::{Blocked, Finding, FindingCode, Formation, PlanReport, QuorumNote};
use crate::spec::{ClusterSpec, SiteSpec};
use crate::stops::Permitted;

/// A cluster that may have pods on these hosts.
struct Cluster<'a> {
    spec: &'a ClusterSpec,
    view: View<'a>,
    members: Vec<MemberContext<'a>>,
    /// What may be done for it; `None` where that is nothing.
    scope: Option<Permitted<'a>>,
}

impl<'a> Cluster<'a> {
    fn new(
        spec: &'a SiteSpec,
        cluster: &'a ClusterSpec,
        facts: &'a SiteFacts,
        policy: &'a Policy,
        blocked: &[Blocked],
    ) -> Self {
        let view = assess::assess(cluster, facts, Reform::Refused, &policy.replace);
        let members = members(spec, cluster, &view, facts);
        let scope = Permitted::for_cluster(cluster, view.now.formation, &policy.selection, blocked);
        Self { spec: cluster, view, members, scope }
    }

    /// Its member on a host, where that runs in a pod by the time of the host's turn.
    fn pod_on(&self, host: &HostName) -> Option<&MemberContext<'a>> {
        let member = self.members.iter().find(|member| member.name == host)?;
        let kubelet = member.host.kubelet.known().is_some_and(KubeletFacts::is_up);
        let started = kubelet && self.spec.runtime == Runtime::StaticPod;
        let runs = match member.facts.runs_by() {
            Some(runtime) => runtime == Runtime::StaticPod,
            None => started,
        };
        runs.then_some(member)
    }

    /// Whether none of its members is on a host whose facts are too incomplete to wait for it.
    fn is_known_on(&self, host: &HostName) -> bool {
        let seen = self.view.members.get(host);
        seen.is_none_or(|member| member.pod.is_absent()) || self.pod_on(host).is_some()
    }

    /// Whether clients rely on its quorum.
    fn is_relied_on(&self) -> bool {
        self.view.now.formation == Formation::Formed || self.spec.members.len() > 2
    }
}

/// The turns of all hosts, one after the other. They come before every restart, and after whatever is
/// down was started and proven.
pub(crate) fn turns(
    spec: &SiteSpec,
    facts: &SiteFacts,
    policy: &Policy,
    report: &mut PlanReport,
) -> Result<Vec<Step>, RenderError> {
    if !policy.selection.planned_clusters(spec).any(|cluster| cluster.kubelet.is_some()) {
        return Ok(Vec::new());
    }
    let blocked = blocked(spec, facts, policy, report);
    let clusters = spec.clusters.values();
    let clusters: Vec<Cluster<'_>> =
        clusters.map(|cluster| Cluster::new(spec, cluster, facts, policy, &blocked)).collect();
    let mut changes: BTreeMap<&HostName, Step> = BTreeMap::new();
    for cluster in clusters.iter().filter(|cluster| policy.selection.takes(cluster.spec)) {
        let Some(scope) = &cluster.scope else { continue };
        let taken = cluster.members.iter().filter(|member| scope.may_change(member.name));
        for member in taken.filter(|member| runtime::runs_pods(member.host)) {
            changes.extend(runtime::kubelet_change(member).map(|step| (member.name, step)));
        }
    }
    changes.retain(|host, _| clusters.iter().all(|cluster| cluster.is_known_on(host)));
    for cluster in &clusters {
        let here: Vec<&HostName> =
            changes.keys().copied().filter(|host| cluster.pod_on(host).is_some()).collect();
        if here.is_empty() || !cluster.is_relied_on() {
            continue;
        }
        let names: Vec<&str> = here.iter().map(|host| host.as_str()).collect();
        let needs = format!(
            "the kubelet's settings change on {}, which can restart its pods",
            names.join(", ")
        );
        // A pod that something blocked keeps as it is keeps its kubelet too.
        let is_kept =
            |host: &&HostName| cluster.scope.as_ref().is_none_or(|scope| !scope.is_free(host));
        let kept: Vec<&HostName> = here.iter().copied().filter(is_kept).collect();
        changes.retain(|host, _| !kept.contains(host));
        if !kept.is_empty() && !policy.selection.takes(cluster.spec) {
            report.held.push(keeps(cluster.spec, &kept));
        }
        let Some(scope) = &cluster.scope else { continue };
        let waits = membership::before_restarts(cluster.spec, &cluster.view, &needs);
        if let Some(waits) =
            waits.or_else(|| moving::holds(cluster.spec, FindingCode::RollWaits, &needs))
        {
            report.held.push(waits);
            changes.retain(|host, _| !here.contains(host));
            continue;
        }
        let choices = (policy, scope);
        let hosts = (&here[..], None);
        if let Some(finding) = roll::waits(&cluster.view, &cluster.members, choices, hosts, &needs)
        {
            report.held.push(finding);
            changes.retain(|host, _| !here.contains(host));
        }
    }
    let leads = |host: &HostName| {
        clusters.iter().filter(|cluster| cluster.view.now.leader.as_ref() == Some(host)).count()
    };
    let mut order: Vec<(&HostName, Step)> = changes.into_iter().collect();
    // A host whose kubelet is down holds others up: what is to start there waits for it.
    order.sort_by_key(|(host, _)| (serves(facts, host), leads(host)));
    let mut steps = Vec::new();
    let mut before: BTreeSet<StepId> = BTreeSet::new();
    for (host, change) in order {
        let pods: Vec<(&Cluster<'_>, &MemberContext<'_>)> =
            clusters.iter().filter_map(|cluster| Some((cluster, cluster.pod_on(host)?))).collect();
        if serves(facts, host) {
            before.extend(pods.iter().flat_map(|(cluster, _)| form::proofs(&cluster.members)));
        }
        // A pod that ends in its trial would look like one whose certificates are bad.
        before.extend(pods.iter().flat_map(|(cluster, _)| trials::all(&cluster.members)));
        steps.extend(turn(change, &pods, &before, policy));
        note(host, &pods, report);
        before = pods.iter().map(|(_, member)| member.id(Verb::Back)).collect();
    }
    Ok(steps)
}

/// What is blocked for every cluster: a kubelet ends the pods of those that were not selected too.
fn blocked(
    spec: &SiteSpec,
    facts: &SiteFacts,
    policy: &Policy,
    report: &PlanReport,
) -> Vec<Blocked> {
    let mut blocked = report.blocked.clone();
    for cluster in spec.clusters.values().filter(|cluster| !policy.selection.takes(cluster)) {
        let view = assess::assess(cluster, facts, Reform::Refused, &policy.replace);
        let mut of_it = PlanReport::default();
        judge(spec, cluster, &view, facts, policy, &mut of_it);
        blocked.extend(of_it.blocked);
    }
    blocked
}

/// A cluster that was not selected keeps the kubelets of its pods as they are.
fn keeps(cluster: &ClusterSpec, hosts: &[&HostName]) -> Finding {
    let names: Vec<&str> = hosts.iter().map(|host| host.as_str()).collect();
    Finding {
        code: FindingCode::RollWaits,
        host: None,
        cluster: Some(cluster.name.clone()),
        message: format!(
            "the kubelet's settings change on {}, which waits until nothing blocks the pods of this cluster there",
            names.join(", ")
        ),
        hint: Some(format!("quorate plan --cluster {}", cluster.name)),
    }
}

fn serves(facts: &SiteFacts, host: &HostName) -> bool {
    let host = facts.hosts.get(host).and_then(Observed::known);
    host.and_then(|host| host.kubelet.known()).is_some_and(KubeletFacts::is_up)
}

/// One host's turn.
fn turn(
    change: Step,
    pods: &[(&Cluster<'_>, &MemberContext<'_>)],
    before: &BTreeSet<StepId>,
    policy: &Policy,
) -> Vec<Step> {
    let mut steps = Vec::new();
    // A kubelet waits until all have moved.
    let nobody = BTreeSet::new();
    for (cluster, member) in pods {
        let leads = cluster.view.now.leader.as_ref() == Some(member.name);
        if leads && cluster.spec.members.len() > 1 {
            let id = member.id(Verb::HandOver);
            steps.push(
                Step { id, ..roll::move_leader(member, &nobody) }.after(before.iter().cloned()),
            );
        }
    }
    let guarded = pods.iter().filter(|(cluster, _)| {
        cluster.is_relied_on() && !policy.allow_outage.contains(&cluster.spec.name)
    });
    let guard: Guard = roll::others_healthy(
        guarded.map(|(cluster, member)| (*member, cluster.view.now.cluster_id.clone())),
        &nobody,
    );
    let handed_over: Vec<StepId> = steps.iter().map(|step| step.id.clone()).collect();
    let change = change.guarded(guard).after(before.iter().cloned()).after(handed_over);
    for (cluster, member) in pods {
        steps.push(as_it_lies_there(Verb::Back, member, roll::known_alarms(&cluster.members)));
    }
    steps.push(change);
    steps
}

/// Waits for a member: the kubelet runs it from the manifest that lies there now.
pub(crate) fn as_it_lies_there(
    verb: Verb,
    member: &MemberContext<'_>,
    alarms: BTreeSet<String>,
) -> Step {
    let manifest = runtime::manifest_text(member).unwrap_or_default();
    let version = head::version(manifest).and_then(|version| version.parse().ok());
    let version = version.unwrap_or(member.cluster.version);
    let identity = match (pod::identity_in(manifest), member.facts.pod.known()) {
        (Some(identity), _) => identity.to_owned(),
        (None, Some(process)) => process.manifest.clone(),
        (None, None) => String::new(),
    };
    roll::await_return(verb, member, moving::asked(member), version, alarms, Some(identity))
}

/// What it means for the quorums.
fn note(host: &HostName, pods: &[(&Cluster<'_>, &MemberContext<'_>)], report: &mut PlanReport) {
    for (cluster, _) in pods.iter().filter(|(cluster, _)| cluster.is_relied_on()) {
        let is_started = |member: &&MemberContext<'_>| {
            cluster.scope.as_ref().is_some_and(|scope| roll::is_started(member, scope))
        };
        let started = cluster.members.iter().filter(is_started).count();
        report.quorum.push(QuorumNote {
            cluster: cluster.spec.name.clone(),
            what: format!("set up the kubelet of {host}"),
            up: (cluster.view.now.quorum.healthy + started).saturating_sub(1),
            needed: cluster.view.now.quorum.size(),
        });
        report.clients.push(format!(
            "cluster {}: clients of the member on {host} reconnect to another one",
            cluster.spec.name
        ));
    }
}

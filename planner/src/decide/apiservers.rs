//! The API servers of Kubernetes clusters: each gets its client certificate, and the list of the members of its etcd
//! clusters. They are planned after all etcd clusters, because one API server can use several.
//!
//! One API server of a Kubernetes cluster changes at a time, and the next one only when the last is ready again. The list
//! follows the members: it changes once all that join have a vote, and before a member goes that serves.

mod certificate;
mod judge;
mod kubeadm;
mod left;
mod switch;
mod turns;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use inventories::{ClusterName, HostName, Kubernetes, KubernetesName};

use crate::decide::assess::{self, View};
use crate::decide::formed::Reform;
use crate::facts::{ApiServerFacts, HostFacts, Observed, SiteFacts};
use crate::plan::{Action, ApiServerStep, Guard, PlaceRef, Step, StepId, StepKind, Verb, Why};
use crate::policy::Policy;
use crate::report::{Finding, FindingCode, PlanReport};
use crate::spec::{ClusterSpec, SiteSpec};
pub use certificate::attributes as api_server_attributes;
use left::{Closed, Listed};
pub(crate) use left::{Left, users};
pub use switch::may_be_another;
use wanted::Wanted;

/// An API server whose host was seen, and what is wanted of it.
struct ApiServer<'a> {
    site: &'a SiteSpec,
    name: &'a KubernetesName,
    kubernetes: &'a Kubernetes,
    host: &'a HostName,
    host_facts: &'a HostFacts,
    seen: &'a ApiServerFacts,
    wanted: Wanted,
}

impl ApiServer<'_> {
    fn id(&self, verb: Verb) -> StepId {
        StepId::for_host(self.host, verb)
    }

    fn step(&self, verb: Verb, action: Action, part: ApiServerStep, why: Why) -> Step {
        let (guard, after) = (Guard::Nothing, BTreeSet::new());
        Step { id: self.id(verb), action, kind: StepKind::ApiServer(part), guard, after, why }
    }

    fn why_wanted(&self, setting: &str) -> Why {
        let Kubernetes { place, places, .. } = self.kubernetes;
        Why::Wanted { place: Some(PlaceRef::from(places.get(setting).unwrap_or(place))) }
    }

    /// A finding of this API server.
    fn finding(&self, code: FindingCode, message: String, hint: impl Into<String>) -> Finding {
        let (host, hint) = (Some(self.host.clone()), Some(hint.into()));
        Finding { code, host, cluster: None, message, hint }
    }

    /// Whether it serves its clients.
    fn is_ready(&self) -> bool {
        self.seen.process.known().is_some_and(|process| process.is_ready)
    }

    /// Whether its process is as wanted, and ready.
    fn is_done(&self) -> bool {
        let process = self.seen.process.known();
        self.is_ready()
            && process.is_some_and(|process| self.wanted.changes(&process.flags).is_empty())
    }

    /// How its configuration differs.
    fn wiring_changes(&self) -> Vec<String> {
        let Some(wiring) = self.seen.wiring() else { return Vec::new() };
        let mut changes = self.wanted.changes(&wiring.flags);
        if changes.is_empty() && !wiring.is_whole {
            changes
                .push("its container does not see the files of the client certificate".to_owned());
        }
        changes
    }
}

/// The etcd clusters that API servers use, as they are.
type Views<'a> = BTreeMap<&'a ClusterName, View<'a>>;

/// The API servers that can be changed now, and those that can't.
#[derive(Default)]
pub(crate) struct ApiServers<'a> {
    /// By Kubernetes cluster.
    open: BTreeMap<&'a KubernetesName, Vec<ApiServer<'a>>>,
    views: Views<'a>,
    /// Those that stay as they are in this plan.
    closed: BTreeMap<HostName, Closed>,
    /// What kubeadm's records list, of the Kubernetes clusters that have one.
    records: BTreeMap<&'a KubernetesName, (&'a Kubernetes, Listed)>,
}

/// Looks at every API server. The report says why one can't be changed.
pub(crate) fn judge<'a>(
    spec: &'a SiteSpec,
    facts: &'a SiteFacts,
    policy: &Policy,
    report: &mut PlanReport,
) -> ApiServers<'a> {
    let mut all = ApiServers::default();
    for (name, kubernetes) in spec.configured() {
        for cluster in clusters(spec, kubernetes) {
            let view = || {
                assess::assess(
                    cluster,
                    facts,
                    Reform::for_cluster(cluster, policy),
                    &policy.replace,
                )
            };
            all.views.entry(&cluster.name).or_insert_with(view);
        }
        if kubeadm::keeps(kubernetes) {
            all.records.insert(name, (kubernetes, left::recorded(kubernetes, facts)));
        }
        let is_selected = policy.selection.takes_kubernetes(kubernetes);
        let mut open = Vec::new();
        for host in &kubernetes.apiservers {
            let host_facts = facts.hosts.get(host).and_then(Observed::known);
            let seen = host_facts.and_then(|host| host.apiserver.as_ref());
            let is_open = is_selected && policy.selection.takes_host(host);
            if let (true, Some(host_facts), Some(seen)) = (is_open, host_facts, seen) {
                let wanted = Wanted::new(spec, name, kubernetes);
                let server =
                    ApiServer { site: spec, name, kubernetes, host, host_facts, seen, wanted };
                if judge::is_open(&server, &all.views, policy, report) {
                    open.push(server);
                    continue;
                }
            }
            all.closed.insert(host.clone(), Closed::new(kubernetes, seen));
        }
        if is_selected {
            judge::all_together(&mut open, &mut all.closed, facts, report);
            all.open.insert(name, open);
        }
    }
    all
}

impl ApiServers<'_> {
    /// Another cluster whose members change before API servers that use this one as well get their list: its new
    /// members may in turn wait until members of this one, on the same hosts, are back.
    pub(crate) fn changes_first(&self, cluster: &ClusterSpec) -> Option<ClusterName> {
        let changes = |open: &&Vec<ApiServer<'_>>| {
            open.iter().any(|server| !server.wiring_changes().is_empty())
                && open.iter().any(|server| server.may_use(cluster))
        };
        let used =
            self.open.values().filter(changes).filter_map(|open| Some(open.first()?.kubernetes));
        let mut others = used.flat_map(Kubernetes::clusters).filter(|name| **name != cluster.name);
        let settles = |name: &&ClusterName| {
            self.views.get(*name).is_some_and(|view| {
                let mut members = view.members.iter();
                !judge::is_formed(view)
                    || !view.joining.is_empty()
                    || members.any(|(host, facts)| !view.was_member(host, facts))
            })
        };
        others.find(settles).cloned()
    }

    /// Leaves those as they are that must wait for the etcd clusters, whose steps these are. Returns whether there are
    /// any; the report says why they wait.
    pub(crate) fn close_those_that_wait(
        &mut self,
        facts: &SiteFacts,
        steps: &[Step],
        report: &mut PlanReport,
    ) -> bool {
        let before = self.closed.len();
        for open in self.open.values_mut() {
            if let Some(waits) = turns::waits(open, (facts, &self.views), steps) {
                report.held.push(waits);
                self.closed.extend(open.drain(..).map(|server| Closed::away(&server)));
            }
        }
        self.closed.len() > before
    }

    /// The steps of all API servers. `steps` are those of the etcd clusters: members that serve leave, and move, once
    /// the API servers that list them were changed.
    pub(crate) fn steps(&self, facts: &SiteFacts, steps: &mut Vec<Step>, report: &mut PlanReport) {
        for open in self.open.values() {
            let mut own = turns::steps(open, (facts, &self.views), report);
            own.extend(kubeadm::step(open, &own, report));
            turns::others_wait(open, facts, &own, steps);
            steps.extend(own);
        }
    }
}

/// The etcd clusters that an API server uses.
fn clusters<'a>(
    spec: &'a SiteSpec,
    kubernetes: &'a Kubernetes,
) -> impl Iterator<Item = &'a ClusterSpec> {
    kubernetes.clusters().filter_map(|name: &ClusterName| spec.clusters.get(name))
}

/// What becomes of the API servers before a member of this cluster is removed.
pub(crate) fn before_removal(spec: &SiteSpec, cluster: &ClusterName) -> String {
    let users = spec.configured().filter(|(_, one)| one.clusters().any(|used| used == cluster));
    let users: Vec<&str> = users.map(|(name, _)| name.as_str()).collect();
    if users.is_empty() {
        return "first remove it from --etcd-servers of the API servers".to_owned();
    }
    format!("the API servers of {} no longer list it by then", users.join(", "))
}

/// How the flags of an API server's process differ from the wanted ones. For status, which makes no plan.
pub fn api_server_changes(
    spec: &SiteSpec,
    name: &KubernetesName,
    kubernetes: &Kubernetes,
    flags: &BTreeMap<String, String>,
) -> Vec<String> {
    Wanted::new(spec, name, kubernetes).changes(flags)
}

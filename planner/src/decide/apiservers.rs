//! The API servers of Kubernetes clusters: each gets its client certificate, and the list of the members of its etcd
//! clusters. They are planned after all etcd clusters, because one API server can use several.
//!
//! One API server of a Kubernetes cluster changes at a time, and the next one only when the last is ready again. The list
//! follows the members: it changes once all that join have a vote, and before a member goes that serves.

mod certificate;
mod judge;
mod kubeadm;
mod switch;
mod turns;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use inventories::{ClusterName, HostName, Kubernetes, KubernetesName};

use crate::decide::assess::{self, View};
use crate::decide::formed::Reform;
use crate::facts::{ApiServerFacts, HostFacts, Observed, SiteFacts};
use crate::plan::{Action, ApiServerStep, Guard, PlaceRef, Step, StepId, StepKind, Verb, Why};
use crate::policy::Policy;
use crate::report::{Finding, FindingCode, PlanReport};
use crate::spec::{ClusterSpec, SiteSpec};
pub use certificate::attributes as api_server_attributes;
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
}

/// The servers that an API server lists, of its process and of its manifest; `None` if unknown.
pub(crate) type Listed = Option<Vec<BTreeSet<String>>>;

/// An API server that stays as it is in this plan.
struct Closed {
    /// The etcd clusters that it is to use.
    clusters: BTreeSet<ClusterName>,
    servers: Listed,
}

impl Closed {
    fn new(kubernetes: &Kubernetes, seen: Option<&ApiServerFacts>) -> Self {
        Self { clusters: kubernetes.clusters().cloned().collect(), servers: seen.and_then(servers) }
    }

    /// One that could be changed.
    fn away(server: &ApiServer<'_>) -> (HostName, Self) {
        (server.host.clone(), Self::new(server.kubernetes, Some(server.seen)))
    }
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

/// The servers that an API server lists now, and those at its next start; `None` where that could not be read.
fn servers(seen: &ApiServerFacts) -> Listed {
    let is_unread = !seen.manifest.is_absent() && seen.wiring().is_none();
    if is_unread || matches!(seen.process, Observed::Unknown(_)) {
        return None;
    }
    let wiring = seen.wiring().map(|wiring| &wiring.flags);
    let process = seen.process.known().map(|process| &process.flags);
    let list = |flags| crate::facts::servers_in(flags).into_iter().map(str::to_owned).collect();
    Some(wiring.into_iter().chain(process).map(list).collect())
}

impl ApiServers<'_> {
    /// Those that stay as they are, of Kubernetes clusters that are to use this etcd cluster, or that use it still.
    pub(crate) fn closed_of(&self, cluster: &ClusterSpec) -> BTreeMap<HostName, Listed> {
        let members = cluster.members.values().chain(cluster.former.values());
        let urls: BTreeSet<String> =
            members.map(|spec| spec.member.client_url().to_string()).collect();
        let uses = |(_, closed): &(&HostName, &Closed)| {
            let mut listed = closed.servers.iter().flatten().flatten();
            closed.clusters.contains(&cluster.name) || listed.any(|url| urls.contains(url))
        };
        let closed = self.closed.iter().filter(uses);
        closed.map(|(host, closed)| (host.clone(), closed.servers.clone())).collect()
    }

    /// Another cluster whose members change before API servers that use this one as well get their list: its new
    /// members may in turn wait until members of this one, on the same hosts, are back.
    pub(crate) fn changes_first(&self, cluster: &ClusterSpec) -> Option<ClusterName> {
        let changes = |open: &&Vec<ApiServer<'_>>| {
            open.iter().any(|server| !server.wiring_changes().is_empty())
        };
        let used =
            self.open.values().filter(changes).filter_map(|open| Some(open.first()?.kubernetes));
        let used = used.filter(|one| one.clusters().any(|name| *name == cluster.name));
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

/// The API servers of which this holds, or may hold, among those that this plan leaves as they are. It is asked of the
/// servers that each process lists, and of those that each manifest does.
pub(crate) fn lists_any<'v>(
    view: &'v View<'_>,
    holds: impl Fn(&BTreeSet<String>) -> bool,
) -> Vec<&'v HostName> {
    let may = |listed: &Listed| match listed {
        Some(lists) => lists
            .iter()
            .any(|servers| servers.iter().any(|url| !is_of_a_member(url)) || holds(servers)),
        None => true,
    };
    let closed = view.closed_api_servers.iter().filter(|(_, servers)| may(servers));
    closed.map(|(host, _)| host).collect()
}

/// Whether a URL can be compared with those of members. A name or a loopback address may lead to any of them.
fn is_of_a_member(url: &str) -> bool {
    let address = url.strip_prefix("https://").and_then(|it| it.parse::<SocketAddr>().ok());
    address.is_some_and(|address| !address.ip().is_loopback())
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

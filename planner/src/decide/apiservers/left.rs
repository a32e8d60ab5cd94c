//! What this plan leaves as it is, and by which an API server may find a member, now or at its next start. Such a member
//! stays, and stays where it is.

use std::collections::{BTreeMap, BTreeSet};

use inventories::{ClusterName, HostName, Kubernetes, KubernetesName};

use super::{ApiServer, ApiServers, kubeadm};
use crate::decide::assess::View;
use crate::facts::{ApiServerFacts, Observed, SiteFacts, servers_in};
use crate::spec::{ClusterSpec, SiteSpec};

/// The lists of servers that something has, of its process and of its configuration; `None` if unknown.
pub(crate) type Listed = Option<Vec<BTreeSet<String>>>;

/// What stays as it is, as far as it concerns one etcd cluster.
#[derive(Default)]
pub(crate) struct Left {
    api_servers: BTreeMap<HostName, Listed>,
    /// kubeadm's records, from which its next upgrade configures API servers.
    records: BTreeMap<KubernetesName, Listed>,
    /// Where members of all clusters are: the only servers of which it is known where they lead.
    places: BTreeSet<String>,
}

/// Those of them because of which a member stays.
pub(crate) struct Keepers<'v> {
    api_servers: Vec<&'v HostName>,
    records: Vec<&'v KubernetesName>,
}

impl Left {
    /// Those of which this holds for one of their lists, or may: a name, a virtual address or another address of a host
    /// leads to any member.
    pub(crate) fn lists_any(&self, holds: impl Fn(&BTreeSet<String>) -> bool) -> Keepers<'_> {
        let is_known = |url: &String| self.places.contains(url);
        let may = |listed: &Listed| match listed {
            Some(lists) => lists.iter().any(|list| !list.iter().all(is_known) || holds(list)),
            None => true,
        };
        let api_servers = self.api_servers.iter().filter(|(_, listed)| may(listed));
        let records = self.records.iter().filter(|(_, listed)| may(listed));
        Keepers {
            api_servers: api_servers.map(|(host, _)| host).collect(),
            records: records.map(|(name, _)| name).collect(),
        }
    }
}

impl Keepers<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.api_servers.is_empty() && self.records.is_empty()
    }

    /// What they are, and what may be: `may be using it`.
    pub(crate) fn why(&self, may: &str) -> String {
        let api_servers = names(&self.api_servers);
        match (self.api_servers.is_empty(), self.records.is_empty()) {
            (false, _) => {
                format!(
                    "the API server of {api_servers} {may}, and this plan does not change that one"
                )
            }
            (true, _) => format!(
                "{} of Kubernetes {} may list it, and this plan does not change that",
                kubeadm::NAME,
                names(&self.records)
            ),
        }
    }

    pub(crate) fn hint(&self) -> String {
        let api_servers = names(&self.api_servers);
        match &self.records[..] {
            [record, ..] if self.api_servers.is_empty() => format!(
                "resolve what keeps {} as it is; or write mode = \"static-pod\" for [kubernetes.{record}], and edit the ConfigMap yourself",
                kubeadm::NAME
            ),
            _ => format!(
                "resolve what keeps {api_servers} as it is, or select it with --host as well"
            ),
        }
    }
}

fn names(all: &[impl ToString]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<String>>().join(", ")
}

/// An API server that stays as it is in this plan.
pub(super) struct Closed {
    /// The etcd clusters that it is to use.
    clusters: BTreeSet<ClusterName>,
    listed: Listed,
    /// The ids of the clusters that it uses, where it was asked.
    used: BTreeSet<String>,
}

impl Closed {
    pub(super) fn new(kubernetes: &Kubernetes, seen: Option<&ApiServerFacts>) -> Self {
        let used = seen.and_then(|seen| seen.uses.known());
        Self {
            clusters: kubernetes.clusters().cloned().collect(),
            listed: seen.and_then(listed),
            used: used.map(|used| used.cluster_ids.clone()).unwrap_or_default(),
        }
    }

    /// One that could be changed.
    pub(super) fn away(server: &ApiServer<'_>) -> (HostName, Self) {
        (server.host.clone(), Self::new(server.kubernetes, Some(server.seen)))
    }
}

/// The servers that an API server lists now, and those at its next start; `None` where that could not be read.
pub(super) fn listed(seen: &ApiServerFacts) -> Listed {
    let is_unread = !seen.manifest.is_absent() && seen.wiring().is_none();
    if is_unread || matches!(seen.process, Observed::Unknown(_)) {
        return None;
    }
    let wiring = seen.wiring().map(|wiring| &wiring.flags);
    let process = seen.process.known().map(|process| &process.flags);
    Some(wiring.into_iter().chain(process).map(list).collect())
}

fn list(flags: &BTreeMap<String, String>) -> BTreeSet<String> {
    servers_in(flags).into_iter().map(str::to_owned).collect()
}

/// What kubeadm's record of a Kubernetes cluster lists.
pub(super) fn recorded(kubernetes: &Kubernetes, facts: &SiteFacts) -> Listed {
    match kubeadm::record(kubernetes, facts)? {
        Observed::Known(seen) => Some(vec![list(seen.flags.as_ref().ok()?)]),
        Observed::Absent => Some(Vec::new()),
        Observed::Unknown(_) => None,
    }
}

/// Where the members of a cluster are, or were, or move to.
pub(super) fn places(cluster: &ClusterSpec) -> BTreeSet<String> {
    let all = cluster.members.values().chain(cluster.former.values());
    let from = all.clone().filter_map(|member| member.moves_from.as_ref());
    let from = from.map(|from| format!("https://{}", from.client));
    all.map(|member| member.member.client_url().to_string()).chain(from).collect()
}

/// The API servers that list a member of a cluster, as far as they were seen.
pub(crate) fn users<'f>(cluster: &ClusterSpec, facts: &'f SiteFacts) -> Vec<&'f HostName> {
    let own = places(cluster);
    let lists = |seen: &ApiServerFacts| {
        let mut all = listed(seen).into_iter().flatten();
        all.any(|list| !list.is_disjoint(&own))
    };
    let hosts = facts.hosts.iter();
    let seen = hosts.filter_map(|(host, seen)| Some((host, seen.known()?.apiserver.as_ref()?)));
    seen.filter(|(_, seen)| lists(seen)).map(|(host, _)| host).collect()
}

impl ApiServer<'_> {
    /// Whether it is to use a cluster, or may use it still.
    pub(super) fn may_use(&self, cluster: &ClusterSpec) -> bool {
        let others = self.site.clusters.values().filter(|other| other.name != cluster.name);
        let others: BTreeSet<String> = others.flat_map(places).collect();
        let is_of_others = |list: BTreeSet<String>| list.is_subset(&others);
        self.kubernetes.clusters().any(|used| *used == cluster.name)
            || !listed(self.seen).is_some_and(|lists| lists.into_iter().all(is_of_others))
    }
}

impl ApiServers<'_> {
    /// What stays as it is of Kubernetes clusters that are to use this etcd cluster, or that use it still.
    pub(crate) fn left(&self, spec: &SiteSpec, cluster: &ClusterSpec, view: &View<'_>) -> Left {
        let own = places(cluster);
        let id = view.now.cluster_id.as_ref();
        let uses = |(_, closed): &(&HostName, &Closed)| {
            let mut listed = closed.listed.iter().flatten().flatten();
            closed.clusters.contains(&cluster.name)
                || listed.any(|url| own.contains(url))
                || id.is_some_and(|id| closed.used.contains(id))
        };
        let api_servers = self.closed.iter().filter(uses);
        Left {
            api_servers: api_servers
                .map(|(host, closed)| (host.clone(), closed.listed.clone()))
                .collect(),
            records: self.records_left(cluster, &own),
            places: spec.clusters.values().flat_map(places).collect(),
        }
    }

    /// kubeadm's record changes only after all API servers of its Kubernetes cluster, and only if it could be read.
    fn records_left(
        &self,
        cluster: &ClusterSpec,
        own: &BTreeSet<String>,
    ) -> BTreeMap<KubernetesName, Listed> {
        let changes = |name: &KubernetesName, kubernetes: &Kubernetes| {
            let open = self.open.get(name).into_iter().flatten();
            let open: BTreeSet<&HostName> = open.map(|server| server.host).collect();
            kubernetes.apiservers.iter().all(|host| open.contains(host))
        };
        let stays = self.records.iter().filter(|(name, (kubernetes, listed))| {
            let mut lists = listed.iter().flatten().flatten();
            let uses = kubernetes.clusters().any(|used| *used == cluster.name)
                || lists.any(|url| own.contains(url));
            uses && (listed.is_none() || !changes(name, kubernetes))
        });
        stays.map(|(name, (_, listed))| ((*name).clone(), listed.clone())).collect()
    }
}

//! The etcd flags that an API server is to have, and how others differ from them.

use std::collections::{BTreeMap, BTreeSet};

use inventories::{ClusterName, Kubernetes, KubernetesName};
use templates::ClientUrl;
use templates::apiserver::{ClientFiles, EtcdFlags, flags};
use templates::layout::ApiserverLayout;

use crate::spec::{MemberSpec, SiteSpec};

/// The key prefix of an API server that is not told one.
pub(super) const DEFAULT_PREFIX: &str = "/registry";

/// What an API server is to be told of etcd.
pub(super) struct Wanted {
    /// The members of the etcd cluster that holds most of its data.
    pub(super) servers: BTreeSet<ClientUrl>,
    /// Its flags, without the dashes; `None` for one that it must not have.
    pub(super) flags: BTreeMap<String, Option<String>>,
    /// The folder of its client certificate.
    pub(super) folder: String,
}

impl Wanted {
    pub(super) fn new(spec: &SiteSpec, name: &KubernetesName, kubernetes: &Kubernetes) -> Self {
        let overrides = kubernetes.overrides.iter();
        let others = kubernetes.flags.iter();
        let flags = EtcdFlags {
            servers: servers(spec, &kubernetes.cluster),
            overrides: overrides
                .map(|(what, cluster)| (what.clone(), servers(spec, cluster)))
                .collect(),
            files: ClientFiles::installed(name),
            prefix: kubernetes.prefix.clone(),
            others: others.map(|(name, flag)| (name.clone(), flag.value.clone())).collect(),
        };
        let not_wanted = flags::OWNED.into_iter().map(|name| (name.to_owned(), None));
        let mut by_name: BTreeMap<_, _> = not_wanted.collect();
        by_name.extend(flags.flags().into_iter().map(|(name, value)| (name, Some(value))));
        Self {
            servers: flags.servers,
            flags: by_name,
            folder: ApiserverLayout::new(name).pki_dir(),
        }
    }

    /// How these flags differ, in words. A flag that neither the inventory sets nor quorate is somebody's own.
    pub(super) fn changes(&self, are: &BTreeMap<String, String>) -> Vec<String> {
        let show = |value: Option<&String>| value.map_or("not set", String::as_str).to_owned();
        let change = |(name, wanted): (&String, &Option<String>)| {
            let (is, wanted) = (are.get(name), wanted.as_ref());
            (meant(name, is) != meant(name, wanted))
                .then(|| format!("--{name}: {} -> {}", show(is), show(wanted)))
        };
        self.flags.iter().filter_map(change).collect()
    }
}

/// What a flag says, whatever the order of the servers in it.
fn meant(name: &str, value: Option<&String>) -> BTreeSet<String> {
    let value = match (name, value) {
        ("etcd-prefix", None) => DEFAULT_PREFIX,
        (_, value) => value.map(String::as_str).unwrap_or_default(),
    };
    let own = |part: &str| part.to_owned();
    match name {
        "etcd-servers" => value.split(',').map(own).collect(),
        "etcd-servers-overrides" => overrides_in(value)
            .into_iter()
            .flat_map(|(what, servers)| servers.into_iter().map(move |url| format!("{what}#{url}")))
            .collect(),
        _ => BTreeSet::from([own(value)]),
    }
}

/// The resources that `--etcd-servers-overrides` names, and the servers of each.
pub(super) fn overrides_in(value: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let parts = value.split(',').filter_map(|part| part.split_once('#'));
    parts.map(|(what, servers)| (what, servers.split(';').collect())).collect()
}

/// The client URLs of a cluster's members. A member that moves is listed at both places until it has moved.
fn servers(spec: &SiteSpec, cluster: &ClusterName) -> BTreeSet<ClientUrl> {
    let cluster = spec.clusters.get(cluster).into_iter();
    cluster.flat_map(|cluster| cluster.members.values()).flat_map(places).collect()
}

fn places(member: &MemberSpec) -> impl Iterator<Item = ClientUrl> {
    let from = member.moves_from.iter();
    let from = from.map(|from| ClientUrl::new(from.client.ip(), from.client.port()));
    std::iter::once(member.member.client_url()).chain(from)
}

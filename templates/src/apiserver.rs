//! What a kube-apiserver needs to know of etcd, as one value, and as its flags.

pub mod flags;
pub mod manifest;
mod render;

use std::collections::{BTreeMap, BTreeSet};

use inventories::inventory::FlagValue;
use inventories::kubernetes::API_SERVER_NAME;
use inventories::{
    ClusterName, Inventory, KeyPrefix, Kubernetes, KubernetesMode, KubernetesName, StoredResource,
};

use crate::layout::{ApiserverFile, ApiserverLayout};
use crate::url::ClientUrl;

pub use render::{Format, render};

/// All flags by which an API server uses etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdFlags {
    /// The members that hold everything but the overrides. A set, so that their order is always the same.
    pub servers: BTreeSet<ClientUrl>,
    /// The members that hold one resource.
    pub overrides: BTreeMap<StoredResource, BTreeSet<ClientUrl>>,
    /// The files that open all of them.
    pub files: ClientFiles,
    /// Where the keys begin.
    pub prefix: KeyPrefix,
    /// More flags of the operator's, without dashes.
    pub others: BTreeMap<String, FlagValue>,
}

/// Paths on the API server's host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFiles {
    /// The CA of the members' server certificates.
    pub ca: String,
    /// The client certificate.
    pub cert: String,
    /// Its key.
    pub key: String,
}

impl ClientFiles {
    /// Where quorate installs them.
    pub fn installed(kubernetes: &KubernetesName) -> Self {
        let layout = ApiserverLayout::new(kubernetes);
        Self {
            ca: layout.pki_file(ApiserverFile::Ca),
            cert: layout.pki_file(ApiserverFile::Cert),
            key: layout.pki_file(ApiserverFile::Key),
        }
    }

    /// Where they are if `quorate client-cert` wrote them and its folder was copied: under the names that it gives.
    pub fn copied(kubernetes: &KubernetesName) -> Self {
        let folder = ApiserverLayout::new(kubernetes).pki_dir();
        Self {
            ca: format!("{folder}/ca.crt"),
            cert: format!("{folder}/{API_SERVER_NAME}.crt"),
            key: format!("{folder}/{API_SERVER_NAME}.key"),
        }
    }

    /// Where the API servers of a Kubernetes cluster have them.
    pub fn new(name: &KubernetesName, kubernetes: &Kubernetes) -> Self {
        match kubernetes.mode {
            KubernetesMode::RenderOnly { .. } => Self::copied(name),
            KubernetesMode::StaticPod { .. } | KubernetesMode::Kubeadm { .. } => {
                Self::installed(name)
            }
        }
    }
}

impl EtcdFlags {
    /// The flags of a Kubernetes cluster's API servers once the inventory's members are the clusters' members.
    pub fn wanted(inventory: &Inventory, kubernetes: &Kubernetes, files: ClientFiles) -> Self {
        let servers = |cluster| servers(inventory, cluster);
        let overrides = kubernetes.overrides.iter();
        let others = kubernetes.flags.iter();
        Self {
            servers: servers(&kubernetes.cluster),
            overrides: overrides.map(|(what, cluster)| (what.clone(), servers(cluster))).collect(),
            files,
            prefix: kubernetes.prefix.clone(),
            others: others.map(|(name, flag)| (name.clone(), flag.value.clone())).collect(),
        }
    }

    /// The flags without dashes, sorted by name. Every flag of [`flags::OWNED`] is among them but
    /// `etcd-servers-overrides` where there are none.
    pub fn flags(&self) -> Vec<(String, String)> {
        let files = &self.files;
        let mut all: BTreeMap<String, String> =
            self.others.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
        if !self.overrides.is_empty() {
            all.insert("etcd-servers-overrides".to_owned(), self.overrides_text());
        }
        let owned = [
            ("etcd-cafile", files.ca.clone()),
            ("etcd-certfile", files.cert.clone()),
            ("etcd-keyfile", files.key.clone()),
            ("etcd-prefix", self.prefix.to_string()),
            ("etcd-servers", joined(&self.servers, ",")),
        ];
        all.extend(owned.map(|(name, value)| (name.to_owned(), value)));
        all.into_iter().collect()
    }

    /// `/events#https://a:2379;https://b:2379`, and a comma before the next resource.
    fn overrides_text(&self) -> String {
        let each = self.overrides.iter();
        let each = each.map(|(what, servers)| format!("{what}#{}", joined(servers, ";")));
        each.collect::<Vec<_>>().join(",")
    }
}

/// Where clients reach the members of a cluster, as the inventory has them.
fn servers(inventory: &Inventory, cluster: &ClusterName) -> BTreeSet<ClientUrl> {
    let cluster = inventory.clusters.get(cluster).into_iter();
    let members = cluster.flat_map(|cluster| {
        cluster.members.iter().map(move |member| (member, cluster.ports.client))
    });
    let urls = members.filter_map(|(member, port)| {
        Some(ClientUrl::new(inventory.hosts.get(member)?.address, port))
    });
    urls.collect()
}

fn joined(servers: &BTreeSet<ClientUrl>, separator: &str) -> String {
    servers.iter().map(ClientUrl::to_string).collect::<Vec<_>>().join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(hosts: &[u8]) -> BTreeSet<ClientUrl> {
        hosts.iter().map(|host| ClientUrl::new([10, 20, 0, *host].into(), 2379)).collect()
    }

    fn resource(text: &str) -> StoredResource {
        StoredResource::new(text).unwrap()
    }

    fn told() -> EtcdFlags {
        EtcdFlags {
            servers: urls(&[11, 2, 13]),
            overrides: BTreeMap::new(),
            files: ClientFiles::installed(&KubernetesName::new("prod").unwrap()),
            prefix: KeyPrefix::default(),
            others: BTreeMap::new(),
        }
    }

    fn value(flags: &EtcdFlags, name: &str) -> Option<String> {
        flags.flags().into_iter().find(|(flag, _)| flag == name).map(|(_, value)| value)
    }

    #[test]
    fn servers_have_one_order_however_they_are_listed() {
        let flags = EtcdFlags { servers: urls(&[13, 11, 2]), ..told() };
        assert_eq!(flags.flags(), told().flags());
        let servers = "https://10.20.0.2:2379,https://10.20.0.11:2379,https://10.20.0.13:2379";
        assert_eq!(value(&flags, "etcd-servers").as_deref(), Some(servers));
    }

    #[test]
    fn overrides_are_written_as_the_api_server_reads_them() {
        let overrides = BTreeMap::from([
            (resource("coordination.k8s.io/leases"), urls(&[5])),
            (resource("/events"), urls(&[2, 3])),
        ]);
        let flags = EtcdFlags { overrides, ..told() };
        let text = "/events#https://10.20.0.2:2379;https://10.20.0.3:2379,coordination.k8s.io/leases#https://10.20.0.5:2379";
        assert_eq!(value(&flags, "etcd-servers-overrides").as_deref(), Some(text));
        assert_eq!(value(&told(), "etcd-servers-overrides"), None);
    }

    #[test]
    fn every_flag_of_ours_is_there_and_the_operator_s_beside_them() {
        let others = BTreeMap::from([(
            "etcd-compaction-interval".to_owned(),
            FlagValue::Text("10m".to_owned()),
        )]);
        let overrides = BTreeMap::from([(resource("/events"), urls(&[2]))]);
        let flags = EtcdFlags { others, overrides, ..told() }.flags();
        let names: Vec<&str> = flags.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.is_sorted());
        for owned in flags::OWNED {
            assert!(names.contains(&owned), "{owned}");
        }
        assert_eq!(flags.len(), flags::OWNED.len() + 1);
        assert!(flags.contains(&("etcd-compaction-interval".to_owned(), "10m".to_owned())));
    }
}

//! Distributions that run the API server themselves: K3s and RKE2, which read the same keys, and k0s.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{arguments, endpoints};
use crate::apiserver::EtcdFlags;

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RancherServer {
    datastore_endpoint: String,
    datastore_cafile: String,
    datastore_certfile: String,
    datastore_keyfile: String,
    kube_apiserver_arg: Vec<String>,
}

/// For K3s and RKE2.
pub(super) fn rancher(told: &EtcdFlags) -> RancherServer {
    let fields = ["etcd-cafile", "etcd-certfile", "etcd-keyfile", "etcd-servers"];
    let arguments = arguments(told, &fields).into_iter();
    let files = told.files.clone();
    RancherServer {
        datastore_endpoint: endpoints(told).join(","),
        datastore_cafile: files.ca,
        datastore_certfile: files.cert,
        datastore_keyfile: files.key,
        kube_apiserver_arg: arguments.map(|(name, value)| format!("{name}={value}")).collect(),
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClusterConfig {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, Serialize)]
struct Metadata {
    name: &'static str,
}

#[derive(Debug, Serialize)]
struct Spec {
    #[serde(skip_serializing_if = "Api::is_empty")]
    api: Api,
    storage: Storage,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Api {
    extra_args: BTreeMap<String, String>,
}

impl Api {
    fn is_empty(&self) -> bool {
        self.extra_args.is_empty()
    }
}

#[derive(Debug, Serialize)]
struct Storage {
    #[serde(rename = "type")]
    kind: &'static str,
    etcd: Etcd,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Etcd {
    external_cluster: ExternalCluster,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalCluster {
    endpoints: Vec<String>,
    etcd_prefix: String,
    ca_file: String,
    client_cert_file: String,
    client_key_file: String,
}

/// For k0s.
pub(super) fn k0s(told: &EtcdFlags) -> ClusterConfig {
    let fields = ["etcd-cafile", "etcd-certfile", "etcd-keyfile", "etcd-prefix", "etcd-servers"];
    let files = told.files.clone();
    ClusterConfig {
        api_version: "k0s.k0sproject.io/v1beta1",
        kind: "ClusterConfig",
        // The only one that k0s has.
        metadata: Metadata { name: "k0s" },
        spec: Spec {
            api: Api { extra_args: arguments(told, &fields).into_iter().collect() },
            storage: Storage {
                kind: "etcd",
                etcd: Etcd {
                    external_cluster: ExternalCluster {
                        endpoints: endpoints(told),
                        etcd_prefix: told.prefix.to_string(),
                        ca_file: files.ca,
                        client_cert_file: files.cert,
                        client_key_file: files.key,
                    },
                },
            },
        },
    }
}

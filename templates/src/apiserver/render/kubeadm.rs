//! As much of kubeadm's `ClusterConfiguration` as is about etcd.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{arguments, endpoints};
use crate::apiserver::EtcdFlags;

/// The flags that `etcd.external` stands for.
const FIELDS: [&str; 4] = ["etcd-cafile", "etcd-certfile", "etcd-keyfile", "etcd-servers"];

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClusterConfiguration<Arguments> {
    api_version: &'static str,
    kind: &'static str,
    api_server: ApiServer<Arguments>,
    etcd: Etcd,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiServer<Arguments> {
    extra_args: Arguments,
}

#[derive(Debug, Serialize)]
struct Etcd {
    external: External,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct External {
    ca_file: String,
    cert_file: String,
    endpoints: Vec<String>,
    key_file: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Argument {
    name: String,
    value: String,
}

/// Arguments are a list.
pub(super) fn v1beta4(told: &EtcdFlags) -> ClusterConfiguration<Vec<Argument>> {
    let arguments = arguments(told, &FIELDS).into_iter();
    let arguments = arguments.map(|(name, value)| Argument { name, value }).collect();
    configuration("kubeadm.k8s.io/v1beta4", arguments, told)
}

/// Arguments are a table.
pub(super) fn v1beta3(told: &EtcdFlags) -> ClusterConfiguration<BTreeMap<String, String>> {
    let arguments = arguments(told, &FIELDS).into_iter().collect();
    configuration("kubeadm.k8s.io/v1beta3", arguments, told)
}

fn configuration<Arguments>(
    api_version: &'static str,
    extra_args: Arguments,
    told: &EtcdFlags,
) -> ClusterConfiguration<Arguments> {
    let files = told.files.clone();
    let external = External {
        ca_file: files.ca,
        cert_file: files.cert,
        endpoints: endpoints(told),
        key_file: files.key,
    };
    ClusterConfiguration {
        api_version,
        kind: "ClusterConfiguration",
        api_server: ApiServer { extra_args },
        etcd: Etcd { external },
    }
}

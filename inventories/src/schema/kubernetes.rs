//! Kubernetes clusters, as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{FlagText, Loc};

/// A Kubernetes cluster, as far as its API servers use etcd.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Kubernetes {
    /// The etcd cluster that holds its data.
    #[schemars(required)]
    pub(crate) cluster: Option<Loc<String>>,
    /// How the API servers get their configuration: `"static-pod"`, quorate edits the manifest of the kubelet's pod, as
    /// kubeadm writes it; `"kubeadm"`, the same, and the ConfigMap from which `kubeadm upgrade` writes it again;
    /// `"render-only"`, quorate touches no API server, and `quorate kubernetes render` prints what
    /// they need.
    #[schemars(required, extend("enum" = ["static-pod", "kubeadm", "render-only"]))]
    pub(crate) mode: Option<Loc<String>>,
    /// The hosts that run its API servers: members' hosts or others. Needed with `"static-pod"` and
    /// `"kubeadm"`.
    pub(crate) apiservers: Option<Loc<Vec<Loc<String>>>>,
    /// Resources that another etcd cluster holds, such as `{ "/events" = "events" }`; of another group than the core
    /// group as `"group/resource"`. Only resources that are built in, and only clusters that share the client CA: an
    /// API server has one client certificate for all. Default: none.
    pub(crate) overrides: Option<BTreeMap<Loc<String>, Loc<String>>>,
    /// Where its keys begin in each of these clusters. Kubernetes clusters that share an etcd cluster need one each.
    /// Default: `"/registry"`.
    #[schemars(regex(pattern = "^(/[A-Za-z0-9_.-]+)+$"))]
    pub(crate) prefix: Option<Loc<String>>,
    /// The manifest of the API server's pod, for `"static-pod"` and `"kubeadm"`. Default:
    /// `"/etc/kubernetes/manifests/kube-apiserver.yaml"`.
    #[schemars(regex(pattern = "^/"))]
    pub(crate) manifest: Option<Loc<String>>,
    /// The minor version of Kubernetes, such as `"1.34"`, for `"render-only"`: flags are checked against it. With
    /// the other modes the hosts tell it. Default: any that quorate knows.
    #[schemars(regex(pattern = r"^1\.(0|[1-9][0-9]*)$"))]
    pub(crate) version: Option<Loc<String>>,
    /// More `--etcd-*` flags of the API servers, without the dashes, such as
    /// `{ "etcd-compaction-interval" = "5m" }`. Servers, overrides, certificates and the prefix come from the other
    /// keys.
    pub(crate) flags: Option<BTreeMap<Loc<String>, Loc<FlagText>>>,
}

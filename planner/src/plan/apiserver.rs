//! What is done to the API server of a host.

use std::collections::BTreeMap;

use inventories::KubernetesName;
use pki::LeafRequest;
use serde::Serialize;

use super::Signer;

/// What a step does to the API server of its host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "part", rename_all = "kebab-case")]
pub enum ApiServerStep {
    /// Issues its client certificate. A member must let the new certificate in before it replaces the one in use, because
    /// an API server shows a bad one only at its next connection.
    Certificate {
        /// The Kubernetes cluster, which decides where it lies.
        kubernetes: KubernetesName,
        /// The certificate.
        leaf: LeafRequest,
        /// The CA that signs it, and the CAs that the API server trusts.
        signer: Signer,
        /// The client URLs of the members, of which one must let it in.
        endpoints: Vec<String>,
    },
    /// Edits the manifest of its pod. The kubelet then replaces the pod: clients of this API server notice.
    Wire {
        /// The Kubernetes cluster.
        kubernetes: KubernetesName,
        /// The manifest's path.
        manifest: String,
        /// The manifest that the plan was made for, by its sha256 in hex. Its text is in no plan: it may hold secrets.
        sha256: String,
        /// What it is to say, without the dashes; `None` for a flag that it must not have.
        flags: BTreeMap<String, Option<String>>,
        /// The folder of the host that its container must see, with the files that the flags name.
        folder: String,
    },
    /// Edits kubeadm's record of the cluster, from which its next upgrade writes the manifests of API servers.
    KubeadmConfig {
        /// The record that the plan was made for, by its sha256 in hex.
        sha256: String,
        /// What it is to say, without the dashes; `None` for a flag that it must not have.
        flags: BTreeMap<String, Option<String>>,
    },
    /// Waits until a process with these flags says that it is ready.
    AwaitReady {
        /// The flags, without the dashes; `None` for one that it must not have.
        flags: BTreeMap<String, Option<String>>,
        /// The manifest's path: where the pod does not come up, the backup beside quorate's records is named.
        manifest: String,
    },
}

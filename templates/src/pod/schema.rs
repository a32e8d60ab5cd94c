//! As much of a pod as a member needs, in the words of Kubernetes (`v1`, `Pod`).

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pod {
    pub(super) api_version: &'static str,
    pub(super) kind: &'static str,
    pub(super) metadata: Metadata,
    pub(super) spec: PodSpec,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) namespace: &'static str,
    pub(super) labels: BTreeMap<&'static str, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodSpec {
    pub(super) host_network: bool,
    pub(super) priority: u32,
    pub(super) priority_class_name: &'static str,
    pub(super) automount_service_account_token: bool,
    pub(super) enable_service_links: bool,
    pub(super) termination_grace_period_seconds: u32,
    pub(super) security_context: PodSecurity,
    pub(super) containers: Vec<Container>,
    pub(super) volumes: Vec<Volume>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodSecurity {
    pub(super) run_as_non_root: bool,
    pub(super) run_as_user: Id,
    pub(super) run_as_group: Id,
    pub(super) seccomp_profile: SeccompProfile,
}

/// A user or group of the host, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
    /// What only the host knows: this text stands for it.
    Hole(&'static str),
    Known(u32),
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Id::Hole(text) => serializer.serialize_str(text),
            Id::Known(number) => serializer.serialize_u32(*number),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct SeccompProfile {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Container {
    pub(super) name: &'static str,
    pub(super) image: String,
    pub(super) image_pull_policy: &'static str,
    pub(super) command: Vec<String>,
    pub(super) env: Vec<Variable>,
    pub(super) resources: Resources,
    pub(super) security_context: ContainerSecurity,
    pub(super) startup_probe: Probe,
    pub(super) liveness_probe: Probe,
    pub(super) readiness_probe: Probe,
    pub(super) volume_mounts: Vec<Mount>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Variable {
    pub(super) name: &'static str,
    pub(super) value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Resources {
    pub(super) requests: BTreeMap<&'static str, &'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContainerSecurity {
    pub(super) allow_privilege_escalation: bool,
    pub(super) capabilities: Capabilities,
    pub(super) read_only_root_filesystem: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Capabilities {
    pub(super) drop: [&'static str; 1],
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Probe {
    pub(super) http_get: HttpGet,
    pub(super) period_seconds: u32,
    pub(super) timeout_seconds: u32,
    pub(super) failure_threshold: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct HttpGet {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) path: &'static str,
    pub(super) scheme: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mount {
    pub(super) name: &'static str,
    pub(super) mount_path: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) read_only: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Volume {
    pub(super) name: &'static str,
    pub(super) host_path: HostPath,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct HostPath {
    pub(super) path: String,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

//! Kubernetes clusters: whose API servers use which etcd clusters, and how they are configured.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::inventory::{Flag, Place};
use crate::names::{ClusterName, HostName};

/// The common name of an API server's client certificate, as kubeadm names it.
pub const API_SERVER_NAME: &str = "kube-apiserver-etcd-client";

/// One Kubernetes cluster, as far as its API servers use etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubernetes {
    /// The hosts of its API servers, each once, in the file's order. Empty only where they are rendered only.
    pub apiservers: Vec<HostName>,
    /// The etcd cluster that holds everything that `overrides` does not name.
    pub cluster: ClusterName,
    /// Resources that another etcd cluster holds. All these clusters share one client CA.
    pub overrides: BTreeMap<StoredResource, ClusterName>,
    /// Where its keys begin, in each of the etcd clusters.
    pub prefix: KeyPrefix,
    /// How the API servers get their configuration.
    pub mode: KubernetesMode,
    /// More `--etcd-*` flags of the operator's, without dashes.
    pub flags: BTreeMap<String, Flag>,
    /// Where it is declared.
    pub place: Place,
    /// Where each setting is written (`cluster`, `apiservers`, …), for "why" lines.
    pub places: BTreeMap<String, Place>,
}

impl Kubernetes {
    /// Whether quorate configures its API servers.
    pub fn is_configured(&self) -> bool {
        !matches!(self.mode, KubernetesMode::RenderOnly { .. })
    }

    /// Every etcd cluster that it uses, the one of most resources first.
    pub fn clusters(&self) -> impl Iterator<Item = &ClusterName> {
        let mut overrides: Vec<_> = self.overrides.values().collect();
        overrides.sort();
        overrides.dedup();
        std::iter::once(&self.cluster).chain(overrides)
    }
}

/// How the API servers of a Kubernetes cluster get their configuration.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KubernetesMode {
    /// A static pod's manifest is edited.
    StaticPod {
        /// The manifest, an absolute path.
        manifest: String,
    },
    /// The same, and kubeadm's own record of it: the ConfigMap that its next upgrade reads.
    Kubeadm {
        /// The manifest, an absolute path.
        manifest: String,
    },
    /// quorate touches no API server: it renders the configuration for whatever deploys them.
    RenderOnly {
        /// The version that flags are checked against; `None`: any that quorate knows.
        version: Option<KubernetesMinor>,
    },
}

impl KubernetesMode {
    /// The name that an inventory has for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            KubernetesMode::StaticPod { .. } => "static-pod",
            KubernetesMode::Kubeadm { .. } => "kubeadm",
            KubernetesMode::RenderOnly { .. } => "render-only",
        }
    }

    /// The manifest of its API servers, where quorate edits it.
    pub fn manifest(&self) -> Option<&String> {
        match self {
            KubernetesMode::StaticPod { manifest } | KubernetesMode::Kubeadm { manifest } => {
                Some(manifest)
            }
            KubernetesMode::RenderOnly { .. } => None,
        }
    }
}

/// A minor version of Kubernetes 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct KubernetesMinor(u16);

impl KubernetesMinor {
    /// Kubernetes 1.`minor`.
    pub const fn new(minor: u16) -> Self {
        Self(minor)
    }

    /// The minor of a release, as `kube-apiserver --version` and image tags name it: `v1.34.4`.
    pub fn of_release(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (minor, patch) = text.strip_prefix("1.")?.split_once('.')?;
        let is_number = patch.starts_with(|c: char| c.is_ascii_digit());
        if is_number { number(minor).map(Self) } else { None }
    }
}

impl fmt::Display for KubernetesMinor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.0)
    }
}

/// Why a text is not a minor version of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a minor version of Kubernetes such as 1.34")]
pub struct KubernetesMinorError;

impl FromStr for KubernetesMinor {
    type Err = KubernetesMinorError;

    fn from_str(text: &str) -> Result<Self, KubernetesMinorError> {
        text.strip_prefix("1.").and_then(number).map(Self).ok_or(KubernetesMinorError)
    }
}

/// A number without sign and leading zeros.
fn number(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// A resource that the API server keeps in etcd: `/events`, or `group/resource`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct StoredResource(String);

/// Why a text does not name a resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a resource: /resource for one of the core group, or group/resource")]
pub struct StoredResourceError;

impl StoredResource {
    /// Accepts `/resource` and `group/resource`, as `--etcd-servers-overrides` has them.
    pub fn new(text: &str) -> Result<Self, StoredResourceError> {
        let (group, resource) = text.split_once('/').ok_or(StoredResourceError)?;
        let is_name = |text: &str| {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            (1..=63).contains(&text.len()) && text.bytes().all(plain)
        };
        let is_group = group.is_empty() || group.split('.').all(is_name) && group.len() <= 253;
        if is_group && is_name(resource) {
            Ok(Self(text.to_owned()))
        } else {
            Err(StoredResourceError)
        }
    }

    /// The resource as `--etcd-servers-overrides` has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the events of the core group. Nothing else can be lost or hidden without harm.
    pub fn is_events(&self) -> bool {
        self.0 == "/events"
    }
}

impl fmt::Display for StoredResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Where the keys of a Kubernetes cluster begin, `/registry` unless set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct KeyPrefix(String);

/// Why a text is not a prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a prefix of keys: parts of a-z, A-Z, 0-9, '-', '_' and '.', with a / before each")]
pub struct KeyPrefixError;

impl KeyPrefix {
    /// Accepts `/part` and `/part/part…`. The API server cleans any other text like a path, so that its keys would
    /// lie elsewhere than the text says.
    pub fn new(text: &str) -> Result<Self, KeyPrefixError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let is_part = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(plain);
        let parts = text.strip_prefix('/').ok_or(KeyPrefixError)?;
        if text.len() <= 253 && parts.split('/').all(is_part) {
            Ok(Self(text.to_owned()))
        } else {
            Err(KeyPrefixError)
        }
    }

    /// The prefix as text, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a key can lie under both prefixes: they are equal, or one is within the other.
    pub fn overlaps(&self, other: &Self) -> bool {
        let within = |outer: &str, inner: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        within(&self.0, &other.0) || within(&other.0, &self.0)
    }
}

impl Default for KeyPrefix {
    fn default() -> Self {
        Self("/registry".to_owned())
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_api_server_takes_literally_is_a_prefix() {
        for good in ["/registry", "/a/b", "/kubernetes.io", "/A_1"] {
            assert!(KeyPrefix::new(good).is_ok(), "{good}");
        }
        for bad in ["", "/", "registry", "/registry/", "//a", "/a/../b", "/.", "/a b", "/a\n", "/ä"]
        {
            assert!(KeyPrefix::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_prefix_overlaps_what_is_within_it_and_not_what_only_begins_alike() {
        let overlaps =
            |a: &str, b: &str| KeyPrefix::new(a).unwrap().overlaps(&KeyPrefix::new(b).unwrap());
        assert!(overlaps("/registry", "/registry"));
        assert!(overlaps("/registry", "/registry/a") && overlaps("/registry/a", "/registry"));
        assert!(!overlaps("/registry", "/registry2") && !overlaps("/a/b", "/a/c"));
    }

    #[test]
    fn a_resource_has_a_slash_after_its_group() {
        for good in ["/events", "apps/deployments", "coordination.k8s.io/leases"] {
            assert!(StoredResource::new(good).is_ok(), "{good}");
        }
        for bad in
            ["", "events", "/", "apps/", "a/b/c", "/Events", "/events#https://a", "/a,/b", "./a"]
        {
            assert!(StoredResource::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_minor_is_read_from_a_release_and_from_itself() {
        let minor = Some(KubernetesMinor::new(34));
        assert_eq!("1.34".parse().ok(), minor);
        assert_eq!(KubernetesMinor::of_release("v1.34.4"), minor);
        assert_eq!(KubernetesMinor::of_release("1.34.0-rc.1"), minor);
        for bad in ["", "1", "1.34", "v1.34", "1.34.", "2.1.0", "1.034.1", "1.-4.1", "1.x.1"] {
            assert_eq!(KubernetesMinor::of_release(bad), None, "{bad}");
        }
        for bad in ["", "1.", "v1.34", "1.34.4", "1.+4", "2.1", "1.99999"] {
            assert!(bad.parse::<KubernetesMinor>().is_err(), "{bad}");
        }
    }
}

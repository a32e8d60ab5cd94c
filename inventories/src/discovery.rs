//! How the members of a new cluster find each other, where it is not by a list.

use std::path::PathBuf;

use crate::names::HostName;
use crate::version::Minor;

/// Finding each other by SRV records of a domain.
///
/// etcd reads them while a cluster is formed, and never again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DnsSrv {
    /// The domain, in lower case, without a dot at its end.
    pub domain: String,
    /// What the names of the services end with, so that several clusters can share a domain.
    pub service_name: Option<String>,
}

impl DnsSrv {
    /// The name under which the domain knows a host: what the records point to.
    pub fn target(&self, host: &HostName) -> String {
        format!("{host}.{}", self.domain)
    }

    /// The name of the records from which members learn of each other.
    pub fn peer_service(&self) -> String {
        self.service("etcd-server-ssl")
    }

    /// The name of the records from which clients learn of the members.
    pub fn client_service(&self) -> String {
        self.service("etcd-client-ssl")
    }

    /// The name of the records of members without TLS: etcd reads them as well, and adds them to the
    /// others, so there must be none.
    pub fn plain_peer_service(&self) -> String {
        self.service("etcd-server")
    }

    fn service(&self, service: &str) -> String {
        let suffix = self.service_name.as_ref().map_or(String::new(), |name| format!("-{name}"));
        format!("_{service}{suffix}._tcp.{}", self.domain)
    }
}

/// Finding each other through an etcd that is there already, by its v3 protocol.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiscoveryV3 {
    /// One that the operator has.
    Given(V3Service),
    /// One that quorate starts on a host of the cluster, for as long as the cluster is being formed.
    SelfHosted,
}

impl DiscoveryV3 {
    /// The first line of etcd that speaks it.
    pub const SINCE: Minor = Minor::V3_6;
}

/// An etcd that keeps the records of discovery.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct V3Service {
    /// Its client URLs, with a scheme and a port each, all of one scheme.
    pub endpoints: Vec<String>,
    /// The CA that its certificate is from; `None` for those that the hosts trust anyway.
    pub ca: Option<PathBuf>,
    /// Whom it lets in, where that is not everybody.
    pub user: Option<V3User>,
}

impl V3Service {
    /// Whether it is spoken to over TLS.
    pub fn has_tls(&self) -> bool {
        self.endpoints.iter().all(|endpoint| endpoint.starts_with("https://"))
    }
}

/// A user of an etcd.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct V3User {
    /// The name.
    pub name: String,
    /// The file on the operator's machine that holds the password, and nothing else.
    pub password_file: PathBuf,
}

/// Finding each other through a service with the HTTP protocol of old.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiscoveryV2 {
    /// At this URL, which was made for this cluster.
    Url(String),
    /// At a URL that this service makes, without a slash at its end.
    Service(String),
}

impl DiscoveryV2 {
    /// The last line of etcd that speaks it.
    pub const UNTIL: Minor = Minor::V3_6;
}

//! How the members of a new cluster find each other, where it is not by a list.

use crate::names::HostName;

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

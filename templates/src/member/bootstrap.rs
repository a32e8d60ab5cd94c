//! How the members of a new cluster find each other, as a member's arguments say it.

use inventories::{DnsSrv, EtcdVersion};

use super::argument;
use crate::flags;
use crate::layout::{Layout, PkiFile};
use crate::token::PLACEHOLDER;

/// How the members of a new cluster find each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bootstrap {
    /// Every member is started with the whole list.
    Static,
    /// Every member reads the list from a domain's SRV records.
    DnsSrv(DnsSrv),
    /// Every member registers itself in an etcd, and reads the list there.
    V3(V3Discovery),
    /// Every member registers itself at a URL, and reads the list there.
    V2(V2Discovery),
}

/// An etcd in which members register themselves, under the token of the bootstrap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct V3Discovery {
    /// Its client URLs.
    pub endpoints: Vec<String>,
    /// What a member presents to it, and which CA it trusts.
    pub access: Access,
}

/// How a member and a discovery service know each other.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "tls", rename_all = "kebab-case")]
pub enum Access {
    /// Not at all: no TLS.
    Open,
    /// The service by its certificate.
    Tls {
        /// Whether it is from the CA of [`Layout::discovery_ca`], and not from one that the host
        /// trusts anyway.
        own_ca: bool,
        /// The user that the member is to the service. etcd takes the password from its environment:
        /// see [`Layout::discovery_password`].
        user: Option<String>,
    },
    /// Both by certificates of the cluster's own: the service is quorate's.
    Own,
}

/// Where members register themselves by the protocol of old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum V2Discovery {
    /// At this URL.
    Url(String),
    /// At what this service made: below it, at the token of the bootstrap.
    Service(String),
}

impl Bootstrap {
    /// The name that an inventory has for this way.
    pub fn name(&self) -> &'static str {
        match self {
            Bootstrap::Static => "static",
            Bootstrap::DnsSrv(_) => "dns-srv",
            Bootstrap::V3(_) => "discovery-v3",
            Bootstrap::V2(_) => "discovery-v2",
        }
    }

    /// The user of a discovery service that asks for a password.
    pub fn discovery_user(&self) -> Option<&str> {
        match self {
            Bootstrap::V3(V3Discovery { access: Access::Tls { user, .. }, .. }) => user.as_deref(),
            _ => None,
        }
    }

    /// Whether there is a CA of a discovery service to be known on the hosts.
    pub fn has_discovery_ca(&self) -> bool {
        matches!(self, Bootstrap::V3(V3Discovery { access: Access::Tls { own_ca: true, .. }, .. }))
    }
}

impl V3Discovery {
    pub(super) fn arguments(&self, layout: &Layout) -> Vec<(String, String)> {
        let mut arguments = vec![
            argument("discovery-endpoints", &self.endpoints.join(",")),
            argument("discovery-token", &PLACEHOLDER),
            argument("discovery-insecure-transport", &(self.access == Access::Open)),
        ];
        match &self.access {
            Access::Open => {}
            Access::Tls { own_ca, user } => {
                if *own_ca {
                    arguments.push(argument("discovery-cacert", &layout.discovery_ca()));
                }
                arguments.extend(user.iter().map(|user| argument("discovery-user", user)));
            }
            Access::Own => arguments.extend([
                argument("discovery-cacert", &layout.pki_file(PkiFile::ClientCa)),
                argument("discovery-cert", &layout.pki_file(PkiFile::HealthcheckCert)),
                argument("discovery-key", &layout.pki_file(PkiFile::HealthcheckKey)),
            ]),
        }
        arguments
    }
}

impl V2Discovery {
    pub(super) fn arguments(&self, version: EtcdVersion) -> Vec<(String, String)> {
        let url = match self {
            V2Discovery::Url(url) => url.clone(),
            V2Discovery::Service(service) => format!("{service}/{PLACEHOLDER}"),
        };
        // Else one member too many becomes a proxy, and says nothing.
        let fallback = flags::has(version, "discovery-fallback")
            .then(|| argument("discovery-fallback", &"exit"));
        std::iter::once(argument("discovery", &url)).chain(fallback).collect()
    }
}

//! What is asked of a certificate: who it is for, which names it carries, how long it lasts.
//!
//! etcd's needs decide. A server certificate is also a client's, because the gRPC gateway dials its
//! own server with it; a peer is both ends of every peer connection, and the receiving end compares
//! the sender's source address with the addresses in the certificate. A client has no alternative
//! names at all: etcd's peer check lets any certificate of its CA pass that has none, which is why
//! peers have a CA of their own.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use inventories::HostName;
use inventories::inventory::San;
use time::Duration;

use crate::facts::ExtendedKeyUsage;

/// How long a CA lasts. Changing a CA takes two rolling restarts of every member, so it must be rare.
pub const AUTHORITY_LIFE: Duration = Duration::days(3650);

/// How long a leaf lasts. etcd reads leaves anew at every handshake, so renewing costs no restart.
pub const LEAF_LIFE: Duration = Duration::days(365);

/// How far back `notBefore` is set, so that a host whose clock is behind accepts a fresh certificate.
///
/// Preflight refuses to issue when clocks differ by more than a minute; this is five times that.
pub const BACKDATE: Duration = Duration::minutes(5);

/// The common name of the certificate that health checks use, as kubeadm names it.
pub const HEALTH_CHECK_NAME: &str = "kube-etcd-healthcheck-client";

/// Which of a cluster's two CAs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum CaKind {
    /// Signs peer certificates, and nothing else.
    Peer,
    /// Signs the certificates of servers and of their clients.
    Client,
}

impl CaKind {
    /// Both, in the order in which they are shown.
    pub const ALL: [CaKind; 2] = [CaKind::Peer, CaKind::Client];
}

impl fmt::Display for CaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            CaKind::Peer => "peer",
            CaKind::Client => "client",
        })
    }
}

/// What a leaf certificate is for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum LeafKind {
    /// A member, towards its clients.
    Server,
    /// A member, towards the other members.
    Peer,
    /// The health checks that run on a member's own host.
    HealthCheck,
    /// A client of the cluster, such as an API server.
    Client,
}

impl LeafKind {
    /// The CA that signs certificates of this kind.
    pub fn authority(self) -> CaKind {
        match self {
            LeafKind::Peer => CaKind::Peer,
            LeafKind::Server | LeafKind::HealthCheck | LeafKind::Client => CaKind::Client,
        }
    }

    /// The sides of a TLS connection that a certificate of this kind may be on.
    pub fn extended_key_usages(self) -> BTreeSet<ExtendedKeyUsage> {
        match self {
            LeafKind::Server | LeafKind::Peer => {
                BTreeSet::from([ExtendedKeyUsage::ServerAuth, ExtendedKeyUsage::ClientAuth])
            }
            LeafKind::HealthCheck | LeafKind::Client => {
                BTreeSet::from([ExtendedKeyUsage::ClientAuth])
            }
        }
    }
}

impl fmt::Display for LeafKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            LeafKind::Server => "server",
            LeafKind::Peer => "peer",
            LeafKind::HealthCheck => "health-check",
            LeafKind::Client => "client",
        })
    }
}

/// The common name of a client certificate: with etcd's authentication on, its user name.
///
/// 1 to 64 of letters, digits and `-._:@`, beginning with a letter or digit, so that it is also
/// safe as part of a file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommonName(String);

/// Why a text is not a common name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a common name: 1 to 64 of a-z, A-Z, 0-9 and -._:@, beginning with a letter or digit"
)]
pub struct CommonNameError;

impl CommonName {
    /// Accepts a name that X.509 (at most 64 characters) and file systems can carry.
    pub fn new(text: &str) -> Result<Self, CommonNameError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._:@".contains(&b);
        let sound = (1..=64).contains(&text.len())
            && text.bytes().all(allowed)
            && text.as_bytes()[0].is_ascii_alphanumeric();
        if sound { Ok(Self(text.to_owned())) } else { Err(CommonNameError) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CommonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl std::str::FromStr for CommonName {
    type Err = CommonNameError;

    fn from_str(text: &str) -> Result<Self, CommonNameError> {
        Self::new(text)
    }
}

/// A leaf certificate that is wanted. Two equal requests are satisfied by the same certificate.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LeafRequest {
    kind: LeafKind,
    common_name: String,
    #[serde(with = "crate::san::tagged")]
    sans: BTreeSet<San>,
}

/// Why a name cannot stand in a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SanError {
    /// Not a host name by the rules that TLS clients apply.
    #[error("{0:?} is not a DNS name")]
    NotDns(String),
    /// An address that is declared as a DNS name, which no TLS client would match.
    #[error("{0:?} is an IP address, but is declared as a DNS name")]
    AddressAsDns(String),
}

impl LeafRequest {
    /// A member's server certificate.
    ///
    /// Carries the host's name, both its addresses and `extra`, and what a client on the host
    /// itself dials: `localhost`, `127.0.0.1` and `::1`.
    pub fn server(
        host: &HostName,
        client_address: IpAddr,
        peer_address: IpAddr,
        extra: &[San],
    ) -> Result<Self, SanError> {
        extra.iter().try_for_each(check_san)?;
        let mut sans: BTreeSet<San> = extra.iter().cloned().collect();
        sans.extend([San::Dns(host.to_string()), San::Dns("localhost".to_owned())]);
        sans.extend([client_address, peer_address].map(San::Ip));
        sans.extend([Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()].map(San::Ip));
        Ok(Self { kind: LeafKind::Server, common_name: host.to_string(), sans })
    }

    /// A member's peer certificate.
    ///
    /// `peer_addresses` must hold every source address from which the member reaches its peers.
    pub fn peer(host: &HostName, peer_addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut sans: BTreeSet<San> = peer_addresses.into_iter().map(San::Ip).collect();
        sans.insert(San::Dns(host.to_string()));
        Self { kind: LeafKind::Peer, common_name: host.to_string(), sans }
    }

    /// The client certificate with which a host asks its own member about its health.
    pub fn health_check() -> Self {
        Self {
            kind: LeafKind::HealthCheck,
            common_name: HEALTH_CHECK_NAME.to_owned(),
            sans: BTreeSet::new(),
        }
    }

    /// A client's certificate. It carries no organization: etcd ignores it, and `system:masters`
    /// would make a stolen etcd certificate a Kubernetes administrator's.
    pub fn client(common_name: &CommonName) -> Self {
        Self { kind: LeafKind::Client, common_name: common_name.to_string(), sans: BTreeSet::new() }
    }

    /// What the certificate is for.
    pub fn kind(&self) -> LeafKind {
        self.kind
    }

    /// The subject's common name.
    pub fn common_name(&self) -> &str {
        &self.common_name
    }

    /// The alternative names; none for clients.
    pub fn sans(&self) -> &BTreeSet<San> {
        &self.sans
    }
}

fn check_san(san: &San) -> Result<(), SanError> {
    let San::Dns(name) = san else { return Ok(()) };
    if name.parse::<IpAddr>().is_ok() {
        return Err(SanError::AddressAsDns(name.clone()));
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let after_wildcard = name.strip_prefix("*.").unwrap_or(name);
    let numeric = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
    let sound = name.len() <= 253
        && after_wildcard.split('.').all(label)
        && !after_wildcard.split('.').next_back().is_none_or(numeric);
    if sound { Ok(()) } else { Err(SanError::NotDns(name.clone())) }
}

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
use inventories::kubernetes::API_SERVER_NAME;
use time::Duration;

use crate::facts::ExtendedKeyUsage;

/// How long a CA lasts. Changing a CA takes two rolling restarts of every member, so it must be rare.
pub const AUTHORITY_LIFE: Duration = Duration::days(3650);

/// How long a leaf lasts. etcd reads leaves again at every handshake, so renewing costs no restart.
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
    /// Carries the host's name, its addresses and `extra`, and what a client on the host
    /// itself dials: `localhost`, `127.0.0.1` and `::1`.
    pub fn server(
        host: &HostName,
        addresses: impl IntoIterator<Item = IpAddr>,
        extra: &[San],
    ) -> Result<Self, SanError> {
        let mut sans = extra.iter().map(sound_san).collect::<Result<BTreeSet<_>, _>>()?;
        sans.extend([San::Dns(host.to_string()), San::Dns("localhost".to_owned())]);
        sans.extend(addresses.into_iter().map(ip));
        sans.extend([Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()].map(San::Ip));
        Ok(Self { kind: LeafKind::Server, common_name: host.to_string(), sans })
    }

    /// A member's peer certificate.
    ///
    /// `peer_addresses` must hold every source address from which the member reaches its peers.
    pub fn peer(host: &HostName, peer_addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut sans: BTreeSet<San> = peer_addresses.into_iter().map(ip).collect();
        sans.insert(San::Dns(host.to_string()));
        Self { kind: LeafKind::Peer, common_name: host.to_string(), sans }
    }

    /// The same, for these names as well.
    ///
    /// # Errors
    /// A name that no TLS client would match.
    pub fn also_for(mut self, names: &[San]) -> Result<Self, SanError> {
        for name in names {
            self.sans.insert(sound_san(name)?);
        }
        Ok(self)
    }

    /// The client certificate with which a host asks its own member about its health.
    pub fn health_check() -> Self {
        Self {
            kind: LeafKind::HealthCheck,
            common_name: HEALTH_CHECK_NAME.to_owned(),
            sans: BTreeSet::new(),
        }
    }

    /// The client certificate with which an API server opens etcd.
    pub fn api_server() -> Self {
        let common_name = API_SERVER_NAME.to_owned();
        Self { kind: LeafKind::Client, common_name, sans: BTreeSet::new() }
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

/// An address as etcd compares it: an IPv4 address that is written as IPv6 is an IPv4 address.
fn ip(address: IpAddr) -> San {
    San::Ip(address.to_canonical())
}

fn sound_san(san: &San) -> Result<San, SanError> {
    let name = match san {
        San::Dns(name) => name,
        San::Ip(address) => return Ok(ip(*address)),
    };
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
    if sound { Ok(san.clone()) } else { Err(SanError::NotDns(name.clone())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(extra: &[San]) -> Result<LeafRequest, SanError> {
        let host = HostName::new("etcd-1").unwrap();
        LeafRequest::server(&host, [Ipv4Addr::new(10, 0, 0, 1).into(), LOOPBACK], extra)
    }

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn names_that_no_client_would_match_are_refused() {
        for bad in [
            "",
            ".",
            "a..b",
            "-a",
            "a-",
            "a b",
            "a/b",
            "*",
            "a.*",
            "*a.b",
            "ä.de",
            "$(x)",
            "a\n",
            "10.0.0.300",
            "1",
        ] {
            let expected = SanError::NotDns(bad.to_owned());
            assert_eq!(server(&[San::Dns(bad.to_owned())]), Err(expected));
        }
        for address in ["10.0.0.1", "fd00::1"] {
            let expected = SanError::AddressAsDns(address.to_owned());
            assert_eq!(server(&[San::Dns(address.to_owned())]), Err(expected));
        }
    }

    #[test]
    fn names_that_clients_match_are_accepted() {
        for good in ["etcd", "Etcd-1.example.net", "*.example.net", "_etcd._tcp.example.net", "1.a"]
        {
            let name = San::Dns(good.to_owned());
            assert!(server(std::slice::from_ref(&name)).unwrap().sans().contains(&name));
        }
    }

    #[test]
    fn an_ipv4_address_in_ipv6_clothes_is_an_ipv4_address() {
        let mapped = Ipv4Addr::new(10, 0, 0, 9).to_ipv6_mapped().into();
        let plain = San::Ip(Ipv4Addr::new(10, 0, 0, 9).into());
        assert!(server(&[San::Ip(mapped)]).unwrap().sans().contains(&plain));
        let host = HostName::new("etcd-1").unwrap();
        assert!(LeafRequest::peer(&host, [mapped]).sans().contains(&plain));
    }

    #[test]
    fn the_peer_ca_signs_peers_and_nobody_else() {
        for kind in [LeafKind::Server, LeafKind::HealthCheck, LeafKind::Client] {
            assert_eq!(kind.authority(), CaKind::Client, "{kind}");
        }
        assert_eq!(LeafKind::Peer.authority(), CaKind::Peer);
    }

    #[test]
    fn common_names_are_safe_in_files_and_in_etcd() {
        for bad in ["", "-a", ".", "../x", "a/b", "a b", "a\n", "ä", "$(x)", &"a".repeat(65)] {
            assert_eq!(CommonName::new(bad), Err(CommonNameError), "{bad:?}");
        }
        for good in ["root", "kube-apiserver-etcd-client", "system:node:a", "a@b.c", "1"] {
            assert_eq!(CommonName::new(good).unwrap().as_str(), good);
        }
    }
}

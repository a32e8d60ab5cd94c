//! What every test begins with: a moment, names, authorities, one request of each kind.

use std::net::IpAddr;

use inventories::inventory::San;
use inventories::{ClusterName, HostName, SiteName};
use pki::{CaKind, Certificate, CertificateAuthority, CommonName, LeafRequest};
use time::OffsetDateTime;
use time::macros::datetime;

pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-23 12:00:00 UTC);

pub(crate) fn authority(kind: CaKind) -> CertificateAuthority {
    authority_of("main", kind)
}

pub(crate) fn authority_of(cluster: &str, kind: CaKind) -> CertificateAuthority {
    let site = SiteName::new("prod").unwrap();
    CertificateAuthority::generate(kind, &site, &ClusterName::new(cluster).unwrap(), NOW).unwrap()
}

pub(crate) fn host() -> HostName {
    HostName::new("etcd-1").unwrap()
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn server() -> LeafRequest {
    let extra = [San::Dns("etcd.example.net".to_owned()), San::Ip(ip("10.20.0.100"))];
    LeafRequest::server(&host(), [ip("10.20.0.11"), ip("fd00::11")], &extra).unwrap()
}

pub(crate) fn peer() -> LeafRequest {
    LeafRequest::peer(&host(), [ip("10.30.0.11"), ip("fd00::11")])
}

pub(crate) fn client() -> LeafRequest {
    LeafRequest::client(&CommonName::new("kube-apiserver-etcd-client").unwrap())
}

/// One request of each kind.
pub(crate) fn every_request() -> [LeafRequest; 4] {
    [server(), peer(), LeafRequest::health_check(), client()]
}

/// Two certificates that differ, but not in anything that is signed.
pub(crate) fn assert_same_but_for_fingerprint(one: &Certificate, two: &Certificate) {
    let (mut one, two) = (one.facts().clone(), two.facts());
    assert_ne!(one.fingerprint, two.fingerprint);
    one.fingerprint = two.fingerprint;
    assert_eq!(&one, two);
}

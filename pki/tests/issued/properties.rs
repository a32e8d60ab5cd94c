//! What holds for every name, every moment and every broken byte.

use std::collections::BTreeSet;
use std::net::IpAddr;

use inventories::inventory::San;
use inventories::{ClusterName, HostName, SiteName};
use pki::profile::{AUTHORITY_LIFE, LEAF_LIFE};
use pki::{CaKind, CertFacts, Certificate, CertificateAuthority, LeafRequest, drift, lint};
use proptest::prelude::*;
use time::Duration;

use crate::kit::{self, NOW};

fn label() -> impl Strategy<Value = String> {
    "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
}

fn san() -> impl Strategy<Value = San> {
    prop_oneof![
        any::<IpAddr>().prop_map(San::Ip),
        (proptest::option::of(Just("*.")), label(), "[a-z]{2,8}")
            .prop_map(|(star, name, top)| San::Dns(format!("{}{name}.{top}", star.unwrap_or("")))),
    ]
}

fn server() -> impl Strategy<Value = LeafRequest> {
    (label(), any::<IpAddr>(), any::<IpAddr>(), proptest::collection::vec(san(), 0..40)).prop_map(
        |(host, client, peer, extra)| {
            LeafRequest::server(&HostName::new(&host).unwrap(), [client, peer], &extra).unwrap()
        },
    )
}

fn peer() -> impl Strategy<Value = LeafRequest> {
    (label(), proptest::collection::vec(any::<IpAddr>(), 1..4))
        .prop_map(|(host, addresses)| LeafRequest::peer(&HostName::new(&host).unwrap(), addresses))
}

proptest! {
    #[test]
    fn what_is_asked_for_is_what_is_read(request in prop_oneof![server(), peer()]) {
        let authority = kit::authority(request.kind().authority());
        let leaf = authority.issue(&request, NOW).unwrap().certificate;
        let facts = leaf.facts();
        prop_assert_eq!(&facts.sans, request.sans());
        prop_assert_eq!(lint::leaf(facts, &request), []);
        let issuer = authority.certificate().facts();
        prop_assert_eq!(drift::difference(facts, &request, issuer, NOW), []);
        prop_assert_eq!(&Certificate::from_pem(&leaf.pem()).unwrap(), &leaf);
        let json = serde_json::to_string(facts).unwrap();
        prop_assert_eq!(&serde_json::from_str::<CertFacts>(&json).unwrap(), facts);
    }

    #[test]
    fn a_leaf_never_outlives_its_ca_nor_its_profile(
        after in 0..AUTHORITY_LIFE.whole_seconds(),
        nanoseconds in 0..1_000_000_000_i64,
    ) {
        let authority = kit::authority(CaKind::Client);
        let now = NOW + Duration::seconds(after) + Duration::nanoseconds(nanoseconds);
        let leaf = authority.issue(&LeafRequest::health_check(), now).unwrap().certificate;
        let (leaf, ca) = (leaf.facts(), authority.certificate().facts());
        prop_assert!(ca.not_before <= leaf.not_before && leaf.not_before <= now);
        prop_assert!(leaf.not_after <= ca.not_after && leaf.not_after <= now + LEAF_LIFE);
    }

    #[test]
    fn a_broken_certificate_is_not_signed_or_says_the_same(
        at in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let authority = kit::authority(CaKind::Client);
        let leaf = authority.issue(&kit::server(), NOW).unwrap().certificate;
        let mut der = leaf.der().to_vec();
        der[at.index(leaf.der().len())] ^= 1 << bit;
        if let Ok(broken) = Certificate::from_der(der)
            && broken.signed_by(authority.certificate())
        {
            kit::assert_same_but_for_fingerprint(&broken, &leaf);
        }
    }

    #[test]
    fn no_text_makes_the_reader_fall_over(text in ".*") {
        let _ = Certificate::from_pem(&text);
        let body = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
        let _ = Certificate::from_pem(&body);
    }

    #[test]
    fn every_ca_has_a_name_of_its_own_that_x509_can_carry(site in label(), cluster in label()) {
        let (site, cluster) = (SiteName::new(&site).unwrap(), ClusterName::new(&cluster).unwrap());
        let name = || {
            let made = CertificateAuthority::generate(CaKind::Client, &site, &cluster, NOW);
            made.unwrap().certificate().facts().common_name.clone().unwrap()
        };
        let (one, two) = (name(), name());
        prop_assert!(one.len() <= 64, "{}", one);
        prop_assert_ne!(one, two);
    }
}

#[test]
fn serial_numbers_are_positive_16_bytes_long_and_never_repeat() {
    const HOW_MANY: usize = 3000;
    let authority = kit::authority(CaKind::Client);
    let serials: BTreeSet<String> = (0..HOW_MANY)
        .map(|_| {
            let leaf = authority.issue(&LeafRequest::health_check(), NOW).unwrap();
            leaf.certificate.into_facts().serial
        })
        .collect();
    assert_eq!(serials.len(), HOW_MANY);
    for serial in serials {
        assert_eq!(serial.len(), 32, "{serial}");
        assert!(serial.as_str() < "8", "{serial} is negative");
    }
}

//! The lint sees every way in which a certificate can miss its profile.

use inventories::inventory::San;
use pki::facts::{Authority, Criticality, ExtendedKeyUsage, KeyAlgorithm, KeyUsage};
use pki::lint::{self, Defect};
use pki::{CaKind, CertFacts, LeafRequest};
use time::Duration;

use crate::kit::{self, NOW};

/// What the lint says of a server certificate in which one thing was changed.
fn defects(change: impl FnOnce(&mut CertFacts)) -> Vec<Defect> {
    let request = kit::server();
    let leaf = kit::authority(CaKind::Client).issue(&request, NOW).unwrap();
    let mut facts = leaf.certificate.into_facts();
    change(&mut facts);
    lint::leaf(&facts, &request)
}

#[test]
fn a_leaf_says_its_common_name_and_nothing_else() {
    for subject in ["CN=etcd-2", "O=system:masters, CN=etcd-1", ""] {
        let found = defects(|facts| facts.subject = subject.to_owned());
        assert_eq!(found, [Defect::Subject(subject.to_owned())]);
    }
    let found = defects(|facts| facts.issuer.clone_from(&facts.subject));
    assert_eq!(found, [Defect::SubjectIsIssuer]);
}

#[test]
fn a_leaf_has_exactly_the_wanted_names() {
    let fewer = defects(|facts| drop(facts.sans.pop_first()));
    let more = defects(|facts| {
        facts.sans.insert(San::Dns("example.net".to_owned()));
    });
    let other = defects(|facts| {
        facts.other_sans.insert("URI(https://example.net)".to_owned());
    });
    assert_eq!([fewer, more, other], [[Defect::Sans], [Defect::Sans], [Defect::Sans]]);
}

#[test]
fn a_leaf_has_exactly_the_profiles_usages() {
    let found = defects(|facts| drop(facts.extended_key_usages.pop_first()));
    assert_eq!(found, [Defect::ExtendedKeyUsages([ExtendedKeyUsage::ClientAuth].into())]);
    let found = defects(|facts| {
        facts.key_usages.insert(KeyUsage::KeyCertSign);
    });
    let both = [KeyUsage::DigitalSignature, KeyUsage::KeyCertSign];
    assert_eq!(found, [Defect::KeyUsages(both.into())]);
}

#[test]
fn a_leaf_has_exactly_the_profiles_extensions() {
    for change in [
        |facts: &mut CertFacts| drop(facts.extensions.pop_first()),
        |facts: &mut CertFacts| {
            facts.extensions.insert("2.5.29.15".to_owned(), Criticality::Optional);
        },
        |facts: &mut CertFacts| {
            facts.extensions.insert("1.2.3.4".to_owned(), Criticality::Critical);
        },
    ] {
        let found = defects(change);
        assert!(matches!(&found[..], [Defect::Extensions(_)]), "{found:?}");
    }
}

#[test]
fn a_leaf_says_that_it_is_no_ca() {
    for is in [Authority::Unsaid, Authority::AnyDepth, Authority::Depth(0)] {
        assert_eq!(defects(|facts| facts.authority = is), [Defect::Authority(is)]);
    }
}

#[test]
fn a_leaf_lasts_no_longer_than_its_profile() {
    let found = defects(|facts| facts.not_after += Duration::SECOND);
    assert!(matches!(found[..], [Defect::Life(_)]), "{found:?}");
    let found = defects(|facts| facts.not_after = facts.not_before);
    assert_eq!(found, [Defect::Life(Duration::ZERO)]);
}

#[test]
fn a_serial_number_is_16_bytes_and_positive() {
    for serial in ["", "01", &"f".repeat(32), &"0".repeat(32), &format!("00{}", "7f".repeat(16))] {
        let found = defects(|facts| facts.serial = serial.to_owned());
        assert_eq!(found, [Defect::Serial(serial.to_owned())]);
    }
}

#[test]
fn keys_are_of_the_profiles_kind_and_identified() {
    let found = defects(|facts| facts.key_algorithm = KeyAlgorithm::Rsa(2048));
    assert_eq!(found, [Defect::Key(KeyAlgorithm::Rsa(2048))]);
    assert_eq!(defects(|facts| facts.authority_key_id = None), [Defect::KeyIds]);
    assert_eq!(defects(|facts| facts.subject_key_id = Some(String::new())), [Defect::KeyIds]);
}

#[test]
fn a_client_has_no_names_at_all() {
    let leaf = kit::authority(CaKind::Client).issue(&kit::client(), NOW).unwrap();
    let facts = leaf.certificate.facts();
    assert!(!facts.extensions.contains_key("2.5.29.17"));
    let as_health_check = lint::leaf(facts, &LeafRequest::health_check());
    assert!(matches!(as_health_check[..], [Defect::Subject(_)]), "{as_health_check:?}");
}

#[test]
fn a_new_ca_signs_leaves_only_and_says_whose_it_is() {
    let facts = kit::authority(CaKind::Peer).certificate().facts().clone();
    let name = facts.common_name.clone().unwrap();
    assert!(name.starts_with("prod/main etcd peer CA "), "{name}");

    let mut deeper = facts.clone();
    deeper.authority = Authority::Depth(1);
    assert_eq!(lint::authority(&deeper, &name), [Defect::Authority(Authority::Depth(1))]);
    let mut longer = facts;
    longer.not_after += Duration::DAY;
    let found = lint::authority(&longer, &name);
    assert!(matches!(found[..], [Defect::Life(_)]), "{found:?}");
}

//! How a certificate on a host differs from the wanted one, in words.

use inventories::HostName;
use inventories::inventory::San;
use pki::drift::difference;
use pki::expiry::Phase;
use pki::profile::{BACKDATE, LEAF_LIFE};
use pki::{CaKind, CertFacts, CertificateAuthority, CommonName, LeafRequest};
use time::{Duration, OffsetDateTime};

use crate::kit::{self, NOW, ip};

fn issued(authority: &CertificateAuthority, request: &LeafRequest) -> CertFacts {
    authority.issue(request, NOW).unwrap().certificate.into_facts()
}

/// The reasons to replace what was issued for `was` by something for `wanted`.
fn words(was: &LeafRequest, wanted: &LeafRequest, now: OffsetDateTime) -> Vec<String> {
    let authority = kit::authority(was.kind().authority());
    let changes =
        difference(&issued(&authority, was), wanted, authority.certificate().facts(), now);
    changes.iter().map(|change| change.at(now).to_string()).collect()
}

#[test]
fn what_was_issued_for_a_request_needs_no_change() {
    for request in kit::every_request() {
        assert_eq!(words(&request, &request, NOW), [""; 0]);
    }
}

#[test]
fn added_and_removed_names_are_reported_one_by_one() {
    let wanted = LeafRequest::server(
        &kit::host(),
        [ip("10.20.0.11"), ip("fd00::11")],
        &[San::Dns("etcd.example.org".to_owned()), San::Ip(ip("10.0.0.4"))],
    )
    .unwrap();
    assert_eq!(
        words(&kit::server(), &wanted, NOW),
        ["SAN + etcd.example.org", "SAN + 10.0.0.4", "SAN - etcd.example.net", "SAN - 10.20.0.100"]
    );
}

#[test]
fn another_hosts_certificate_is_shown_by_its_subject() {
    let other = LeafRequest::peer(&HostName::new("etcd-2").unwrap(), [ip("10.30.0.12")]);
    assert_eq!(
        words(&kit::peer(), &other, NOW),
        [
            "subject CN=etcd-1 -> CN=etcd-2",
            "SAN + etcd-2",
            "SAN + 10.30.0.12",
            "SAN - etcd-1",
            "SAN - 10.30.0.11",
            "SAN - fd00::11"
        ]
    );
}

#[test]
fn a_certificate_of_another_kind_is_shown_by_its_usages() {
    let named = LeafRequest::client(&CommonName::new("etcd-1").unwrap());
    let changes = words(&named, &kit::server(), NOW);
    assert_eq!(changes[changes.len() - 1], "usage + serverAuth");
    let changes = words(&kit::server(), &named, NOW);
    assert_eq!(changes[changes.len() - 1], "usage - serverAuth");
}

#[test]
fn another_issuer_is_shown_by_name() {
    let (old, new) =
        (kit::authority_of("old", CaKind::Client), kit::authority_of("new", CaKind::Client));
    let request = kit::server();
    let changes = difference(&issued(&old, &request), &request, new.certificate().facts(), NOW);
    let name = |ca: &CertificateAuthority| ca.certificate().facts().subject.clone();
    let [change] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!(change.to_string(), format!("issuer {} -> {}", name(&old), name(&new)));
}

#[test]
fn an_issuer_of_the_same_name_with_another_key_is_another_issuer() {
    let authority = kit::authority(CaKind::Client);
    let request = kit::server();
    let mut impostor = authority.certificate().facts().clone();
    impostor.subject_key_id = Some("00".repeat(20));
    let changes = difference(&issued(&authority, &request), &request, &impostor, NOW);
    let [change] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!(change.to_string(), "issuer has the CA's name, but another key");
}

#[test]
fn a_ca_in_a_leafs_place_is_named() {
    let authority = kit::authority(CaKind::Client);
    let facts = authority.certificate().facts();
    let changes = difference(facts, &kit::client(), facts, NOW);
    let words: Vec<_> = changes.iter().map(ToString::to_string).collect();
    assert!(words.contains(&"may sign certificates, which no leaf may".to_owned()), "{words:?}");
}

#[test]
fn time_is_told_from_now_and_by_date() {
    let authority = kit::authority(CaKind::Client);
    let request = kit::client();
    let facts = issued(&authority, &request);
    let end = NOW + LEAF_LIFE;
    for (now, from_now, by_date) in [
        (end - Duration::days(12), "expires in 12 days", "expires on 2027-11-23"),
        (end - Duration::days(1), "expires in 1 day", "expires on 2027-11-23"),
        (end - Duration::hours(5), "expires in 5 hours", "expires on 2027-11-23"),
        (end, "expires in less than a minute", "expires on 2027-11-23"),
        (end + Duration::days(3), "expired 3 days ago", "expired on 2027-11-23"),
        (end + Duration::minutes(1), "expired 1 minute ago", "expired on 2027-11-23"),
        (NOW - Duration::hours(2), "becomes valid in 1 hour", "is not valid before 2026-11-23"),
    ] {
        let changes = difference(&facts, &request, authority.certificate().facts(), now);
        let [change] = &changes[..] else { panic!("{changes:?} at {now}") };
        assert_eq!(change.at(now).to_string(), from_now);
        assert_eq!(change.to_string(), by_date);
    }
}

#[test]
fn renewal_is_due_when_two_thirds_of_a_life_are_over() {
    let facts = issued(&kit::authority(CaKind::Client), &kit::client());
    let (born, end) = (NOW - BACKDATE, NOW + LEAF_LIFE);
    let renew_at = facts.expiry(NOW).renew_at;
    assert_eq!(renew_at - born, (end - born) * 2 / 3);
    for (now, phase) in [
        (born - Duration::SECOND, Phase::NotYetValid),
        (born, Phase::Valid),
        (renew_at - Duration::SECOND, Phase::Valid),
        (renew_at, Phase::RenewDue),
        (end, Phase::RenewDue),
        (end + Duration::SECOND, Phase::Expired),
    ] {
        assert_eq!(facts.expiry(now).phase, phase, "{now}");
    }
    assert_eq!(facts.expiry(end).remaining, Duration::ZERO);
    assert!(facts.expiry(end + Duration::SECOND).remaining.is_negative());
}

#[test]
fn a_hostile_certificate_cannot_steer_the_terminal() {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "\u{1b}[2J\u{202e}\r\n");
    params.subject_alt_names = ["\u{1b}[31mred", "a\nb"]
        .map(|name| rcgen::SanType::DnsName(name.try_into().unwrap()))
        .into();
    let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let hostile = CertFacts::from_pem(&certificate.pem()).unwrap();
    let authority = kit::authority(CaKind::Client);
    for change in difference(&hostile, &kit::client(), authority.certificate().facts(), NOW) {
        let text = change.to_string();
        assert!(!text.contains(|c: char| c.is_control() || c == '\u{202e}'), "{text:?}");
    }
    assert_eq!(hostile.sans, [].into());
    assert_eq!(hostile.other_sans.len(), 2);
}

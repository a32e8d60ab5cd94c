//! What does not make a CA, and what a CA does not issue.

use pki::authority::{IssueError, LeafLife, OpenError, OutsideLife};
use pki::certificate::CertError;
use pki::profile::{AUTHORITY_LIFE, BACKDATE, LEAF_LIFE};
use pki::secret::KeyError;
use pki::{CaKey, CaKind, Certificate, CertificateAuthority, LeafRequest};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose};
use time::{Duration, OffsetDateTime};

use crate::kit::{self, NOW};

fn key_of(authority: &CertificateAuthority) -> CaKey {
    CaKey::from_pem(authority.key().expose().to_vec())
}

fn open(certificate: &str, key: CaKey) -> Result<CertificateAuthority, OpenError> {
    CertificateAuthority::open(CaKind::Client, certificate, key, NOW)
}

#[test]
fn a_ca_opens_with_its_own_files_and_issues() {
    let born = kit::authority(CaKind::Client);
    let opened = open(&born.certificate().pem(), key_of(&born)).unwrap();
    let leaf = opened.issue(&kit::server(), NOW).unwrap();
    assert!(leaf.certificate.signed_by(born.certificate()));
}

#[test]
fn another_cas_key_is_refused() {
    let (one, two) = (kit::authority(CaKind::Client), kit::authority(CaKind::Client));
    let why = open(&one.certificate().pem(), key_of(&two)).unwrap_err();
    assert!(matches!(why, OpenError::WrongKey { .. }), "{why}");
}

#[test]
fn a_leaf_with_its_key_is_not_a_ca() {
    let leaf = kit::authority(CaKind::Client).issue(&kit::server(), NOW).unwrap();
    let key = CaKey::from_pem(leaf.key.expose().to_vec());
    let why = open(&leaf.certificate.pem(), key).unwrap_err();
    assert!(matches!(why, OpenError::NotAuthority { .. }), "{why}");
}

/// A CA as somebody else might have made it.
fn foreign(change: impl FnOnce(&mut CertificateParams)) -> (String, CaKey) {
    let pair = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    change(&mut params);
    let certificate = params.self_signed(&pair).unwrap();
    (certificate.pem(), CaKey::from_pem(pair.serialize_pem().into_bytes()))
}

#[test]
fn a_sound_ca_from_elsewhere_is_accepted() {
    let (certificate, key) = foreign(|_| {});
    let authority = open(&certificate, key).unwrap();
    authority.issue(&kit::client(), NOW).unwrap();
}

#[test]
fn a_ca_that_may_not_sign_is_refused() {
    for usages in [vec![], vec![KeyUsagePurpose::CrlSign]] {
        let (certificate, key) = foreign(|params| params.key_usages = usages);
        let why = open(&certificate, key).unwrap_err();
        assert!(matches!(why, OpenError::MayNotSign { .. }), "{why}");
    }
}

#[test]
fn a_ca_that_another_signed_is_refused() {
    let root = KeyPair::generate().unwrap();
    let pair = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    // Subject and issuer are the same name: only the signature tells.
    let certificate =
        params.signed_by(&pair, &rcgen::Issuer::new(params.clone(), &root)).unwrap().pem();
    let why = open(&certificate, CaKey::from_pem(pair.serialize_pem().into_bytes())).unwrap_err();
    assert!(matches!(why, OpenError::NotSelfSigned { .. }), "{why}");
}

#[test]
fn a_ca_is_refused_outside_its_life() {
    let authority = kit::authority(CaKind::Client);
    let (first, last) = (NOW - BACKDATE, NOW + AUTHORITY_LIFE);
    let at = |now: OffsetDateTime| {
        let key = key_of(&authority);
        CertificateAuthority::open(CaKind::Client, &authority.certificate().pem(), key, now).err()
    };
    assert!(at(first).is_none());
    assert!(at(last).is_none());
    let early = at(first - Duration::SECOND);
    assert!(
        matches!(early, Some(OpenError::OutsideLife(OutsideLife::NotYetValid { .. }))),
        "{early:?}"
    );
    let late = at(last + Duration::SECOND);
    assert!(matches!(late, Some(OpenError::OutsideLife(OutsideLife::Expired { .. }))), "{late:?}");

    let late = authority.issue(&kit::client(), last + Duration::SECOND);
    assert!(matches!(late, Err(IssueError::OutsideLife(OutsideLife::Expired { .. }))), "{late:?}");
}

#[test]
fn texts_that_are_no_certificate_or_no_key_are_refused() {
    let authority = kit::authority(CaKind::Client);
    let (certificate, key) = (authority.certificate().pem(), authority.key().expose());
    let key = std::str::from_utf8(key).unwrap();
    for (text, expected) in [
        ("", CertError::NotPem),
        (&certificate[..certificate.len() / 2], CertError::NotPem),
        (key, CertError::OtherBlock { label: "PRIVATE KEY".to_owned() }),
        (&format!("{certificate}{certificate}"), CertError::Several { count: 2 }),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", CertError::Malformed),
    ] {
        match open(text, key_of(&authority)) {
            Err(OpenError::Certificate(why)) => assert_eq!(why, expected),
            other => panic!("{text:?} gives {other:?}"),
        }
    }
    let why = open(&certificate, CaKey::from_pem(b"hello".to_vec())).unwrap_err();
    assert!(matches!(why, OpenError::Key(KeyError::NotPkcs8Pem)), "{why}");
}

#[test]
fn an_altered_ca_certificate_is_refused_or_says_the_same() {
    let authority = kit::authority(CaKind::Client);
    let der = authority.certificate().der();
    for at in 0..der.len() {
        let mut altered = der.to_vec();
        altered[at] ^= 1;
        let Ok(certificate) = Certificate::from_der(altered) else { continue };
        if open(&certificate.pem(), key_of(&authority)).is_ok() {
            // Outside of what is signed, another spelling of the same certificate is possible.
            kit::assert_same_but_for_fingerprint(&certificate, authority.certificate());
        }
    }
}

#[test]
fn each_ca_signs_its_own_kinds_only() {
    for request in kit::every_request() {
        for kind in CaKind::ALL {
            let issued = kit::authority(kind).issue(&request, NOW);
            match issued {
                Ok(_) => assert_eq!(kind, request.kind().authority()),
                Err(IssueError::WrongAuthority { .. }) => {
                    assert_ne!(kind, request.kind().authority());
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[test]
fn near_the_end_of_its_ca_a_leaf_is_shorter_and_says_so() {
    let authority = kit::authority(CaKind::Client);
    let end = authority.certificate().facts().not_after;
    let request = LeafRequest::health_check();

    let last_full = authority.issue(&request, end - LEAF_LIFE).unwrap();
    assert_eq!(last_full.life, LeafLife::Full);
    assert_eq!(last_full.certificate.facts().not_after, end);

    let short = authority.issue(&request, end - Duration::DAY).unwrap();
    assert_eq!(short.life, LeafLife::EndsWithAuthority);
    assert_eq!(short.certificate.facts().not_after, end);
}

#[test]
fn a_ca_that_does_not_name_its_key_is_refused() {
    // The library names the key of every CA that it knows to be one.
    let is_ca = vec![0x30, 0x03, 0x01, 0x01, 0xff];
    let mut constraints = rcgen::CustomExtension::from_oid_content(&[2, 5, 29, 19], is_ca);
    constraints.set_criticality(true);
    let (certificate, key) = foreign(|params| {
        params.is_ca = IsCa::NoCa;
        params.custom_extensions = vec![constraints];
    });
    let why = open(&certificate, key).unwrap_err();
    assert!(matches!(why, OpenError::NoKeyId { .. }), "{why}");
}

#[test]
fn the_key_alone_does_not_make_an_issuer() {
    let pair = KeyPair::generate().unwrap();
    let named = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        Certificate::from_pem(&params.self_signed(&pair).unwrap().pem()).unwrap()
    };
    let (one, renamed) = (named("one"), named("renamed"));
    assert!(one.signed_by(&one));
    assert!(!one.signed_by(&renamed));
}

#[test]
fn bytes_that_are_not_signed_cannot_add_anything() {
    let authority = kit::authority(CaKind::Client);
    let der = authority.certificate().der();

    let longer = [der, &[0]].concat();
    assert_eq!(Certificate::from_der(longer), Err(CertError::Malformed));

    // ecdsa-with-SHA256 stands twice, and only the first is signed: make the second SHA384.
    let sha256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    let second = der.windows(sha256.len()).rposition(|bytes| bytes == sha256).unwrap();
    let mut contradicting = der.to_vec();
    contradicting[second + sha256.len() - 1] = 0x03;
    assert_eq!(Certificate::from_der(contradicting), Err(CertError::Malformed));
}

//! Certificates that ssh-keygen signed, and what somebody could make of them.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use proptest::prelude::*;

use super::{CertificateFlaw, HostCertificate};
use crate::algorithms::{Algorithms, List};
use crate::host_key::HostKey;
use crate::test_server::keygen;
use test_kit::hostile;

/// An authority of this kind signs a new host key of that kind, with these arguments.
fn signed(authority: &str, bits: &[&str], host: &str, args: &[&str]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca");
    let mut make = Command::new("ssh-keygen");
    make.args(["-q", "-t", authority, "-N", "", "-f"]).arg(&ca).args(bits);
    assert!(make.status().unwrap().success());
    keygen(&dir.path().join("host"), host, "");
    let sign = Command::new("ssh-keygen")
        .args(["-q", "-I", "id", "-s"])
        .arg(&ca)
        .args(args)
        .arg(dir.path().join("host.pub"))
        .status();
    assert!(sign.unwrap().success(), "{args:?}");
    blob(&dir.path().join("host-cert.pub"))
}

fn blob(file: &Path) -> Vec<u8> {
    let text = std::fs::read_to_string(file).unwrap();
    STANDARD.decode(text.split_whitespace().nth(1).unwrap()).unwrap()
}

fn check(blob: &[u8], name: &str) -> Result<(), CertificateFlaw> {
    let certificate = HostCertificate::read(blob).unwrap();
    certificate.check(name, SystemTime::now(), &Algorithms::default())
}

#[test]
fn certificates_of_every_kind_of_authority_and_key_are_accepted() {
    for (authority, bits) in [
        ("ed25519", &[][..]),
        ("ecdsa", &["-b", "256"]),
        ("ecdsa", &["-b", "384"]),
        ("ecdsa", &["-b", "521"]),
        ("rsa", &["-b", "2048"]),
    ] {
        let args = ["-h", "-n", "other,h1"];
        assert_eq!(check(&signed(authority, bits, "ed25519", &args), "h1"), Ok(()), "{authority}");
    }
    for host in ["rsa", "ecdsa"] {
        let args = ["-h", "-n", "h1", "-V", "-5m:+5m"];
        assert_eq!(check(&signed("ed25519", &[], host, &args), "h1"), Ok(()), "{host}");
    }
    let sha2 = ["-h", "-n", "h1", "-t", "rsa-sha2-256"];
    assert_eq!(check(&signed("rsa", &["-b", "2048"], "ed25519", &sha2), "h1"), Ok(()));
}

#[test]
fn what_ssh_keygen_signs_for_something_else_is_refused() {
    let flaw = |args: &[&str]| check(&signed("ed25519", &[], "ed25519", args), "h1").unwrap_err();
    assert_eq!(flaw(&["-n", "h1"]), CertificateFlaw::NotAHosts);
    assert_eq!(flaw(&["-h"]), CertificateFlaw::Nameless);
    for names in ["h2", "h*", "*", "H1", "h1.example.net"] {
        let found = flaw(&["-h", "-n", names]);
        assert!(matches!(found, CertificateFlaw::Name { .. }), "{names}: {found}");
    }
    let ended = flaw(&["-h", "-n", "h1", "-V", "20200101:20200102"]);
    assert!(matches!(&ended, CertificateFlaw::Ended(at) if at.starts_with("2020-01-0")), "{ended}");
    let early = flaw(&["-h", "-n", "h1", "-V", "+1d:+2d"]);
    assert!(matches!(early, CertificateFlaw::Early(_)), "{early}");
    let sha1 = signed("rsa", &["-b", "2048"], "ed25519", &["-h", "-n", "h1", "-t", "ssh-rsa"]);
    assert_eq!(check(&sha1, "h1"), Err(CertificateFlaw::Algorithm("ssh-rsa".to_owned())));
}

#[test]
fn an_algorithm_that_the_configuration_leaves_out_is_refused() {
    let good = signed("ed25519", &[], "ed25519", &["-h", "-n", "h1"]);
    let mut algorithms = Algorithms::default();
    algorithms.narrow(List::Authorities, "rsa-sha2-512").unwrap();
    let found = HostCertificate::read(&good).unwrap().check("h1", SystemTime::now(), &algorithms);
    assert_eq!(found, Err(CertificateFlaw::Algorithm("ssh-ed25519".to_owned())));
}

fn text(text: &[u8]) -> Vec<u8> {
    [&u32::try_from(text.len()).unwrap().to_be_bytes(), text].concat()
}

/// A certificate that its authority signs whatever is in it.
struct Draft {
    authority: PKey<Private>,
    kind: u32,
    principals: Vec<u8>,
    critical: Vec<u8>,
    extensions: Vec<u8>,
    begins: u64,
    ends: u64,
    signed_by: &'static [u8],
    after: &'static [u8],
}

impl Draft {
    fn new() -> Self {
        Self {
            authority: PKey::generate_ed25519().unwrap(),
            kind: 2,
            principals: text(b"h1"),
            critical: Vec::new(),
            extensions: Vec::new(),
            begins: 0,
            ends: u64::MAX,
            signed_by: b"ssh-ed25519",
            after: b"",
        }
    }

    fn blob(&self) -> Vec<u8> {
        let point = self.authority.raw_public_key().unwrap();
        let mut blob = [
            text(b"ssh-ed25519-cert-v01@openssh.com"),
            text(&[7; 32]),
            text(&[9; 32]),
            vec![0; 8],
            self.kind.to_be_bytes().to_vec(),
            text(b"id"),
            text(&self.principals),
            self.begins.to_be_bytes().to_vec(),
            self.ends.to_be_bytes().to_vec(),
            text(&self.critical),
            text(&self.extensions),
            text(b""),
            text(&[text(b"ssh-ed25519"), text(&point)].concat()),
        ]
        .concat();
        let mut signer = Signer::new_without_digest(&self.authority).unwrap();
        let signature = signer.sign_oneshot_to_vec(&blob).unwrap();
        blob.extend(text(&[text(self.signed_by), text(&signature)].concat()));
        blob.extend(self.after);
        blob
    }
}

#[test]
fn only_the_expected_is_accepted_even_of_the_authority_itself() {
    assert_eq!(check(&Draft::new().blob(), "h1"), Ok(()));
    let critical = [text(b"force-command"), text(b"x")].concat();
    let found = check(&Draft { critical, ..Draft::new() }.blob(), "h1");
    assert_eq!(found, Err(CertificateFlaw::Critical("force-command".to_owned())));
    let odd = [text(b"\xff"), text(b"")].concat();
    assert!(check(&Draft { critical: odd, ..Draft::new() }.blob(), "h1").is_err());
    // What is no condition may be unknown.
    let extensions = [text(b"new@example.net"), text(b"\xff")].concat();
    assert_eq!(check(&Draft { extensions, ..Draft::new() }.blob(), "h1"), Ok(()));
    for kind in [0, 1, 3, u32::MAX] {
        let found = check(&Draft { kind, ..Draft::new() }.blob(), "h1");
        assert_eq!(found, Err(CertificateFlaw::NotAHosts), "{kind}");
    }
    for (principals, name) in
        [(text(b"h1\0"), "h1"), (text(b""), "h1"), (text(b"\xff"), "\u{fffd}x"), (text(b"h"), "h1")]
    {
        let found = check(&Draft { principals, ..Draft::new() }.blob(), name);
        assert!(matches!(found, Err(CertificateFlaw::Name { .. })), "{found:?}");
    }
    let signed_by = b"rsa-sha2-512";
    let found = check(&Draft { signed_by, ..Draft::new() }.blob(), "h1");
    assert_eq!(found, Err(CertificateFlaw::Forged));
    for (principals, after) in [(vec![0, 0, 0, 9, 1], &b""[..]), (text(b"h1"), b"x")] {
        let blob = Draft { principals, after, ..Draft::new() }.blob();
        assert_eq!(HostCertificate::read(&blob), None);
    }
}

#[test]
fn its_life_begins_and_ends_on_the_second() {
    let blob = Draft { begins: 1_000, ends: 2_000, ..Draft::new() }.blob();
    let certificate = HostCertificate::read(&blob).unwrap();
    for (at, valid) in [(999, false), (1_000, true), (1_999, true), (2_000, false)] {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(at);
        let found = certificate.check("h1", now, &Algorithms::default());
        assert_eq!(found.is_ok(), valid, "{at}: {found:?}");
    }
    let far = Draft { begins: u64::MAX, ..Draft::new() }.blob();
    assert!(matches!(check(&far, "h1"), Err(CertificateFlaw::Early(_))));
}

#[test]
fn a_certificate_that_names_another_authority_is_not_that_authoritys() {
    let (mine, theirs) = (Draft::new(), Draft::new());
    let point = |draft: &Draft| draft.authority.raw_public_key().unwrap();
    let mut blob = mine.blob();
    let at = blob.windows(32).position(|bytes| bytes == point(&mine)).unwrap();
    blob[at..at + 32].copy_from_slice(&point(&theirs));
    let certificate = HostCertificate::read(&blob).unwrap();
    let named = [text(b"ssh-ed25519"), text(&point(&theirs))].concat();
    assert_eq!(Some(&certificate.authority), HostKey::new(named).as_ref());
    assert_eq!(check(&blob, "h1"), Err(CertificateFlaw::Forged));
}

/// One of each kind of authority.
fn samples() -> Vec<Vec<u8>> {
    static SAMPLES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    SAMPLES
        .get_or_init(|| {
            let args = ["-h", "-n", "h1", "-V", "-5m:+52w"];
            [("ed25519", &[][..]), ("ecdsa", &["-b", "384"]), ("rsa", &["-b", "2048"])]
                .map(|(kind, bits)| signed(kind, bits, "ed25519", &args))
                .to_vec()
        })
        .clone()
}

proptest! {
    /// Whatever is changed, the certificate is refused, or it names another authority.
    #[test]
    fn a_certificate_that_is_altered_is_not_accepted(
        sample in 0..3_usize, at in any::<prop::sample::Index>(), flip in 1..=255_u8,
    ) {
        let blob = &samples()[sample];
        let mut altered = blob.clone();
        altered[at.index(blob.len())] ^= flip;
        let authority = HostCertificate::read(blob).unwrap().authority;
        if let Some(certificate) = HostCertificate::read(&altered) {
            let found = certificate.check("h1", SystemTime::now(), &Algorithms::default());
            prop_assert!(found.is_err() || certificate.authority != authority);
        }
    }

    #[test]
    fn a_damaged_certificate_is_read_without_panic(blob in hostile::damaged(samples())) {
        if let Some(certificate) = HostCertificate::read(&blob) {
            let _ = certificate.check("h1", SystemTime::now(), &Algorithms::default());
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(blob in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = HostCertificate::read(&blob);
    }
}

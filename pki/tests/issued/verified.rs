//! Every certificate that is issued, checked by webpki, which rustls uses, and by OpenSSL.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use pki::authority::LeafLife;
use pki::{CaKind, Certificate, CertificateAuthority, Leaf, LeafKind, LeafRequest, lint};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use crate::kit::{self, NOW};

/// Whether webpki accepts a certificate on one side of a connection.
fn webpki_accepts(leaf: &Certificate, authority: &Certificate, side: KeyUsage) -> bool {
    let (leaf, authority) =
        (CertificateDer::from(leaf.der()), CertificateDer::from(authority.der()));
    let anchor = webpki::anchor_from_trusted_cert(&authority).unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW.unix_timestamp() as u64));
    EndEntityCert::try_from(&leaf)
        .unwrap()
        .verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &[anchor], &[], now, side, None, None)
        .is_ok()
}

fn webpki_accepts_name(leaf: &Certificate, name: &str) -> bool {
    let der = CertificateDer::from(leaf.der());
    let name = ServerName::try_from(name).unwrap();
    EndEntityCert::try_from(&der).unwrap().verify_is_valid_for_subject_name(&name).is_ok()
}

/// Every kind of leaf, with the authority that signs it.
fn every_leaf() -> Vec<(LeafRequest, Leaf, CertificateAuthority)> {
    kit::every_request()
        .into_iter()
        .map(|request| {
            let authority = kit::authority(request.kind().authority());
            let leaf = authority.issue(&request, NOW).unwrap();
            (request, leaf, authority)
        })
        .collect()
}

#[test]
fn webpki_accepts_each_kind_on_its_sides_only() {
    for (request, leaf, authority) in every_leaf() {
        let serves = matches!(request.kind(), LeafKind::Server | LeafKind::Peer);
        let accepts = |side| webpki_accepts(&leaf.certificate, authority.certificate(), side);
        assert!(accepts(KeyUsage::client_auth()), "{} as a client", request.kind());
        assert_eq!(accepts(KeyUsage::server_auth()), serves, "{} as a server", request.kind());
    }
}

#[test]
fn webpki_accepts_a_server_by_every_way_to_reach_it() {
    let leaf = kit::authority(CaKind::Client).issue(&kit::server(), NOW).unwrap().certificate;
    for name in [
        "etcd-1",
        "etcd.example.net",
        "localhost",
        "127.0.0.1",
        "::1",
        "10.20.0.11",
        "fd00::11",
        "10.20.0.100",
    ] {
        assert!(webpki_accepts_name(&leaf, name), "{name}");
    }
    for name in ["etcd-2", "10.20.0.12", "fd00::12", "example.net"] {
        assert!(!webpki_accepts_name(&leaf, name), "{name}");
    }
}

#[test]
fn an_api_servers_certificate_does_not_open_the_peer_port() {
    let (peers, clients) = (kit::authority(CaKind::Peer), kit::authority(CaKind::Client));
    let leaf = clients.issue(&kit::client(), NOW).unwrap().certificate;
    assert!(webpki_accepts(&leaf, clients.certificate(), KeyUsage::client_auth()));
    assert!(!webpki_accepts(&leaf, peers.certificate(), KeyUsage::client_auth()));
}

#[test]
fn every_certificate_passes_our_own_lint() {
    for (request, leaf, authority) in every_leaf() {
        assert_eq!(lint::leaf(leaf.certificate.facts(), &request), []);
        assert_eq!(leaf.life, LeafLife::Full);
        let facts = authority.certificate().facts();
        assert_eq!(lint::authority(facts, facts.common_name.as_deref().unwrap()), []);
    }
}

#[test]
fn openssl_accepts_each_kind_on_its_sides_only() {
    for (request, leaf, authority) in every_leaf() {
        let serves = matches!(request.kind(), LeafKind::Server | LeafKind::Peer);
        let verify = |purpose| openssl_verify(&leaf.certificate, authority.certificate(), purpose);
        assert_eq!(verify("sslclient"), Ok(()), "{} as a client", request.kind());
        assert_eq!(verify("sslserver").is_ok(), serves, "{} as a server", request.kind());
    }
}

#[test]
fn openssl_finds_the_certificates_own_key() {
    for (request, leaf, _) in every_leaf() {
        let from_key = openssl(&["pkey", "-pubout"], leaf.key.expose()).unwrap();
        let from_certificate =
            openssl(&["x509", "-noout", "-pubkey"], leaf.certificate.pem().as_bytes()).unwrap();
        assert_eq!(from_key, from_certificate, "{}", request.kind());
    }
}

#[test]
fn openssl_reads_the_names_that_were_asked_for() {
    let leaf = kit::authority(CaKind::Client).issue(&kit::server(), NOW).unwrap().certificate;
    let arguments = [
        "x509",
        "-noout",
        "-subject",
        "-nameopt",
        "RFC2253",
        "-ext",
        "subjectAltName,basicConstraints,keyUsage",
    ];
    assert_eq!(
        openssl(&arguments, leaf.pem().as_bytes()).unwrap(),
        "subject=CN=etcd-1\n\
         X509v3 Subject Alternative Name: \n    \
         DNS:etcd-1, DNS:etcd.example.net, DNS:localhost, IP Address:10.20.0.11, \
         IP Address:10.20.0.100, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, \
         IP Address:FD00:0:0:0:0:0:0:11\n\
         X509v3 Key Usage: critical\n    Digital Signature\n\
         X509v3 Basic Constraints: critical\n    CA:FALSE\n"
    );
}

fn openssl_verify(
    leaf: &Certificate,
    authority: &Certificate,
    purpose: &str,
) -> Result<(), String> {
    let anchor = scratch(authority);
    let moment = NOW.unix_timestamp().to_string();
    let arguments = [
        ["verify", "-x509_strict", "-no-CApath", "-no-CAstore"].as_slice(),
        &["-attime", &moment, "-purpose", purpose, "-CAfile", anchor.to_str().unwrap()],
    ]
    .concat();
    openssl(&arguments, leaf.pem().as_bytes()).map(|_| ())
}

/// Writes a CA certificate where openssl can read it; there is no way to hand over two by stdin.
fn scratch(certificate: &Certificate) -> PathBuf {
    let name = format!("{}.crt", certificate.facts().fingerprint);
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, certificate.pem()).unwrap();
    path
}

/// Runs openssl on some input and gives its output, or what it complains about.
fn openssl(arguments: &[&str], input: &[u8]) -> Result<String, String> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is needed to check certificates; `./dev` installs it");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

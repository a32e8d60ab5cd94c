//! Certificates of hosts, shown by a real sshd; ssh is the reference.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::refusal;
use crate::test_server::{Sshd, keygen, public_half, run, user};
use crate::{CertificateFlaw, HostKeyError, Instead, RemoteError, Stage, Target, connect};

const CERTIFIED: &str = "HostKey {dir}/host_ed25519\nHostKey {dir}/host_ecdsa\nHostCertificate {dir}/host_ed25519-cert.pub";

/// A server with an authority that signs its ed25519 key with these arguments.
fn certified(args: &[&str]) -> Sshd {
    let sshd = Sshd::with(CERTIFIED);
    keygen(&sshd.path("authority"), "ed25519", "");
    keygen(&sshd.path("stranger"), "ed25519", "");
    sign(&sshd, "authority", args);
    sshd
}

/// sshd reads its certificate when a connection begins.
fn sign(sshd: &Sshd, authority: &str, args: &[&str]) {
    let sign = Command::new("ssh-keygen")
        .args(["-q", "-I", "id", "-s"])
        .arg(sshd.path(authority))
        .args(args)
        .arg(sshd.path("host_ed25519.pub"))
        .status();
    assert!(sign.unwrap().success());
}

const GOOD: [&str; 3] = ["-h", "-n", "127.0.0.1"];

/// The lines of known_hosts: a marker or none, and the name of a key file.
fn known(sshd: &Sshd, lines: &[(&str, &str)]) -> Target {
    let target = sshd.target();
    let lines: Vec<String> = lines
        .iter()
        .map(|(marker, key)| {
            format!("{marker} [127.0.0.1]:{} {}", sshd.port, public_half(&sshd.path(key)))
        })
        .collect();
    sshd.know(&lines.join("\n"));
    target
}

/// Whether ssh logs in with the same known_hosts.
fn ssh_logs_in(sshd: &Sshd) -> bool {
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "GlobalKnownHostsFile=none"])
        .args(["-o", "StrictHostKeyChecking=yes", "-o", "IdentityAgent=none", "-p"])
        .arg(sshd.port.to_string())
        .arg("-o")
        .arg(format!("UserKnownHostsFile={}", sshd.path("known_hosts").display()))
        .arg("-i")
        .arg(sshd.path("user"))
        .arg(format!("{}@127.0.0.1", user()))
        .arg("true")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    ssh.status().unwrap().success()
}

fn assert_nothing_was_sent(sshd: &Sshd) {
    let log = sshd.log();
    assert!(!log.contains("Accepted") && !log.contains("Postponed"), "{log}");
}

/// The server is not at port 22, and most people write no port.
#[tokio::test]
async fn an_authority_without_a_port_counts_for_every_port() {
    let sshd = certified(&GOOD);
    let target = sshd.target();
    let (authority, stranger) =
        (public_half(&sshd.path("authority")), public_half(&sshd.path("stranger")));
    let ecdsa = sshd.host_key("ecdsa");
    for (lines, is_trusted) in [
        (format!("@cert-authority 127.0.0.1 {authority}"), true),
        (format!("@cert-authority 127.0.0.* {authority}"), true),
        (format!("@cert-authority 127.0.0.1?,!127.0.0.1 {authority}"), false),
        (format!("@cert-authority * {stranger}"), false),
        (format!("@cert-authority * {authority}\n@revoked * {authority}"), false),
        // The key for the very port decides what is asked for.
        (format!("[127.0.0.1]:{} {ecdsa}\n@cert-authority 127.0.0.1 {stranger}", sshd.port), true),
    ] {
        sshd.know(&lines);
        assert_eq!(connect(target.clone()).await.is_ok(), is_trusted, "{lines}");
        assert_eq!(ssh_logs_in(&sshd), is_trusted, "{lines}");
    }
}

#[tokio::test]
async fn a_host_with_a_certificate_of_a_known_authority_is_trusted() {
    let sshd = certified(&GOOD);
    let target = known(&sshd, &[("@cert-authority", "authority")]);
    let connection = connect(target.clone()).await.unwrap();
    run(&connection, "true").await.unwrap();
    assert!(ssh_logs_in(&sshd));
    // Under the alias that is set, and no other name.
    let line = format!("@cert-authority web {}", public_half(&sshd.path("authority")));
    sshd.know(&line);
    sign(&sshd, "authority", &["-h", "-n", "web"]);
    connect(Target { host_key_alias: Some("web".to_owned()), ..target }).await.unwrap();
}

#[tokio::test]
async fn certificates_of_every_kind_of_key_are_negotiated() {
    for kind in ["rsa", "ecdsa"] {
        let sshd = Sshd::with(&format!(
            "HostKey {{dir}}/host_{kind}\nHostCertificate {{dir}}/host_{kind}-cert.pub"
        ));
        keygen(&sshd.path("authority"), "rsa", "");
        let public = sshd.path(&format!("host_{kind}.pub"));
        let sign = Command::new("ssh-keygen")
            .args(["-q", "-I", "id", "-s"])
            .arg(sshd.path("authority"))
            .args(GOOD)
            .arg(public)
            .status();
        assert!(sign.unwrap().success());
        connect(known(&sshd, &[("@cert-authority", "authority")]))
            .await
            .unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
}

#[tokio::test]
async fn a_certificate_that_ssh_refuses_is_refused_before_anything_is_sent() {
    for (args, ssh_agrees) in [
        (&["-h", "-n", "127.0.0.2"][..], true),
        (&["-h", "-n", "127.0.0.*"], true),
        (&["-h", "-n", "127.0.0.1", "-V", "20200101:20200102"], true),
        (&["-h", "-n", "127.0.0.1", "-V", "+1d:+2d"], true),
        // OpenSSH before 10.3 takes a certificate without names for every host's.
        (&["-h"], false),
    ] {
        let sshd = certified(args);
        let target = known(&sshd, &[("@cert-authority", "authority")]);
        let error = refusal(target).await;
        assert!(matches!(error, HostKeyError::Certificate { .. }), "{args:?}: {error}");
        assert!(error.to_string().contains("known_hosts:1"), "{error}");
        assert_nothing_was_sent(&sshd);
        assert!(!ssh_agrees || !ssh_logs_in(&sshd), "{args:?}");
        assert!(RemoteError::from(error).hint().is_some());
    }
}

#[tokio::test]
async fn a_revoked_key_or_authority_is_refused_whatever_is_certified() {
    let sshd = certified(&GOOD);
    for revoked in ["authority", "host_ed25519"] {
        let target = known(&sshd, &[("@cert-authority", "authority"), ("@revoked", revoked)]);
        let error = refusal(target).await;
        match (revoked, &error) {
            ("authority", HostKeyError::RevokedAuthority { .. }) => {}
            ("host_ed25519", HostKeyError::Revoked { .. }) => {}
            _ => panic!("{revoked}: {error}"),
        }
        assert!(error.to_string().contains("known_hosts:2"), "{error}");
        assert!(!ssh_logs_in(&sshd), "{revoked}");
        assert!(RemoteError::from(error).hint().is_some());
    }
    assert_nothing_was_sent(&sshd);
}

#[tokio::test]
async fn another_authoritys_certificate_says_nothing() {
    let sshd = certified(&GOOD);
    sign(&sshd, "stranger", &GOOD);
    let error = refusal(known(&sshd, &[("@cert-authority", "authority")])).await;
    let HostKeyError::Authority { instead: Instead::Other(_), .. } = &error else {
        panic!("{error}")
    };
    assert_nothing_was_sent(&sshd);
    assert!(!ssh_logs_in(&sshd));
    // The key in it is known on its own.
    let target = known(&sshd, &[("@cert-authority", "authority"), ("", "host_ed25519")]);
    connect(target).await.unwrap();
    assert!(ssh_logs_in(&sshd));
    // An authority is no key of a host's.
    let error = refusal(known(&sshd, &[("", "authority"), ("", "stranger")])).await;
    assert!(matches!(error, HostKeyError::Changed { .. }), "{error}");
}

#[tokio::test]
async fn a_host_without_a_certificate_is_not_its_authoritys() {
    let sshd = Sshd::start();
    keygen(&sshd.path("authority"), "ed25519", "");
    let error = refusal(known(&sshd, &[("@cert-authority", "authority")])).await;
    let HostKeyError::Authority { instead: Instead::Key, .. } = &error else { panic!("{error}") };
    assert!(error.to_string().ends_with("but shows no certificate"), "{error}");
    // The authority's own key as a host's key is none either.
    let error = refusal(known(&sshd, &[("@cert-authority", "host_ed25519")])).await;
    assert!(matches!(error, HostKeyError::Authority { .. }), "{error}");
    assert_nothing_was_sent(&sshd);
}

#[tokio::test]
async fn a_pin_decides_alone() {
    let sshd = certified(&["-h", "-n", "somebody"]);
    let mut target = known(&sshd, &[("@cert-authority", "authority")]);
    let key = sshd.host_key("ecdsa");
    let blob = STANDARD.decode(key.split(' ').nth(1).unwrap()).unwrap();
    let pin = crate::HostKey::new(blob).unwrap().fingerprint();
    target.host_keys.pins = vec![pin];
    connect(target).await.unwrap();
}

#[tokio::test]
async fn certificates_alone_are_no_offer_to_a_host_without_an_authority() {
    let sshd = certified(&GOOD);
    let mut target = known(&sshd, &[("", "host_ed25519")]);
    let line = "ssh-ed25519-cert-v01@openssh.com";
    target.algorithms.narrow(crate::algorithms::List::HostKeys, line).unwrap();
    let error = connect(target.clone()).await.unwrap_err();
    assert!(error.to_string().contains("no @cert-authority for this host"), "{error}");
    known(&sshd, &[("@cert-authority", "authority")]);
    connect(target).await.unwrap();
}

#[tokio::test]
async fn a_key_that_is_known_needs_no_certificate() {
    let sshd = certified(&["-h", "-n", "somebody"]);
    connect(known(&sshd, &[("@cert-authority", "authority"), ("", "host_ed25519")])).await.unwrap();
    assert!(ssh_logs_in(&sshd));
    let error = refusal(known(&sshd, &[("@cert-authority", "authority"), ("", "stranger")])).await;
    assert!(matches!(error, HostKeyError::Certificate { .. }), "{error}");
    assert!(!ssh_logs_in(&sshd));
}

/// A good certificate of another host, shown by somebody who lacks its key: the key exchange fails, which
/// libssh2 verifies with the key in the certificate.
#[tokio::test]
async fn a_certificate_without_its_key_is_worth_nothing() {
    let (thief, victim) = (certified(&GOOD), certified(&GOOD));
    let shown = certificate(&thief);
    for (owner, succeeds) in [(&thief, true), (&victim, false)] {
        let port = behind_a_relay(&thief, shown.clone(), certificate(owner));
        let target = Target { port, ..thief.target() };
        let authority = public_half(&owner.path("authority"));
        thief.know(&format!("@cert-authority [127.0.0.1]:{port} {authority}"));
        match connect(target).await {
            Ok(_) => assert!(succeeds),
            Err(error) => {
                assert!(!succeeds && error.stage() == Stage::KeyExchange, "{error}");
                assert_eq!(thief.log().matches("Accepted publickey").count(), 1);
            }
        }
    }
}

fn certificate(sshd: &Sshd) -> Vec<u8> {
    let text = std::fs::read_to_string(sshd.path("host_ed25519-cert.pub")).unwrap();
    STANDARD.decode(text.split(' ').nth(1).unwrap()).unwrap()
}

/// A port that leads to the server, and puts some bytes of what it says in the place of others.
fn behind_a_relay(sshd: &Sshd, these: Vec<u8>, by: Vec<u8>) -> u16 {
    assert_eq!(these.len(), by.len());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, server) = (listener.local_addr().unwrap().port(), sshd.port);
    std::thread::spawn(move || {
        let (near, _) = listener.accept().unwrap();
        let far = TcpStream::connect(("127.0.0.1", server)).unwrap();
        let (mut up, mut to) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut up, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
        swap(far, near, &these, &by);
    });
    port
}

fn swap(mut from: TcpStream, mut to: TcpStream, these: &[u8], by: &[u8]) {
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        kept.extend_from_slice(&buffer[..count]);
        let find = |bytes: &[u8]| kept.windows(bytes.len()).position(|window| window == bytes);
        match find(these) {
            Some(at) => kept[at..at + by.len()].copy_from_slice(by),
            // Its name and its nonce are there, and the rest is on its way.
            None if find(&these[..60]).is_some() => continue,
            None => {}
        }
        if to.write_all(&kept).is_err() {
            break;
        }
        kept.clear();
    }
    let _ = to.shutdown(Shutdown::Both);
}

#[tokio::test]
async fn the_flaw_is_named() {
    let sshd = certified(&["-h", "-n", "etcd-9,etcd-8"]);
    let error = refusal(known(&sshd, &[("@cert-authority", "authority")])).await;
    let HostKeyError::Certificate { why, .. } = &error else { panic!("{error}") };
    assert!(matches!(why, CertificateFlaw::Name { .. }));
    let words = "is not accepted: it is for etcd-9, etcd-8, not for 127.0.0.1";
    assert!(error.to_string().ends_with(words), "{error}");
}

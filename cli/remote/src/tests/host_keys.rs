//! Which hosts are trusted, and that the others learn nothing.

use std::process::Command;

use super::refusal;
use crate::test_server::{Sshd, keygen, public_half};
use crate::{
    Fingerprint, HostKeyError, HostKeyPolicy, RemoteError, Target, connect, scan_host_keys,
};

/// No login was tried: sshd logs each one.
fn assert_nothing_was_sent(sshd: &Sshd) {
    let log = sshd.log();
    assert!(
        !log.contains("Accepted") && !log.contains("Failed") && !log.contains("Postponed"),
        "{log}"
    );
}

fn fingerprint(sshd: &Sshd, kind: &str) -> Fingerprint {
    let listed = Command::new("ssh-keygen")
        .arg("-lf")
        .arg(sshd.path(&format!("host_{kind}.pub")))
        .output()
        .unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    text.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_unknown_key_is_refused_with_the_lines_that_would_trust_it() {
    let sshd = Sshd::start();
    let target = sshd.target();
    std::fs::remove_file(sshd.path("known_hosts")).unwrap();
    let error = refusal(target.clone()).await;
    let pin = fingerprint(&sshd, "ed25519");
    assert_eq!(error.to_string(), format!("the host key {pin} (ssh-ed25519) is not known"));
    let hint = RemoteError::from(error).hint().unwrap();
    let line = format!("[127.0.0.1]:{} {}", sshd.port, sshd.host_key("ed25519"));
    assert!(hint.contains(&format!("ssh.host-key = \"{pin}\"")) && hint.contains(&line), "{hint}");
    assert_nothing_was_sent(&sshd);

    sshd.know(&line);
    connect(target.clone()).await.unwrap();
    std::fs::remove_file(sshd.path("known_hosts")).unwrap();
    connect(pinned(target, pin)).await.unwrap();
}

#[tokio::test]
async fn a_changed_key_stops_before_anything_is_sent() {
    let sshd = Sshd::start();
    let target = sshd.target();
    keygen(&sshd.path("old"), "ed25519", "");
    sshd.know(&format!("[127.0.0.1]:{} {}", sshd.port, public_half(&sshd.path("old"))));
    let error = refusal(target.clone()).await;
    let HostKeyError::Changed { known, offered, .. } = &error else { panic!("{error:?}") };
    assert_eq!(offered.fingerprint(), fingerprint(&sshd, "ed25519"));
    assert_ne!(known[0].0, offered.fingerprint());
    assert!(error.to_string().contains("known_hosts:1"), "{error}");

    let pin = known[0].0;
    assert!(matches!(refusal(pinned(target, pin)).await, HostKeyError::Changed { .. }));
    assert_nothing_was_sent(&sshd);
}

#[tokio::test]
async fn a_revoked_key_is_refused_even_if_listed_or_pinned() {
    let sshd = Sshd::start();
    let target = sshd.target();
    let (port, key) = (sshd.port, sshd.host_key("ed25519"));
    sshd.know(&format!("[127.0.0.1]:{port} {key}\n@revoked * {key}"));
    let error = refusal(target.clone()).await;
    assert!(
        matches!(&error, HostKeyError::Revoked { place, .. } if place.ends_with("known_hosts:2")),
        "{error}"
    );
    let pin = fingerprint(&sshd, "ed25519");
    assert!(matches!(refusal(pinned(target, pin)).await, HostKeyError::Revoked { .. }));
    assert_nothing_was_sent(&sshd);
}

#[tokio::test]
async fn the_host_is_asked_for_the_kind_of_key_that_is_known() {
    let sshd = Sshd::start();
    let target = sshd.target();
    for kind in ["rsa", "ecdsa", "ed25519"] {
        sshd.know(&format!("[127.0.0.1]:{} {}", sshd.port, sshd.host_key(kind)));
        connect(target.clone()).await.unwrap_or_else(|error| panic!("{kind}: {error}"));
        connect(pinned(target.clone(), fingerprint(&sshd, kind)))
            .await
            .unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
}

#[tokio::test]
async fn a_known_kind_that_the_host_no_longer_has_is_not_called_a_change() {
    let sshd = Sshd::with("HostKey {dir}/host_ed25519");
    let target = sshd.target();
    sshd.know(&format!("[127.0.0.1]:{} {}", sshd.port, sshd.host_key("rsa")));
    let error = refusal(target).await;
    assert!(matches!(error, HostKeyError::OtherKind { .. }), "{error:?}");
    assert!(error.to_string().contains("known by its ssh-rsa key"), "{error}");
}

#[tokio::test]
async fn a_host_certificate_does_not_hide_the_plain_key() {
    let sshd =
        Sshd::with("HostKey {dir}/host_ed25519\nHostCertificate {dir}/host_ed25519-cert.pub");
    drop(sshd.connect().await);
    keygen(&sshd.path("authority"), "ed25519", "");
    let sign = Command::new("ssh-keygen")
        .arg("-qs")
        .arg(sshd.path("authority"))
        .args(["-I", "h1", "-h", "-n", "127.0.0.1"])
        .arg(sshd.path("host_ed25519.pub"))
        .status()
        .unwrap();
    assert!(sign.success());
    // sshd reads its certificate each time it starts a connection's child.
    connect(sshd.target()).await.unwrap();
}

#[tokio::test]
async fn a_known_hosts_file_that_cannot_be_read_trusts_nobody() {
    let sshd = Sshd::start();
    let mut target = sshd.target();
    // A directory: not even root can read it as a file.
    target.host_keys.known_hosts.push(sshd.dir.path().to_owned());
    assert!(matches!(refusal(target).await, HostKeyError::Unreadable { .. }));
    assert_nothing_was_sent(&sshd);
}

#[tokio::test]
async fn a_scan_shows_every_key_and_logs_nobody_in() {
    let sshd = Sshd::start();
    let keys = scan_host_keys(sshd.target()).await.unwrap();
    let found: Vec<_> = keys.iter().map(|key| (key.kind.as_str(), key.fingerprint)).collect();
    let expected =
        [("ssh-ed25519", "ed25519"), ("ecdsa-sha2-nistp256", "ecdsa"), ("ssh-rsa", "rsa")];
    assert_eq!(found, expected.map(|(kind, name)| (kind, fingerprint(&sshd, name))));
    for key in keys {
        sshd.know(&key.known_hosts_line);
        connect(Target { identity_files: vec![sshd.path("user")], ..sshd.target() }).await.unwrap();
    }
}

#[tokio::test]
async fn a_scan_of_a_host_with_one_key_shows_one() {
    let sshd = Sshd::with("HostKey {dir}/host_rsa");
    let keys = scan_host_keys(sshd.target()).await.unwrap();
    assert_eq!(keys.len(), 1);
}

fn pinned(target: Target, pin: Fingerprint) -> Target {
    let host_keys = HostKeyPolicy { pins: vec![pin], ..target.host_keys };
    Target { host_keys, ..target }
}

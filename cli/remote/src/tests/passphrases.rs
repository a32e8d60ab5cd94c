//! Keys that have a passphrase.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use crate::passphrases::{NoPassphrase, Passphrase, Passphrases};
use crate::test_server::{Sshd, keygen, public_half};
use crate::{Outcome, RemoteError, Target, connect};

/// Somebody who gives these answers in turn, and how often he was asked.
fn answering(answers: &[&str]) -> (Arc<Passphrases>, Arc<AtomicU32>) {
    let left: Vec<String> = answers.iter().rev().map(|answer| (*answer).to_owned()).collect();
    let (left, asked) = (Mutex::new(left), Arc::new(AtomicU32::new(0)));
    let counted = Arc::clone(&asked);
    let ask = move |_: &str| {
        counted.fetch_add(1, Ordering::SeqCst);
        let answer = left.lock().unwrap().pop().ok_or(NoPassphrase::Declined)?;
        Ok(Passphrase::new(&answer))
    };
    (Arc::new(Passphrases::asking(ask)), asked)
}

fn target(sshd: &Sshd, key: PathBuf, passphrases: &Arc<Passphrases>) -> Target {
    Target { identity_files: vec![key], ..sshd.target() }.with_passphrases(passphrases)
}

#[tokio::test]
async fn keys_of_every_kind_and_format_open_the_host_with_their_passphrase() {
    let sshd = Sshd::start();
    for (kind, format) in [
        ("ed25519", "RFC4716"),
        ("ecdsa", "RFC4716"),
        ("rsa", "RFC4716"),
        ("ecdsa", "PEM"),
        ("rsa", "PEM"),
        ("rsa", "PKCS8"),
        ("ecdsa", "PKCS8"),
    ] {
        for public in [true, false] {
            let key = sshd.path(&format!("user_{kind}_{format}_{public}"));
            keygen(&key, kind, "secret");
            if format != "RFC4716" {
                let args = ["-q", "-p", "-m", format, "-P", "secret", "-N", "secret", "-f"];
                let done = Command::new("ssh-keygen").args(args).arg(&key).output().unwrap();
                assert!(done.status.success(), "{done:?}");
            }
            std::fs::write(sshd.path("authorized_keys"), public_half(&key)).unwrap();
            if !public {
                std::fs::remove_file(key.with_extension("pub")).unwrap();
            }
            let (passphrases, asked) = answering(&["wrong", "secret"]);
            for _ in 0..2 {
                let opened = connect(target(&sshd, key.clone(), &passphrases)).await;
                opened.unwrap_or_else(|error| panic!("{kind} {format}: {error}\n{}", sshd.log()));
            }
            assert_eq!(asked.load(Ordering::SeqCst), 2, "{kind} {format} {public}");
        }
    }
}

#[tokio::test]
async fn many_hosts_ask_for_a_passphrase_once() {
    let sshds: Vec<Sshd> = (0..3).map(|_| Sshd::start()).collect();
    let key = sshds[0].path("locked");
    keygen(&key, "ed25519", "secret");
    let (passphrases, asked) = answering(&["secret"]);
    let mut logins = tokio::task::JoinSet::new();
    for sshd in &sshds {
        std::fs::write(sshd.path("authorized_keys"), public_half(&key)).unwrap();
        logins.spawn(connect(target(sshd, key.clone(), &passphrases)));
    }
    while let Some(login) = logins.join_next().await {
        login.unwrap().unwrap();
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn nobody_is_asked_for_the_passphrase_of_a_key_that_the_host_does_not_take() {
    let sshd = Sshd::start();
    let locked = sshd.path("locked");
    keygen(&locked, "rsa", "secret");
    let (passphrases, asked) = answering(&["secret"]);
    let target = target(&sshd, locked.clone(), &passphrases);
    let both = Target { identity_files: vec![locked, sshd.path("user")], ..target };
    connect(both).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_passphrase_that_stays_wrong_is_said_and_the_next_key_is_tried() {
    let sshd = Sshd::start();
    let locked = sshd.path("locked");
    keygen(&locked, "ed25519", "secret");
    std::fs::write(sshd.path("authorized_keys"), public_half(&locked)).unwrap();
    let (passphrases, asked) = answering(&["a", "b", "c", "secret"]);
    let named = target(&sshd, locked.clone(), &passphrases);
    let Err(RemoteError::Authentication(error)) = connect(named.clone()).await else { panic!() };
    assert_eq!(error.attempts[0].outcome, Outcome::Locked(NoPassphrase::Wrong));
    assert_eq!(RemoteError::from(error).hint(), Some(format!("run: ssh-add {}", locked.display())));
    assert_eq!(asked.load(Ordering::SeqCst), 3);

    std::fs::write(sshd.path("authorized_keys"), public_half(&sshd.path("user"))).unwrap();
    connect(Target { identity_files: vec![locked, sshd.path("user")], ..named }).await.unwrap();
}

#[tokio::test]
async fn a_cipher_that_is_not_supported_is_named() {
    let sshd = Sshd::start();
    let locked = sshd.path("locked");
    let args = ["-q", "-t", "ed25519", "-Z", "chacha20-poly1305@openssh.com", "-N", "x", "-f"];
    assert!(Command::new("ssh-keygen").args(args).arg(&locked).status().unwrap().success());
    let (passphrases, asked) = answering(&["x"]);
    let Err(RemoteError::Authentication(error)) =
        connect(target(&sshd, locked, &passphrases)).await
    else {
        panic!()
    };
    assert!(error.to_string().contains("encrypted with chacha20-poly1305@openssh.com"), "{error}");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

//! What is offered to a host, as its sshd tells.

use std::process::Command;

use crate::algorithms::List;
use crate::test_server::{Sshd, wait_for};
use crate::{HostKeyError, RemoteError, Stage, connect};

/// What sshd says that it was offered, after it found nothing that it takes.
fn offered(sshd: &Sshd) -> Vec<String> {
    wait_for(|| sshd.log().contains("Their offer: "));
    let log = sshd.log();
    let offer = log.rsplit_once("Their offer: ").unwrap_or_else(|| panic!("{log}")).1;
    let offer = offer.split_whitespace().next().unwrap();
    // Not algorithms but signs of what the client can do.
    let is_sign = |name: &&str| ["ext-info-c", "kex-strict-c-v00@openssh.com"].contains(name);
    offer.split(',').filter(|name| !is_sign(name)).map(str::to_owned).collect()
}

/// What ssh offers where nobody says otherwise.
fn defaults_of_ssh(list: List) -> Vec<String> {
    let output = Command::new("ssh").args(["-G", "-F", "none", "host"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let keyword = format!("{} ", list.keyword().to_ascii_lowercase());
    let found = text.lines().find_map(|line| line.strip_prefix(&keyword)).unwrap();
    found.split(',').map(str::to_owned).collect()
}

#[tokio::test]
async fn a_host_is_offered_nothing_that_ssh_would_not_offer() {
    for (list, weak, rest) in [
        (List::Kex, "diffie-hellman-group14-sha1", ""),
        (List::Ciphers, "aes256-cbc", ""),
        (List::Macs, "hmac-md5", "Ciphers aes128-ctr"),
    ] {
        let keyword = list.keyword();
        let sshd = Sshd::with(&format!("{keyword} {weak}\n{rest}"));
        let error = connect(sshd.target()).await.unwrap_err();
        assert_eq!(error.stage(), Stage::KeyExchange, "{keyword}: {error}");
        let (offer, usual) = (offered(&sshd), defaults_of_ssh(list));
        let is_usual = |name: &String| usual.contains(name) || name == "mlkem768x25519-sha256";
        assert!(!offer.is_empty() && offer.iter().all(is_usual), "{keyword}: {offer:?}");

        let mut asked = sshd.target();
        if asked.algorithms.narrow(list, &format!("+{weak}")).is_ok()
            && asked.algorithms.of(list).iter().any(|name| name == weak)
        {
            connect(asked).await.unwrap_or_else(|error| panic!("{keyword}: {error}"));
        }
    }
}

#[tokio::test]
async fn a_host_is_offered_what_the_configuration_leaves() {
    for (list, theirs, ours) in [
        (List::Kex, "ecdh-sha2-nistp256", "curve25519-sha256"),
        (List::Ciphers, "aes128-ctr", "aes256-ctr"),
        (List::Macs, "hmac-sha2-256\nCiphers aes128-ctr", "hmac-sha2-512"),
        (List::HostKeys, "rsa-sha2-256", "ssh-ed25519"),
    ] {
        let keyword = list.keyword();
        let sshd = Sshd::with(&format!("{keyword} {theirs}"));
        let mut target = sshd.target();
        target.algorithms.narrow(list, ours).unwrap();
        let error = connect(target).await.unwrap_err();
        assert_eq!(error.stage(), Stage::KeyExchange, "{keyword}: {error}");
        assert_eq!(offered(&sshd), [ours], "{keyword}");
    }
}

#[tokio::test]
async fn keys_that_the_configuration_leaves_out_are_not_used() {
    let sshd = Sshd::start();
    let mut target = sshd.target();
    target.algorithms.narrow(List::UserKeys, "ecdsa-sha2-nistp256,rsa-sha2-512").unwrap();
    let error = connect(target).await.unwrap_err();
    assert!(error.to_string().contains("PubkeyAcceptedAlgorithms leaves out"), "{error}");
    assert!(!sshd.log().contains("Failed publickey"), "{}", sshd.log());

    let known = format!("[127.0.0.1]:{} {}", sshd.port, sshd.host_key("rsa"));
    let mut target = sshd.target();
    sshd.know(&known);
    target.algorithms.narrow(List::HostKeys, "rsa-sha2-*").unwrap();
    connect(target.clone()).await.unwrap();
    target.algorithms.rsa_bits = 2049;
    let short = connect(target).await.unwrap_err();
    assert!(
        matches!(short, RemoteError::HostKey(HostKeyError::Short { bits: 2048, .. })),
        "{short:?}"
    );
}

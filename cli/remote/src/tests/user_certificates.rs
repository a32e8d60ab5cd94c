//! Certificates of users' keys, against an sshd that trusts their authority and no key.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::passphrases::{Passphrase, Passphrases};
use crate::test_server::{Agent, Sshd, keygen, user};
use crate::{AgentChoice, AuthenticationError, RemoteError, Target, connect};

/// A host that trusts an authority, which signed this key for its login user.
fn host(kind: &str, passphrase: &str, valid: &str) -> (Sshd, PathBuf) {
    let sshd = Sshd::with("TrustedUserCAKeys {dir}/authority.pub");
    std::fs::write(sshd.path("authorized_keys"), "").unwrap();
    keygen(&sshd.path("authority"), "ed25519", "");
    let key = sshd.path("certified");
    keygen(&key, kind, passphrase);
    sign(&sshd, &key, valid);
    (sshd, key)
}

fn sign(sshd: &Sshd, key: &Path, valid: &str) {
    let authority = sshd.path("authority");
    let mut sign = Command::new("ssh-keygen");
    sign.args(["-q", "-I", "test", "-V", valid, "-n", &user(), "-s"]).arg(authority);
    assert!(sign.arg(key.with_extension("pub")).status().unwrap().success());
}

async fn refusal(target: Target) -> AuthenticationError {
    match connect(target).await {
        Err(RemoteError::Authentication(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_certificate_beside_a_key_of_any_kind_opens_the_host() {
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let (sshd, key) = host(kind, "", "always:forever");
        let target = Target { identity_files: vec![key], ..sshd.target() };
        connect(target).await.unwrap_or_else(|error| panic!("{kind}: {error}\n{}", sshd.log()));
        assert!(sshd.log().contains("CERT"), "{}", sshd.log());
    }
}

#[tokio::test]
async fn a_certificate_of_a_key_with_a_passphrase_opens_the_host() {
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let (sshd, key) = host(kind, "secret", "always:forever");
        let passphrases = Arc::new(Passphrases::asking(|_| Ok(Passphrase::new("secret"))));
        let target = Target { identity_files: vec![key], ..sshd.target() };
        let opened = connect(target.with_passphrases(&passphrases)).await;
        opened.unwrap_or_else(|error| panic!("{kind}: {error}\n{}", sshd.log()));
    }
}

#[tokio::test]
async fn a_certificate_that_is_named_elsewhere_finds_its_key() {
    let (sshd, key) = host("ed25519", "", "always:forever");
    let elsewhere = sshd.path("elsewhere");
    std::fs::rename(sshd.path("certified-cert.pub"), &elsewhere).unwrap();
    let plain = Target { identity_files: vec![sshd.path("user"), key], ..sshd.target() };
    refusal(plain.clone()).await;
    connect(Target { certificate_files: vec![elsewhere], ..plain }).await.unwrap();
}

#[tokio::test]
async fn an_agent_that_holds_a_certificate_opens_the_host() {
    let (sshd, key) = host("ecdsa", "", "always:forever");
    let agent = Agent::start(sshd.dir.path());
    agent.add(&key);
    let held = Target {
        identity_files: Vec::new(),
        agent: AgentChoice::Socket(agent.socket.clone()),
        ..sshd.target()
    };
    connect(held.clone()).await.unwrap();

    // Named, with the agent alone able to sign.
    std::fs::remove_file(&key).unwrap();
    let public = key.with_extension("pub");
    let certificate = vec![sshd.path("certified-cert.pub")];
    let named = Target {
        identity_files: vec![public],
        certificate_files: certificate,
        identities_only: true,
        ..held
    };
    connect(named).await.unwrap();
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_says_why() {
    let (sshd, key) = host("ed25519", "", "20200101:20200102");
    let named = Target { identity_files: vec![key.clone()], ..sshd.target() };
    let error = refusal(named.clone()).await;
    let text = error.to_string();
    assert!(
        text.contains("certified-cert.pub: refused; the certificate expired at 2020-01-0"),
        "{text}"
    );
    assert!(RemoteError::from(error).hint().unwrap().contains("new certificate"));

    let lonely = Target {
        identity_files: vec![sshd.path("user")],
        certificate_files: vec![
            sshd.path("certified-cert.pub"),
            sshd.path("none"),
            sshd.path("user.pub"),
        ],
        ..named.clone()
    };
    let text = refusal(lonely).await.to_string();
    assert!(text.contains("certified-cert.pub: is for none of the identity files"), "{text}");
    assert!(text.contains("none: No such file"), "{text}");
    assert!(text.contains("user.pub: is not a certificate of a user's key"), "{text}");

    // ssh-add takes the certificate along where it lies beside the key.
    let agent = Agent::start(sshd.dir.path());
    let certificate = sshd.path("moved");
    std::fs::rename(sshd.path("certified-cert.pub"), &certificate).unwrap();
    agent.add(&key);
    let half = Target {
        identity_files: Vec::new(),
        certificate_files: vec![certificate],
        agent: AgentChoice::Socket(agent.socket.clone()),
        ..named
    };
    let text = refusal(half).await.to_string();
    assert!(text.contains("add it again with the certificate beside it"), "{text}");
}

#[tokio::test]
async fn a_certificate_of_an_rsa_key_in_the_agent_is_said_to_be_unsupported() {
    let (sshd, key) = host("rsa", "", "always:forever");
    let agent = Agent::start(sshd.dir.path());
    agent.add(&key);
    let choice = AgentChoice::Socket(agent.socket.clone());
    let held = Target { identity_files: Vec::new(), agent: choice, ..sshd.target() };
    let text = refusal(held.clone()).await.to_string();
    assert!(
        text.contains("a certificate of an RSA key in the agent, which is not supported"),
        "{text}"
    );
    // With the key's file it is of use.
    connect(Target { identity_files: vec![key], ..held }).await.unwrap();
}

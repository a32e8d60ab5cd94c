//! Who we say we are, and how a refusal is told.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::reach::FullListener;
use super::sshd::{Agent, Sshd, keygen, public_half, run};
use crate::engine::remote::{
    AgentChoice, AuthenticationEnd, AuthenticationError, Outcome, RemoteError, Stage, Target,
    connect,
};

async fn refusal(target: Target) -> AuthenticationError {
    match connect(target).await {
        Err(RemoteError::Authentication(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn keys_of_every_kind_open_the_host() {
    let sshd = Sshd::start();
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let key = sshd.path(&format!("user_{kind}"));
        keygen(&key, kind, "");
        std::fs::write(sshd.path("authorized_keys"), public_half(&key)).unwrap();
        let target = Target { identity_files: vec![key], ..sshd.target() };
        connect(target).await.unwrap_or_else(|error| panic!("{kind}: {error}\n{}", sshd.log()));
    }
}

#[tokio::test]
async fn an_agent_opens_the_host_without_a_key_file() {
    let sshd = Sshd::start();
    let agent = Agent::start(sshd.dir.path());
    for other in ["a", "b"] {
        keygen(&sshd.path(other), "ed25519", "");
        agent.add(&sshd.path(other));
    }
    agent.add(&sshd.path("user"));
    let target = Target {
        identity_files: Vec::new(),
        agent: AgentChoice::Socket(agent.socket.clone()),
        ..sshd.target()
    };
    let connection = connect(target).await.unwrap();
    assert!(run(&connection, "true").await.is_ok());
}

#[tokio::test]
async fn a_named_key_is_asked_of_the_agent_before_its_other_keys() {
    let sshd = Sshd::with("MaxAuthTries 2");
    let agent = Agent::start(sshd.dir.path());
    for other in ["a", "b", "c", "d"] {
        keygen(&sshd.path(other), "ed25519", "");
        agent.add(&sshd.path(other));
    }
    agent.add(&sshd.path("user"));
    // Only the public half is left on disk.
    std::fs::remove_file(sshd.path("user")).unwrap();
    let agent_choice = AgentChoice::Socket(agent.socket.clone());
    let named = Target {
        identity_files: vec![sshd.path("user.pub")],
        agent: agent_choice.clone(),
        ..sshd.target()
    };
    connect(named).await.unwrap();

    let unnamed = Target { identity_files: Vec::new(), agent: agent_choice, ..sshd.target() };
    let error = refusal(unnamed).await;
    assert!(matches!(error.end, AuthenticationEnd::HungUp { .. }), "{error:?}");
    assert!(error.attempts.len() < 5, "{error}");
    assert!(RemoteError::from(error).hint().unwrap().contains("MaxAuthTries"));
}

#[tokio::test]
async fn a_passphrase_that_nobody_can_be_asked_for_names_what_to_do() {
    let sshd = Sshd::start();
    let locked = sshd.path("locked");
    keygen(&locked, "ed25519", "secret");
    let error = refusal(Target { identity_files: vec![locked.clone()], ..sshd.target() }).await;
    // The host does not take it, so that the passphrase would be of no use.
    assert_eq!(error.attempts[0].outcome, Outcome::Refused);

    std::fs::write(sshd.path("authorized_keys"), public_half(&locked)).unwrap();
    let error = refusal(Target { identity_files: vec![locked.clone()], ..sshd.target() }).await;
    let text = error.to_string();
    assert!(text.contains("has a passphrase, and there is no terminal to ask for it"), "{text}");
    let hint = RemoteError::from(error).hint().unwrap();
    let add = format!("ssh-add {}", locked.display());
    assert!(hint.contains(&add) && hint.contains("SSH_ASKPASS_REQUIRE=force"), "{hint}");
}

#[tokio::test]
async fn a_refusal_names_every_key_and_what_the_host_would_take() {
    let sshd = Sshd::start();
    keygen(&sshd.path("other"), "ed25519", "");
    let target = Target {
        identity_files: vec![sshd.path("missing"), sshd.path("sshd_config"), sshd.path("other")],
        agent: AgentChoice::Socket(sshd.path("no-agent")),
        ..sshd.target()
    };
    let error = refusal(target).await;
    let text = error.to_string();
    for part in [
        "no-agent",
        "missing: No such file",
        "sshd_config: is not a private key",
        "other: refused",
        "accepts publickey",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn no_key_at_all_is_said() {
    let sshd = Sshd::start();
    let error = refusal(Target { identity_files: Vec::new(), ..sshd.target() }).await;
    assert!(error.to_string().contains("no key to offer"), "{error}");
}

#[tokio::test]
async fn each_stage_before_the_login_is_told_apart() {
    let sshd = Sshd::start();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let rude = TcpListener::bind("127.0.0.1:0").unwrap();
    let rude_port = rude.local_addr().unwrap().port();
    std::thread::spawn(move || drop(rude.accept()));
    let old = Sshd::with("KexAlgorithms sntrup761x25519-sha512@openssh.com");
    let full = FullListener::new();

    let quick = Target { connect_timeout: Duration::from_millis(500), ..sshd.target() };
    for (target, stage) in [
        (Target { host: "no.such.host.invalid".to_owned(), ..quick.clone() }, Stage::Resolve),
        (Target { port: closed, ..quick.clone() }, Stage::Connect),
        (Target { port: full.port, ..quick.clone() }, Stage::Connect),
        (Target { port: rude_port, ..quick.clone() }, Stage::Banner),
        (Target { port: old.port, ..quick.clone() }, Stage::KeyExchange),
    ] {
        let started = Instant::now();
        let error = connect(target).await.unwrap_err();
        assert_eq!(error.stage(), stage, "{error}");
        assert!(error.hint().is_some());
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

//! How a login authenticates, and how a refusal is reported.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::test_server::FullListener;
use crate::test_server::{Agent, Sshd, keygen, public_half, run};
use crate::{
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

/// A private key whose secret is in a security token, as `ssh-keygen -t ed25519-sk` writes it: the agent takes it
/// without the token.
fn token_key(path: &Path) {
    let field = |bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [&length, bytes].concat()
    };
    let public = [field(b"sk-ssh-ed25519@openssh.com"), field(&[7; 32]), field(b"ssh:")].concat();
    let secret = [vec![1], field(b"handle"), field(b""), field(b"token")].concat();
    let mut private = [&[0; 8], public.as_slice(), &secret].concat();
    private.extend((1..).take(private.len().next_multiple_of(8) - private.len()));
    let head =
        [b"openssh-key-v1\0".as_slice(), &field(b"none"), &field(b"none"), &field(b"")].concat();
    let all = [&head, [0, 0, 0, 1].as_slice(), &field(&public), &field(&private)].concat();
    let text = format!(
        "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n",
        STANDARD.encode(all)
    );
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let line = format!("sk-ssh-ed25519@openssh.com {} token\n", STANDARD.encode(public));
    std::fs::write(path.with_extension("pub"), line).unwrap();
}

/// libssh2 can't sign with it, and each try would ask for a touch.
#[tokio::test]
async fn a_key_in_a_security_token_is_passed_over_and_named() {
    let sshd = Sshd::start();
    let agent = Agent::start(sshd.dir.path());
    token_key(&sshd.path("token"));
    agent.add(&sshd.path("token"));
    let mut keys = std::fs::read_to_string(sshd.path("authorized_keys")).unwrap();
    keys.push_str(&std::fs::read_to_string(sshd.path("token.pub")).unwrap());
    std::fs::write(sshd.path("authorized_keys"), keys).unwrap();
    let with = |files: &[&str]| Target {
        identity_files: files.iter().map(|name| sshd.path(name)).collect(),
        agent: AgentChoice::Socket(agent.socket.clone()),
        ..sshd.target()
    };
    for files in [&[][..], &["token"], &["token.pub"]] {
        let error = refusal(with(files)).await;
        let text = error.to_string();
        assert!(
            text.contains("is a FIDO key, which libssh2 can't use, so it was not tried"),
            "{text}"
        );
        assert!(error.attempts.iter().all(|attempt| attempt.outcome == Outcome::InToken), "{text}");
        let hint = RemoteError::from(error).hint().unwrap();
        assert!(
            hint.contains("ssh-keygen -t ed25519") && hint.contains("ssh.identity-file"),
            "{hint}"
        );
    }
    assert!(!sshd.log().contains("ED25519-SK"), "{}", sshd.log());
    agent.add(&sshd.path("user"));
    connect(with(&["token"])).await.unwrap();
    connect(with(&["token", "user"])).await.unwrap();
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
    std::thread::spawn(move || rude.incoming().for_each(drop));
    let old = Sshd::with("KexAlgorithms sntrup761x25519-sha512@openssh.com");
    let full = FullListener::new();

    let quick = Target {
        connect_timeout: Duration::from_millis(500),
        hang_up_patience: Duration::from_secs(1),
        ..sshd.target()
    };
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

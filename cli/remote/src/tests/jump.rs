//! Hosts that are reached through others.

use std::net::TcpListener;

use crate::test_server::{Sshd, call, keygen, public_half};
use crate::{Call, Payload, Reach, RemoteError, Stage, Target, connect, scan_host_keys};

fn through(hop: Target, target: Target) -> Target {
    Target { jump: Some(Box::new(hop)), ..target }
}

#[tokio::test]
async fn two_hops_lead_to_a_host_and_carry_much_in_both_directions() {
    let (first, second, host) = (Sshd::start(), Sshd::start(), Sshd::start());
    let way = through(through(first.target(), second.target()), host.target());
    let connection = connect(way).await.unwrap_or_else(|error| panic!("{error}"));
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8 + 1).collect();
    let payload = Payload::new().with(bytes.clone());
    let echo = Call { payload, max_reply: 4_000_000, ..call(r#"recv "$blob1""#) };
    let reply = connection.run(echo).await.unwrap();
    assert_eq!((reply.status, reply.stdout.len(), reply.stderr.as_str()), (0, bytes.len(), ""));
    assert!(reply.stdout == bytes);
    for server in [&first, &second, &host] {
        assert!(server.log().contains("Accepted publickey"));
    }
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let probed = connection.probe(open.local_addr().unwrap(), std::time::Duration::from_secs(5));
    assert_eq!(probed.await.map(|probed| probed.reach), Ok(Reach::Connected));
}

#[tokio::test]
async fn a_refusal_names_the_hop_and_its_stage() {
    let (first, second, host) = (Sshd::start(), Sshd::start(), Sshd::start());
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    keygen(&first.path("other"), "ed25519", "");
    let stranger = Target { identity_files: vec![first.path("other")], ..second.target() };
    let mut unknown = second.target();
    unknown.host_keys.known_hosts.clear();
    let nameless = Target { host: "no.such.host.invalid".to_owned(), ..first.target() };
    let hop = |target: Target| through(through(first.target(), target), host.target());
    for (way, stage, words) in [
        (hop(stranger), Stage::Authentication, "jump host"),
        (hop(unknown), Stage::HostKey, "is not known"),
        (
            hop(Target { port: closed, ..second.target() }),
            Stage::Connect,
            "cannot connect to 127.0.0.1",
        ),
        (through(nameless, host.target()), Stage::Resolve, "jump host"),
    ] {
        let error = connect(way).await.unwrap_err();
        assert_eq!(error.stage(), stage, "{error}");
        assert!(error.to_string().contains(words) && error.hint().is_some(), "{error}");
        assert!(matches!(error, RemoteError::Hop { .. } | RemoteError::Forward { .. }));
    }
    assert!(!host.log().contains("Accepted"));
}

#[tokio::test]
async fn advice_about_a_jump_host_names_the_jump_host_alone() {
    let (gate, host) = (Sshd::start(), Sshd::start());
    keygen(&gate.path("old"), "ed25519", "");
    let known = gate.target();
    let place = format!("[127.0.0.1]:{}", gate.port);
    let line = format!("{place} {}", gate.host_key("ed25519"));
    let old = public_half(&gate.path("old"));
    let stranger = Target { identity_files: vec![gate.path("old")], ..known.clone() };
    let add = "add this line to ~/.ssh/known_hosts:";
    for (way, text, words) in [
        (&known, String::new(), vec![add, &line]),
        (&known, format!("{place} {old}"), vec![add, &line, "ssh-keygen -R"]),
        (&known, format!("@cert-authority {line}"), vec![add, &line]),
        (&known, format!("{line}\n@revoked * {}", gate.host_key("ed25519")), vec!["new host key"]),
        (&stranger, line.clone(), vec!["IdentityFile", "~/.ssh/config"]),
    ] {
        gate.know(&text);
        // What is known of the host at the end is in a file of its own.
        let error = connect(through(way.clone(), host.target())).await.unwrap_err();
        let hint = error.hint().unwrap();
        assert!(error.to_string().starts_with("jump host "), "{error}");
        assert!(words.iter().all(|word| hint.contains(word)), "{hint}");
        assert!(hint.contains("the jump host"), "{hint}");
        for of_the_inventory in ["inventory", "ssh.", "quorate trust"] {
            let advice = hint.replace("~/.ssh/", "");
            assert!(!advice.contains(of_the_inventory), "{hint}");
        }
        // A scan goes the same way.
        let scanned = scan_host_keys(through(way.clone(), host.target())).await.unwrap_err();
        assert_eq!(scanned.hint(), error.hint());
    }
    assert!(!host.log().contains("Connection from"), "{}", host.log());
}

#[tokio::test]
async fn a_jump_host_that_goes_away_loses_the_connection() {
    let (first, host) = (Sshd::start(), Sshd::start());
    let cable = crate::test_server::Cable::to(first.port);
    first.know(&format!("[127.0.0.1]:{} {}", cable.port, first.host_key("ed25519")));
    let hop =
        Target { host_key_alias: Some("gate".to_owned()), port: cable.port, ..first.target() };
    first.know(&format!("gate {}", first.host_key("ed25519")));
    let connection = connect(through(hop, host.target())).await.unwrap();
    let run = connection.run(call("sleep 30"));
    let cut = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        cable.cut();
    };
    let (reply, ()) = tokio::join!(run, cut);
    assert!(matches!(reply, Err(RemoteError::Lost { .. })), "{reply:?}");
}

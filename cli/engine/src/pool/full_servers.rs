//! Servers that hang up before the login.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use inventories::HostName;
use tokio::task::JoinSet;

use super::Pool;
use remote::test_server::{Sshd, run};
use remote::{Reach, RemoteError, Stage, Target, connect};

/// Somebody who logs in and never does, until dropped.
fn idler(sshd: &Sshd) -> TcpStream {
    let mut idler = TcpStream::connect(("127.0.0.1", sshd.port)).unwrap();
    assert!(idler.read(&mut [0; 8]).unwrap() > 0);
    idler
}

#[tokio::test]
async fn a_server_with_too_many_logins_is_waited_for() {
    let sshd = Sshd::with("MaxStartups 1:100:1");
    let (gate, host) = (Sshd::with("MaxStartups 1:100:1"), Sshd::start());
    let behind = Target { jump: Some(Box::new(gate.target())), ..host.target() };
    for (target, full) in [(sshd.target(), &sshd), (behind, &gate)] {
        let idler = idler(full);
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(1200));
            drop(idler);
        });
        let connection = connect(target).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(run(&connection, "true").await.is_ok());
        assert!(full.log().contains("MaxStartups"), "{}", full.log());
    }
}

#[tokio::test]
async fn many_hosts_behind_a_jump_host_with_few_logins_are_all_reached() {
    let (gate, host) = (Sshd::with("MaxStartups 2:100:3"), Sshd::with("MaxStartups 100"));
    let behind = Target { jump: Some(Box::new(gate.target())), ..host.target() };
    let all: Vec<_> = (0..8).map(|_| tokio::spawn(connect(behind.clone()))).collect();
    for one in all {
        one.await.unwrap().unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Each host is logged in to twice: to run scripts, and to try which hosts it reaches.
#[tokio::test]
async fn a_jump_host_is_never_asked_for_more_logins_than_it_allows() {
    let (gate, host) = (Sshd::with("MaxStartups 10:100:10"), Sshd::with("MaxStartups 100"));
    let behind = Target { jump: Some(Box::new(gate.target())), ..host.target() };
    let names = (1..=14).map(|number| format!("etcd-{number}").parse().unwrap());
    let targets = names.map(|name: HostName| (name, behind.clone()));
    let pool = Arc::new(Pool::new(targets.clone().collect(), 100));
    let to = SocketAddr::from(([127, 0, 0, 1], host.port));
    let mut all = JoinSet::new();
    for (name, _) in targets {
        let pool = Arc::clone(&pool);
        all.spawn(async move {
            let connection = pool.connection(&name).await?;
            connection.probe(to, Duration::from_secs(30)).await
        });
    }
    for probed in all.join_all().await {
        assert_eq!(probed.unwrap_or_else(|error| panic!("{error}")).reach, Reach::Connected);
    }
    assert!(!gate.log().contains("MaxStartups"), "{}", gate.log());
}

/// `ProxyCommand ssh -W %h:%p gate` is a jump host as well, and its refusals come as words of a program.
#[test]
fn logins_by_commands_are_as_few_at_once_as_those_by_jump_hosts() {
    let by = |host: &str, command: Option<&str>, jump: Option<Target>| Target {
        proxy_command: command.map(str::to_owned),
        jump: jump.map(Box::new),
        ..Target::new(host, "ops", std::path::Path::new("/home/ops"))
    };
    let all = [
        ("a", by("a", Some("carry a"), None)),
        ("b", by("b", Some("carry b"), None)),
        ("c", by("c", None, Some(by("gate", Some("carry gate"), None)))),
        ("d", by("d", None, Some(by("gate", None, None)))),
        ("e", by("e", None, None)),
    ];
    let pool = Pool::new(all.map(|(name, target)| (name.parse().unwrap(), target)).into(), 100);
    let turns = |name: &str| pool.entry(&name.parse().unwrap()).unwrap().target.turns.clone();
    let commands = turns("a").unwrap();
    assert!([turns("b"), turns("c")].iter().flatten().all(|other| Arc::ptr_eq(other, &commands)));
    assert!(turns("b").is_some() && turns("c").is_some() && turns("e").is_none());
    assert!(!Arc::ptr_eq(&turns("d").unwrap(), &commands));
    assert_eq!(commands.available_permits(), 8);
}

#[tokio::test]
async fn a_server_that_stays_full_or_bans_us_is_named_as_that() {
    let sshd = Sshd::with("MaxStartups 1:100:1");
    let _idler = idler(&sshd);
    let target = Target { hang_up_patience: Duration::from_secs(1), ..sshd.target() };
    let error = connect(target.clone()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the SSH server hung up before the login, 2 times, saying \"Exceeded MaxStartups\""
    );
    assert_eq!(error.stage(), Stage::Banner);
    assert!(error.may_pass() && error.hint().unwrap().starts_with("raise MaxStartups"));

    for (last_words, banned) in [
        ("Not allowed at this time\r\n", ", saying \"Not allowed at this time\""),
        ("SSH-2.0-OpenSSH_9.9\r\n", ""),
        ("", ""),
    ] {
        let port = hanging_up_after(last_words);
        let error = connect(Target { port, ..target.clone() }).await.unwrap_err();
        assert!(matches!(error, RemoteError::HungUp { .. }), "{last_words}: {error:?}");
        assert!(error.to_string().ends_with(&format!("times{banned}")), "{error}");
        let hint = error.hint().unwrap();
        for word in ["MaxStartups", "PerSourcePenalties", "fail2ban", "journalctl"] {
            assert!(hint.contains(word), "{hint}");
        }
    }
}

#[tokio::test]
async fn what_is_no_ssh_server_is_not_tried_again() {
    let sshd = Sshd::start();
    let port = hanging_up_after("HTTP/1.1 400 Bad Request\r\n\r\n");
    let started = Instant::now();
    let error = connect(Target { port, ..sshd.target() }).await.unwrap_err();
    assert!(error.to_string().contains("HTTP/1.1 400 Bad Request"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

/// A server that hangs up after these words, each time.
fn hanging_up_after(words: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut peer in listener.incoming().map_while(Result::ok) {
            // What we said is read, so that the end is an end and no reset.
            let _ = peer.read(&mut [0; 4096]);
            let _ = peer.write_all(words.as_bytes());
        }
    });
    port
}

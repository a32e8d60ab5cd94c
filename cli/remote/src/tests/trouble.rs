//! Connections that break, scripts that die, hosts that talk too much.

use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::test_server::{Cable, Sshd, call, run, wait_for};
use crate::{
    Call, FrameError, Payload, Progress, RemoteError, Stage, SudoRefusal, Target, connect,
};

#[tokio::test]
async fn a_cut_in_the_middle_of_a_script_leaves_its_outcome_unknown() {
    let sshd = Sshd::start();
    let cable = Cable::to(sshd.port);
    let connection = connect(through(&sshd, &cable)).await.unwrap();
    let started = sshd.path("started");
    let asked = Call { args: vec![started.display().to_string()], ..call(": > \"$1\"; sleep 30") };
    let cut = async {
        assert!(tokio::task::spawn_blocking(move || wait_for(|| started.exists())).await.unwrap());
        cable.cut();
    };
    let (outcome, ()) = tokio::join!(connection.run(asked), cut);
    let error = outcome.unwrap_err();
    assert!(matches!(error, RemoteError::Lost { progress: Progress::Unknown, .. }), "{error:?}");
    assert!(error.outcome_unknown());
    let next = run(&connection, "true").await.unwrap_err();
    assert!(matches!(next, RemoteError::Lost { progress: Progress::NotStarted, .. }), "{next:?}");
}

#[tokio::test]
async fn a_silent_link_is_given_up_within_seconds() {
    let sshd = Sshd::start();
    let cable = Cable::to(sshd.port);
    let connection = connect(through(&sshd, &cable)).await.unwrap();
    run(&connection, "true").await.unwrap();
    let silence = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        cable.fall_silent();
    };
    let started = Instant::now();
    let (outcome, ()) = tokio::join!(run(&connection, "sleep 60"), silence);
    assert!(
        matches!(outcome, Err(RemoteError::Lost { progress: Progress::Unknown, .. })),
        "{outcome:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_long_quiet_script_is_not_taken_for_a_silent_link() {
    let sshd = Sshd::with("LogLevel DEBUG1");
    let connection = sshd.connect().await;
    let reply = run(&connection, "sleep 14; echo awake").await.unwrap();
    assert_eq!(reply.stdout, b"awake\n");
    // Every four seconds: one that is left out is an answer less that could be heard.
    let probes = sshd.log().matches("keepalive@libssh2.org want_reply 1").count();
    assert!(probes >= 3, "{probes} probes\n{}", sshd.log());
}

#[tokio::test]
async fn a_host_that_hangs_up_while_nothing_runs_is_noticed() {
    let sshd = Sshd::start();
    let cable = Cable::to(sshd.port);
    let connection = connect(through(&sshd, &cable)).await.unwrap();
    cable.cut();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let error = run(&connection, "true").await.unwrap_err();
    assert!(!error.outcome_unknown(), "{error:?}");
}

#[tokio::test]
async fn a_killed_shell_is_not_success() {
    let sshd = Sshd::start();
    let connection = sshd.connect().await;
    let error = run(&connection, "echo dying >&2; kill -9 $$").await.unwrap_err();
    let RemoteError::Killed { signal, said } = &error else { panic!("{error:?}") };
    assert_eq!((signal.as_str(), said.as_str()), ("KILL", "dying"));
    assert!(error.outcome_unknown());
    // Only a part of the script dies: the reply reports it.
    let reply = run(&connection, "sh -c 'kill -9 $$'").await.unwrap();
    assert_eq!(reply.status, 137);
}

#[tokio::test]
async fn a_deadline_ends_the_wait_and_leaves_the_connection_usable() {
    let sshd = Sshd::start();
    let connection = sshd.connect().await;
    let started = Instant::now();
    let asked = Call { deadline: Duration::from_secs(4), ..call("echo waiting >&2; sleep 20") };
    let error = connection.run(asked).await.unwrap_err();
    let RemoteError::Deadline { progress: Progress::Unknown, said, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(said, "waiting");
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(run(&connection, "true").await.is_ok());
}

/// A way to a server by a port that can be closed and opened again, as a firewall does for new connections alone.
struct Gate {
    port: u16,
    to: u16,
}

impl Gate {
    fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gate = Self { port: listener.local_addr().unwrap().port(), to: server };
        gate.let_one_in(listener);
        gate
    }

    fn open(&self) {
        self.let_one_in(TcpListener::bind(("127.0.0.1", self.port)).unwrap());
    }

    fn let_one_in(&self, listener: TcpListener) {
        let to = self.to;
        std::thread::spawn(move || {
            let (mut near, _) = listener.accept().unwrap();
            drop(listener);
            let mut far = TcpStream::connect(("127.0.0.1", to)).unwrap();
            let (mut up, mut down) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut up, &mut far));
            let _ = std::io::copy(&mut down, &mut near);
            let _ = near.shutdown(std::net::Shutdown::Both);
        });
    }
}

#[tokio::test]
async fn a_firewall_that_limits_connections_is_waited_for_and_named() {
    let sshd = Sshd::start();
    let gate = Gate::to(sshd.port);
    let known = sshd.target();
    sshd.know(&format!("gate {}", sshd.host_key("ed25519")));
    let alias = Some("gate".to_owned());
    let hang_up_patience = Duration::from_secs(2);
    let target = Target { host_key_alias: alias, port: gate.port, hang_up_patience, ..known };
    let first = connect(target.clone()).await.unwrap();
    // Between the first try and the second. On a busy machine the third, after the long pause, finds it open.
    let patient = Target { hang_up_patience: Duration::from_secs(10), ..target.clone() };
    let open = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        gate.open();
    };
    let (second, ()) = tokio::join!(connect(patient), open);
    assert!(run(&second.unwrap(), "true").await.is_ok());

    let error = connect(target.clone()).await.unwrap_err();
    assert!(matches!(error, RemoteError::Limited { times: 3, .. }), "{error:?}");
    assert_eq!(error.stage(), Stage::Connect);
    assert!(error.to_string().contains("accepts no further connection"), "{error}");
    assert!(error.hint().unwrap().contains("fail2ban"), "{:?}", error.hint());

    // With no connection of ours it may as well be down.
    first.close().await;
    let is_down = || async {
        matches!(connect(target.clone()).await.unwrap_err(), RemoteError::Connect { .. })
    };
    for _ in 0..5 {
        if is_down().await {
            return;
        }
    }
    panic!("its connections are over");
}

#[tokio::test]
async fn a_script_that_is_no_shell_says_so_in_the_hosts_words() {
    let sshd = Sshd::start();
    let connection = sshd.connect().await;
    let error = run(&connection, "if then").await.unwrap_err();
    let RemoteError::Frame { why: FrameError::Missing { .. }, said, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(said.to_lowercase().contains("syntax error"), "{said}");
}

#[tokio::test]
async fn a_forced_command_is_quoted() {
    let sshd = Sshd::with("ForceCommand echo This account is currently not available.");
    let error = run(&sshd.connect().await, "true").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the host ended without a reply; the host said: This account is currently not available."
    );
    assert!(error.hint().unwrap().contains("ForceCommand"));
}

#[tokio::test]
async fn a_host_that_talks_without_end_is_cut_off() {
    let sshd = Sshd::with("ForceCommand yes");
    let error = run(&sshd.connect().await, "true").await.unwrap_err();
    assert!(matches!(error, RemoteError::Frame { why: FrameError::Flood { .. }, .. }), "{error:?}");
}

#[tokio::test]
async fn closing_ends_what_still_runs() {
    let sshd = Sshd::start();
    let connection = sshd.connect().await;
    let other = connection.clone();
    let running = tokio::spawn(async move { run(&other, "sleep 30").await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    connection.close().await;
    assert!(matches!(running.await.unwrap(), Err(RemoteError::Lost { .. })));
}

#[tokio::test]
async fn each_refusal_of_sudo_names_the_line_to_write() {
    for (sudo, why, line) in [
        ("echo 'sudo: a password is required' >&2; exit 1", SudoRefusal::Password, "NOPASSWD"),
        (
            "echo 'sudo: sorry, you must have a tty to run sudo' >&2; exit 1",
            SudoRefusal::Terminal,
            "!requiretty",
        ),
        (
            "echo \"Sorry, user ops may not run sudo on h1.\" >&2; exit 1",
            SudoRefusal::NotAllowed,
            "NOPASSWD",
        ),
    ] {
        let sshd = with_sudo(sudo);
        let target = Target { sudo: true, ..sshd.target() };
        let error = run(&connect(target).await.unwrap(), "true").await.unwrap_err();
        assert!(
            matches!(&error, RemoteError::Sudo { why: found, .. } if *found == why),
            "{error:?}"
        );
        assert_eq!(error.stage(), Stage::Sudo);
        assert!(error.hint().unwrap().contains(line), "{:?}", error.hint());
    }
}

#[tokio::test]
async fn sudo_passes_script_and_payload_on() {
    let sshd = with_sudo("echo lecture >&2; [ \"$1\" = -n ] && shift; sleep 1; exec \"$@\"");
    let connection = connect(Target { sudo: true, ..sshd.target() }).await.unwrap();
    let payload = Payload::new().with(b"data\n".to_vec());
    let reply = connection
        .run(Call { payload, ..call("recv \"$blob1\"; whole && echo \"$LC_ALL\"") })
        .await
        .unwrap();
    assert_eq!(reply.stdout, b"data\nC\n");
}

/// A host whose `sudo` is this script.
fn with_sudo(script: &str) -> Sshd {
    let sshd = Sshd::with(
        "ForceCommand PATH={dir}/bin:$PATH; export PATH; eval \"$SSH_ORIGINAL_COMMAND\"",
    );
    sshd.program("bin/sudo", script);
    sshd
}

pub(super) fn through(sshd: &Sshd, cable: &Cable) -> Target {
    let target = sshd.target();
    sshd.know(&format!("[127.0.0.1]:{} {}", cable.port, sshd.host_key("ed25519")));
    Target { port: cable.port, ..target }
}

//! Hosts that want more than a key.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::passphrases::{NoPassphrase, Passphrase, Passphrases};
use crate::test_server::{Sshd, call, run};
use crate::{
    AuthenticationEnd, AuthenticationError, Outcome, RemoteError, Target, Unanswered, connect,
};

const BOTH: &str = "AuthenticationMethods publickey,keyboard-interactive";
/// Asks for a code, and takes 123456.
const CODE: &str = "auth requisite pam_exec.so expose_authtok quiet {dir}/code\nauth required pam_permit.so\n\
    account required pam_permit.so\nsession required pam_permit.so\n";

fn asking_for_a_code(config: &str) -> Option<Sshd> {
    let sshd = Sshd::with_pam(&format!("{BOTH}\n{config}"), CODE)?;
    let code = "code=$(tr -d '\\000'); echo \"$code\" >>\"${0%/*}/codes\"; [ \"$code\" = 123456 ]";
    sshd.program("code", code);
    Some(sshd)
}

type Questions = Arc<Mutex<Vec<String>>>;

/// Somebody who gives these answers in turn, and what he was asked.
fn answering(answers: &[&str]) -> (Arc<Passphrases>, Questions) {
    let left: Vec<String> = answers.iter().rev().map(|answer| (*answer).to_owned()).collect();
    let (left, asked) = (Mutex::new(left), Questions::default());
    let kept = Arc::clone(&asked);
    let ask = move |question: &str| {
        kept.lock().unwrap().push(question.to_owned());
        let answer = left.lock().unwrap().pop().ok_or(NoPassphrase::Declined)?;
        Ok(Passphrase::new(&answer))
    };
    (Arc::new(Passphrases::asking(ask)), asked)
}

async fn refusal(target: Target) -> AuthenticationError {
    match connect(target).await {
        Err(RemoteError::Authentication(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_code_is_asked_for_after_the_key_and_says_who_asks() {
    let Some(sshd) = asking_for_a_code("") else { return };
    let (passphrases, asked) = answering(&["wrong", "123456"]);
    let target = sshd.target().with_passphrases(&passphrases);
    let login = target.login_name();
    let connection =
        connect(target).await.unwrap_or_else(|error| panic!("{error}\n{}", sshd.log()));
    let ran = run(&connection, "true").await;
    assert!(ran.is_ok(), "{ran:?}\n{}", sshd.log());
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 2, "{asked:?}");
    for question in asked.iter() {
        assert!(question.starts_with(&format!("({login}) Password:")), "{question}");
    }
}

#[tokio::test]
async fn a_look_at_what_a_host_reaches_asks_for_no_second_code() {
    let Some(sshd) = asking_for_a_code("") else { return };
    let (passphrases, asked) = answering(&["123456", "123456"]);
    let connection = connect(sshd.target().with_passphrases(&passphrases)).await.unwrap();
    let to = std::net::SocketAddr::from(([127, 0, 0, 1], sshd.port));
    let error = connection.probe(to, Duration::from_secs(5)).await.unwrap_err();
    assert!(error.to_string().contains("another one-time code"), "{error}");
    assert_eq!(asked.lock().unwrap().len(), 1);
}

fn behind(gate: &Target, target: Target, passphrases: &Arc<Passphrases>) -> Target {
    Target { jump: Some(Box::new(gate.clone())), ..target }.with_passphrases(passphrases)
}

/// Whatever is done behind it: many hosts at once, what a host reaches, and a host with too many logins.
#[tokio::test]
async fn a_jump_host_that_asks_for_a_code_asks_once_for_all_hosts_behind_it() {
    let Some(gate) = asking_for_a_code("MaxSessions 1") else { return };
    let (full, host) = (Sshd::with("MaxStartups 1:100:1"), Sshd::start());
    let (passphrases, asked) = answering(&["123456"]);
    let gate = gate.target();
    let login = || connect(behind(&gate, host.target(), &passphrases));
    let (a, b, c, d) = tokio::join!(login(), login(), login(), login());
    let bytes: Vec<u8> = (0..2_000_000_u32).map(|n| (n % 251) as u8 + 1).collect();
    for connection in [a, b, c, d] {
        let connection = connection.unwrap_or_else(|error| panic!("{error}"));
        let payload = crate::Payload::new().with(bytes.clone());
        let echo = crate::Call { payload, max_reply: 3_000_000, ..call(r#"recv "$blob1""#) };
        let (reply, other) = tokio::join!(connection.run(echo), run(&connection, "true"));
        assert!(reply.unwrap().stdout == bytes && other.is_ok());
        let to = std::net::SocketAddr::from(([127, 0, 0, 1], host.port));
        let probed = connection.probe(to, Duration::from_secs(5)).await.unwrap();
        assert_eq!(probed.reach, crate::Reach::Connected);
        assert_eq!(connection.counters().overslept, 0);
        connection.close().await;
    }
    let _idler = std::net::TcpStream::connect(("127.0.0.1", full.port)).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let impatient = Target { hang_up_patience: Duration::from_secs(1), ..full.target() };
    let error = connect(behind(&gate, impatient, &passphrases)).await.unwrap_err();
    assert!(matches!(error, RemoteError::HungUp { times: 2, .. }), "{error:?}");
    assert_eq!(asked.lock().unwrap().len(), 1, "{asked:?}");
}

/// Its jump host says nothing of it for two minutes, and libssh2 can't take the question back.
#[tokio::test]
async fn a_dead_host_behind_a_jump_host_that_asks_holds_up_no_other_and_costs_one_code() {
    let Some(gate) = asking_for_a_code("") else { return };
    let (dead, host) = (crate::test_server::FullListener::new(), Sshd::start());
    let (passphrases, asked) = answering(&["123456", "123456"]);
    let gate = gate.target();
    let connect_timeout = Duration::from_secs(2);
    let silent = Target { port: dead.port, connect_timeout, ..host.target() };
    let silent = behind(&gate, silent, &passphrases);
    let alive = behind(&gate, host.target(), &passphrases);
    let before = connect(alive.clone()).await.unwrap();
    let error = connect(silent.clone()).await.unwrap_err().to_string();
    assert!(error.ends_with("no answer within 2.0 s"), "{error}");
    assert!(run(&before, "true").await.is_ok(), "an open connection keeps working");
    for questions in [2, 2] {
        assert!(run(&connect(alive.clone()).await.unwrap(), "true").await.is_ok());
        let error = connect(silent.clone()).await.unwrap_err().to_string();
        assert!(error.ends_with("no answer within 2.0 s"), "{error}");
        assert_eq!(asked.lock().unwrap().len(), questions);
    }
    // It comes back, and refuses.
    drop(dead);
    let refused = async {
        while !connect(silent.clone()).await.unwrap_err().to_string().contains("onnect") {}
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), refused).await.is_ok());
    assert_eq!(asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_jump_host_that_asks_and_went_away_is_logged_in_to_again() {
    let Some(gate) = asking_for_a_code("") else { return };
    let (cable, host) = (crate::test_server::Cable::to(gate.port), Sshd::start());
    let (passphrases, asked) = answering(&["123456", "123456"]);
    let known = gate.target();
    let alias = Some("gate".to_owned());
    gate.know(&format!("gate {}", gate.host_key("ed25519")));
    let hop = Target { host_key_alias: alias, port: cable.port, ..known };
    let way = behind(&hop, host.target(), &passphrases);
    let connection = connect(way.clone()).await.unwrap();
    cable.cut();
    assert!(run(&connection, "true").await.is_err());
    assert!(run(&connect(way).await.unwrap(), "true").await.is_ok());
    assert_eq!(asked.lock().unwrap().len(), 2);
}

/// A host gives a login so much time from its connection on, and a person answers one question after the other.
#[tokio::test]
async fn many_hosts_that_ask_wait_for_their_turns_before_they_connect() {
    let Some(sshd) = asking_for_a_code("LoginGraceTime 5") else { return };
    let ask = |_: &str| {
        std::thread::sleep(Duration::from_secs(3));
        Ok(Passphrase::new("123456"))
    };
    let passphrases = Arc::new(Passphrases::asking(ask));
    let login = || connect(sshd.target().with_passphrases(&passphrases));
    let (first, second, third) = tokio::join!(login(), login(), login());
    for connection in [first, second, third] {
        assert!(connection.is_ok(), "{connection:?}\n{}", sshd.log());
    }
    let codes = std::fs::read_to_string(sshd.path("codes")).unwrap();
    assert_eq!(codes.lines().count(), 3, "nobody is asked in vain: {codes}");
}

/// As docs/operations.md advises: ssh keeps the connection to the jump host, and quorate goes through it.
#[tokio::test]
async fn a_jump_host_that_ssh_is_connected_to_asks_for_no_further_code() {
    let Some(gate) = asking_for_a_code("") else { return };
    let askpass = gate.program("askpass", "echo 123456");
    let dir = gate.dir.path().display().to_string();
    let line = format!("[127.0.0.1]:{} {}\n", gate.port, gate.host_key("ed25519"));
    std::fs::write(gate.path("gate_known"), line).unwrap();
    let options = format!(
        "-F none -p {} -i {dir}/user -o IdentityAgent=none -o UserKnownHostsFile={dir}/gate_known \
         -o ControlPath={dir}/control",
        gate.port
    );
    let login = gate.target().login_name();
    let ssh = |more: &str| {
        let mut ssh = std::process::Command::new("ssh");
        ssh.args(options.split(' ')).args(more.split(' ')).arg(&login);
        ssh.env("SSH_ASKPASS", &askpass).env("SSH_ASKPASS_REQUIRE", "force");
        assert!(ssh.status().unwrap().success(), "{more}\n{}", gate.log());
    };
    ssh("-o ControlMaster=yes -o ControlPersist=60 -fN");
    for host in [Sshd::start(), Sshd::start()] {
        let command = format!("ssh {options} -W 127.0.0.1:{} {login}", host.port);
        let target = Target { proxy_command: Some(command), ..host.target() };
        run(&connect(target).await.unwrap(), "true").await.unwrap();
    }
    ssh("-O exit");
    assert_eq!(std::fs::read_to_string(gate.path("codes")).unwrap(), "123456\n");
}

#[tokio::test]
async fn who_gives_no_code_or_wrong_ones_is_not_asked_again_by_retries() {
    let Some(sshd) = asking_for_a_code("MaxAuthTries 20") else { return };
    for (answers, questions, why) in
        [(&[][..], 1, NoPassphrase::Declined), (&["a", "b", "c", "123456"], 3, NoPassphrase::Wrong)]
    {
        let (passphrases, asked) = answering(answers);
        let target = sshd.target().with_passphrases(&passphrases);
        for _ in 0..2 {
            let error = refusal(target.clone()).await;
            let AuthenticationEnd::MoreWanted { why: Unanswered::Nobody(none), .. } = &error.end
            else {
                panic!("{error:?}")
            };
            assert_eq!(*none, why);
            assert_eq!(asked.lock().unwrap().len(), questions);
        }
    }
}

/// As in CI. It is no refusal of the key, and no other key is offered. No empty answer counts as a wrong one.
#[tokio::test]
async fn a_key_that_was_accepted_is_not_called_refused() {
    let Some(sshd) = asking_for_a_code("") else { return };
    let error = refusal(sshd.target()).await;
    assert!(error.attempts.iter().all(|attempt| attempt.outcome == Outcome::Accepted), "{error:?}");
    let text = error.to_string();
    let said = "user: accepted; the host also wants keyboard-interactive, and there is no terminal";
    assert!(text.contains(said), "{text}");
    let hint = RemoteError::from(error).hint().unwrap();
    assert!(
        hint.contains("terminal") && hint.contains("AuthenticationMethods publickey"),
        "{hint}"
    );
    let is_over = || sshd.log().contains(" by authenticating user ");
    assert!(crate::test_server::wait_for(is_over), "{}", sshd.log());
    assert!(!sshd.path("codes").exists(), "{}", sshd.log());
}

#[tokio::test]
async fn a_host_that_wants_more_and_asks_nothing_is_named_as_that() {
    let sshd = Sshd::with(&format!("{BOTH}\nKbdInteractiveAuthentication yes"));
    let error = refusal(sshd.target()).await;
    let text = error.to_string();
    let said =
        "accepted; the host also wants keyboard-interactive, and refused it without a question";
    assert!(text.contains(said), "{text}");

    let sshd = Sshd::with("AuthenticationMethods publickey,password\nPasswordAuthentication yes");
    let error = refusal(sshd.target()).await;
    let text = error.to_string();
    assert!(
        text.contains("accepted; the host also wants password, which is not supported"),
        "{text}"
    );
    let hint = RemoteError::from(error).hint().unwrap();
    assert!(
        hint.contains("AuthenticationMethods publickey") && !hint.contains("authorized_keys"),
        "{hint}"
    );
}

#[tokio::test]
async fn a_host_that_wants_two_keys_gets_both() {
    let sshd = Sshd::with("AuthenticationMethods publickey,publickey");
    let other = sshd.path("other");
    crate::test_server::keygen(&other, "ed25519", "");
    let mut keys = std::fs::read_to_string(sshd.path("authorized_keys")).unwrap();
    keys.push_str(&std::fs::read_to_string(sshd.path("other.pub")).unwrap());
    std::fs::write(sshd.path("authorized_keys"), keys).unwrap();
    let target = Target { identity_files: vec![sshd.path("user"), other], ..sshd.target() };
    connect(target).await.unwrap();
}

//! What SSH's configuration says, as it is done: from `~/.ssh/config` to a login.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use inventories::inventory::{Ssh, SshConfig};

use super::{Operator, target};
use remote::test_server::{
    Agent, Cable, FullListener, Sshd, keygen, public_half, run, user, wait_for,
};
use remote::{Answers, AuthenticationEnd, RemoteError, Target, connect};

/// The login that an operator with this `~/.ssh/config` has at `host`. `{dir}` is the server's folder,
/// `{port}` its port.
fn configured(sshd: &Sshd, config: &str, host: &str) -> Target {
    let home = sshd.path("home");
    std::fs::create_dir_all(home.join(".ssh")).unwrap();
    let text = config
        .replace("{dir}", sshd.dir.path().to_str().unwrap())
        .replace("{port}", &sshd.port.to_string());
    std::fs::write(home.join(".ssh/config"), text).unwrap();
    let ssh = Ssh {
        host: host.to_owned(),
        port: None,
        user: None,
        identity_files: Vec::new(),
        host_keys: Vec::new(),
        connect_timeout: None,
        config: SshConfig::Usual,
    };
    let target =
        target(&ssh, &Operator { user: user(), home, answers: Answers::default() }).unwrap();
    Target { sudo: false, ..target }
}

/// Lines that lead to the server and let us in.
const WAY: &str = "Host etcd\n HostName 127.0.0.1\n Port {port}\n IdentityAgent none\n \
    IdentityFile {dir}/user\n HostKeyAlias somebody\n UserKnownHostsFile {dir}/none {dir}/known\n \
    GlobalKnownHostsFile none\n";

fn know(sshd: &Sshd, name: &str) {
    let line = format!("{name} {}\n", sshd.host_key("ed25519"));
    std::fs::write(sshd.path("known"), line).unwrap();
}

#[tokio::test]
async fn a_host_is_known_by_its_alias_in_the_files_that_are_named() {
    let sshd = Sshd::start();
    know(&sshd, "somebody");
    let connection = connect(configured(&sshd, WAY, "etcd")).await.unwrap();
    run(&connection, "true").await.unwrap();
    // Under its address, or in another file, it is not.
    know(&sshd, &format!("[127.0.0.1]:{}", sshd.port));
    let error = connect(configured(&sshd, WAY, "etcd")).await.unwrap_err();
    assert!(matches!(error, RemoteError::HostKey(_)), "{error:?}");
}

#[tokio::test]
async fn blocks_that_match_by_host_and_user_count() {
    let sshd = Sshd::start();
    know(&sshd, "somebody");
    let config = format!(
        "Match host etcd user {}\n Port {{port}}\nMatch user nobody\n Port 1\n{}",
        user(),
        WAY.replace(" Port {port}\n", " Port 2\n")
    );
    connect(configured(&sshd, &config, "etcd")).await.unwrap();
}

#[tokio::test]
async fn identities_only_keeps_the_agents_other_keys_back() {
    let sshd = Sshd::with("MaxAuthTries 2");
    know(&sshd, "somebody");
    let agent = Agent::start(sshd.dir.path());
    for other in ["a", "b", "c"] {
        keygen(&sshd.path(other), "ed25519", "");
        agent.add(&sshd.path(other));
    }
    let way = WAY.replace("IdentityAgent none", "IdentityAgent {dir}/agent");
    let wrong = way.replace("IdentityFile {dir}/user", "IdentityFile {dir}/other");
    keygen(&sshd.path("other"), "ed25519", "");
    for (only, expected) in [("yes", 1), ("no", 2)] {
        let config = format!("{wrong} IdentitiesOnly {only}\n");
        let error = connect(configured(&sshd, &config, "etcd")).await.unwrap_err();
        let RemoteError::Authentication(error) = error else { panic!("{error:?}") };
        assert_eq!(error.attempts.len(), expected, "{error}");
        let hung_up = matches!(error.end, AuthenticationEnd::HungUp { .. });
        assert_eq!(hung_up, only == "no", "{error}");
    }
    // An agent that holds the named key signs for it.
    agent.add(&sshd.path("user"));
    let public = PathBuf::from(format!("{}.pub", sshd.path("user").display()));
    assert!(public.exists());
    std::fs::remove_file(sshd.path("user")).unwrap();
    let config = way.replace("{dir}/user", "{dir}/user.pub") + " IdentitiesOnly yes\n";
    connect(configured(&sshd, &config, "etcd")).await.unwrap();
}

#[tokio::test]
async fn a_certificate_file_is_used() {
    let sshd = Sshd::with("TrustedUserCAKeys {dir}/authority.pub");
    know(&sshd, "somebody");
    std::fs::write(sshd.path("authorized_keys"), "").unwrap();
    keygen(&sshd.path("authority"), "ed25519", "");
    let sign = std::process::Command::new("ssh-keygen")
        .args(["-q", "-I", "test", "-n", &user(), "-s"])
        .args([sshd.path("authority"), sshd.path("user.pub")])
        .status();
    assert!(sign.unwrap().success());
    std::fs::rename(sshd.path("user-cert.pub"), sshd.path("etcd.cert")).unwrap();
    assert!(connect(configured(&sshd, WAY, "etcd")).await.is_err());
    let config = format!("{WAY} CertificateFile {{dir}}/%n.cert\n");
    connect(configured(&sshd, &config, "etcd")).await.unwrap();
}

#[tokio::test]
async fn times_are_those_that_are_set() {
    let sshd = Sshd::start();
    know(&sshd, "somebody");
    let full = FullListener::new();
    let config = WAY.replace("{port}", &full.port.to_string()) + " ConnectTimeout 1\n";
    let started = Instant::now();
    let error = connect(configured(&sshd, &config, "etcd")).await.unwrap_err();
    assert!(matches!(error, RemoteError::Connect { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());

    let cable = Cable::to(sshd.port);
    let config = WAY.replace("{port}", &cable.port.to_string())
        + " ServerAliveInterval 2\n ServerAliveCountMax 2\n";
    let connection = connect(configured(&sshd, &config, "etcd")).await.unwrap();
    run(&connection, "true").await.unwrap();
    cable.fall_silent();
    let started = Instant::now();
    let error = run(&connection, "true").await.unwrap_err();
    assert!(matches!(error, RemoteError::Lost { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

/// Lines that lead to the server by another one, with `more` about that one. It lets the server's user in.
fn by_gate(gate: &Sshd, sshd: &Sshd, more: &str) -> String {
    let known =
        format!("gate {}\nsomebody {}\n", gate.host_key("ed25519"), sshd.host_key("ed25519"));
    std::fs::write(sshd.path("known"), known).unwrap();
    std::fs::write(gate.path("authorized_keys"), public_half(&sshd.path("user"))).unwrap();
    format!(
        "Host gate\n HostName 127.0.0.1\n Port {}\n IdentityAgent none\n IdentityFile {{dir}}/user\n \
         HostKeyAlias gate\n UserKnownHostsFile {{dir}}/known\n{more}{WAY} ProxyJump gate\n",
        gate.port
    )
}

#[tokio::test]
async fn the_hops_of_the_configuration_are_gone_through() {
    let (gate, sshd) = (Sshd::start(), Sshd::start());
    let config = by_gate(&gate, &sshd, "");
    let connection = connect(configured(&sshd, &config, "etcd")).await.unwrap();
    run(&connection, "true").await.unwrap();
    assert!(gate.log().contains("Accepted publickey"), "{}", gate.log());
}

/// Carries bytes to the server by bash, and says which process does.
const BY_BASH: &str =
    "bash -c 'echo $$ > {dir}/carrier; exec 3<>/dev/tcp/%h/%p; cat <&3 & exec cat >&3'";

/// Whether the process is over; its parent has waited for it, or will.
fn is_over(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    stat.map_or(true, |stat| stat.contains(") Z "))
}

#[tokio::test]
async fn a_proxy_command_is_the_way_and_ends_with_the_connection() {
    let sshd = Sshd::start();
    know(&sshd, "somebody");
    let config = format!("{WAY} ProxyCommand {BY_BASH}\n");
    let connection = connect(configured(&sshd, &config, "etcd")).await.unwrap();
    run(&connection, "true").await.unwrap();
    let carrier = std::fs::read_to_string(sshd.path("carrier")).unwrap();
    assert!(!is_over(&carrier));
    connection.close().await;
    assert!(wait_for(|| is_over(&carrier)));
}

/// As the one of SSSD does, which the clients of FreeIPA have.
#[tokio::test]
async fn a_proxy_command_may_write_the_file_that_knows_the_host() {
    let sshd = Sshd::start();
    know(&sshd, "somebody");
    std::fs::rename(sshd.path("known"), sshd.path("later")).unwrap();
    let command = BY_BASH.replacen("echo", "cp {dir}/later {dir}/known; echo", 1);
    let config = format!("{WAY} ProxyCommand {command}\n");
    let connection = connect(configured(&sshd, &config, "etcd")).await.unwrap();
    run(&connection, "true").await.unwrap();
}

#[tokio::test]
async fn a_jump_host_has_a_proxy_command_of_its_own() {
    let (gate, sshd) = (Sshd::start(), Sshd::start());
    let config = by_gate(&gate, &sshd, &format!(" ProxyCommand {BY_BASH}\n"));
    let connection = connect(configured(&sshd, &config, "etcd")).await.unwrap();
    run(&connection, "true").await.unwrap();
    assert!(gate.log().contains("Accepted publickey"), "{}", gate.log());
    let carrier = std::fs::read_to_string(sshd.path("carrier")).unwrap();
    connection.close().await;
    assert!(wait_for(|| is_over(&carrier)));
}

#[tokio::test]
async fn a_proxy_command_that_fails_is_quoted() {
    let sshd = Sshd::start();
    for (command, status, words) in [
        ("sh -c 'printf \"no \\033[31mtunnel\\n\" >&2; exit 3'", "exit status: 3", "no tunnel"),
        ("/nonexistent/carrier %h", "exit status: 127", "/nonexistent/carrier"),
        ("sh -c 'yes | head -c 9000000 >&2; kill -KILL $$'", "signal: 9", "y\ny"),
    ] {
        let config = format!("{WAY} ProxyCommand {command}\n");
        let error = connect(configured(&sshd, &config, "etcd")).await.unwrap_err();
        let RemoteError::Proxy { why, said } = &error else { panic!("{command}: {error:?}") };
        assert!(why.contains(status) && said.contains(words), "{command}: {error}");
        assert!(said.len() <= 8 * 1024 && !said.contains('\u{1b}'), "{command}: {error}");
        assert!(error.hint().is_some() && error.may_pass());
    }
}

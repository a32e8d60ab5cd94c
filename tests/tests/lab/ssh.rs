//! SSH as OpenSSH users know it: the operator's own configuration, keys and known hosts.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use quorate_lab::{Host, SiteOptions};

use crate::harness::{Members, NEWEST, Stage, Watch, eventually, here, on, text};

/// A file of the operator's `~/.ssh`.
fn home(stage: &Stage, name: &str) -> PathBuf {
    let folder = stage.folder().join("home/.ssh");
    fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

/// Takes what the inventory says about keys out of it, so that the operator's own files count.
fn without_ssh(stage: &Stage) {
    let stays =
        |line: &&str| !line.starts_with("identity-file") && !line.starts_with("ssh.host-key");
    stage.edit(|text| text.lines().filter(stays).map(|line| format!("{line}\n")).collect());
    fs::write(home(stage, "known_hosts"), known_hosts(stage, "ed25519")).unwrap();
}

/// A line for each host, with its key of a kind.
fn known_hosts(stage: &Stage, kind: &str) -> String {
    let line = |host: &Host| {
        let key = on(host, &format!("cut -d' ' -f1,2 /etc/ssh/ssh_host_{kind}_key.pub"));
        format!("{} {key}\n", host.address())
    };
    stage.hosts().iter().map(line).collect()
}

/// A key of the operator's, which every host takes.
fn key(stage: &Stage, name: &str, passphrase: &str) -> PathBuf {
    let file = home(stage, name);
    let path = file.display().to_string();
    here("ssh-keygen", &["-q", "-t", "ed25519", "-N", passphrase, "-f", &path]);
    let public = fs::read_to_string(file.with_extension("pub")).unwrap();
    for host in stage.hosts() {
        on(&host, &format!("echo '{}' >> /root/.ssh/authorized_keys", public.trim()));
    }
    file
}

#[test]
fn two_jump_hosts_lead_to_a_host_and_a_hop_that_fails_is_named() {
    let one = SiteOptions { members: Some(1), ..SiteOptions::default() };
    let stage = Stage::ready("s-jump", 3, &one);
    without_ssh(&stage);
    key(&stage, "id_ed25519", "");
    let [target, outer, inner] = [1, 2, 3].map(|number| stage.host(number).address().to_string());
    let config = format!(
        "Host {target}\n ProxyJump root@{outer},inner\nHost inner\n HostName {inner}\n User root\n"
    );
    fs::write(home(&stage, "config"), config).unwrap();

    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
    Members::of_main(NEWEST, 1).expect_whole(&stage);
    let logins = on(&stage.host(1), "journalctl -u ssh -o cat | grep Accepted");
    assert!(logins.contains(&format!("from {inner}")), "{logins}");

    on(&stage.host(3), "sed -i '/quorate-lab/!d' /root/.ssh/authorized_keys");
    let refused = stage.run(&["plan"]).ends(4);
    refused.says("authentication: jump host root@").says(&inner).says("was not let in");
    stage.host(3).cut().unwrap();
    let silent = stage.run(&["plan"]).ends(4);
    silent.says(&format!("jump host root@{outer} cannot connect to {inner}:22"));
    stage.host(3).heal().unwrap();
}

/// A program that answers with a passphrase, and notes each question.
fn askpass(stage: &Stage, passphrase: &str) -> PathBuf {
    let answer = stage.folder().join("answer");
    fs::write(&answer, format!("{passphrase}\n")).unwrap();
    let program = stage.folder().join("askpass");
    let text = format!(
        "#!/bin/sh\necho \"$1\" >> {}\ncat {}\n",
        stage.folder().join("asked").display(),
        answer.display()
    );
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

#[test]
fn a_passphrase_is_asked_for_once_by_a_program_or_at_the_terminal() {
    const PASSPHRASE: &str = "a-passphrase-that-nobody-else-knows";
    let stage = Stage::ready("s-pass", 3, &SiteOptions::default());
    without_ssh(&stage);
    let file = key(&stage, "id_ed25519", PASSPHRASE).display().to_string();

    let nobody = stage.run(&["plan"]).ends(4);
    let nobody = nobody.says(&format!("{file}: has a passphrase, and there is no terminal"));
    nobody.says(&format!("ssh-add {file}")).says("SSH_ASKPASS_REQUIRE=force");

    let watch = Watch::start();
    let mut apply = stage.command(&["-v", "apply", "--yes"]);
    apply.env("SSH_ASKPASS", askpass(&stage, PASSPHRASE)).env("SSH_ASKPASS_REQUIRE", "force");
    let applied = crate::harness::Run::new(apply, &["apply", "--yes"]).ends(0);
    assert!(!applied.text().contains(PASSPHRASE));
    let asked = fs::read_to_string(stage.folder().join("asked")).unwrap();
    assert_eq!(asked, format!("Enter passphrase for key '{file}': \n"));
    let part = PASSPHRASE.as_bytes();
    let mut seen = watch.seen().into_iter();
    assert!(!seen.any(|text| text.windows(part.len()).any(|window| window == part)));

    let quorate = quorate_lab::site::program();
    let plan = format!("{} plan --detailed-exitcode", quorate.display());
    let said = at_a_terminal(&stage, &plan, &["wrong", PASSPHRASE]);
    assert_eq!(said.matches(QUESTION).count(), 2, "{said}");
    assert!(said.contains("No changes") && !said.contains(PASSPHRASE), "{said}");
}

const QUESTION: &str = "Enter passphrase for key";

/// Runs a command at a terminal, and types the next of these lines each time that it asks. What it printed.
fn at_a_terminal(stage: &Stage, command: &str, lines: &[&str]) -> String {
    let mut script = Command::new("script");
    script.args(["-qec", command, "/dev/null"]).current_dir(stage.folder()).env_clear();
    script
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", stage.folder().join("home"))
        .env("TERM", "dumb");
    let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut keys, mut screen) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
    let (mut said, mut part, mut lines) = (Vec::new(), [0; 4096], lines.iter());
    let mut answered = 0;
    loop {
        let count = screen.read(&mut part).unwrap();
        if count == 0 {
            break;
        }
        said.extend_from_slice(&part[..count]);
        while answered < text(&said).matches(QUESTION).count() {
            answered += 1;
            if let Some(line) = lines.next() {
                writeln!(keys, "{line}").unwrap();
            }
        }
    }
    script.wait().unwrap();
    text(&said)
}

/// An agent that ends with the test.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_agent_is_all_that_an_operator_needs() {
    let stage = Stage::ready("s-agent", 1, &SiteOptions::default());
    without_ssh(&stage);
    let file = key(&stage, "elsewhere", "");
    let socket = stage.folder().join("agent");
    let mut agent = Command::new("ssh-agent");
    agent.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null());
    let _agent = Agent(agent.spawn().unwrap());
    eventually("the agent answers", || socket.exists());
    let mut add = Command::new("ssh-add");
    add.arg("-q").arg(&file).env("SSH_AUTH_SOCK", &socket);
    assert!(add.status().unwrap().success());
    fs::remove_file(&file).unwrap();

    stage.run(&["plan"]).ends(4).says("was not let in: no key to offer");
    let mut apply = stage.command(&["apply", "--yes"]);
    apply.env("SSH_AUTH_SOCK", &socket);
    crate::harness::Run::new(apply, &["apply", "--yes"]).ends(0);
    Members::of_main(NEWEST, 1).expect_whole(&stage);
}

#[test]
fn a_host_whose_key_is_not_trusted_hears_nothing_of_us() {
    let stage = Stage::ready("s-trust", 1, &SiteOptions::default());
    without_ssh(&stage);
    key(&stage, "id_ed25519", "");
    let (host, address) = (stage.host(1), stage.host(1).address().to_string());
    let known = fs::read_to_string(home(&stage, "known_hosts")).unwrap();
    let with = |text: &str| fs::write(home(&stage, "known_hosts"), text).unwrap();
    stage.run(&["plan"]).ends(0);
    // A key of another kind is asked for where that is the one that is known.
    with(&known_hosts(&stage, "ecdsa"));
    stage.run(&["plan"]).ends(0);

    with("");
    stage.run(&["plan"]).ends(4).says("host key").says("is not known").says("quorate trust");
    with(&format!("{known}@revoked * {}", known.split_once(' ').unwrap().1));
    stage.run(&["plan"]).ends(4).says("is marked as revoked").says("known_hosts:2");
    with(&format!("@cert-authority {known}"));
    let authority = stage.run(&["plan"]).ends(4).says("known_hosts:1");
    authority.says("shows no certificate").says("ssh.host-key = \"SHA256:");
    // The name that sshd gives to a client that has named its user.
    let told = on(&host, "journalctl -u ssh -o cat | grep -c 'authenticating user' || true");
    assert_eq!(told, "0");
    with(&known);
    on(
        &host,
        "rm /etc/ssh/ssh_host_ed25519_key*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key",
    );
    let changed = stage.run(&["plan"]).ends(4);
    changed.says("changed").says(&format!("ssh-keygen -R '{address}'"));
}

#[test]
fn a_host_that_is_not_reached_says_on_which_stage_and_why() {
    let stage = Stage::ready("s-away", 1, &SiteOptions::default());
    stage.edit(|text| text.replace("[defaults.ssh]", "[defaults.ssh]\nconnect-timeout = \"2s\""));
    let host = stage.host(1);
    host.cut().unwrap();
    let away = stage.run(&["plan"]).ends(4);
    away.says("TCP").says("no answer within 2.0 s").says("port 22 is open from here");
    host.heal().unwrap();
    // The session that reports it outlives it.
    on(&host, "systemctl stop ssh.socket ssh 2>/dev/null || systemctl stop ssh");
    stage.run(&["plan"]).ends(4).says("TCP").says("Connection refused");
}

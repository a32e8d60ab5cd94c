//! A host that says what no honest host would: a gigabyte at each login, with commands for the
//! terminal and for the user who runs the job in it.

use std::fs::{self, File};
use std::io::Write as _;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use quorate_lab::ssh::User;
use quorate_lab::{Host, SiteOptions};

use crate::harness::Stage;

/// How much memory quorate may ever need here, in KiB: a tenth of what one host sends.
const MOST_MEMORY: u64 = 100 * 1024;

/// What a login prints a gigabyte of.
const LINE: &str = r"\033]0;pwned\007\033[2J\n::error::pwned ##[add-mask]pwned QUORATE-BEGIN";

/// How a run ended, what it printed on both streams, and the most memory that it had, in KiB.
fn measured(stage: &Stage, arguments: &[&str]) -> (Option<i32>, String, u64) {
    let path = stage.folder().join("said");
    let (out, err) =
        (File::create(&path).unwrap(), File::options().append(true).open(&path).unwrap());
    let mut command = stage.command(arguments);
    command.env("GITHUB_ACTIONS", "true").stdout(Stdio::from(out)).stderr(Stdio::from(err));
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let high = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let high = high.and_then(|high| high.split_whitespace().next()?.parse().ok());
        peak = peak.max(high.unwrap_or(0));
        if let Some(ended) = child.try_wait().unwrap() {
            return (ended.code(), fs::read_to_string(&path).unwrap(), peak);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// From now on every login of root prints a gigabyte on this stream first.
fn flood(host: &Host, stream: u8) {
    let profile = format!("yes \"$(printf '{LINE}')\" | head -c 1000000000 >&{stream}\n");
    let mut ssh = host.ssh_command(User::Root).unwrap();
    let mut login = ssh.arg("--").arg("cat >/root/.bashrc").stdin(Stdio::piped()).spawn().unwrap();
    login.stdin.take().unwrap().write_all(profile.as_bytes()).unwrap();
    assert!(login.wait().unwrap().success());
}

#[test]
fn a_gigabyte_at_each_login_is_cut_off_stripped_and_costs_no_memory() {
    let stage = Stage::formed("v-flood", 3, &SiteOptions::default());
    flood(&stage.host(2), 1);
    flood(&stage.host(3), 2);
    for arguments in [&["plan"][..], &["-v", "status"]] {
        let (code, said, peak) = measured(&stage, arguments);
        println!(
            "a gigabyte each of two hosts: {arguments:?} ended with {code:?}, {peak} KiB at most"
        );
        assert_eq!(code, Some(4), "{said}");
        assert!(said.contains("etcd-2") && said.contains("before its reply"), "{said}");
        assert!(peak > 0 && peak < MOST_MEMORY, "{peak} KiB");
        assert!(said.len() < 20_000 && !said.contains(['\u{1b}', '\u{7}']), "{said:?}");
        let obeyed = |line: &str| line.trim_start().starts_with("::") || line.contains("##[");
        assert!(!said.lines().any(obeyed), "{said}");
        assert!(!said.contains("No changes. "), "{said}");
    }
}

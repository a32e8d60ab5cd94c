//! What the trace says, and to whom.

use std::fs;
use std::io::Read as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use remote::test_server::Sshd;

use crate::sandbox::{Sandbox, ended, site};

/// One of three hosts is frozen: its kernel takes the connection, and nobody answers. While quorate hangs, the trace
/// names the host and what is awaited.
#[test]
fn a_frozen_host_is_named_with_what_is_awaited_of_it() {
    let frozen = Sshd::start();
    frozen.freeze();
    let sandbox = Sandbox::new();
    sandbox.write("quorate.toml", &site([1, frozen.port, 2]));
    let log = sandbox.path("trace.log");
    let mut command = sandbox.command(&["history", "--log-file", "trace.log"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let is_frozen = |line: &str| {
        line.contains("host=etcd-2") && line.contains("awaiting the server's greeting")
    };
    let started = Instant::now();
    let mut text = String::new();
    while started.elapsed() < Duration::from_secs(20) && !text.lines().any(is_frozen) {
        std::thread::sleep(Duration::from_millis(50));
        text = fs::read_to_string(&log).unwrap_or_default();
    }
    let still_hangs = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(still_hangs && text.lines().any(is_frozen), "{text}");
    let others = |line: &&str| line.contains("host=etcd-1") || line.contains("host=etcd-3");
    assert!(!text.lines().filter(others).any(|line| line.contains("greeting")), "{text}");
    // What is traced to a file is not printed.
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!said.contains("awaiting"), "{said}");
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(fs::metadata(log).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn nothing_is_traced_unless_asked_for() {
    let sandbox = Sandbox::with_site();
    assert!(!sandbox.run(&["history", "-v"]).stderr.contains("host=etcd-1"));
    assert!(sandbox.run(&["history", "-vv"]).stderr.contains("host=etcd-1"));
    let traced = |filter: &str| ended(sandbox.command(&["history"]).env("QUORATE_LOG", filter));
    assert!(traced("debug").stderr.contains("host=etcd-1"));
    assert!(!traced("remote=off").stderr.contains("awaiting"));
    let wrong = traced("remote=loud");
    assert_eq!(wrong.code, 64, "{}", wrong.stderr);
    assert!(wrong.stderr.contains("QUORATE_LOG=remote=loud"), "{}", wrong.stderr);
}

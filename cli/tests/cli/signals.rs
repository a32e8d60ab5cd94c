//! Signals are heeded while hosts are asked.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::sandbox::{Sandbox, site};

/// A host that takes the connection and says nothing.
#[test]
fn unlock_heeds_a_signal_while_it_waits_for_a_host() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let sandbox = Sandbox::new();
    sandbox.write("quorate.toml", &site([port, 1, 2]));
    let mut command = sandbox.command(&["unlock"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // By then it listens for signals.
    silent.set_nonblocking(true).unwrap();
    let _connection = loop {
        if let Ok(connection) = silent.accept() {
            break connection;
        }
        assert_eq!(child.try_wait().unwrap(), None, "it asked no host");
        std::thread::sleep(Duration::from_millis(10));
    };
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert!(said.contains("interrupted; nothing was changed"), "{said}");
}

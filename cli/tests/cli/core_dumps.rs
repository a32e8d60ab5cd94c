//! A crash leaves no image of the memory, in which keys may be.

use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

use crate::sandbox::{Sandbox, site};

#[test]
fn a_crash_leaves_no_core_however_large_one_may_be() {
    // The parent allows core dumps, as far as this test may.
    let own = getrlimit(Resource::Core);
    setrlimit(Resource::Core, Rlimit { current: own.maximum, maximum: own.maximum }).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let sandbox = Sandbox::new();
    sandbox.write("quorate.toml", &site([port, 2, 3]));
    let mut command = sandbox.command(&["plan"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // It has come as far as its first host, which says nothing.
    let (_link, _) = listener.accept().unwrap();
    kill_process(Pid::from_child(&child), Signal::ABORT).unwrap();
    let status = child.wait().unwrap();
    setrlimit(Resource::Core, own).unwrap();
    assert_eq!((status.signal(), status.core_dumped()), (Some(6), false));
    let left = std::fs::read_dir(sandbox.path("")).unwrap().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["quorate.toml"]);
}

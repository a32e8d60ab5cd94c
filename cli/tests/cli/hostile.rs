//! Files that no honest hand wrote, given to the program itself: it ends soon, with an answer, and in
//! little memory.

use std::process::Command;

use crate::sandbox::{Ended, Sandbox, ended};

/// The most address space that a run may take, in KiB. Threads reserve much and use little.
const MEMORY: &str = "1000000";

/// Runs the program with limits; breaking one ends it by a signal or a panic.
fn bounded(sandbox: &Sandbox, arguments: &[&str]) -> Ended {
    let inner = sandbox.command(arguments);
    let mut command = Command::new("timeout");
    command
        .args(["120", "sh", "-c", "ulimit -v \"$1\" && shift && exec \"$@\"", "sh", MEMORY])
        .arg(inner.get_program())
        .args(inner.get_args())
        .env_clear()
        .envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))))
        .env("PATH", "/usr/bin:/bin")
        .current_dir(sandbox.path("."));
    let ended = ended(&mut command);
    assert!([1, 3, 4, 8, 65].contains(&ended.code), "{}: {}", ended.code, ended.stderr);
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    assert!(ended.stderr.len() < 200_000, "{} bytes", ended.stderr.len());
    ended
}

/// Texts that are hard on a reader, whatever it reads.
fn hard() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("nothing", Vec::new()),
        ("NUL", b"\0".repeat(10_000)),
        ("no text", b"\xff\xfe\xfd".repeat(10_000)),
        ("one long line", b"x".repeat(3_000_000)),
        ("one long number", b"9".repeat(900_000)),
        ("deep lists", [b"a = ", &b"[".repeat(900_000)[..]].concat()),
        ("deep tables", [b"[", &b"a.".repeat(400_000)[..], b"a]"].concat()),
        ("deep objects", b"{\"a\":".repeat(150_000)),
        ("many lines", b"a\n".repeat(450_000)),
        ("open quote", [b"a = \"\"\"", &b"\\\n".repeat(300_000)[..]].concat()),
    ]
}

#[test]
fn a_hard_inventory_is_refused() {
    for (what, bytes) in hard() {
        let sandbox = Sandbox::new();
        std::fs::write(sandbox.path("quorate.toml"), bytes).unwrap();
        let ended = bounded(&sandbox, &["validate"]);
        assert_eq!(ended.code, 65, "{what}: {}", ended.stderr);
    }
}

#[test]
fn a_hard_saved_plan_is_refused() {
    let sandbox = Sandbox::with_site();
    assert_eq!(sandbox.run(&["pki", "init"]).code, 0);
    for (what, bytes) in hard() {
        std::fs::write(sandbox.path("plan"), bytes).unwrap();
        let ended = bounded(&sandbox, &["apply", "plan"]);
        assert_eq!(ended.code, 1, "{what}: {}", ended.stderr);
        assert!(ended.stderr.contains("cannot read the plan in plan"), "{what}: {}", ended.stderr);
    }
    let ended = bounded(&sandbox, &["apply", "/dev/zero"]);
    assert!(ended.stderr.contains("it is longer than"), "{}", ended.stderr);
}

/// Nobody is trusted, and nobody is logged in to, because of a file that can't be read.
#[test]
fn hard_files_of_ssh_cost_little_and_open_nothing() {
    for name in [".ssh/config", ".ssh/known_hosts"] {
        for (what, bytes) in hard() {
            let sandbox = Sandbox::with_site();
            sandbox.write(name, "");
            std::fs::write(sandbox.path(name), bytes).unwrap();
            let ended = bounded(&sandbox, &["status"]);
            assert!(
                [4, 65].contains(&ended.code),
                "{name}, {what}: {} {}",
                ended.code,
                ended.stderr
            );
        }
    }
}

#[test]
fn configurations_that_include_each_other_again_and_again_are_refused() {
    let sandbox = Sandbox::with_site();
    sandbox.write(".ssh/config", &"Include level0\n".repeat(10));
    for level in 0..15 {
        let next = format!("Include level{}\n", level + 1).repeat(10);
        sandbox.write(&format!(".ssh/level{level}"), &next);
    }
    sandbox.write(".ssh/level15", "User x\n");
    let ended = bounded(&sandbox, &["status"]);
    assert!(ended.stderr.contains("includes add up to more than 1000 files"), "{}", ended.stderr);
}

#[test]
fn a_device_is_no_configuration() {
    let sandbox = Sandbox::with_site();
    std::fs::create_dir(sandbox.path(".ssh")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", sandbox.path(".ssh/config")).unwrap();
    let ended = bounded(&sandbox, &["status"]);
    assert!(ended.stderr.contains("it is longer than 1048576 bytes"), "{}", ended.stderr);
}

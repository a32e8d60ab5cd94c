//! The model of a host's lock against the scripts that are it.

use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use quorate_tests::cases::cases;

use crate::host::{Lease, Lock};

macro_rules! part {
    ($name:literal) => {
        include_str!(concat!("../../../cli/engine/src/script/sh/", $name, ".sh"))
    };
}

/// What is in front of every script; see `engine/src/script.rs`.
const FRONT: &str =
    concat!(part!("preamble"), part!("lock"), part!("fence"), part!("members"), part!("guards"));

#[derive(Debug, Clone, Copy)]
enum Call {
    Take(usize),
    Keep(usize),
    GiveBack(usize),
    Free,
    /// A step of this generation begins.
    Step(u8),
    /// Time passes.
    Expire,
}

fn calls() -> impl Strategy<Value = Call> {
    prop_oneof![
        3 => (0_usize..3).prop_map(Call::Take),
        1 => (0_usize..3).prop_map(Call::Keep),
        1 => (0_usize..3).prop_map(Call::GiveBack),
        1 => Just(Call::Free),
        2 => (0_u8..5).prop_map(Call::Step),
        2 => Just(Call::Expire),
    ]
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn the_scripts_keep_the_lock_as_the_model_says(calls in prop::collection::vec(calls(), 1..9)) {
        let dir = Scratch::new();
        let file = dir.0.join("lock");
        let mut lock = Lock::new();
        for call in &calls {
            let (said, wanted) = match *call {
                Call::Take(run) => {
                    let nonce = format!("run=n{run}");
                    let said = run_script(&file, "-", part!("lock_take"), &["seconds=60", &nonce, "by=me", "at=now", "what=test", "history=-"]);
                    (said, lock.take(run).is_ok())
                }
                Call::Keep(run) => {
                    (run_script(&file, "-", part!("lock_keep"), &["seconds=60", &format!("run=n{run}")]), lock.keep(run).is_ok())
                }
                Call::GiveBack(run) => {
                    (run_script(&file, "-", part!("lock_keep"), &["seconds=0", &format!("run=n{run}")]), lock.give_back(run).is_ok())
                }
                Call::Free => {
                    lock.free();
                    (run_script(&file, "-", part!("lock_break"), &["of=free"]), true)
                }
                Call::Step(generation) => {
                    let said = run_script(&file, &generation.to_string(), "takes lock \"$@\"\nchanged\n", &[]);
                    (said, lock.lets_in(generation))
                }
                Call::Expire => {
                    expire(&file);
                    if lock.lease == Lease::Lasts {
                        lock.lease = Lease::Expired;
                    }
                    continue;
                }
            };
            prop_assert_eq!(said, wanted, "{:?} of {:?}; {:?}", call, calls, lock);
        }
    }
}

/// Runs a script on a lock: whether it did what it should. Anything but that and a refusal is a panic.
fn run_script(lock: &Path, generation: &str, script: &str, args: &[&str]) -> bool {
    let own = |flag: &str| {
        let output = Command::new("id").arg(flag).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    // The tests need not run as root: their files belong to the user who runs them.
    let source =
        format!("{FRONT}{script}").replace("root:root", &format!("{}:{}", own("-u"), own("-g")));
    let own = format!("lock={}", lock.display());
    let fence = [format!("fence={}", lock.display()), format!("turn={generation}")];
    let fence = if generation == "-" { &[][..] } else { &fence[..] };
    let output = Command::new("sh")
        .args(["-c", &source, "sh", &own])
        .args(fence)
        .args(args)
        .output()
        .unwrap();
    match output.status.code() {
        Some(0) => true,
        Some(80) => false,
        other => panic!("{other:?}: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// Ends the lease in a lock file, as if its time had passed.
fn expire(file: &Path) {
    let Ok(text) = std::fs::read_to_string(file) else { return };
    let over = |line: &str| match line.split_once(' ') {
        Some(("until", until)) if until != "0" => "until 1\n".to_owned(),
        _ => format!("{line}\n"),
    };
    std::fs::write(file, text.lines().map(over).collect::<String>()).unwrap();
}

/// A folder that goes when it is dropped.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir =
            std::env::temp_dir().join(format!("quorate-lock-{}-{number}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        Self(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

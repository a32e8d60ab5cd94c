//! A guard that does not hold stops the script before its first change.

use super::super::script;
use super::bench::{Bench, Run, on_each_shell};
use crate::engine::executable::executable;

/// Whether a script with that guard goes on.
fn holds(bench: &Bench, guard: [&str; 3]) -> bool {
    let token = bench.arg("token");
    let run = Run::new(script::STORE_TOKEN, &[guard[0], guard[1], guard[2], &token]).with(b"x");
    let reply = bench.run(&run);
    let done = bench.path("token").exists();
    assert_eq!(reply.status, if done { 0 } else { 80 }, "{}", reply.stderr);
    let _ = std::fs::remove_file(bench.path("token"));
    done
}

#[test]
fn a_member_that_was_in_a_quorum_is_never_formed_anew() {
    on_each_shell(|bench| {
        let (marker, witness) = (bench.arg("marker"), bench.arg("witness"));
        let guard = ["never-formed", &marker, &witness];
        assert!(holds(bench, guard));
        bench.write("witness", "");
        assert!(!holds(bench, guard));
        std::fs::rename(bench.path("witness"), bench.path("marker")).unwrap();
        assert!(!holds(bench, guard));
    });
}

#[test]
fn a_file_is_what_the_plan_saw_or_what_the_step_wants() {
    on_each_shell(|bench| {
        let file = bench.arg("unit");
        let [seen, wanted] = [b"seen", b"want"].map(|text| pki::Sha256Digest::of(text).to_string());
        let both = format!("{seen} {wanted}");
        assert!(holds(bench, ["file-is", &file, "absent"]));
        assert!(!holds(bench, ["file-is", &file, &seen]));
        bench.write("unit", "seen");
        assert!(!holds(bench, ["file-is", &file, "absent"]));
        assert!(holds(bench, ["file-is", &file, &seen]));
        bench.write("unit", "want");
        assert!(holds(bench, ["file-is", &file, &both]));
        bench.write("unit", "edited");
        assert!(!holds(bench, ["file-is", &file, &both]));
    });
}

#[test]
fn a_member_without_its_log_has_lost_its_memory() {
    on_each_shell(|bench| {
        let (wal, marker, witness) = (bench.arg("wal"), bench.arg("marker"), bench.arg("witness"));
        let marks = format!("{marker} {witness}");
        let has_log = ["has-log", &wal, ""];
        let or_never_formed = ["has-log-or-never-formed", &wal, &marks];
        assert!(!holds(bench, has_log));
        assert!(holds(bench, or_never_formed));
        bench.write("witness", "");
        assert!(!holds(bench, or_never_formed));
        std::fs::create_dir(bench.path("wal")).unwrap();
        assert!(!holds(bench, or_never_formed));
        bench.write("wal/0.wal", "");
        assert!(holds(bench, has_log));
        assert!(holds(bench, or_never_formed));
    });
}

#[test]
fn a_guard_that_nobody_knows_never_holds() {
    on_each_shell(|bench| {
        let args = ["always".to_owned(), String::new(), String::new(), bench.arg("token")];
        let reply = bench.run(&Run::new(script::STORE_TOKEN, &args).with(b"x"));
        assert_eq!(reply.status, 1);
        assert!(!bench.path("token").exists());
    });
}

/// Answers for each member as the file of its endpoint says; a member without one is down.
const ETCDCTL: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
for word; do
    case "$word" in --endpoints=*) cat "member-${word#--endpoints=}" ;; esac
done
"#;

#[test]
fn a_restart_waits_until_enough_others_are_healthy() {
    on_each_shell(|bench| {
        executable(&bench.path("etcdctl"), ETCDCTL);
        let member = |name: &str, leader: u64, learner: bool| {
            let said = format!("\"Leader\" : {leader}\n\"IsLearner\" : {learner}\n");
            bench.write(&format!("member-{name}"), &said);
        };
        let tools = format!("{} ca cert key", bench.arg("etcdctl"));
        let two_are_healthy = || holds(bench, ["others-healthy", &format!("2 {tools}"), "a b"]);
        member("a", 7, false);
        assert!(!two_are_healthy(), "b is down");
        member("b", 0, false);
        assert!(!two_are_healthy(), "b knows no leader");
        member("b", 7, true);
        assert!(!two_are_healthy(), "b is a learner");
        member("b", 7, false);
        assert!(two_are_healthy());
    });
}

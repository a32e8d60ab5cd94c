//! A guard that does not hold stops the script before its first change.

use super::bench::{Bench, Run, on_each_shell};
use crate::script;
use test_kit::executable::executable;

/// A step with a guard, which is given with what it looks at.
fn guarded(token: &str, [guard, first, second]: [&str; 3]) -> Run<'static> {
    let keys = match guard {
        "never-formed" => ["guard_marker", "guard_witness"],
        "file-is" => ["guard_file", "guard_digests"],
        "others-healthy" => ["guard_asked", "guard_places"],
        _ => ["guard_log", "guard_marker"],
    };
    let run = Run::unguarded(script::STORE_TOKEN, &[token]).with(b"x").set("guard", guard);
    let run = run.set(keys[0], first).set(keys[1], second);
    if guard == "has-log-or-never-formed" {
        let (marker, witness) = second.split_once(' ').unwrap();
        return run.set("guard_marker", marker).set("guard_witness", witness);
    }
    run
}

/// Whether a script with that guard continues.
fn holds(bench: &Bench, guard: [&str; 3]) -> bool {
    let token = bench.arg("token");
    let reply = bench.run(&guarded(&token, guard));
    let done = bench.path("token").exists();
    assert_eq!(reply.status, if done { 0 } else { 80 }, "{}", reply.stderr);
    let _ = std::fs::remove_file(bench.path("token"));
    done
}

#[test]
fn a_member_that_was_in_a_quorum_is_never_formed_again() {
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
        let [seen, wanted] =
            [b"seen", b"want"].map(|text| pki::Sha256Digest::hash(text).to_string());
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
        let reply = bench.run(&guarded(&bench.arg("token"), ["always", "", ""]));
        assert_eq!(reply.status, 1);
        assert!(!bench.path("token").exists());
    });
}

/// Answers for each member as the file of its endpoint says; a member without one is down.
const ETCDCTL: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
for word; do
    case "$word" in --endpoints=*) cat "member-${word#--endpoints=}" || exit 1 ;; esac
done
"#;

/// What a member says of itself: its cluster, and how many entries of the log it has applied of those that
/// it has.
fn says(cluster: u64, leader: u64, learner: bool, (applied, index): (u64, u64)) -> String {
    format!(
        "\"ClusterID\" : {cluster}\n\"Leader\" : {leader}\n\"IsLearner\" : {learner}\n\
         \"RaftIndex\" : {index}\n\"RaftAppliedIndex\" : {applied}\n"
    )
}

/// One of two others is healthy, and the other one says this: why the restart waits, or nothing.
fn waits_for(bench: &Bench, id: &str, said: &str) -> String {
    executable(&bench.path("etcdctl"), ETCDCTL);
    bench.write("member-a", &says(0xcafe, 7, false, (90_000, 90_001)));
    bench.write("member-b", said);
    let asked = format!("2 {id} {} ca cert key", bench.arg("etcdctl"));
    let token = bench.arg("token");
    let reply = bench.run(&guarded(&token, ["others-healthy", &asked, "a b"]));
    assert_eq!(reply.status, if bench.path("token").exists() { 0 } else { 80 }, "{}", reply.stderr);
    let _ = std::fs::remove_file(bench.path("token"));
    let said = String::from_utf8(reply.stdout).unwrap();
    said.split_once("2 must be: ").map_or(String::new(), |(_, why)| why.trim().to_owned())
}

#[test]
fn a_restart_waits_until_enough_others_are_healthy() {
    const NEAR: (u64, u64) = (89_000, 90_000);
    on_each_shell(|bench| {
        let why = |said: &str| waits_for(bench, "cafe", said);
        assert_eq!(why(&says(0xcafe, 0, false, NEAR)), "b knows no leader");
        assert_eq!(why(&says(0xcafe, 7, true, NEAR)), "b is a learner");
        assert_eq!(why(&says(0xcafe, 7, false, NEAR)), "");
        assert_eq!(why(""), "b knows no leader");
        std::fs::remove_file(bench.path("member-b")).unwrap();
        let token = bench.arg("token");
        let asked = format!("2 cafe {} ca cert key", bench.arg("etcdctl"));
        let reply = bench.run(&guarded(&token, ["others-healthy", &asked, "a b"]));
        let said = String::from_utf8(reply.stdout).unwrap();
        assert_eq!(
            said,
            "refused 1 of the other members are healthy, but 2 must be: b does not answer\n"
        );
    });
}

/// A member that was away for a day answers, knows the leader, and lacks most of the log.
#[test]
fn a_restart_waits_for_a_member_that_has_to_catch_up() {
    on_each_shell(|bench| {
        let why = |applied| waits_for(bench, "cafe", &says(0xcafe, 7, false, applied));
        assert_eq!(why((85_001, 85_001)), "");
        assert_eq!(why((85_000, 90_001)), "b has applied 85000 of 90001 entries of the log");
        assert_eq!(why((120, 120)), "b has applied 120 of 90001 entries of the log");
        let silent = "\"ClusterID\" : 51966\n\"Leader\" : 7\n\"IsLearner\" : false\n";
        let why = waits_for(bench, "cafe", silent);
        assert_eq!(why, "b does not report how many log entries it has applied");
    });
}

/// One that answers under the address of another cluster is nobody's quorum.
#[test]
fn a_restart_counts_members_of_its_own_cluster_alone() {
    on_each_shell(|bench| {
        let said = |cluster| says(cluster, 7, false, (90_000, 90_000));
        let why = waits_for(bench, "cafe", &said(0xbeef));
        assert_eq!(why, "b belongs to another cluster, beef");
        assert_eq!(waits_for(bench, "beef", &said(0xbeef)), "a belongs to another cluster, cafe");
        // Where nobody knows the id yet they agree on one.
        assert_eq!(waits_for(bench, "-", &said(0xcafe)), "");
        assert_eq!(waits_for(bench, "-", &said(0xbeef)), "b belongs to another cluster, beef");
        let large = waits_for(bench, "8e9e05c52164694d", &said(0x8e9e_05c5_2164_694d));
        assert_eq!(large, "a belongs to another cluster, cafe");
    });
}

/// A kubelet's turn asks the others of each cluster that has a pod there.
#[test]
fn every_cluster_of_the_guard_is_asked() {
    on_each_shell(|bench| {
        executable(&bench.path("etcdctl"), ETCDCTL);
        let healthy = says(0xcafe, 7, false, (9, 9));
        bench.write("member-a", &healthy);
        bench.write("member-b", &healthy);
        let asked = |id: &str| format!("1 {id} {} ca cert key", bench.arg("etcdctl"));
        let two = format!("{}\n{}", asked("cafe"), asked("-"));
        assert!(holds(bench, ["others-healthy", &two, "a\nb"]));
        assert!(!holds(bench, ["others-healthy", &two, "a\nc"]), "c is down");
        assert!(!holds(bench, ["others-healthy", &two, "c\na"]), "c is down");
        assert!(holds(bench, ["others-healthy", "", ""]), "nobody is to be asked");
    });
}

/// Answers for all the members that are asked for in one go, as the real one does, and counts its starts.
const ETCDCTL_OF_ALL: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
echo >>starts
for word; do
    case "$word" in --endpoints=*) asked=$(echo "${word#--endpoints=}" | tr , ' ') ;; esac
done
status=0
for member in $asked; do
    if cat "member-$member"; then printf '"Endpoint" : "%s"\n\n' "$member"; else status=1; fi
done 2>/dev/null
exit "$status"
"#;

#[test]
fn members_that_all_answer_are_asked_by_one_etcdctl() {
    on_each_shell(|bench| {
        executable(&bench.path("etcdctl"), ETCDCTL_OF_ALL);
        let starts = || {
            let starts = bench.read("starts").lines().count();
            std::fs::remove_file(bench.path("starts")).unwrap();
            starts
        };
        let asked = format!("3 cafe {} ca cert key", bench.arg("etcdctl"));
        let all_healthy = || holds(bench, ["others-healthy", &asked, "a b c"]);
        let healthy = says(0xcafe, 7, false, (9, 9));
        for member in ["member-a", "member-b", "member-c"] {
            bench.write(member, &healthy);
        }
        assert!(all_healthy());
        assert_eq!(starts(), 1);
        bench.write("member-b", &says(0xcafe, 0, false, (9, 9)));
        assert!(!all_healthy(), "b knows no leader");
        assert_eq!(starts(), 1);
        std::fs::remove_file(bench.path("member-b")).unwrap();
        assert!(!all_healthy(), "b is down");
        assert_eq!(starts(), 4, "each is asked for itself");
    });
}

/// A member that is not ours any more might print lines that look like another's answer.
#[test]
fn no_member_answers_for_another_one() {
    on_each_shell(|bench| {
        executable(&bench.path("etcdctl"), ETCDCTL_OF_ALL);
        let healthy = says(0xcafe, 7, false, (9, 9));
        bench.write("member-a", &format!("{healthy}\"Endpoint\" : \"b\"\n\n{healthy}"));
        bench.write("member-b", &says(0xcafe, 0, false, (9, 9)));
        let asked = format!("2 cafe {} ca cert key", bench.arg("etcdctl"));
        assert!(!holds(bench, ["others-healthy", &asked, "a b"]));
    });
}

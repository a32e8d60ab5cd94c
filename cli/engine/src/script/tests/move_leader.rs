//! Leadership is handed over before the leader restarts.

use super::bench::{Bench, Run, on_each_shell};
use crate::script;
use test_kit::executable::executable;

/// Member 1 leads until another member is asked to. As the real one, it knows no fields for a
/// handover, and hands over all the same.
const ETCDCTL: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
format=simple
for word; do
    case "$word" in
    --endpoints=*) endpoint=${word#--endpoints=} ;;
    fields) format=fields ;;
    esac
    case "$before" in move-leader) target=$word ;; esac
    before=$word
done
[ ! -e "down-$endpoint" ] || { echo "context deadline exceeded" >&2; exit 1; }
case "$*" in
*"endpoint status"*)
    printf '"MemberID" : %s\n"Leader" : %s\n"IsLearner" : false\n' "$endpoint" "$(cat leader)"
    ;;
*move-leader*)
    [ ! -e auth ] || { echo "Error: etcdserver: permission denied" >&2; exit 1; }
    echo "$target" >leader
    [ "$format" = simple ] || { echo "fields not supported as output format" >&2; exit 4; }
    ;;
*) exit 64 ;;
esac
"#;

/// Members call each other by their ids here.
const LARGE: &str = "10276657743932975437";

fn cluster(bench: &Bench, leader: &str) {
    executable(&bench.path("etcdctl"), ETCDCTL);
    bench.write("leader", leader);
}

fn hand_over(bench: &Bench) -> Run<'static> {
    let etcdctl = bench.arg("etcdctl");
    let args = [etcdctl.as_str(), "ca", "cert", "key", "1", "2", LARGE];
    Run::unguarded(script::MOVE_LEADER, &args)
}

#[test]
fn the_leader_hands_over_to_another_member() {
    on_each_shell(|bench| {
        cluster(bench, "1");
        assert_eq!(bench.done(&hand_over(bench)), "changed");
        assert_eq!(bench.read("leader").trim(), "2");
    });
}

#[test]
fn a_member_that_does_not_answer_is_passed_over() {
    on_each_shell(|bench| {
        cluster(bench, "1");
        bench.write("down-2", "");
        assert_eq!(bench.done(&hand_over(bench)), "changed");
        assert_eq!(bench.read("leader").trim(), "8e9e05c52164694d", "in hex, however large");
    });
}

#[test]
fn a_member_that_does_not_lead_has_nothing_to_hand_over() {
    on_each_shell(|bench| {
        cluster(bench, "2");
        assert_eq!(bench.done(&hand_over(bench)), "already");
    });
}

#[test]
fn a_leader_without_a_fit_member_keeps_the_lead() {
    on_each_shell(|bench| {
        cluster(bench, "1");
        bench.write("down-2", "");
        bench.write(&format!("down-{LARGE}"), "");
        let reply = bench.run(&hand_over(bench));
        assert_ne!(reply.status, 0);
        let said = String::from_utf8_lossy(&reply.stdout).into_owned() + &reply.stderr;
        assert!(said.contains("no other member is fit to lead"), "{said}");
        assert_eq!(bench.read("leader"), "1");
    });
}

/// etcd's own authentication knows no user of our client's name.
#[test]
fn a_leader_that_may_not_hand_over_is_left_to_an_election() {
    on_each_shell(|bench| {
        cluster(bench, "1");
        bench.write("auth", "");
        assert_eq!(bench.done(&hand_over(bench)), "already");
        assert_eq!(bench.read("leader"), "1");
    });
}

//! A cluster that ran out of space: what is compacted, and when the alarm is cleared.

use super::bench::{Bench, Run, on_each_shell};
use crate::script;
use test_kit::executable::executable;

/// Two members. Of each the file `in-use-N` and `size-N` say how full it is, N being its port; `compacted` has the
/// revision to which they were compacted, `alarms` what is raised, `full` is there while no write is taken. etcdctl
/// clears all alarms, no matter which one is named.
const ETCDCTL: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
for word; do case "$word" in --endpoints=*) ports=$(echo "$word" | tr -dc '0-9,'); port=${ports%%,*} ;; esac; done
[ ! -e "down-$port" ] || { echo "Error: connection refused" >&2; exit 1; }
case "$*" in
*"--endpoints=h:1,h:2"*"endpoint status -w json"*)
    echo '[{"Endpoint":"h:1","Status":{"header":{"member_id":8,"revision":40,"raft_term":2},"dbSize":'"$(cat database)"',"dbSizeInUse":1}},{"Endpoint":"h:2","Status":{"header":{"member_id":9,"revision":39,"raft_term":2},"dbSize":1}}]'
    ;;
*"endpoint status -w json"*)
    printf '[{"Endpoint":"x","Status":{"header":{"member_id":8,"revision":%s},"dbSize":%s,"dbSizeInUse":%s}}]\n' \
        "$(cat revision)" "$(cat "size-$port")" "$(cat "in-use-$port")"
    ;;
*"get --print-value-only compact_rev_key"*) cat api-servers ;;
*"compact --physical=true"*)
    for word; do :; done
    echo "compact $port $word" >>calls
    [ "$word" -gt "$(cat compacted)" ] ||
        { echo "Error: etcdserver: mvcc: required revision has been compacted" >&2; exit 1; }
    [ "$port" != 1 ] || exit 0
    echo "$word" >compacted
    ;;
*"endpoint hashkv --rev=39 -w json"*)
    for word; do case "$word" in --command-timeout=*) echo "${word#*=}" >limit ;; esac; done
    cat hashes
    [ ! -e moves ] || mv moves hashes
    ;;
*"alarm list"*) cat alarms ;;
*"alarm disarm"*) echo disarm >>calls; cp "$(cat becomes)" alarms; [ -s alarms ] || rm -f full ;;
*"lease grant"*) [ ! -e full ] || { echo "Error: database space exceeded" >&2; exit 1; }; echo "lease 7a granted with TTL(60s)" ;;
*"put --lease=7a"*) echo put >>calls ;;
*"lease revoke 7a"*) ;;
*) exit 64 ;;
esac
"#;

fn cluster(bench: &Bench) {
    executable(&bench.path("etcdctl"), ETCDCTL);
    for (name, text) in [
        ("size-1", "60"),
        ("size-2", "70"),
        ("in-use-1", "50"),
        ("in-use-2", "80"),
        ("revision", "40"),
        ("database", "1"),
        ("compacted", "10"),
        ("api-servers", "30"),
        ("alarms", "memberID:10 alarm:NOSPACE \n"),
        ("nothing", ""),
        ("becomes", "nothing"),
        ("full", ""),
        ("calls", ""),
    ] {
        bench.write(name, text);
    }
}

fn compact(bench: &Bench, to: &str) -> (i32, String) {
    let args = [&bench.arg("etcdctl"), "ca", "cert", "key", "h:1 h:2", to, "compact_rev_key", "9"];
    run(bench, &Run::unguarded(script::COMPACT, &args))
}

fn disarm(bench: &Bench, alarms: &str) -> (i32, String) {
    let args =
        [&bench.arg("etcdctl"), "ca", "cert", "key", alarms, "h:1 h:2", "100 100", "80", "/test"];
    run(bench, &Run::unguarded(script::DISARM, &args))
}

fn run(bench: &Bench, run: &Run<'_>) -> (i32, String) {
    let reply = bench.run(run);
    (reply.status, String::from_utf8(reply.stdout).unwrap())
}

#[test]
fn every_member_compacts_to_the_revision_that_the_api_servers_keep_or_to_the_newest_by_name() {
    on_each_shell(|bench| {
        for (to, revision) in [("api-servers", "30"), ("newest", "40")] {
            cluster(bench);
            assert_eq!(compact(bench, to), (0, "changed\n".to_owned()));
            let calls = format!("compact 1 {revision}\ncompact 2 {revision}\n");
            assert_eq!(bench.read("calls"), calls);
            // The members have it behind them, and the step is done again.
            assert_eq!(compact(bench, to), (0, "already\n".to_owned()));
        }
    });
}

/// Otherwise any client that may write a key could have all history removed.
#[test]
fn what_is_no_revision_of_this_cluster_compacts_nothing() {
    on_each_shell(|bench| {
        for (kept, status) in
            [("", 0), ("0", 0), ("41", 80), ("-1", 80), ("x", 80), ("30; rm", 80), ("3\n30", 80)]
        {
            cluster(bench);
            bench.write("api-servers", kept);
            assert_eq!(compact(bench, "api-servers").0, status, "{kept}");
            assert_eq!(bench.read("calls"), "", "{kept}");
        }
    });
}

#[test]
fn a_member_that_did_not_compact_is_named() {
    on_each_shell(|bench| {
        cluster(bench);
        bench.write("down-2", "");
        let (status, said) = compact(bench, "newest");
        assert_eq!(status, 1);
        assert!(said.starts_with("failed h:2 did not compact to revision 40"), "{said}");
    });
}

#[test]
fn the_alarm_goes_where_every_database_has_room_and_a_write_proves_it() {
    on_each_shell(|bench| {
        cluster(bench);
        assert_eq!(disarm(bench, "a"), (0, "changed\n".to_owned()));
        assert_eq!(bench.read("calls"), "disarm\nput\n");
        assert_eq!(disarm(bench, "a"), (0, "already\n".to_owned()));
    });
}

#[test]
fn the_alarm_stays_while_any_database_lacks_room() {
    on_each_shell(|bench| {
        for (file, bytes, why) in [
            ("in-use-2", "81", "uses 81 bytes of a quota of 100, more than 80 %"),
            ("in-use-1", "81", "uses 81 bytes of a quota of 100, more than 80 %"),
            ("size-2", "100", "has 100 bytes, and its quota is 100"),
        ] {
            cluster(bench);
            bench.write(file, bytes);
            let (status, said) = disarm(bench, "a");
            assert_eq!((status, bench.read("calls").as_str()), (80, ""), "{said}");
            assert!(said.contains(why), "{said}");
        }
        cluster(bench);
        bench.write("size-2", "");
        assert_eq!(disarm(bench, "a").0, 1, "a size that nobody knows is no room");
        assert_eq!(bench.read("calls"), "");
    });
}

/// etcdctl would clear it with the others.
#[test]
fn an_alarm_that_is_not_in_the_plan_is_not_cleared() {
    on_each_shell(|bench| {
        for alarms in [
            "memberID:10 alarm:CORRUPT \n",
            "memberID:10 alarm:NOSPACE \nmemberID:11 alarm:NOSPACE \n",
            "memberID:10 alarm:NOSPACE \nmemberID:10 alarm:CORRUPT \n",
        ] {
            cluster(bench);
            bench.write("alarms", alarms);
            let (status, said) = disarm(bench, "a");
            assert_eq!((status, bench.read("calls").as_str()), (80, ""), "{said}");
        }
        cluster(bench);
        bench.write("alarms", "memberID:10  alarm:NOSPACE\nmemberID:11  alarm:NOSPACE\n");
        assert_eq!(disarm(bench, "a b"), (0, "changed\n".to_owned()), "as 3.7 tells them");
    });
}

#[test]
fn a_list_of_alarms_that_cannot_be_read_is_not_an_empty_one() {
    on_each_shell(|bench| {
        for file in ["down-1", "unreadable"] {
            cluster(bench);
            bench.write(file, "");
            bench.write("alarms", "Usage of etcdctl:\n");
            let (status, said) = disarm(bench, "a");
            assert_eq!((status, bench.read("calls").as_str()), (1, ""), "{said}");
        }
    });
}

#[test]
fn an_alarm_that_is_raised_again_is_no_success() {
    on_each_shell(|bench| {
        cluster(bench);
        std::fs::remove_file(bench.path("full")).unwrap();
        bench.write("again", "memberID:10 alarm:NOSPACE \n");
        bench.write("becomes", "again");
        let (status, said) = disarm(bench, "a");
        assert_eq!(status, 1);
        assert!(said.contains("raised an alarm again after the alarm was cleared"), "{said}");
    });
}

/// What two members say of their keys.
fn hashes(one: &str, other: &str) -> String {
    let of = |port: u8, rest: &str| {
        format!(
            r#"{{"Endpoint":"h:{port}","HashKV":{{"header":{{"cluster_id":7,"member_id":{port},"revision":40,"raft_term":2}},{rest}}}}}"#
        )
    };
    format!("[{},{}]\n", of(1, one), of(2, other))
}

const SAME: &str = r#""hash":77,"compact_revision":5,"hash_revision":39"#;

fn compare(bench: &Bench, alarms: &str) -> (i32, String) {
    let args = [&bench.arg("etcdctl"), "ca", "cert", "key", "h:1 h:2", alarms, "/test"];
    run(bench, &Run::unguarded(script::COMPARE_DATA, &args))
}

#[test]
fn members_that_disagree_remove_nobody() {
    on_each_shell(|bench| {
        cluster(bench);
        bench.write("hashes", &hashes(SAME, SAME));
        assert_eq!(compare(bench, ""), (0, "changed\n".to_owned()));
        // A cluster that never compacted says nothing of it.
        bench.write("hashes", &hashes(r#""hash":77"#, r#""hash":77"#));
        assert_eq!(compare(bench, ""), (0, "changed\n".to_owned()));
        bench.write("hashes", &hashes(SAME, &SAME.replace("77", "78")));
        let (status, said) = compare(bench, "");
        assert_eq!(status, 80, "{said}");
        assert!(said.contains("different data at revision 39: 77 5,78 5: "), "{said}");
        assert_eq!(bench.read("calls"), "");
    });
}

#[test]
fn a_compaction_between_two_hashes_is_waited_for_and_a_missing_one_is_no_agreement() {
    on_each_shell(|bench| {
        cluster(bench);
        bench.write("hashes", &hashes(SAME, r#""hash":78,"compact_revision":6"#));
        bench.write("moves", &hashes(SAME, SAME));
        assert_eq!(compare(bench, ""), (0, "changed\n".to_owned()));
        let one =
            hashes(SAME, SAME).split(r#",{"Endpoint":"h:2""#).next().unwrap().to_owned() + "]\n";
        bench.write("hashes", &one);
        let (status, said) = compare(bench, "a");
        assert_eq!((status, bench.read("calls").as_str()), (1, ""), "{said}");
        assert!(said.starts_with("failed the members' data could not be compared"), "{said}");
    });
}

/// A member reads all of its keys to hash them: the largest database says how long that may take.
#[test]
fn a_large_database_has_longer_to_be_hashed() {
    on_each_shell(|bench| {
        cluster(bench);
        bench.write("hashes", &hashes(SAME, SAME));
        for (size, limit) in [
            ("1", "60s"),
            ("2000000000", "160s"),
            ("\"8000000000\"", "460s"),
            ("999999999999999", "600s"),
            ("99999999999999999999", "600s"),
            ("null", "60s"),
        ] {
            bench.write("database", size);
            assert_eq!(compare(bench, ""), (0, "changed\n".to_owned()), "{size}");
            assert_eq!(bench.read("limit").trim(), limit, "{size}");
        }
    });
}

#[test]
fn an_alarm_of_corruption_goes_where_all_agree() {
    on_each_shell(|bench| {
        cluster(bench);
        bench.write("hashes", &hashes(SAME, SAME));
        bench.write("alarms", "memberID:10 alarm:CORRUPT \n");
        assert_eq!(compare(bench, "a"), (0, "changed\n".to_owned()));
        assert_eq!(bench.read("calls"), "disarm\nput\n");
        assert_eq!(compare(bench, "a"), (0, "already\n".to_owned()));

        cluster(bench);
        bench.write("hashes", &hashes(SAME, &SAME.replace("77", "78")));
        bench.write("alarms", "memberID:10 alarm:CORRUPT \n");
        assert_eq!(compare(bench, "a").0, 80);
        bench.write("hashes", &hashes(SAME, SAME));
        bench.write("alarms", "memberID:10 alarm:NOSPACE \n");
        assert_eq!(compare(bench, "a").0, 80, "another alarm");
        assert_eq!(bench.read("calls"), "");
    });
}

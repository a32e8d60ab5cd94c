//! What is done around the restarts that bring a cluster to another minor.

use test_kit::executable::executable;

use super::bench::{Bench, Run, on_each_shell};
use crate::script;
use remote::Reply;

/// Counts entries, and takes a snapshot of the log after so many as `count` says.
const ETCDCTL: &str = r#"#!/bin/sh
bench=$(dirname "$0")
case "$*" in
*" del "*)
    [ ! -e "$bench/refuses" ] || { echo 'Error: etcdserver: permission denied' >&2; exit 1; }
    if [ -e "$bench/refuses-after" ] && [ "$(wc -l <"$bench/entries")" -ge "$(cat "$bench/refuses-after")" ]; then
        echo x >>"$bench/refused"
        [ "$(wc -l <"$bench/refused")" -le "$(cat "$bench/refuses-times")" ] || rm -f "$bench/refuses-after"
        echo 'Error: etcdserver: no leader' >&2
        exit 1
    fi
    echo x >>"$bench/entries"
    if [ "$(wc -l <"$bench/entries")" -gt "$(cat "$bench/count")" ]; then
        cp "$bench/newer" "$bench/data/member/snap/0000000000000002-0000000000002711.snap"
        : >"$bench/readable"
    fi
    ;;
*"endpoint status -w json"*)
    echo '[{"Endpoint":"one","Status":{"header":{"member_id":8,"revision":9}}}]'
    ;;
*"endpoint status"*)
    for endpoint; do case $endpoint in --endpoints=*) endpoint=${endpoint#--endpoints=}; break ;; esac; done
    [ -e "$bench/of-$endpoint" ] || exit 1
    cat "$bench/of-$endpoint"
    ;;
*"endpoint hashkv"*)
    printf '[%s,%s]\n' "$(cat "$bench/hash-one")" "$(cat "$bench/hash-two")"
    ;;
*"downgrade enable "*)
    for word; do :; done
    echo "downgrade enable $word" >"$bench/enabled"
    case $(cat "$bench/enables") in
    busy*)
        rest=$(cat "$bench/enables")
        echo "${rest%x}" >"$bench/enables"
        [ "$rest" = busy ] || { echo 'Error: etcdserver: cluster has a downgrade job in progress' >&2; exit 1; }
        sed -i 's/3\.7\.0/3.6.0/' "$bench/of-two"
        ;;
    refused) echo 'Error: etcdserver: invalid downgrade target version' >&2; exit 1 ;;
    two) sed -i 's/3\.7\.0/3.6.0/' "$bench/of-two" ;;
    esac
    ;;
*) exit 64 ;;
esac
"#;

const ETCDUTL: &str = r#"#!/bin/sh
bench=$(dirname "$0")
echo x >>"$bench/checks"
[ ! -e "$bench/readable" ] || exit 0
if [ -e "$bench/torn" ] && [ "$(wc -l <"$bench/checks")" -le "$(cat "$bench/torn")" ]; then
    echo 'Error: failed to read WAL: walpb: crc mismatch' >&2
    exit 1
fi
cat "$bench/verdict" >&2
exit 1
"#;

fn host(bench: &Bench) {
    executable(&bench.path("etcdctl"), ETCDCTL);
    executable(&bench.path("etcdutl"), ETCDUTL);
    bench.write("count", "100");
    bench.write("newer", &snapshot_of("3.6.0"));
    for folder in ["data/member/snap", "data/member/wal"] {
        std::fs::create_dir_all(bench.path(folder)).unwrap();
    }
}

/// What a snapshot of the log holds of the cluster's version, among other things.
fn snapshot_of(version: &str) -> String {
    format!(
        "\u{0}{{\"Root\":{{\"Path\":\"/0/version\",\"CreatedIndex\":5,\"Value\":\"{version}\",\"Children\":null}},\
         {{\"Path\":\"/1\",\"Value\":\"3.6.0\"}}"
    )
}

fn prepare(bench: &Bench, minor: &str, entries: u64) -> Run<'static> {
    let (etcdctl, etcdutl, data) = (bench.arg("etcdctl"), bench.arg("etcdutl"), bench.arg("data"));
    let entries = entries.to_string();
    let args = [
        etcdctl.as_str(),
        "ca",
        "cert",
        "key",
        "https://127.0.0.1:2379",
        &etcdutl,
        &data,
        minor,
        &entries,
        "20000",
        "60",
        "3",
        "/quorate/log",
    ];
    Run::unguarded(script::PREPARE_LOG, &args)
}

fn fails(reply: &Reply) -> String {
    assert_ne!(reply.status, 0);
    String::from_utf8_lossy(&reply.stdout).into_owned()
}

fn entries(bench: &Bench) -> usize {
    std::fs::read_to_string(bench.path("entries")).unwrap_or_default().lines().count()
}

const OLD: &str = "\u{12}\u{3}PUT\u{1a}\u{a}/0/version\u{22}";

#[test]
fn a_log_that_begins_with_3_6_or_has_a_snapshot_of_it_is_left_alone() {
    on_each_shell(|bench| {
        host(bench);
        bench.write("data/member/wal/0-0.wal", "records of 3.6 alone");
        assert_eq!(bench.done(&prepare(bench, "3.6", 10_000)), "already");
        bench.write("data/member/wal/0-0.wal", OLD);
        bench.write(
            "data/member/snap/0000000000000002-0000000000000700.snap",
            &snapshot_of("3.6.0"),
        );
        assert_eq!(bench.done(&prepare(bench, "3.6", 10_000)), "already");
        assert_eq!(entries(bench), 0);
    });
}

#[test]
fn entries_are_written_until_a_snapshot_is_newer_than_the_last_record_of_3_5() {
    on_each_shell(|bench| {
        host(bench);
        bench.write("data/member/wal/0-0.wal", OLD);
        bench.write(
            "data/member/snap/0000000000000002-0000000000000700.snap",
            &snapshot_of("3.5.0"),
        );
        assert_eq!(bench.done(&prepare(bench, "3.6", 10_000)), "changed");
        assert!((100..=401).contains(&entries(bench)), "{}", entries(bench));
        assert_eq!(bench.done(&prepare(bench, "3.6", 10_000)), "already");
    });
}

#[test]
fn a_log_that_can_not_be_read_is_not_taken_for_a_new_one() {
    on_each_shell(|bench| {
        host(bench);
        bench.write("refuses", "");
        assert!(fails(&bench.run(&prepare(bench, "3.6", 10_000))).starts_with("failed "));
    });
}

#[test]
fn what_3_4_left_in_the_log_is_flushed_and_data_of_the_v2_api_is_refused() {
    on_each_shell(|bench| {
        host(bench);
        bench.program("sleep", "exec /bin/sleep 0.01");
        bench.write("verdict", "Error: detected custom v2 content in WAL records\n");
        let said = fails(&bench.run(&prepare(bench, "3.5", 100_000)));
        assert!(said.starts_with("failed detected custom v2 content in WAL records"), "{said}");
        assert!(said.contains("snapshot-count = 10000"), "{said}");
        assert_eq!(entries(bench), 0);
        assert_eq!(bench.done(&prepare(bench, "3.5", 10_000)), "changed");
        assert_eq!(bench.done(&prepare(bench, "3.5", 10_000)), "already");

        std::fs::remove_file(bench.path("readable")).unwrap();
        let before = entries(bench);
        for verdict in [
            "detected custom content in v2store",
            "detected custom v2 content in both v2store and WAL records",
        ] {
            bench.write("verdict", &format!("Error: {verdict}\n"));
            let said = fails(&bench.run(&prepare(bench, "3.5", 10_000)));
            assert!(said.starts_with("failed the member still holds data of the v2 API"), "{said}");
        }
        bench.write("verdict", "Error: no such file\n");
        assert!(
            fails(&bench.run(&prepare(bench, "3.5", 10_000)))
                .starts_with("failed etcdutl can't check")
        );
        assert_eq!(entries(bench), before);
    });
}

/// The member writes while its log is read.
#[test]
fn a_record_that_is_half_written_is_read_again() {
    on_each_shell(|bench| {
        host(bench);
        bench.program("sleep", "exec /bin/sleep 0.01");
        bench.write("torn", "4");
        bench.write("verdict", "Error: detected custom v2 content in WAL records\n");
        assert_eq!(bench.done(&prepare(bench, "3.5", 10_000)), "changed");
        bench.write("torn", "1000");
        std::fs::remove_file(bench.path("readable")).unwrap();
        let said = fails(&bench.run(&prepare(bench, "3.5", 10_000)));
        assert!(said.contains("can't check the member's log: failed to read WAL: walpb"), "{said}");
    });
}

#[test]
fn a_member_that_takes_no_write_is_named() {
    on_each_shell(|bench| {
        host(bench);
        bench.write("data/member/wal/0-0.wal", OLD);
        bench.write("refuses", "");
        let said = fails(&bench.run(&prepare(bench, "3.6", 10_000)));
        assert!(said.contains("takes no write: Error: etcdserver: permission denied"), "{said}");
    });
}

#[test]
fn entries_end_where_no_snapshot_comes_and_where_a_whole_round_is_refused() {
    on_each_shell(|bench| {
        host(bench);
        bench.write("data/member/wal/0-0.wal", OLD);
        let snapshot = "data/member/snap/0000000000000002-0000000000000700.snap";
        bench.write(snapshot, &snapshot_of("3.5.0"));
        bench.write("count", "5000");
        let said = fails(&bench.run(&prepare(bench, "3.6", 100)));
        assert!(said.contains("its newest snapshot is of cluster version 3.5.0"), "{said}");
        assert!(said.contains("although 500 entries were written"), "{said}");
        assert!((500..=701).contains(&entries(bench)), "{}", entries(bench));
        std::fs::remove_file(bench.path("entries")).unwrap();
        bench.program("sleep", "exec /bin/sleep 0.01");
        bench.write("refuses-times", "6");
        bench.write("refuses-after", "21");
        let said = fails(&bench.run(&prepare(bench, "3.6", 100)));
        assert!(said.contains("although 500 entries were written"), "an election ends: {said}");
        std::fs::remove_file(bench.path("entries")).unwrap();
        bench.write("refuses-times", "100000");
        bench.write("refuses-after", "21");
        let said = fails(&bench.run(&prepare(bench, "3.6", 10_000)));
        assert!(said.contains("takes no write: Error: etcdserver: no leader"), "{said}");
        assert!(entries(bench) < 30, "{}", entries(bench));
    });
}

/// The account of etcd may put anything there.
#[test]
fn what_is_no_file_of_etcd_is_not_read() {
    on_each_shell(|bench| {
        host(bench);
        bench.write("data/member/wal/0-0.wal", "records of 3.6 alone");
        for (name, target) in [
            ("data/member/snap/0000000000000002-0000000000000700.snap", "/dev/zero"),
            ("data/member/wal/0-1.wal", "/dev/zero"),
        ] {
            std::os::unix::fs::symlink(target, bench.path(name)).unwrap();
        }
        bench.write("refuses", "");
        let said = fails(&bench.run(&prepare(bench, "3.6", 10_000)));
        assert!(said.contains("is of cluster version unknown"), "{said}");
    });
}

fn member(bench: &Bench, endpoint: &str, (version, storage): (&str, &str), hash: &str) {
    let status = format!(
        "\"Revision\" : 9\n\"Version\" : \"{version}\"\n\"StorageVersion\" : \"{storage}\"\n"
    );
    bench.write(&format!("of-{endpoint}"), &status);
    let hash = format!(
        r#"{{"Endpoint":"{endpoint}","HashKV":{{"header":{{"revision":9}},"hash":{hash},"compact_revision":-1}}}}"#
    );
    bench.write(&format!("hash-{endpoint}"), &hash);
}

fn prove(bench: &Bench, storage: &str) -> Run<'static> {
    let (etcdctl, due) = (bench.arg("etcdctl"), bench.arg("proof-due"));
    let args = [etcdctl.as_str(), "ca", "cert", "key", "3.6.16", storage, &due, "1", "one", "two"];
    Run::unguarded(script::PROVE_VERSION, &args).set("endpoints", "one two")
}

#[test]
fn a_change_of_version_is_proven_when_all_have_arrived_with_the_same_data() {
    on_each_shell(|bench| {
        host(bench);
        bench.program("sleep", "exec /bin/sleep 0.1");
        let note = Run::unguarded(script::NOTE_PROOF, &[&bench.arg("proof-due"), "3.6.16"]);
        assert_eq!(bench.done(&note), "changed");
        assert_eq!(bench.done(&note), "already");
        assert_eq!(bench.read("proof-due"), "3.6.16\n");
        let noted = || bench.path("proof-due").exists();
        member(bench, "one", ("3.6.16", "3.6.0"), "71");
        assert!(fails(&bench.run(&prove(bench, "3.6"))).contains("two does not answer"));
        member(bench, "two", ("3.6.16", ""), "71");
        let said = fails(&bench.run(&prove(bench, "3.6")));
        assert!(said.contains("two has the database of etcd before 3.6, not yet of 3.6"), "{said}");
        assert!(noted());
        assert_eq!(bench.done(&prove(bench, "")), "changed");
        assert!(!noted());
        assert_eq!(bench.done(&note), "changed");
        member(bench, "two", ("3.6.16", "3.6.0"), "72");
        assert!(
            fails(&bench.run(&prove(bench, "3.6")))
                .contains("different data at revision 9: 71 -1,72 -1")
        );
        assert!(noted(), "it is due as long as it fails");
        member(bench, "two", ("3.6.16", "3.6.0"), "71");
        assert_eq!(bench.done(&prove(bench, "3.6")), "changed");
        member(bench, "two", ("3.5.35", "3.6.0"), "71");
        assert!(
            fails(&bench.run(&prove(bench, "3.6"))).contains("two runs etcd 3.5.35, not 3.6.16")
        );
    });
}

fn downgrade(bench: &Bench) -> Run<'static> {
    let etcdctl = bench.arg("etcdctl");
    let args = [etcdctl.as_str(), "ca", "cert", "key", "3.6", "1", "one two"];
    Run::unguarded(script::ENABLE_DOWNGRADE, &args)
}

#[test]
fn a_downgrade_is_enabled_once_and_waits_for_every_member() {
    on_each_shell(|bench| {
        host(bench);
        bench.program("sleep", "exec /bin/sleep 0.1");
        member(bench, "one", ("3.7.3", "3.7.0"), "71");
        member(bench, "two", ("3.7.3", "3.7.0"), "71");
        bench.write("enables", "refused");
        let said = fails(&bench.run(&downgrade(bench)));
        assert!(
            said.contains("etcd refused the downgrade to 3.6: Error: etcdserver: invalid"),
            "{said}"
        );
        bench.write("enables", "busyxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        let said = fails(&bench.run(&downgrade(bench)));
        assert!(
            said.contains("etcd did not end its former downgrade: Error: etcdserver"),
            "{said}"
        );
        bench.write("enables", "");
        let said = fails(&bench.run(&downgrade(bench)));
        assert!(said.contains("is enabled, but one has the database of etcd 3.7.0"), "{said}");
        member(bench, "one", ("3.7.3", "3.6.0"), "71");
        let said = fails(&bench.run(&downgrade(bench)));
        assert!(said.contains("is enabled, but two has the database of etcd 3.7.0"), "{said}");
        bench.write("enables", "two");
        assert_eq!(bench.done(&downgrade(bench)), "changed");
        assert_eq!(bench.read("enabled"), "downgrade enable 3.6\n");
        assert_eq!(bench.done(&downgrade(bench)), "already");
        member(bench, "two", ("3.7.3", "3.7.0"), "71");
        bench.write("enables", "busyxx");
        let said = bench.done(&downgrade(bench).set("seconds", "60"));
        assert_eq!(said, "changed", "a former one ends");
        assert_eq!(bench.read("enables"), "busy\n");
    });
}

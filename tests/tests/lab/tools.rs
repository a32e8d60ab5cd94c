//! The commands beside plan and apply, on a cluster that runs.

use quorate_lab::site::Runtime;

use crate::harness::{NEWEST, Stage, eventually, on, options};

scenarios! {
    status_tells_how_it_is_and_ends_accordingly,
    etcdctl_keeps_output_and_exit_status,
    a_plan_tells_what_a_program_wants_to_know,
}

pub(crate) fn status_tells_how_it_is_and_ends_accordingly(runtime: Runtime) {
    let stage = Stage::ready("t-status", 3, &options(runtime));
    stage.run(&["status"]).ends(1).says("not formed yet");
    stage.run(&["apply", "--yes"]).ends(0);
    let healthy = stage.run(&["status"]).ends(0);
    let words = ["etcd-1", "etcd-2", "etcd-3", "3.6.16", "leader"];
    let healthy = words.iter().fold(healthy, |run, word| run.says(word));
    healthy.does_not_say("PRIVATE KEY");
    let json = stage.run(&["status", "--json"]).ends(0).json();
    let main = &json["clusters"]["main"];
    assert_eq!(main["healthy"], 3, "{json:#}");
    assert_eq!(main["problems"], serde_json::json!([]), "{json:#}");
    for host in ["etcd-1", "etcd-2", "etcd-3"] {
        let member = &main["members"][host];
        assert_eq!(member["version"], NEWEST.to_string(), "{json:#}");
        assert!(member["db_size_bytes"].as_u64().unwrap() > 0, "{json:#}");
        let certificates = member["certificates"].as_array().unwrap();
        assert_eq!(certificates.len(), 3, "{json:#}");
        assert!(certificates.iter().all(|c| c["days_left"].as_i64().unwrap() > 360), "{json:#}");
    }

    stage.stop(2);
    stage.run(&["status"]).ends(1).says("etcd-2");
    let json = stage.run(&["status", "--json"]).ends(1).json();
    assert_eq!(json["clusters"]["main"]["margin"], 0, "{json:#}");
    stage.start(2);

    stage.host(3).cut().unwrap();
    stage.run(&["status"]).ends(4).says("etcd-3");
    stage.host(3).heal().unwrap();
    eventually("the member is back", || stage.run(&["status"]).code == Some(0));
}

pub(crate) fn etcdctl_keeps_output_and_exit_status(runtime: Runtime) {
    let stage = Stage::formed("t-etcdctl", 3, &options(runtime));
    let list = stage.run(&["etcdctl", "--", "member", "list"]).ends(0);
    assert_eq!(list.stdout.lines().count(), 3, "{}", list.text());
    assert_eq!(list.stderr, "");
    stage.run(&["etcdctl", "--", "put", "a key", "it's $(id) \"quoted\""]).ends(0).says("OK");
    let got = stage.run(&["etcdctl", "--", "get", "a key", "--print-value-only"]).ends(0);
    assert_eq!(got.stdout, "it's $(id) \"quoted\"\n");
    let direct = stage.run(&["etcdctl", "--", "no-such-command"]);
    assert_ne!(direct.code, Some(0), "{}", direct.text());
    let timeout = ["etcdctl", "--", "--command-timeout=1s", "get", "x", "--consistency=l"];
    stage.run(&timeout).ends(0);
    logs_stand_side_by_side(&stage);
    a_bundle_holds_no_secret(&stage);
    archives_are_listed_and_purged(&stage);
    for number in [1, 2] {
        stage.stop(number);
    }
    let failed = stage.run(&timeout);
    assert_eq!(failed.code, Some(1), "{}", failed.text());
    assert_eq!(failed.stdout, "");
    assert_ne!(failed.stderr, "");
}

/// What every member wrote, in one row by time.
fn logs_stand_side_by_side(stage: &Stage) {
    let logs = stage.run(&["logs", "-n", "200"]).ends(0);
    for host in ["  etcd-1  ", "  etcd-2  ", "  etcd-3  "] {
        assert!(logs.stdout.contains(host), "{}", logs.text());
    }
    let times: Vec<&str> = logs.stdout.lines().map(|line| &line[..24]).collect();
    assert!(times.is_sorted(), "{}", logs.text());
    assert!(logs.stdout.contains("info: "), "{}", logs.text());
    let one = stage.run(&["logs", "-n", "3", "--host", "etcd-2"]).ends(0);
    assert_eq!(one.stdout.lines().count(), 3, "{}", one.text());
    one.does_not_say("etcd-1  ");
    stage.run(&["logs", "--since", "2999-01-01"]).ends(0).says("etcd-3: no lines");
}

/// Secrets where a host may have some, and none of them in the archive.
fn a_bundle_holds_no_secret(stage: &Stage) {
    let drop_in = "/etc/systemd/system/etcd-main.service.d/90-seeded.conf";
    let seed = "[Service]\\nEnvironment=A=s33ded\\n";
    on(&stage.host(1), &format!("mkdir -p $(dirname {drop_in}); printf '{seed}' >{drop_in}"));
    let bundle = stage.run(&["support-bundle", "--out", "bundle.tar"]).ends(0);
    for host in ["etcd-1", "etcd-2", "etcd-3"] {
        for name in ["main.log", "system.txt", "journal.jsonl"] {
            assert!(bundle.stdout.contains(&format!("hosts/{host}/{name}")), "{}", bundle.text());
        }
    }
    let all = std::fs::read(stage.folder().join("bundle.tar")).unwrap();
    let all = String::from_utf8_lossy(&all);
    assert!(!all.contains("s33ded") && !all.contains("PRIVATE KEY-"));
    assert!(all.contains("register-host") && all.contains("etcd-main"));
    std::fs::remove_file(stage.folder().join("bundle.tar")).unwrap();
    on(&stage.host(1), &format!("rm {drop_in}"));
}

/// A member's earlier data, as quorate sets it aside, and something that it did not make.
fn archives_are_listed_and_purged(stage: &Stage) {
    let (archive, other) =
        ("20260101T000000Z-2baa8bd9efc286ee", "20260102T000000Z-2baa8bd9efc286ee");
    let dir = "/var/lib/etcd/main/archived";
    let make =
        format!("install -d -m 0700 {dir} {dir}/{archive}/wal {dir}/{other} {dir}/'of others'");
    on(&stage.host(2), &make);
    let list = stage.run(&["archives", "list"]).ends(0).says(archive).says(other);
    list.does_not_say("of others").does_not_say("etcd-1");
    stage
        .run(&["plan"])
        .says("3 archives of earlier data")
        .says("quorate archives purge --host etcd-2");
    stage.run(&["archives", "purge", "--older-than", "100000", "--yes"]).ends(0);
    stage.run(&["archives", "purge"]).ends(64).says("--yes");
    let purged = stage.run(&["archives", "purge", "--host", "etcd-2", "--yes"]).ends(0);
    purged.says(&format!("etcd-2: deleted main/{archive}"));
    on(&stage.host(2), &format!("test -d {dir}/'of others' && ! test -e {dir}/{archive}"));
    let purged = format!("done     etcd-2/main/purge-{archive}");
    stage.run(&["history", "--steps"]).ends(0).says(&purged);
    stage.run(&["history"]).ends(0).says(&format!("done     purge-{archive}"));
    assert_eq!(stage.run(&["archives", "list", "--json"]).ends(0).json(), serde_json::json!([]));
    stage.host(3).cut().unwrap();
    stage
        .run(&["archives", "list"])
        .ends(4)
        .says("etcd-3")
        .says("No such archive is on any host that answered");
    stage.host(3).heal().unwrap();
}

pub(crate) fn a_plan_tells_what_a_program_wants_to_know(runtime: Runtime) {
    let stage = Stage::ready("t-json", 3, &options(runtime));
    let plan = stage.run(&["plan", "--json", "--detailed-exitcode"]).ends(2).json();
    assert_eq!(plan["reason"], "changes", "{plan:#}");
    assert!(plan["steps"].as_array().unwrap().len() > 10, "{plan:#}");
    stage.run(&["graph"]).ends(0).says("digraph");
    let lines = stage.run(&["apply", "--yes", "--json"]).ends(0).stdout;
    for line in lines.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(last["reason"], "done", "{last:#}");
    let plan = stage.run(&["plan", "--json"]).ends(0).json();
    assert_eq!(plan["steps"], serde_json::json!([]), "{plan:#}");
    assert_eq!(plan["clusters"]["main"]["formation"], "formed", "{plan:#}");
}

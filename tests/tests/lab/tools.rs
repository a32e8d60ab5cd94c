//! The commands beside plan and apply, on a cluster that runs.

use quorate_lab::site::Runtime;

use crate::harness::{NEWEST, Stage, eventually, options};

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
    for number in [1, 2] {
        stage.stop(number);
    }
    let failed = stage.run(&timeout);
    assert_eq!(failed.code, Some(1), "{}", failed.text());
    assert_eq!(failed.stdout, "");
    assert_ne!(failed.stderr, "");
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

//! `--cluster` and `--host` on the command line.

use crate::sandbox::{Sandbox, site};

fn two_clusters() -> Sandbox {
    let sandbox = Sandbox::new();
    let events = "\n[clusters.events]\nversion = \"3.6.16\"\nmembers = [\"etcd-1\"]\n\
                  ports = { client = 2479, peer = 2480, metrics = 2481 }\n";
    sandbox.write("quorate.toml", &(site([1, 2, 3]) + events));
    sandbox
}

#[test]
fn a_name_that_the_inventory_lacks_is_a_usage_error_that_lists_the_names() {
    let sandbox = two_clusters();
    for (arguments, names) in [
        (&["plan", "--cluster", "man"][..], "the inventory has: events, main"),
        (&["status", "--cluster", "man"], "the inventory has: events, main"),
        (&["apply", "--yes", "--host", "etcd-9"], "there are: etcd-1, etcd-2, etcd-3"),
        (&["graph", "--host", "etcd-9"], "there are: etcd-1, etcd-2, etcd-3"),
        (&["plan", "--cluster", "events", "--host", "etcd-2"], "there are: etcd-1\n"),
        (&["remove", "--cluster", "old", "--host", "etcd-9"], "there are: etcd-1, etcd-2, etcd-3"),
        (&["remove", "--cluster", "main", "--host", "etcd-1"], "quorate destroy --cluster main"),
    ] {
        let ended = sandbox.run(arguments);
        assert_eq!(ended.code, 64, "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(names), "{arguments:?}: {}", ended.stderr);
    }
}

/// The cluster is only in the request, so what is missing is a host that answers.
#[test]
fn what_is_left_of_a_cluster_is_looked_for_on_the_host_that_is_named() {
    let ended = two_clusters().run(&["remove", "--cluster", "old", "--host", "etcd-1", "--yes"]);
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    assert!(ended.stderr.contains("can't look at etcd-1"), "{}", ended.stderr);
}

#[test]
fn a_saved_plan_has_its_own_selection() {
    let ended = two_clusters().run(&["apply", "plan.json", "--cluster", "main"]);
    assert_eq!(ended.code, 64, "{}", ended.stderr);
}

#[test]
fn a_narrowed_plan_says_so_and_what_it_leaves_out() {
    let sandbox = two_clusters();
    let ended = sandbox.run(&["plan", "--cluster", "events"]);
    assert_eq!(ended.code, 8, "{}", ended.stderr);
    assert!(ended.stdout.contains("narrowed to cluster events"), "{}", ended.stdout);
    assert!(ended.stdout.contains("left out:"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("etcd-2: connect"), "{}", ended.stdout);
    let ended = sandbox.run(&["plan", "--cluster", "events", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(plan["selection"]["clusters"][0], "events");
    assert_eq!(plan["left_out"][0]["cluster"], "main");
    let status = sandbox.run(&["status", "--cluster", "events", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(status["clusters"].as_object().unwrap().len(), 1);
}

#[test]
fn logs_of_hosts_that_nobody_reaches_are_said_to_be_missing() {
    let sandbox = Sandbox::with_site();
    let ended = sandbox.run(&["logs", "--host", "etcd-2"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (4, ""), "{}", ended.stderr);
    assert!(ended.stderr.contains("warning: etcd-2: "), "{}", ended.stderr);
    assert!(!ended.stderr.contains("etcd-1"), "{}", ended.stderr);
}

#[test]
fn an_inventory_runs_no_program_that_nobody_approved() {
    let sandbox = Sandbox::with_site();
    assert_eq!(sandbox.run(&["pki", "init"]).code, 0);
    let text = sandbox.read("quorate.toml");
    sandbox
        .write("quorate.toml", &format!("{text}\n[hooks]\nbefore-apply = [\"touch\", \"ran\"]\n"));
    for command in [&["plan"][..], &["validate"], &["status"]] {
        assert_ne!(sandbox.run(command).code, 64, "{command:?}");
    }
    let refused = sandbox.run(&["apply", "--yes"]);
    assert_eq!(refused.code, 64, "{}", refused.stderr);
    assert!(refused.stderr.contains("--hooks run or --hooks skip"), "{}", refused.stderr);
    for choice in ["run", "skip"] {
        assert_ne!(sandbox.run(&["apply", "--yes", "--hooks", choice]).code, 64);
    }
    assert!(!sandbox.path("ran").exists(), "nothing was started");
}

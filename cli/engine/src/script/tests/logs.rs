//! The logs of a member, as a unit and as a pod.

use std::fs;

use super::bench::{Bench, Run, on_each_shell};
use crate::script::READ_LOGS;

fn said(bench: &Bench, lines: u32, since: &str) -> String {
    let lines = lines.to_string();
    let pods = bench.arg("pods");
    let words = ["etcd-main.service", "etcd-main", &pods, &lines, since, "4096"];
    let reply = bench.run(&Run::unguarded(READ_LOGS, &words));
    assert_eq!(reply.status, 0, "{}", reply.stderr);
    String::from_utf8(reply.stdout).unwrap()
}

fn pod(bench: &Bench, of: &str, file: &str, text: &str) {
    let folder = bench.path(&format!("pods/kube-system_{of}/etcd"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(file), text).unwrap();
}

#[test]
fn the_journal_comes_first_and_a_host_without_pods_has_no_more() {
    on_each_shell(|bench| {
        bench.program("journalctl", "echo \"$*\"");
        let asked = "-u etcd-main.service -n 7 --since=@12 -o json --output-fields=MESSAGE -a -q --no-pager";
        assert_eq!(said(bench, 7, "12"), format!("{asked}\nalready\n"));
        assert!(!said(bench, 7, "").contains("--since"));
    });
}

#[test]
fn why_there_is_no_journal_is_said() {
    on_each_shell(|bench| {
        bench.program("journalctl", "echo 'No journal files were found.' >&2; exit 1");
        assert_eq!(said(bench, 7, ""), "No journal files were found.\nalready\n");
    });
}

#[test]
fn a_pod_s_logs_are_its_own_and_the_oldest_comes_first() {
    on_each_shell(|bench| {
        bench.program("journalctl", "true");
        bench.program("uname", "echo Node-1");
        pod(bench, "etcd-main-node-1_uid1", "0.log", "old\n");
        pod(bench, "etcd-main-node-1_uid1", "1.log", "new one\nnew two\n");
        pod(bench, "etcd-main-node-1_uid1", "0.log.gz", "zipped\n");
        pod(bench, "etcd-main-events-node-1_uid2", "0.log", "of another cluster\n");
        let old = fs::File::options()
            .write(true)
            .open(bench.path("pods/kube-system_etcd-main-node-1_uid1/etcd/0.log"))
            .unwrap();
        old.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(said(bench, 9, ""), "old\nnew one\nnew two\nalready\n");
        assert_eq!(said(bench, 1, ""), "new two\nalready\n");
        bench.program("uname", "echo elsewhere");
        assert!(said(bench, 9, "").contains("new two\n"), "a node with a name of its own");
    });
}

#[test]
fn a_pod_that_never_ran_has_no_logs_where_another_cluster_s_name_begins_as_its_own_does() {
    on_each_shell(|bench| {
        bench.program("journalctl", "true");
        bench.program("uname", "echo node-1");
        pod(bench, "etcd-main-events-node-1_uid2", "0.log", "of another cluster\n");
        assert_eq!(said(bench, 9, ""), "already\n");
    });
}

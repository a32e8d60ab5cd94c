//! A backup of a cluster that runs: taken from a follower, opened, and compared with what the cluster holds by
//! etcd's own tool.

use std::fs;
use std::path::PathBuf;

use quorate_lab::releases;
use quorate_lab::site::Runtime;
use serde_json::Value;

use crate::harness::{Members, NEWEST, Stage, eventually, here, on, options};

scenarios! {
    a_backup_of_a_follower_opens_to_what_the_cluster_holds,
}

/// Lines of a megabyte, so that the snapshot is larger than what any pipe or window takes.
const FILL: &str = "head -c 750000 /dev/urandom | base64 -w 0";

/// Two folders for backups, sealed for a key of the test's.
pub(crate) fn with_targets(stage: &Stage) {
    let key = stage.folder().join("key").display().to_string();
    here("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &key]);
    let public = fs::read_to_string(format!("{key}.pub")).unwrap();
    stage.edit(|text| {
        format!(
            "{text}\n[clusters.main.backups]\nto = [\"file:one/\", \"file:two/\"]\n\
             recipients = [{:?}]\nmax-age = \"1h\"\nkeep = {{ daily = 1 }}\n",
            public.trim()
        )
    });
}

fn etcdutl() -> PathBuf {
    let arch = releases::architecture().unwrap();
    releases::ensure_binaries(NEWEST, &arch, |_| {}).unwrap().join("etcdutl")
}

/// What etcd's own tool says of a snapshot.
fn status(file: &str) -> Value {
    let etcdutl = etcdutl().display().to_string();
    serde_json::from_str(&here(&etcdutl, &["snapshot", "status", file, "-w", "json"])).unwrap()
}

fn nothing_is_left_on(stage: &Stage) {
    for host in stage.hosts() {
        on(&host, "! ls -d /run/quorate-snapshot.* 2>/dev/null && ! pgrep -f '[s]napshot save'");
    }
}

pub(crate) fn a_backup_of_a_follower_opens_to_what_the_cluster_holds(runtime: Runtime) {
    let stage = Stage::formed("t-backup", 3, &options(runtime));
    let members = Members::of_main(NEWEST, 3);
    with_targets(&stage);
    stage
        .run(&["status"])
        .ends(0)
        .says("cannot read the backups in file:one: there is no such folder");
    let host = stage.host(1);
    for number in 0..40 {
        on(&host, &format!("{FILL} | {}", members.command(&format!("put /fill/{number:03}"))));
    }
    let taken =
        stage.run(&["snapshot", "take"]).ends(0).says("a follower").says("file:two: stored");
    println!("a backup of 40 MB: {:.2} s", taken.took.as_secs_f64());
    let id = taken.stdout.trim().to_owned();
    nothing_is_left_on(&stage);
    let listed = stage.run(&["snapshot", "list", "--json"]).ends(0).json();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed:#}");
    stage.run(&["status"]).ends(0).does_not_say("good backup");

    verified(&stage, &id);
    let open = ["snapshot", "get", &id, "--open", "--identity", "key", "--out", "backup.db"];
    stage.run(&open).ends(0);
    let file = stage.folder().join("backup.db").display().to_string();
    let snapshot = status(&file);
    let revision = listed[0]["revision"].as_u64().unwrap();
    assert_eq!(snapshot["revision"].as_u64(), Some(revision), "{snapshot:#}");
    let counted = members.etcdctl(&host, "get --prefix /fill/ --count-only -w fields");
    assert!(counted.contains("\"Count\" : 40"), "{counted}");
    restored_holds_all(&stage, &file);
    a_cluster_without_a_quorum_is_backed_up_and_marked(&stage, &members);
}

/// An etcd starts from it beside the members, which have the same keys; and nothing of it is left.
fn verified(stage: &Stage, id: &str) {
    let verify = ["snapshot", "verify", id, "--identity", "key"];
    let verified = stage.run(&verify).ends(0).says("is whole");
    println!("a verification of 40 MB: {:.2} s", verified.took.as_secs_f64());
    verified.says("etcd-1, etcd-2, etcd-3 had the same keys at this revision");
    no_trial_is_left_on(stage);
    let listed = stage.run(&["snapshot", "list", "--json"]).ends(0).json();
    for copy in listed.as_array().unwrap() {
        assert_eq!(copy["grade"], "opened", "{listed:#}");
    }
    // What was recorded stays.
    let record = fs::read(stage.folder().join(format!("one/{id}.opened.json"))).unwrap();
    stage.run(&verify).ends(0);
    assert_eq!(fs::read(stage.folder().join(format!("one/{id}.opened.json"))).unwrap(), record);
    let checked = stage.run(&["snapshot", "take", "--check"]).ends(0).says("a follower");
    println!("a checked backup of 40 MB: {:.2} s", checked.took.as_secs_f64());
    let id = checked.stdout.lines().last().unwrap().to_owned();
    checked.says("had the same keys at this revision");
    no_trial_is_left_on(stage);
    let listed = stage.run(&["snapshot", "list", "--json"]).ends(0).json();
    let grades = listed.as_array().unwrap().iter().filter(|copy| copy["id"] == *id);
    assert!(
        grades.clone().count() == 2 && grades.into_iter().all(|copy| copy["grade"] == "checked")
    );
    for end in ["db.age", "json"] {
        for folder in ["one", "two"] {
            fs::remove_file(stage.folder().join(format!("{folder}/{id}.{end}"))).unwrap();
        }
    }
}

fn no_trial_is_left_on(stage: &Stage) {
    for host in stage.hosts() {
        on(&host, "! ls -A /var/lib/quorate/main/trial 2>/dev/null | grep .");
        on(&host, "! systemctl is-active --quiet quorate-trial-main.service");
    }
}

/// etcd's own restore takes it, its checksum included.
fn restored_holds_all(stage: &Stage, file: &str) {
    let data = stage.folder().join("restored").display().to_string();
    here(&etcdutl().display().to_string(), &["snapshot", "restore", file, "--data-dir", &data]);
    let restored = status(&format!("{data}/member/snap/db"));
    assert!(restored["totalKey"].as_u64().unwrap() >= 40, "{restored:#}");
}

fn a_cluster_without_a_quorum_is_backed_up_and_marked(stage: &Stage, members: &Members) {
    stage.stop(1);
    stage.stop(2);
    let host = stage.host(3);
    eventually("etcd-3 knows that its leader is gone", || {
        members.etcdctl(&host, "endpoint status -w fields").contains("\"Leader\" : 0")
    });
    let taken = stage.run(&["snapshot", "take"]).ends(0).says("has no quorum");
    taken.says("from etcd-3, the member with the highest index");
    stage.run(&["snapshot", "list"]).ends(0).says("stored, no quorum");
    stage.start(1);
    stage.start(2);
}

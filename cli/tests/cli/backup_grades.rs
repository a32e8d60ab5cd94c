//! What is known of backups beyond that they are there: whether they could be read, and whether anybody opened one.

use std::fs;

use engine::backups::{BackupId, Opening};
use serde_json::Value;

use crate::sandbox::Sandbox;
use crate::snapshots::{failed, files, put, with_targets};

/// What is not mounted, or gives no sidecar, is not said to be empty.
#[test]
fn plan_and_status_say_which_target_could_not_be_read() {
    let sandbox = with_targets("max-age = \"2h\"");
    assert_eq!(sandbox.run(&["pki", "init"]).code, 0);
    let id = put(&sandbox, 5, &["one", "two"]);
    fs::remove_dir_all(sandbox.path("one")).unwrap();
    // More than is read of one.
    fs::write(sandbox.path("two").join(id.sidecar()), vec![b' '; 300 * 1024]).unwrap();
    for command in [&["plan"][..], &["status"]] {
        let said = sandbox.run(command).stdout;
        assert!(!said.contains("good backup"), "{said}");
        assert!(
            said.contains("cannot read the backups in file:one: there is no such folder"),
            "{said}"
        );
        let two = format!("cannot read the backups in file:two: {id}: its sidecar cannot be read");
        assert!(said.contains(&two), "{said}");
    }
    let said = sandbox.run(&["plan"]).stdout;
    assert!(said.contains("if no backup was ever taken there"), "{said}");
    let ended = sandbox.run(&["snapshot", "verify", &id.to_string(), "--identity", "key"]);
    failed(&ended, "cannot read file:one");
}

/// What `verify` writes once an etcd started from a backup.
fn open(sandbox: &Sandbox, id: &BackupId, folder: &str) {
    let known = fs::read(sandbox.path(folder).join(id.sidecar())).unwrap();
    let known: Value = serde_json::from_slice(&known).unwrap();
    let opening = Opening {
        format: engine::backups::opening::FORMAT,
        id: id.to_string(),
        sealed_sha256: known["sealed_sha256"].as_str().unwrap().to_owned(),
        time: "2026-11-29T15:00:00Z".to_owned(),
        by: "tester@here".to_owned(),
        host: "etcd-1".to_owned(),
        etcd_version: "3.6.16".to_owned(),
        revision: 4711,
        keys: Some(3),
        same_members: 0,
        digest: String::new(),
    };
    fs::write(sandbox.path(folder).join(id.opening()), opening.text().unwrap()).unwrap();
}

#[test]
fn the_grade_is_shown_and_plan_and_status_warn_if_nobody_opened_a_backup_lately() {
    let sandbox = with_targets("max-age-opened = \"2h\"\nkeep = { hourly = 1 }");
    assert_eq!(sandbox.run(&["pki", "init"]).code, 0);
    let old = put(&sandbox, 150, &["one", "two"]);
    let warned = |expected: &str| {
        for command in [&["plan"][..], &["status"]] {
            let said = sandbox.run(command).stdout;
            assert!(said.contains(expected), "{said}");
        }
    };
    warned("no backup of this cluster was ever opened");
    open(&sandbox, &old, "one");
    warned("the newest opened backup is 150 minutes old; max-age-opened is 2 hours");
    let new = put(&sandbox, 10, &["one", "two"]);
    open(&sandbox, &new, "two");
    for command in [&["plan"][..], &["status"]] {
        let said = sandbox.run(command).stdout;
        assert!(!said.contains("opened"), "{said}");
    }
    let listed = sandbox.run(&["snapshot", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let grades: Vec<_> = listed.as_array().unwrap().iter().map(|one| &one["grade"]).collect();
    assert_eq!(grades, ["opened", "stored", "stored", "opened"]);
    assert_eq!(listed[0]["opened"], "2026-11-29T15:00:00Z");
    // Of the newer ones in its target nobody knows that they open.
    assert_eq!(sandbox.run(&["snapshot", "prune", "--yes"]).code, 0);
    assert_eq!((files(&sandbox, "one").len(), files(&sandbox, "two").len()), (5, 3));
    open(&sandbox, &new, "one");
    assert_eq!(sandbox.run(&["snapshot", "prune", "--yes"]).code, 0);
    assert_eq!(files(&sandbox, "one"), files(&sandbox, "two"), "the record goes with its backup");
}

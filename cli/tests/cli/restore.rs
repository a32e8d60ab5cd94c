//! `quorate restore`: what is opened, and what is refused, before any host is looked at.

use std::fs;

use serde_json::Value;

use crate::sandbox::{Ended, Sandbox};
use crate::snapshots::{failed, flip, hex, plain, put, with_targets};

/// A site whose hosts nobody reaches.
fn site() -> Sandbox {
    let sandbox = with_targets("");
    assert_eq!(sandbox.run(&["pki", "init"]).code, 0);
    sandbox
}

fn restore(sandbox: &Sandbox, from: &str, more: &[&str]) -> Ended {
    let plain = ["restore", "--cluster", "main", "--from", from, "--dry-run"];
    sandbox.run(&[&plain[..], more].concat())
}

/// It was opened, and then its host could not be asked.
fn was_opened(ended: &Ended, from: &str) {
    assert!(ended.stderr.contains(&format!("{from} is whole: 20.5 kB")), "{}", ended.stderr);
    assert_eq!(ended.code, 8, "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn a_backup_is_opened_to_its_end_before_a_host_is_looked_at() {
    let sandbox = site();
    let id = put(&sandbox, 5, &["one", "two"]);
    let name = id.to_string();
    let stranger = restore(&sandbox, &name, &["--identity", "stranger"]);
    failed(&stranger, "none of the 1 given identities");
    was_opened(&restore(&sandbox, &name, &["--identity", "key"]), &name);
    // As the hints of a restore that was not finished name it.
    let by_sum = format!("sha256:{}", hex(&plain()));
    was_opened(&restore(&sandbox, &by_sum, &["--identity", "key"]), &by_sum);
    let ended = restore(&sandbox, "sha256:0a1b", &["--identity", "key"]);
    assert_eq!(ended.code, 64, "{}", ended.stderr);
    assert!(ended.stderr.contains("no backup that can be read has"), "{}", ended.stderr);
    flip(&sandbox, "one", &id.object());
    let second = restore(&sandbox, &name, &["--identity", "key"]);
    assert!(second.stderr.contains("trying the copy of another target"), "{}", second.stderr);
    was_opened(&second, &name);
    flip(&sandbox, "two", &id.object());
    failed(&restore(&sandbox, &name, &["--identity", "key"]), "can't be restored");
    let json = restore(&sandbox, &name, &["--identity", "key", "--json"]);
    let said: Value = serde_json::from_str(&json.stdout).unwrap();
    assert!(said.to_string().contains("can't be restored"), "{said}");
    let line =
        ["restore", "--cluster", "main", "--from", &name, "--identity", "key", "--yes", "--json"];
    let lines = sandbox.run(&line);
    let last: Value = serde_json::from_str(lines.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((lines.code, last["exit_code"].as_u64()), (1, Some(1)), "{}", lines.stdout);
}

#[test]
fn a_file_counts_by_its_own_checksum() {
    let sandbox = site();
    let whole = plain();
    for cut in [1, 32, 512, whole.len() / 2, whole.len()] {
        fs::write(sandbox.path("cut.db"), &whole[..whole.len() - cut]).unwrap();
        failed(&restore(&sandbox, "cut.db", &[]), "cut.db can't be restored");
    }
    let mut other = whole.clone();
    other[700] ^= 1;
    fs::write(sandbox.path("flipped.db"), other).unwrap();
    failed(&restore(&sandbox, "flipped.db", &[]), "does not match the checksum at its end");
    fs::write(sandbox.path("whole.db"), whole).unwrap();
    was_opened(&restore(&sandbox, "whole.db", &[]), "whole.db");
}

#[test]
fn a_sealed_file_wants_the_key_that_opens_it() {
    let sandbox = site();
    let id = put(&sandbox, 5, &["one"]).to_string();
    assert_eq!(sandbox.run(&["snapshot", "get", &id, "--out", "a.age"]).code, 0);
    failed(&restore(&sandbox, "a.age", &[]), "no key that opens it is here");
    was_opened(&restore(&sandbox, "a.age", &["--identity", "key"]), "a.age");
}

/// Without its sidecar nobody knows the revision of an opened snapshot.
#[test]
fn a_sidecar_that_cannot_be_read_is_named_where_it_may_be_the_file_s() {
    let sandbox = site();
    let id = put(&sandbox, 5, &["one", "two"]);
    let name = id.to_string();
    let get = ["snapshot", "get", &name, "--open", "--identity", "key", "--out", "a.db"];
    assert_eq!(sandbox.run(&get).code, 0);
    let may_be = "it may be the backup that this file is from";
    fs::write(sandbox.path("one").join(id.sidecar()), "{").unwrap();
    let found = restore(&sandbox, "a.db", &[]);
    was_opened(&found, "a.db");
    assert!(!found.stderr.contains(may_be), "{}", found.stderr);
    fs::write(sandbox.path("two").join(id.sidecar()), "{").unwrap();
    let unread = restore(&sandbox, "a.db", &[]);
    was_opened(&unread, "a.db");
    assert_eq!(unread.stderr.matches(may_be).count(), 2, "{}", unread.stderr);
}

#[test]
fn what_is_no_backup_of_this_cluster_is_refused_with_where_to_look() {
    let sandbox = site();
    for (from, why) in [
        ("nothing.db", "is neither a backup's name nor a file"),
        ("other.main.20261129T140500Z.5f0c9a1b2c3d4e5f", "is a backup of site other"),
        ("lab.events.20261129T140500Z.5f0c9a1b2c3d4e5f", "no cluster events"),
    ] {
        let ended = restore(&sandbox, from, &["--identity", "key"]);
        assert_eq!(ended.code, 64, "{}", ended.stderr);
        assert!(ended.stderr.contains(why), "{}", ended.stderr);
    }
    let other = restore(&sandbox, "nothing.db", &["--allow-data-loss", "events"]);
    assert_eq!(other.code, 64, "{}", other.stderr);
    assert!(other.stderr.contains("write --allow-data-loss main"), "{}", other.stderr);
}

#[test]
fn a_cluster_that_nobody_reaches_is_told_what_leads_out() {
    let sandbox = site();
    let id = put(&sandbox, 5, &["one"]).to_string();
    let ended = sandbox.run(&["recover", "--cluster", "main"]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    for said in [
        "a quorum is 2 of 3 members",
        &format!("Newest good backup: {id}, 5 minutes old, revision 4711"),
        "Next: bring these hosts back: etcd-1, etcd-2, etcd-3.",
        "If that is impossible: restore a backup. Everything written since it was taken is lost.",
        &format!("quorate restore --cluster main --from {id} --clients-stopped main --gone"),
    ] {
        assert!(ended.stdout.contains(said), "{said}: {}", ended.stdout);
    }
    assert_eq!(sandbox.run(&["recover", "--cluster", "events"]).code, 64);
    let ended = sandbox.run(&["recover", "--cluster", "events", "--json"]);
    let said: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(said["error"].to_string().contains("no such cluster"), "{said}");
    let ended = sandbox.run(&["recover", "--cluster", "main", "--json"]);
    let said: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((ended.code, said["exit_code"].as_u64()), (1, Some(1)));
    assert_eq!(
        (said["newest_backup"]["id"].as_str(), &said["missing"]),
        (Some(&*id), &Value::Null)
    );
    assert_eq!(
        (&said["members"][0]["state"], &said["ways"][0]["way"]),
        (&"unseen".into(), &"reach".into())
    );
}

#[test]
fn a_check_says_all_that_a_restore_would_lack() {
    let sandbox = site();
    let check = ["recover", "--cluster", "main", "--check", "--identity"];
    let checked = |key: &str, missing: &[&str]| {
        let ended = sandbox.run(&[&check[..], &[key]].concat());
        assert_eq!(ended.code, 2, "{}", ended.stderr);
        for missing in missing {
            let line = format!("missing: {missing}");
            assert!(ended.stdout.contains(&line), "{line}: {}", ended.stdout);
        }
    };
    checked("key", &["file:one can't be read", "no target that can be read has a good backup"]);
    put(&sandbox, 5, &["one", "two"]);
    checked("key", &["etcd-1: this host is unreachable"]);
    checked("stranger", &["file:two: "]);
    let text = sandbox.read("quorate.toml");
    let s3 = "s3 = { endpoint = \"https://minio.storage.svc.cluster.local:9000\" }";
    let text = text.replace("\"file:two\"", "\"s3://bucket/etcd\"");
    sandbox.write("quorate.toml", &text.replace("\nto =", &format!("\n{s3}\nto =")));
    checked(
        "key",
        &[
            "s3://bucket/etcd can't be read",
            "s3://bucket/etcd: its endpoint is a name of the cluster's own DNS",
        ],
    );
    let ended = sandbox.run(&[&check[..], &["key", "--json"]].concat());
    let said: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(said["missing"].as_array().is_some_and(|missing| missing.len() > 3), "{said}");
}

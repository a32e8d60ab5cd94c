//! `quorate snapshot`: what it reports about backups, and what it does to them.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use engine::backups::sidecar::{FORMAT, Grade, Member};
use engine::backups::{BackupId, Sidecar};
use pki::Recipient;
use pki::seal::Sealer;
use serde_json::Value;
use sha2::{Digest, Sha256};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::conformity::check;
use crate::sandbox::{Ended, Sandbox};
use crate::schemas::schema;

// Made for the tests of pki; it opens nothing else.
const SECRET: &str = include_str!("../../../pki/tests/issued/keys/ed25519.key");
const PUBLIC: &str = include_str!("../../../pki/tests/issued/keys/ed25519.pub");
const STRANGER: &str = include_str!("../../../pki/tests/issued/keys/rsa.key");

pub(crate) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A snapshot as etcdctl writes one.
pub(crate) fn plain() -> Vec<u8> {
    let mut plain = vec![7; 512 * 40];
    let sum = Sha256::digest(&plain);
    plain.extend_from_slice(&sum);
    plain
}

/// A site with two targets.
pub(crate) fn with_targets(more: &str) -> Sandbox {
    let sandbox = Sandbox::with_site();
    let text = sandbox.read("quorate.toml");
    let table = format!(
        "\n[clusters.main.backups]\nto = [\"file:one/\", \"file:two\"]\nrecipients = [{:?}]\n{more}\n",
        PUBLIC.trim()
    );
    sandbox.write("quorate.toml", &(text + &table));
    sandbox.write("key", SECRET);
    sandbox.write("stranger", STRANGER);
    sandbox
}

/// A backup that was started so many minutes ago, in these folders.
pub(crate) fn put(sandbox: &Sandbox, minutes: i64, folders: &[&str]) -> BackupId {
    let site = "lab".parse().unwrap();
    let time = OffsetDateTime::now_utc() - Duration::minutes(minutes);
    let id = BackupId::draw(&site, &"main".parse().unwrap(), time).unwrap();
    let recipient = Recipient::parse(PUBLIC.trim()).unwrap();
    let mut sealer = Sealer::new(&[recipient], Vec::new()).unwrap();
    sealer.write_all(&plain()).unwrap();
    let sealed = sealer.finish().unwrap();
    let member = Member { id: "8e9e05c52164694d".to_owned(), name: "etcd-1".to_owned() };
    let sidecar = Sidecar {
        format: FORMAT,
        id: id.to_string(),
        site: "lab".to_owned(),
        cluster: "main".to_owned(),
        cluster_id: "cdf818194e3a8c32".to_owned(),
        member: member.clone(),
        members: Some(vec![member]),
        quorum: true,
        revision: 4711,
        raft_index: 20,
        raft_term: 3,
        alarms: Some(Vec::new()),
        authentication: Some(false),
        etcd_version: "3.6.16".to_owned(),
        size: plain().len() as u64,
        sha256: hex(&plain()),
        sealed_size: sealed.len() as u64,
        sealed_sha256: hex(&sealed),
        time: id.time.format(&Rfc3339).unwrap(),
        by: "tester@here".to_owned(),
        commit: None,
        grade: Grade::Stored,
        digest: String::new(),
    };
    for folder in folders {
        fs::create_dir_all(sandbox.path(folder)).unwrap();
        fs::write(sandbox.path(folder).join(id.object()), &sealed).unwrap();
        fs::write(sandbox.path(folder).join(id.sidecar()), sidecar.text().unwrap()).unwrap();
    }
    id
}

pub(crate) fn flip(sandbox: &Sandbox, folder: &str, file: &str) {
    let path = sandbox.path(folder).join(file);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

pub(crate) fn files(sandbox: &Sandbox, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(sandbox.path(folder)).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub(crate) fn failed(ended: &Ended, expected: &str) {
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
}

#[test]
fn a_site_without_targets_is_told_what_to_write() {
    let sandbox = Sandbox::with_site();
    assert_eq!(sandbox.run(&["pki", "init"]).code, 0);
    for command in ["take", "list", "prune"] {
        let ended = sandbox.run(&["snapshot", command]);
        assert_eq!(ended.code, 65, "{}", ended.stderr);
        assert!(ended.stderr.contains("to = [\"file:backups/\"]"), "{}", ended.stderr);
    }
}

#[test]
fn a_cluster_that_nobody_reaches_gives_no_backup_and_no_file() {
    let sandbox = with_targets("");
    assert_eq!(sandbox.run(&["pki", "init"]).code, 0);
    let ended = sandbox.run(&["snapshot", "take"]);
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    assert!(ended.stderr.contains("no member answers: etcd-1: "), "{}", ended.stderr);
    assert!(!sandbox.path("one").exists());
}

#[test]
fn a_bucket_that_cannot_be_reached_hides_no_folder_and_no_secret_is_shown() {
    let sandbox = with_targets("s3 = { endpoint = \"http://127.0.0.1:1\" }");
    let text = sandbox.read("quorate.toml");
    sandbox.write("quorate.toml", &text.replace("\"file:two\"", "\"s3://bucket/etcd/\""));
    let good = put(&sandbox, 90, &["one"]);
    let list = ["snapshot", "list"];
    let ended = sandbox.run(&list);
    failed(&ended, "cannot read s3://bucket/etcd");
    failed(&ended, "no S3 credentials: set AWS_ACCESS_KEY_ID");
    assert!(ended.stdout.contains(&good.to_string()), "{}", ended.stdout);
    let mut command = sandbox.command(&list);
    command.env("AWS_ACCESS_KEY_ID", "AKIA").env("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI");
    let ended = crate::sandbox::ended(&mut command);
    failed(&ended, "cannot read s3://bucket/etcd");
    failed(&ended, "no answer from the server: ");
    for secret in ["wJalrXUtnFEMI", "Signature"] {
        assert!(!ended.stderr.contains(secret), "{}", ended.stderr);
    }
}

#[test]
fn what_lies_in_the_targets_is_listed_as_it_is() {
    let sandbox = with_targets("");
    let ended = sandbox.run(&["snapshot", "list"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""));
    let good = put(&sandbox, 90, &["one", "two"]);
    let lone = put(&sandbox, 60, &["one"]);
    fs::remove_file(sandbox.path("one").join(lone.sidecar())).unwrap();
    let backup = put(&sandbox, 1, &[]);
    sandbox.write(&format!("one/.{}.part", backup.object()), "");
    flip(&sandbox, "two", &good.sidecar());
    let ended = sandbox.run(&["snapshot", "list", "--json"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let listed: Value = serde_json::from_str(&ended.stdout).unwrap();
    check(&schema("snapshots"), &listed).unwrap();
    let states: Vec<(&str, &str)> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["target"].as_str().unwrap(), entry["state"].as_str().unwrap()))
        .collect();
    assert_eq!(
        states,
        [
            ("file:one", "good"),
            ("file:two", "broken"),
            ("file:one", "broken"),
            ("file:one", "unfinished")
        ]
    );
    assert_eq!(listed[0]["revision"], 4711);
    assert_eq!(listed[1]["why"], "its sidecar is damaged");
    let ended = sandbox.run(&["snapshot", "list"]);
    let rows: Vec<&str> = ended.stdout.lines().collect();
    assert!(rows[1].contains("90 minutes  4711      20.5 kB  3.6.16  stored"), "{}", ended.stdout);
    assert!(rows[4].contains("unfinished"), "{}", ended.stdout);
    let lost = "is broken: it has no sidecar: it is being read back, or its sidecar was lost";
    assert!(ended.stderr.contains(lost), "{}", ended.stderr);
    assert!(ended.stderr.contains("is broken: its sidecar is damaged"), "{}", ended.stderr);
}

#[test]
fn a_backup_comes_out_sealed_or_opened_and_overwrites_nothing() {
    let sandbox = with_targets("");
    let id = put(&sandbox, 5, &["two"]).to_string();
    let ended = sandbox.run(&["snapshot", "get", &id, "--out", "backup.age"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let stored = fs::read(sandbox.path("two").join(format!("{id}.db.age"))).unwrap();
    assert_eq!(fs::read(sandbox.path("backup.age")).unwrap(), stored);
    let open = ["snapshot", "get", &id, "--open", "--out", "backup.db", "--identity"];
    failed(&sandbox.run(&[&open[..], &["stranger"]].concat()), "none of the 1 given identities");
    assert!(!sandbox.path("backup.db").exists());
    let ended = sandbox.run(&[&open[..], &["key"]].concat());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(fs::read(sandbox.path("backup.db")).unwrap(), plain());
    let mode = fs::metadata(sandbox.path("backup.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    failed(&sandbox.run(&[&open[..], &["key"]].concat()), "backup.db already exists");
    let left: Vec<String> =
        files(&sandbox, ".").into_iter().filter(|name| name.ends_with(".part")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_other_targets_copy_is_taken_where_one_is_damaged() {
    let sandbox = with_targets("");
    let backup = put(&sandbox, 5, &["one", "two"]);
    let id = backup.to_string();
    flip(&sandbox, "one", &backup.object());
    let get = ["snapshot", "get", &id, "--out", "backup.age"];
    let ended = sandbox.run(&get);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let said = format!("file:one: {id} was not written");
    assert!(ended.stderr.contains(&said), "{}", ended.stderr);
    assert!(ended.stderr.contains("the stored file is damaged"), "{}", ended.stderr);
    let verify = ["snapshot", "verify", &id, "--local", "--identity", "key"];
    let ended = sandbox.run(&verify);
    failed(&ended, "its sha256 is not the one in the sidecar");
    assert!(ended.stdout.contains("file:two: "), "{}", ended.stdout);
    fs::write(
        sandbox.path("one").join(backup.object()),
        fs::read(sandbox.path("backup.age")).unwrap(),
    )
    .unwrap();
    let ended = sandbox.run(&verify);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("No etcd was started from it"), "{}", ended.stderr);
    // Nobody says that it was opened where no etcd could be started from it.
    assert_eq!(sandbox.run(&["pki", "init"]).code, 0);
    let ended = sandbox.run(&["snapshot", "verify", &id, "--identity", "key"]);
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    assert!(ended.stderr.contains("no host could start an etcd from"), "{}", ended.stderr);
    assert!(!files(&sandbox, "one").contains(&backup.opening()));
}

#[test]
fn a_backup_of_another_site_or_none_is_refused() {
    let sandbox = with_targets("");
    let id = put(&sandbox, 5, &["one"]).to_string();
    fs::create_dir(sandbox.path("two")).unwrap();
    for (id, code, expected) in [
        (id.replace("lab.", "other."), 64, "is a backup of site other"),
        (id.replace(".main.", ".events."), 64, "the inventory has no cluster events"),
        (format!("{}{}", &id[..id.len() - 16], "0".repeat(16)), 1, "no target has a good copy"),
        ("latest".to_owned(), 64, "this is not the name of a backup"),
    ] {
        let ended = sandbox.run(&["snapshot", "verify", &id, "--identity", "key"]);
        assert_eq!(ended.code, code, "{}", ended.stderr);
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    }
    // Renamed to another backup's name: the sidecar still says what it is.
    let other = id.replace(&id[id.len() - 16..], &"0".repeat(16));
    for end in [".db.age", ".json"] {
        let (from, to) = (format!("one/{id}{end}"), format!("one/{other}{end}"));
        fs::rename(sandbox.path(&from), sandbox.path(&to)).unwrap();
    }
    let ended = sandbox.run(&["snapshot", "verify", &other, "--identity", "key"]);
    failed(&ended, &format!("its sidecar belongs to another backup, {id}"));
}

#[test]
fn prune_shows_first_and_keeps_the_newest_good_one() {
    let sandbox = with_targets("keep = { daily = 1 }");
    let (day, folders) = (24 * 60, ["one", "two"]);
    let old = put(&sandbox, 3 * day, &folders);
    let kept = put(&sandbox, 2 * day, &folders);
    let lone = put(&sandbox, 2 * day - 60, &["one"]);
    fs::remove_file(sandbox.path("one").join(lone.sidecar())).unwrap();
    let backup = put(&sandbox, 2 * day, &[]);
    sandbox.write(&format!("one/.{}.part", backup.object()), "");
    sandbox.write("one/notes.json", "{}");
    let before = files(&sandbox, "one");
    let ended = sandbox.run(&["snapshot", "prune"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(ended.stdout.lines().count(), 3, "{}", ended.stdout);
    assert_eq!(files(&sandbox, "one"), before);
    // The one that would stay is damaged in one target: there nothing goes.
    flip(&sandbox, "two", &kept.object());
    let ended = sandbox.run(&["snapshot", "prune", "--yes"]);
    assert_eq!(ended.code, 6, "{}", ended.stderr);
    let said = format!("nothing was deleted in file:two: {kept}, the newest");
    assert!(ended.stderr.contains(&said), "{}", ended.stderr);
    let mut stay = [kept.object(), kept.sidecar(), lone.object(), "notes.json".to_owned()];
    stay.sort();
    assert_eq!(files(&sandbox, "one"), stay, "a file without its sidecar may be whole");
    assert_eq!(files(&sandbox, "two").len(), 4);
    assert!(files(&sandbox, "two").contains(&old.object()));
}

#[test]
fn prune_deletes_nothing_where_no_backup_is_good() {
    let sandbox = with_targets("keep = { daily = 1 }");
    let (day, folders) = (24 * 60, ["one", "two"]);
    let lone = put(&sandbox, 3 * day, &folders);
    fs::remove_file(sandbox.path("one").join(lone.sidecar())).unwrap();
    flip(&sandbox, "two", &lone.sidecar());
    let backup = put(&sandbox, 2 * day, &[]);
    sandbox.write(&format!("one/.{}.part", backup.object()), "");
    let before = (files(&sandbox, "one"), files(&sandbox, "two"));
    let ended = sandbox.run(&["snapshot", "prune", "--yes"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("Nothing to delete."), "{}", ended.stderr);
    assert_eq!((files(&sandbox, "one"), files(&sandbox, "two")), before);
}

/// A target that is not mounted looks empty, and nobody knows what is in it.
#[test]
fn a_target_that_is_not_there_is_said_and_nothing_is_pruned_meanwhile() {
    let sandbox = with_targets("keep = { daily = 1 }");
    for minutes in [5, 60 * 24] {
        put(&sandbox, minutes, &["one"]);
        put(&sandbox, minutes + 1, &["one"]);
    }
    let before = files(&sandbox, "one");
    let ended = sandbox.run(&["snapshot", "list"]);
    assert!(ended.stderr.contains("file:two: there is no such folder"), "{}", ended.stderr);
    let ended = sandbox.run(&["snapshot", "prune", "--yes"]);
    failed(&ended, "cannot read file:two");
    failed(&ended, "there is no such folder");
    assert_eq!(files(&sandbox, "one"), before);
    // A file in the folder's place can't be read, and that is no empty target.
    sandbox.write("two", "");
    fs::remove_dir_all(sandbox.path("one")).unwrap();
    fs::create_dir(sandbox.path("one")).unwrap();
    let ended = sandbox.run(&["snapshot", "list"]);
    assert!(!ended.stderr.contains("No target has a backup"), "{}", ended.stderr);
}

#[test]
fn plan_and_status_warn_about_an_old_backup_and_a_saved_plan_does_not_age_by_it() {
    let sandbox = with_targets("max-age = \"2h\"");
    assert_eq!(sandbox.run(&["pki", "init"]).code, 0);
    put(&sandbox, 150, &["one"]);
    for command in [&["plan"][..], &["status"]] {
        let said = sandbox.run(command).stdout;
        let old = "the newest good backup in file:one is 150 minutes old; max-age is 2 hours";
        assert!(said.contains(old), "{said}");
        let unread = "cannot read the backups in file:two: there is no such folder";
        assert!(said.contains(unread), "{said}");
    }
    assert!(!sandbox.run(&["plan", "--out", "saved"]).stdout.is_empty());
    assert!(!sandbox.read("saved").contains("old-backup"));
    let ahead = put(&sandbox, -60, &["one", "two"]);
    for command in [&["plan"][..], &["status"]] {
        let said = sandbox.run(command).stdout;
        assert!(said.contains("file:two has no good backup"), "{said}");
        let future = format!("{ahead} in file:two is dated in the future and does not count");
        assert!(said.contains(&future), "{said}");
    }
    for folder in ["one", "two"] {
        fs::remove_file(sandbox.path(folder).join(ahead.object())).unwrap();
        fs::remove_file(sandbox.path(folder).join(ahead.sidecar())).unwrap();
    }
    put(&sandbox, 119, &["one", "two"]);
    for command in [&["plan"][..], &["status"]] {
        let said = sandbox.run(command).stdout;
        assert!(!said.contains("good backup"), "{said}");
    }
}

//! Backups in buckets of a real S3 server, over TLS: taken, read back, refused, locked, and what is left where the
//! server is gone.

use std::ffi::OsString;
use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use engine::backups::Store;
use inventories::{BackupTarget, BucketStyle, S3Server, S3Target};
use quorate_lab::object_store::{ObjectStore, ROOT, WRITER};
use quorate_lab::site::{Runtime, SiteOptions};

use crate::harness::{Members, NEWEST, Run, Stage, eventually, here, on, options};

/// Lines of a megabyte, so that a backup has more than one part.
const FILL: &str = "head -c 750000 /dev/urandom | base64 -w 0";

/// The inventory with these targets, instead of those before.
fn with_targets(stage: &Stage, objects: &ObjectStore, targets: &str) {
    let key = stage.folder().join("key");
    if !key.exists() {
        let key = key.display().to_string();
        here("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &key]);
    }
    let public = fs::read_to_string(stage.folder().join("key.pub")).unwrap();
    stage.edit(|text| {
        let before = text.split("\n[clusters.main.backups]").next().unwrap_or_default();
        format!(
            "{before}\n[clusters.main.backups]\nto = [{targets}]\nrecipients = [{:?}]\nkeep = {{ daily = 1 }}\n\
             max-age = \"1h\"\ns3 = {{ endpoint = {:?}, ca-file = {:?} }}\n",
            public.trim(),
            objects.endpoint(),
            objects.ca()
        )
    });
}

fn command_as(stage: &Stage, (key, secret): (&str, &str), arguments: &[&str]) -> Command {
    let mut command = stage.command(arguments);
    command.env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", secret);
    command
}

fn run_as(stage: &Stage, who: (&str, &str), arguments: &[&str]) -> Run {
    let run = Run::new(command_as(stage, who, arguments), arguments);
    for secret in [ROOT.1, WRITER.1, "X-Amz-Signature"] {
        assert!(!run.text().contains(secret), "{}", run.text());
    }
    run
}

fn take(stage: &Stage, who: (&str, &str)) -> String {
    run_as(stage, who, &["snapshot", "take"]).ends(0).stdout.trim().to_owned()
}

fn nothing_is_unfinished(objects: &ObjectStore, bucket: &str) {
    let uploads = objects.ask("GET", &format!("{bucket}?uploads="), &[], "").unwrap();
    assert!(
        uploads.contains("<ListMultipartUploadsResult") && !uploads.contains("<Upload>"),
        "{uploads}"
    );
}

#[test]
fn backups_go_to_a_bucket_and_come_back() {
    let stage = Stage::formed("t-bucket", 1, &options(Runtime::Systemd));
    let objects = stage.lab.object_store(|_| {}).unwrap();
    ["plain", "writer"].iter().for_each(|bucket| objects.add_bucket(bucket).unwrap());
    objects.add_locked_bucket("locked").unwrap();
    objects.let_writer_in("writer").unwrap();
    let (members, host) = (Members::of_main(NEWEST, 1), stage.host(1));
    for number in 0..20 {
        on(&host, &format!("{FILL} | {}", members.command(&format!("put /fill/{number:03}"))));
    }
    who_is_not_let_in_leaves_the_other_target_its_copy(&stage, &objects);
    what_was_taken_is_listed_opened_and_pruned(&stage, &objects);
    who_may_not_delete_prunes_nothing_and_is_told(&stage, &objects);
    a_locked_bucket_keeps_what_was_pruned(&stage, &objects);
    a_server_that_goes_in_the_middle_costs_no_former_backup(&stage, &objects);
}

fn who_is_not_let_in_leaves_the_other_target_its_copy(stage: &Stage, objects: &ObjectStore) {
    with_targets(stage, objects, "\"s3://plain/etcd/prod/\", \"file:one/\"");
    let arguments = ["snapshot", "take"];
    stage.run(&arguments).ends(6).says("no S3 credentials").says("file:one: stored");
    let wrong = (ROOT.0, "another-secret");
    run_as(stage, wrong, &arguments)
        .ends(6)
        .says("403: SignatureDoesNotMatch")
        .says("file:one: stored");
    run_as(stage, wrong, &["status"])
        .ends(0)
        .says("cannot read the backups in s3://plain/etcd/prod");
    stage.edit(|text| text.replace(", ca-file", ", region = \"us-east-1\" } #"));
    run_as(stage, ROOT, &["snapshot", "list"]).ends(1).says("certificate verify failed");
    fs::remove_dir_all(stage.folder().join("one")).unwrap();
    nothing_is_unfinished(objects, "plain");
}

fn what_was_taken_is_listed_opened_and_pruned(stage: &Stage, objects: &ObjectStore) {
    with_targets(stage, objects, "\"s3://plain/etcd/prod/\"");
    run_as(stage, ROOT, &["status"]).ends(0).says("s3://plain/etcd/prod has no good backup");
    let first =
        run_as(stage, ROOT, &["snapshot", "take"]).ends(0).says("the bucket keeps no versions");
    let first = first.stdout.trim().to_owned();
    run_as(stage, ROOT, &["status"]).ends(0).does_not_say("good backup");
    let home = stage.folder().join("home/.aws");
    fs::create_dir_all(&home).unwrap();
    let profile =
        format!("[ci]\naws_access_key_id = {}\naws_secret_access_key = {}\n", ROOT.0, ROOT.1);
    fs::write(home.join("credentials"), profile).unwrap();
    let verify = ["snapshot", "verify", &first, "--identity", "key"];
    let mut by_profile = stage.command(&verify);
    by_profile.env("AWS_PROFILE", "ci");
    Run::new(by_profile, &verify).ends(0).says("is whole").says("had the same keys");
    let get = ["snapshot", "get", &first, "--open", "--identity", "key", "--out", "backup.db"];
    run_as(stage, ROOT, &get).ends(0);
    assert!(fs::metadata(stage.folder().join("backup.db")).unwrap().len() > 16 * 1024 * 1024);
    let second = |id: &str| id.split('.').nth(2).map(str::to_owned);
    eventually("a later backup", || second(&take(stage, ROOT)) != second(&first));
    let prune = ["snapshot", "prune", "--yes"];
    // Only the first is known to open.
    run_as(stage, ROOT, &prune).ends(0).says("Nothing to delete");
    let listed = run_as(stage, ROOT, &["snapshot", "list", "--json"]).ends(0).json();
    assert_eq!((&listed[0]["grade"], &listed[1]["grade"]), (&"opened".into(), &"stored".into()));
    let last = listed[1]["id"].as_str().unwrap().to_owned();
    run_as(stage, ROOT, &["snapshot", "verify", &last, "--identity", "key"]).ends(0);
    run_as(stage, ROOT, &prune).ends(0).says(&format!("deleted {first}"));
    let listed = run_as(stage, ROOT, &["-vv", "snapshot", "list", "--json"]).ends(0).json();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed:#}");
    nothing_is_unfinished(objects, "plain");
}

fn who_may_not_delete_prunes_nothing_and_is_told(stage: &Stage, objects: &ObjectStore) {
    with_targets(stage, objects, "\"s3://writer\"");
    let both = [take(stage, WRITER), take(stage, WRITER)];
    let prune = run_as(stage, WRITER, &["snapshot", "prune", "--yes"]);
    prune.ends(6).says("could not be deleted").says("403: AccessDenied");
    let listed = run_as(stage, WRITER, &["snapshot", "list"]).ends(0);
    both.iter().for_each(|id| assert!(listed.stdout.contains(id.as_str()), "{}", listed.text()));
    listed.does_not_say("broken");
}

fn a_locked_bucket_keeps_what_was_pruned(stage: &Stage, objects: &ObjectStore) {
    with_targets(stage, objects, "\"s3://locked/a\"");
    let first = run_as(stage, ROOT, &["snapshot", "take"]).ends(0).does_not_say("no versions");
    let both = [first.stdout.trim().to_owned(), take(stage, ROOT)];
    run_as(stage, ROOT, &["snapshot", "prune", "--yes"]).ends(0).says("deleted");
    let versions = objects.ask("GET", "locked?versions=", &[], "").unwrap();
    for id in both {
        assert!(versions.contains(&format!("<Key>a/{id}.db.age</Key>")), "{versions}");
    }
    assert!(versions.contains("<DeleteMarker>"), "{versions}");
}

fn a_server_that_goes_in_the_middle_costs_no_former_backup(stage: &Stage, objects: &ObjectStore) {
    with_targets(stage, objects, "\"s3://plain/etcd/prod\"");
    objects.stop().unwrap();
    let arguments = ["snapshot", "take"];
    let taken = run_as(stage, ROOT, &arguments).ends(1).says("no target took the backup");
    println!("a server that is gone: given up after {:.1} s", taken.took.as_secs_f64());
    run_as(stage, ROOT, &["status"]).ends(0).says("cannot read the backups in s3://plain");
    objects.start().unwrap();
    nothing_is_unfinished(objects, "plain");
    let struck = (0..5).map(|_| struck(stage, objects)).find(|run| run.code != Some(0));
    struck.expect("each backup was done before its server was stopped").ends(1);
    let listed = run_as(stage, ROOT, &["snapshot", "list", "--json"]).ends(0).json();
    let good = |entry: &&serde_json::Value| entry["state"] == "good";
    assert!(listed.as_array().unwrap().iter().any(|entry| good(&entry)), "{listed:#}");
    // The upload could not be aborted without its server.
    let unfinished = |entry: &&serde_json::Value| entry["state"] == "unfinished";
    assert_eq!(listed.as_array().unwrap().iter().filter(unfinished).count(), 1, "{listed:#}");
}

/// A backup whose server is stopped once its upload has started, and started again afterwards.
fn struck(stage: &Stage, objects: &ObjectStore) -> Run {
    let arguments = ["snapshot", "take"];
    let began = Instant::now();
    let mut command = command_as(stage, ROOT, &arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("an upload has started", || {
        let uploads = objects.ask("GET", "plain?uploads=", &[], "").unwrap();
        uploads.contains("<Upload>") || child.try_wait().unwrap().is_some()
    });
    objects.stop().unwrap();
    let output = child.wait_with_output().unwrap();
    objects.start().unwrap();
    Run::ended(&arguments, &output, began.elapsed())
}

/// The variables of an account that may do everything.
fn root_look(name: &str) -> Option<OsString> {
    match name {
        "AWS_ACCESS_KEY_ID" => Some(ROOT.0.into()),
        "AWS_SECRET_ACCESS_KEY" => Some(ROOT.1.into()),
        _ => None,
    }
}

#[test]
fn a_real_server_replaces_no_object_and_keeps_no_parts() {
    let stage = Stage::empty_for("t-objects", 1, &SiteOptions::default());
    let objects = stage.lab.object_store(|_| {}).unwrap();
    objects.add_bucket("bucket").unwrap();
    let server = S3Server {
        endpoint: objects.endpoint(),
        region: "us-east-1".to_owned(),
        style: BucketStyle::Path,
        ca_file: Some(objects.ca()),
    };
    let target = S3Target { bucket: "bucket".to_owned(), prefix: "a/b".to_owned(), server };
    let store = Store::for_target(&BackupTarget::S3(target), Path::to_owned, root_look, |_| {
        unreachable!("the target is a bucket")
    });
    let content: Vec<u8> =
        (0..20_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let write = |content: &[u8]| {
        let mut upload = store.stage("large").unwrap();
        upload.write_all(content).unwrap();
        upload.publish()
    };
    write(&content).unwrap();
    store.put("small", b"first").unwrap();
    assert_eq!(write(b"other").unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(store.put("small", b"other").unwrap_err().kind(), ErrorKind::AlreadyExists);
    let mut read = Vec::new();
    store.open("large").unwrap().read_to_end(&mut read).unwrap();
    assert!(read == content, "{} bytes", read.len());
    assert_eq!(store.read("small", 100).unwrap(), b"first");
    store.put("empty", b"").unwrap();
    assert_eq!(store.read("empty", 100).unwrap(), b"");
    let mut upload = store.stage("dropped").unwrap();
    upload.write_all(&content).unwrap();
    drop(upload);
    assert_eq!(store.open("dropped").unwrap_err().kind(), ErrorKind::NotFound);
    let abandoned = store.stage("abandoned").unwrap();
    store.remove(".abandoned.part").unwrap();
    nothing_is_unfinished(&objects, "bucket");
    drop(abandoned);
    store.remove("large").unwrap();
    store.remove("large").unwrap();
    assert!(store.open("large").is_err());
}

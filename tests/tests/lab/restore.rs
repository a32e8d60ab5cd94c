//! A cluster gets the data of a backup back: after all of it is gone, over one that runs, and after its majority is.

use std::thread;
use std::time::Duration;

use quorate_lab::releases::Version;
use quorate_lab::site::Runtime;
use quorate_lab::{Host, SiteOptions};

use crate::backups::with_targets;
use crate::harness::{Members, NEWEST, Run, Seeded, Stage, eventually, on, options};

scenarios! {
    a_backup_comes_back_after_all_data_is_gone_and_again_over_newer_data,
}

/// Puts these many keys, on a member's host.
fn put(stage: &Stage, members: &Members, prefix: &str, count: u32) {
    let one = members.command(&format!("put {prefix}$n"));
    let all = format!("for n in $(seq {count}); do {one} $n >/dev/null || exit 1; done");
    on(&stage.host(1), &all);
}

fn count(members: &Members, host: &Host, prefix: &str) -> u64 {
    // 3.4 has no `--count-only`.
    field(&members.etcdctl(host, &format!("get {prefix} --prefix --keys-only -w fields")), "Count")
}

fn revision(members: &Members, host: &Host) -> u64 {
    field(&members.etcdctl(host, "get nothing -w fields"), "Revision")
}

fn field(said: &str, name: &str) -> u64 {
    let line = said.lines().find_map(|line| line.strip_prefix(&format!("\"{name}\" : ")));
    line.unwrap_or_else(|| panic!("no {name}: {said}")).parse().unwrap()
}

fn take(stage: &Stage) -> String {
    stage.run(&["snapshot", "take"]).ends(0).stdout.trim().to_owned()
}

fn restore(stage: &Stage, id: &str, more: &[&str]) -> Run {
    let plain = ["restore", "--cluster", "main", "--from", id, "--identity", "key"];
    stage.run(&[&plain[..], more].concat())
}

const STOPPED: [&str; 3] = ["--yes", "--clients-stopped", "main"];

/// Every member has it, it is one cluster, and nothing is left to do or of the restore.
fn is_restored(stage: &Stage, members: &Members, prefix: &str, keys: u64) {
    members.expect_whole(stage);
    for host in stage.hosts() {
        assert_eq!(count(members, &host, prefix), keys, "{}", host.name());
        on(&host, "! ls -d /var/lib/quorate/main/restore /var/lib/etcd/main/restored 2>/dev/null");
    }
    stage.expect_nothing_to_do();
}

pub(crate) fn a_backup_comes_back_after_all_data_is_gone_and_again_over_newer_data(
    runtime: Runtime,
) {
    let stage = Stage::formed("m-restore", 3, &options(runtime));
    come_back(&stage, &Members::of_main(NEWEST, 3), true);
}

/// Its tools raise no revision.
#[test]
fn a_backup_of_3_4_comes_back() {
    let version = Version::new(3, 4, 23);
    let stage = Stage::formed("t-rest34", 3, &SiteOptions { version, ..SiteOptions::default() });
    come_back(&stage, &Members::of_main(version, 3), false);
}

/// By the tools of the newest minor, and of the oldest that runs in pods.
#[test]
fn backups_of_3_7_and_3_5_come_back_to_pods() {
    let all = [("t-rest37", Version::new(3, 7, 3)), ("t-rest35", Version::new(3, 5, 35))];
    let tried = if std::env::var_os("QUORATE_PROVE").is_some() { &all[..] } else { &all[..1] };
    for (name, version) in tried.iter().copied() {
        let site = SiteOptions { version, ..options(Runtime::StaticPod) };
        let stage = Stage::formed(name, 3, &site);
        come_back(&stage, &Members::of_main(version, 3), true);
    }
}

fn come_back(stage: &Stage, members: &Members, bumps: bool) {
    with_targets(stage);
    put(stage, members, "/old/", 60);
    let id = take(stage);
    put(stage, members, "/new/", 5);
    let first = revision(members, &stage.host(1));
    let cluster = members.id(&stage.host(1));
    restore(stage, &id, &["--dry-run"]).ends(8).says("[clients-not-stopped]").says("[data-loss]");
    for number in 1..=3 {
        stage.stop(number);
    }
    for host in stage.hosts() {
        on(&host, "rm -rf /var/lib/etcd/main/member");
    }
    let ended = restore(stage, &id, &STOPPED).ends(0).says("Restore complete!");
    println!("a restore of three empty members took {:.1} s", ended.took.as_secs_f64());
    is_restored(stage, members, "/old/", 60);
    assert_eq!(count(members, &stage.host(2), "/new/"), 0);
    assert_ne!(members.id(&stage.host(1)), cluster, "it is another cluster");
    let second = revision(members, &stage.host(1));
    assert!(!bumps || second > first + 900_000_000, "{first} {second}");

    // Over a cluster that runs, from the same backup.
    put(stage, members, "/newer/", 7);
    let watched = revision(members, &stage.host(1));
    restore(stage, &id, &STOPPED).ends(8).says("[data-loss]");
    assert_eq!(count(members, &stage.host(1), "/newer/"), 7);
    members.watch_on(&stage.host(1));
    let all = [&STOPPED[..], &["--allow-data-loss", "main"]].concat();
    restore(stage, &id, &all).ends(6).says("curl on this host. Stop them first");
    on(&stage.host(1), "systemctl stop watcher");
    restore(stage, &id, &all).ends(0);
    is_restored(stage, members, "/old/", 60);
    assert_eq!(count(members, &stage.host(2), "/newer/"), 0);
    let third = revision(members, &stage.host(1));
    assert!(!bumps || third > watched, "{watched} {third}");
    for host in stage.hosts() {
        on(&host, "ls /var/lib/etcd/main/archived/*/wal/*.wal >/dev/null");
    }
    stage.survives_reboots(members);
    // The record beside the inventory names the restored cluster.
    take(stage);
}

#[test]
fn a_restore_that_is_killed_anywhere_is_finished_by_the_same_command() {
    let stage = Stage::formed("t-restkil", 3, &SiteOptions::default());
    let members = Members::of_main(NEWEST, 3);
    with_targets(&stage);
    put(&stage, &members, "/old/", 30);
    let id = take(&stage);
    put(&stage, &members, "/new/", 5);
    let mut seeded = Seeded::of_this_run();
    let all = [&STOPPED[..], &["--allow-data-loss", "main"]].concat();
    let line = ["restore", "--cluster", "main", "--from", &id, "--identity", "key"];
    let line = [&line[..], &all].concat();
    for _ in 0..4 {
        let mut child = stage.command(&line).spawn().unwrap();
        thread::sleep(Duration::from_millis(1500 + seeded.below(9000)));
        let _ = child.kill();
        child.wait().unwrap();
        let phases = "cat /var/lib/quorate/main/restore 2>/dev/null | tail -n 1";
        for host in stage.hosts() {
            println!("killed; {}: {}", host.name(), on(&host, phases));
        }
        expect_check_to_name_it(&stage);
        let host = stage.host(3);
        on(&host, "true");
    }
    eventually("the lock of the killed run ends", || {
        !stage.run(&line).text().contains("Locked") && count_of(&stage, &members) == Some(30)
    });
    is_restored(&stage, &members, "/old/", 30);
}

/// A check says that a restore is half done as long as one is.
fn expect_check_to_name_it(stage: &Stage) {
    let grep = "grep -qE '^phase (set-aside|placed)$' /var/lib/quorate/main/restore";
    let is_half_done = || stage.hosts().iter().any(|host| host.ssh(grep).unwrap().status.success());
    let before = is_half_done();
    let check = ["recover", "--cluster", "main", "--check", "--identity", "key"];
    let checked = stage.run(&check);
    // What the killed run began may have ended meanwhile.
    if before == is_half_done() {
        let named = checked.text().contains("a restore was started but not finished");
        assert_eq!(named, before, "{}", checked.text());
    }
    if before {
        checked.ends(2);
    }
}

fn count_of(stage: &Stage, members: &Members) -> Option<u64> {
    let asked = members.command("get /old/ --prefix --count-only -w fields");
    let said = stage.host(1).ssh(&asked).unwrap();
    said.status.success().then(|| field(&String::from_utf8_lossy(&said.stdout), "Count"))
}

#[test]
fn the_survivor_of_three_becomes_a_cluster_of_one() {
    let stage = Stage::formed("t-restmaj", 3, &SiteOptions::default());
    let members = Members::of_main(NEWEST, 3);
    with_targets(&stage);
    put(&stage, &members, "/old/", 30);
    for number in [2, 3] {
        stage.host(number).kill().unwrap();
    }
    let survivor = stage.host(1);
    eventually("etcd-1 knows that its leader is gone", || {
        members.etcdctl(&survivor, "endpoint status -w fields").contains("\"Leader\" : 0")
    });
    let told = stage.run(&["recover", "--cluster", "main"]).ends(1);
    told.says("bring these hosts back: etcd-2, etcd-3")
        .says("quorate snapshot take --cluster main");
    let id = take(&stage);
    stage.edit(|text| {
        text.replace(r#"members = ["etcd-1", "etcd-2", "etcd-3"]"#, r#"members = ["etcd-1"]"#)
    });
    restore(&stage, &id, &STOPPED).ends(4).says("--gone etcd-2");
    let gone = [&STOPPED[..], &["--gone", "etcd-2,etcd-3"]].concat();
    restore(&stage, &id, &gone).ends(0);
    let one = Members::of_main(NEWEST, 1);
    one.expect_whole(&stage);
    assert_eq!(count(&one, &survivor, "/old/"), 30);
}

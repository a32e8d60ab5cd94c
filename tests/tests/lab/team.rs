//! Several people with one site: who has the newest inventory, who holds the lock, what was reviewed,
//! and who stopped in the middle.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use quorate_lab::site::Runtime;
use quorate_lab::{Host, SiteOptions};

use crate::harness::{Members, NEWEST, Run, Seeded, Stage, eventually, here, on, options, text};

scenarios! {
    of_two_applies_at_once_one_wins_and_nothing_stays_locked,
    a_terminated_apply_ends_its_running_steps_and_the_next_one_resumes,
}

/// A key whose mode is drift that is cheap to repair.
const KEY: &str = "/etc/etcd/main/pki/current/peer.key";

fn loosen(host: &Host) {
    on(host, &format!("chmod 0644 {KEY}"));
}

/// Runs git in the site's folder.
fn git(stage: &Stage, arguments: &[&str]) -> String {
    let folder = stage.folder().display().to_string();
    let identity = ["-C", &folder, "-c", "user.name=t", "-c", "user.email=t@example.net"];
    here("git", &[&identity[..], arguments].concat())
}

fn commit(stage: &Stage, what: &str) {
    git(stage, &["add", "quorate.toml", "pki"]);
    git(stage, &["commit", "-qm", what]);
}

#[test]
fn an_older_inventory_is_refused_again_and_again() {
    let stage = Stage::ready("t-older", 1, &SiteOptions::default());
    git(&stage, &["init", "-q", "-b", "main"]);
    commit(&stage, "one");
    stage.run(&["apply", "--yes"]).ends(0);
    stage.run(&["plan"]).ends(0).says("formed.toml is not committed");
    commit(&stage, "formed");
    stage.run(&["plan", "--refresh-only"]).ends(0).says("Nothing changed");
    stage.edit(|text| format!("{text}# two\n"));
    loosen(&stage.host(1));
    stage.run(&["plan", "--refresh-only", "--detailed-exitcode"]).ends(2).says("0644");
    stage.run(&["apply", "--yes"]).ends(8).says("not committed: quorate.toml (modified)");
    commit(&stage, "two");
    stage.run(&["apply", "--yes"]).ends(0);

    git(&stage, &["checkout", "-q", "HEAD~1"]);
    loosen(&stage.host(1));
    // A refusal must not leave its own commit behind as the last one.
    for _ in 0..2 {
        stage.run(&["apply", "--yes"]).ends(8).says("does not contain");
    }
    stage.run(&["apply", "--yes", "--allow-older"]).ends(0);
    git(&stage, &["checkout", "-q", "main"]);
    stage.edit(|text| format!("{text}# three\n"));
    loosen(&stage.host(1));
    // What quorate itself writes beside the inventory is nobody's business.
    stage.run(&["plan", "--out", "reviewed.plan"]).ends(0).says("warning: not committed");
    stage.run(&["apply", "--yes", "--allow-dirty"]).ends(0);
    stage.expect_nothing_to_do().says("not committed").says(": done");
    hooks_run_around_an_apply(&stage);
}

/// The first one may refuse; the others learn how it ended.
fn hooks_run_around_an_apply(stage: &Stage) {
    let hooks = |first: &str| {
        format!(
            "\n[hooks]\nbefore-apply = [\"{first}\"]\nafter-apply = [\"tee\", \"after\"]\non-failure = [\"tee\", \"failed\"]\n"
        )
    };
    let without = stage.folder().join("quorate.toml");
    let text = std::fs::read_to_string(&without).unwrap();
    let apply = ["apply", "--yes", "--allow-dirty", "--hooks", "run", "--reason", "a try"];
    std::fs::write(&without, text.clone() + &hooks("false")).unwrap();
    loosen(&stage.host(1));
    stage.run(&apply).ends(8).says("before-apply: false failed");
    stage.run(&["plan", "--detailed-exitcode"]).ends(2);
    std::fs::write(&without, text + &hooks("true")).unwrap();
    stage.run(&apply).ends(0);
    let event = std::fs::read_to_string(stage.folder().join("after")).unwrap();
    let event: serde_json::Value = serde_json::from_str(&event).unwrap();
    assert_eq!((&event["outcome"], &event["reason"]), (&"done".into(), &"a try".into()));
    assert!(!stage.folder().join("failed").exists());
    stage.run(&["history"]).ends(0).says("apply: a try");
}

/// How many rounds two race for the lock.
fn rounds() -> usize {
    if std::env::var_os("QUORATE_PROVE").is_some() { 100 } else { 12 }
}

pub(crate) fn of_two_applies_at_once_one_wins_and_nothing_stays_locked(runtime: Runtime) {
    let stage = Stage::formed("t-race", 3, &options(runtime));
    let (mut locked_out, mut late) = (0, 0);
    let rounds = rounds();
    for round in 0..rounds {
        loosen(&stage.host(2));
        let first = spawned(&stage);
        // At once, and then ever later: while the first one looks, takes the lock, and writes.
        thread::sleep(Duration::from_millis(50 * (round % 12) as u64));
        let both = [first, spawned(&stage)].map(|child| child.wait_with_output().unwrap());
        let won = both.iter().filter(|run| text(&run.stdout).contains("Apply complete!")).count();
        let told: String = both.iter().map(|run| text(&run.stdout) + &text(&run.stderr)).collect();
        assert_eq!(won, 1, "round {round}: {told}");
        for run in &both {
            match run.status.code() {
                Some(5) => locked_out += 1,
                Some(0) => late += usize::from(!text(&run.stdout).contains("Apply complete!")),
                other => panic!("round {round}: {other:?}: {told}"),
            }
        }
    }
    println!("{rounds} rounds, one winner each; locked out: {locked_out}, found it done: {late}");
    one_that_waits_for_the_lock_ends_well(&stage);
    stage.run(&["unlock", "--yes"]).ends(0).says("No host is locked");
    stage.expect_nothing_to_do();
}

/// It waits for the other, plans again, and finds the work done.
fn one_that_waits_for_the_lock_ends_well(stage: &Stage) {
    let mut waited = 0;
    for round in 0..8 {
        loosen(&stage.host(2));
        let first = spawned(stage);
        thread::sleep(Duration::from_millis(50 * round));
        let second = stage.run(&["apply", "--yes", "--lock-timeout", "2m"]).ends(0);
        waited += usize::from(second.text().contains("waiting for the lock"));
        let first = first.wait_with_output().unwrap();
        assert!(matches!(first.status.code(), Some(0 | 5)), "{}", text(&first.stderr));
    }
    println!("of 8 that would wait, {waited} had to");
    assert!(waited > 0, "nobody had to wait");
}

fn spawned(stage: &Stage) -> Child {
    let mut command = stage.command(&["apply", "--yes"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Lets an apply finish this many steps, then sends SIGTERM this many times.
fn terminated_after(stage: &Stage, steps: u64, times: usize) -> Run {
    let began = std::time::Instant::now();
    let mut child = spawned(stage);
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    let ended = format!("{steps}/");
    let seen = told.find(|line| line.as_ref().is_ok_and(|line| line.contains(&ended)));
    assert!(seen.is_some(), "the apply never ended {steps} steps");
    for _ in 0..times {
        here("kill", &["-TERM", &child.id().to_string()]);
        thread::sleep(Duration::from_millis(20));
    }
    let rest = thread::spawn(move || told.map_while(Result::ok).collect::<Vec<_>>().join("\n"));
    let mut output = child.wait_with_output().unwrap();
    output.stderr = rest.join().unwrap().into_bytes();
    Run::ended(&["apply", "--yes"], &output, began.elapsed())
}

pub(crate) fn a_terminated_apply_ends_its_running_steps_and_the_next_one_resumes(runtime: Runtime) {
    let stage = Stage::ready("t-term", 3, &options(runtime));
    let mut seeded = Seeded(0x2545_f491_4f6c_dd1d);
    for part in 0..3 {
        let steps = 1 + part * 6 + seeded.below(6);
        println!("SIGTERM after {steps} steps");
        let run = terminated_after(&stage, steps, 1).ends(130);
        run.says("Interrupt received").says("Run the same apply again");
        let plan = stage.run(&["plan"]).ends(0).says(": interrupted");
        plan.does_not_say("locked by");
        stage.run(&["history"]).ends(0).says("interrupted  apply");
        stage.run(&["history", "--steps"]).ends(0).says("done").does_not_say("failed");
        stage.run(&["apply", "--yes"]).ends(0);
        stage.expect_nothing_to_do();
        Members::of_main(NEWEST, 3).expect_whole(&stage);
        stage.wipe();
    }
    terminated_after(&stage, 5, 2).ends(130).says("interrupted twice");
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
}

#[test]
fn a_reviewed_plan_is_refused_for_whatever_decided_it_and_not_for_noise() {
    let stage = Stage::formed("t-stale", 3, &SiteOptions::default());
    stage.edit(|text| {
        text.replace("\n[pki]", "\n[clusters.main.etcd]\nsnapshot-count = 5000\n\n[pki]")
    });
    stage.run(&["plan", "--out", "reviewed"]).ends(0);
    let members = Members::of_main(NEWEST, 3);
    let unit = "/etc/systemd/system/etcd-main.service";
    let folder = "/etc/systemd/system/etcd-main.service.d";
    let cases = [
        (format!("chmod 0644 {KEY}"), format!("chmod 0600 {KEY}"), "peer.key"),
        (
            format!(
                "cp -p {unit} /run/unit && echo '# by hand' >> {unit} && systemctl daemon-reload"
            ),
            format!("cp -p /run/unit {unit} && systemctl daemon-reload"),
            unit,
        ),
        (
            format!(
                "mkdir {folder} && echo '[Service]' >{folder}/a.conf && systemctl daemon-reload"
            ),
            format!("rm -r {folder} && systemctl daemon-reload"),
            "drop-ins:",
        ),
        (
            "systemctl disable --quiet etcd-main".to_owned(),
            "systemctl enable --quiet etcd-main".to_owned(),
            "enabled",
        ),
        (
            "mv /opt/quorate/etcd/3.6.16/etcdutl /run/".to_owned(),
            "mv /run/etcdutl /opt/quorate/etcd/3.6.16/".to_owned(),
            "release 3.6.16",
        ),
        (
            "chmod 0755 /var/lib/etcd/main".to_owned(),
            "chmod 0700 /var/lib/etcd/main".to_owned(),
            "data directory",
        ),
        (
            "mv /var/lib/quorate/main/marker /run/".to_owned(),
            "mv /run/marker /var/lib/quorate/main/".to_owned(),
            "marker",
        ),
    ];
    for (change, back, word) in &cases {
        on(&stage.host(2), change);
        stage.run(&["apply", "reviewed"]).ends(3).says("stale").says(word);
        on(&stage.host(2), back);
    }
    on(&stage.host(2), "systemctl stop etcd-main");
    stage.run(&["apply", "reviewed"]).ends(3).says("etcd-2");
    on(&stage.host(2), "systemctl start etcd-main");
    eventually("the member is back", || stage.run(&["status"]).code == Some(0));

    // Noise: data, time, space. Which member leads is none, and is as it is by now.
    members.etcdctl(&stage.host(1), "put noise there-is");
    stage.run(&["plan", "--out", "again"]).ends(0);
    members.etcdctl(&stage.host(1), "put noise there-was");
    on(&stage.host(1), "head -c 10000000 /dev/zero >/var/lib/etcd/noise && rm /var/lib/etcd/noise");
    stage.run(&["apply", "again"]).ends(0);
    stage.expect_nothing_to_do();
}

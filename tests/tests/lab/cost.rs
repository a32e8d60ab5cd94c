//! What disks and distances cost in time, on real ones.

use std::thread;
use std::time::Duration;

use quorate_lab::delay::RoundTrip;
use quorate_lab::{Host, SiteOptions};
use serde_json::Value;

use crate::harness::{Run, Stage, eventually, on};

fn preflight(stage: &Stage, code: i32) -> Value {
    // What a write takes on a disk that other tests keep busy is no part of the question.
    let is_busy = |run: &Run| run.code != Some(code) && run.stdout.contains("a synced write takes");
    let mut run = stage.run(&["status", "--preflight", "--json"]);
    for _ in 0..6 {
        if !is_busy(&run) {
            break;
        }
        thread::sleep(Duration::from_secs(5));
        run = stage.run(&["status", "--preflight", "--json"]);
    }
    run.ends(code).json()["clusters"]["main"]["preflight"].clone()
}

/// The round trips of a cluster, in milliseconds, and who timed them.
fn round_trips(preflight: &Value) -> Vec<(f64, String)> {
    let pairs = preflight["round_trips"].as_array().unwrap().iter();
    pairs
        .map(|pair| (pair["ms"].as_f64().unwrap(), pair["timed_by"].as_str().unwrap().to_owned()))
        .collect()
}

/// When something last came into or went out of the directories around the data.
fn touched(host: &Host) -> String {
    on(
        host,
        "stat -c '%n %z' / /var /var/lib $(ls -d /var/lib/etcd /var/lib/etcd/main 2>/dev/null)",
    )
}

#[test]
fn members_that_are_far_apart_get_the_timers_to_write_down() {
    let stage = Stage::ready("c-far", 3, &SiteOptions::default());
    stage.lab.set_distance(RoundTrip::milliseconds(160).unwrap()).unwrap();
    let plan = stage.run(&["plan", "--json"]).ends(0).json();
    let warnings = plan["warnings"].as_array().unwrap();
    let far = warnings.iter().find(|warning| warning["code"] == "far-apart").unwrap();
    println!("160 ms apart: {}", far["message"].as_str().unwrap());
    let measured = preflight(&stage, 1);
    let times = round_trips(&measured);
    assert_eq!(times.len(), 6, "{measured:#}");
    // What the path takes, and what sshd needs on a machine that all hosts share.
    assert!(
        times.iter().all(|(ms, by)| (140.0..480.0).contains(ms) && by == "connecting"),
        "{times:?}"
    );

    let (_, lines) = far["hint"].as_str().unwrap().split_once('\n').unwrap();
    stage.edit(|text| text.replace("\n[pki]", &format!("\n{lines}\n\n[pki]")));
    stage.run(&["validate"]).ends(0);
    stage.run(&["plan"]).ends(0).does_not_say("far-apart");
    stage.run(&["apply", "--yes"]).ends(0).does_not_say("far-apart");
    stage.expect_nothing_to_do();
    let heartbeat = lines.lines().find(|line| line.starts_with("heartbeat")).unwrap();
    let flag = format!("--{}", heartbeat.replace(" = ", "="));
    for host in stage.hosts() {
        on(&host, &format!("tr '\\0' '\\n' < /proc/$(pgrep -x etcd)/cmdline | grep -qx -- {flag}"));
    }

    let measured = preflight(&stage, 0);
    let times = round_trips(&measured);
    println!("160 ms apart, told by the kernel: {times:?}");
    assert_eq!(times.len(), 6, "{measured:#}");
    assert!(
        times.iter().all(|(ms, by)| (155.0..175.0).contains(ms) && by == "kernel"),
        "{times:?}"
    );
    stage.run(&["status", "--preflight"]).ends(0).does_not_say("far-apart");
}

#[test]
fn a_disk_is_timed_before_a_cluster_is_formed_and_nothing_stays() {
    let stage = Stage::ready("c-disk", 3, &SiteOptions::default());
    let before = stage.traces();
    on(&stage.host(2), "touch /var/lib/.quorate-disk.killed");
    let measured = preflight(&stage, 1);
    for host in ["etcd-1", "etcd-2", "etcd-3"] {
        let disk = &measured["disks"][host];
        println!("{host}: {} ms", disk["p99_ms"]);
        assert_eq!((&disk["timed_by"], &disk["writes"]), (&"writes".into(), &200.into()), "{disk}");
        assert!(disk["p99_ms"].as_f64().unwrap() > 0.0, "{disk}");
    }
    assert!(round_trips(&measured).iter().all(|(ms, _)| *ms < 140.0), "{measured:#}");
    stage.run(&["plan"]).ends(0).does_not_say("far-apart");
    stage.traces().expect_same_as(&before);

    // A plain status, and a plan of a formed cluster, time nothing.
    let untouched: Vec<String> = stage.hosts().iter().map(touched).collect();
    stage.run(&["status"]).ends(1);
    assert_eq!(stage.hosts().iter().map(touched).collect::<Vec<_>>(), untouched);
}

#[test]
fn a_disk_that_is_too_slow_is_refused_until_it_is_allowed_or_quicker() {
    let stage = Stage::ready("c-slow", 3, &SiteOptions::default());
    stage.host(2).limit_writes(Some(5)).unwrap();
    let refusal = stage.expect_refusal("slow-disk", &["etcd-2", "--allow-slow-disk main"]);
    println!("{}", refusal.stdout.lines().find(|line| line.starts_with("blocked")).unwrap());
    refusal.does_not_say("blocked: etcd-1");
    let allowed = stage.run(&["plan", "--allow-slow-disk", "main", "--out", "allowed"]).ends(0);
    allowed.says("[slow-disk]").does_not_say("blocked");
    // What was allowed is in the saved plan; the disk is quick again, and the plan is the same.
    stage.host(2).limit_writes(None).unwrap();
    stage.run(&["apply", "allowed"]).ends(0);
    stage.expect_nothing_to_do();
}

#[test]
fn a_running_member_tells_its_own_fsyncs_and_nothing_is_written() {
    let stage = Stage::formed("c-run", 3, &SiteOptions::default());
    let untouched: Vec<String> = stage.hosts().iter().map(touched).collect();
    let count = || -> u64 {
        let page = on(&stage.host(1), "curl -s http://127.0.0.1:2381/metrics");
        let line = page
            .lines()
            .find_map(|l| l.strip_prefix("etcd_disk_wal_fsync_duration_seconds_count "));
        line.unwrap().parse().unwrap()
    };
    let before = count();
    let measured = preflight(&stage, 0);
    let disk = &measured["disks"]["etcd-1"];
    let told = disk["writes"].as_u64().unwrap();
    assert!((before..=count()).contains(&told), "{before} {told}");
    for host in ["etcd-1", "etcd-2", "etcd-3"] {
        let disk = &measured["disks"][host];
        println!("{host}: {} ms of {} fsyncs", disk["p99_ms"], disk["writes"]);
        assert_eq!(disk["timed_by"], "member", "{measured:#}");
    }
    assert_eq!(round_trips(&measured).len(), 6, "{measured:#}");
    stage.expect_nothing_to_do();
    assert_eq!(stage.hosts().iter().map(touched).collect::<Vec<_>>(), untouched);

    // Where no member runs the disk may be written to.
    on(&stage.host(3), "systemctl stop etcd-main");
    let measured = preflight(&stage, 1);
    let by = |host: &str| measured["disks"][host]["timed_by"].clone();
    assert_eq!([by("etcd-1"), by("etcd-2"), by("etcd-3")], ["member", "member", "writes"]);
    on(&stage.host(3), "systemctl start etcd-main");
    eventually("the member is back", || stage.run(&["status"]).code == Some(0));
    on(&stage.host(3), "! ls -a /var/lib /var/lib/etcd /var/lib/etcd/main | grep quorate-disk");
}

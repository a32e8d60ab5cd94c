//! An apply that is killed in the middle, at any moment, and run again.

use std::thread;
use std::time::Duration;

use quorate_lab::SiteOptions;

use crate::harness::{Members, NEWEST, Seeded, Stage, on};

/// Takes everything away that quorate made, so that the next round begins with nothing.
const WIPE: &str = "systemctl disable --now etcd-main 2>/dev/null; \
    rm -rf /etc/systemd/system/etcd-main.service* /etc/etcd /var/lib/etcd /var/lib/quorate \
    /opt/quorate; systemctl daemon-reload; userdel etcd 2>/dev/null; ! pgrep -x etcd";

/// Lets an apply run for a while, then kills it. Whether it was still running.
fn kill_after(stage: &Stage, moment: Duration) -> bool {
    let mut child = stage
        .command(&["apply", "--yes"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    thread::sleep(moment);
    let ran = child.try_wait().unwrap().is_none();
    let _ = child.kill();
    let _ = child.wait();
    ran
}

#[test]
fn an_apply_killed_at_any_moment_is_finished_by_the_next_one() {
    let stage = Stage::ready("k-once", 3, &SiteOptions::default());
    let whole = stage.run(&["apply", "--yes"]).ends(0).took;
    let mut seeded = Seeded(0x9e37_79b9_7f4a_7c15);
    let rounds = 6;
    for round in 0..rounds {
        for host in stage.hosts() {
            on(&host, WIPE);
        }
        // One moment out of each part of an apply, so that every part is met.
        let part = u64::try_from(whole.as_millis()).unwrap() / rounds;
        let moment = Duration::from_millis(round * part + seeded.below(part.max(1)));
        let ran = kill_after(&stage, moment);
        println!("killed after {moment:?} of {whole:?}, while it ran: {ran}");
        stage.run(&["apply", "--yes"]).ends(0);
        stage.expect_nothing_to_do();
        Members::of_main(NEWEST, 3).expect_whole(&stage);
    }
}

#[test]
fn an_apply_killed_again_and_again_still_forms_one_cluster() {
    let stage = Stage::ready("k-many", 3, &SiteOptions::default());
    let mut seeded = Seeded(0xd1b5_4a32_d192_ed03);
    for _ in 0..8 {
        let moment = Duration::from_millis(400 + seeded.below(1200));
        if !kill_after(&stage, moment) {
            break;
        }
    }
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
    Members::of_main(NEWEST, 3).expect_whole(&stage);
}

#[test]
fn a_host_that_dies_while_the_cluster_is_formed_joins_it_at_the_next_apply() {
    let stage = Stage::ready("k-host", 3, &SiteOptions::default());
    stage.run(&["apply", "--yes"]).ends(0);
    for host in stage.hosts() {
        on(&host, WIPE);
    }
    let lost = stage.host(3);
    let mut child = stage
        .command(&["apply", "--yes"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(700));
    lost.reboot().unwrap();
    let _ = child.wait();
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
    Members::of_main(NEWEST, 3).expect_whole(&stage);
}

#[test]
fn ctrl_c_ends_in_an_orderly_way_and_the_next_apply_goes_on() {
    let stage = Stage::ready("k-ctrl-c", 3, &SiteOptions::default());
    let child = stage
        .command(&["apply", "--yes"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(900));
    crate::harness::here("kill", &["-INT", &child.id().to_string()]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
}

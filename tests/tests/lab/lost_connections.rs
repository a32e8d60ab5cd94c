//! Connections that break while an apply runs: it continues and finishes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::thread;
use std::time::Duration;

use quorate_lab::Host;
use quorate_lab::site::Runtime;
use serde_json::Value;

use crate::harness::{Members, NEWEST, Seeded, Stage, options};

scenarios! {
    an_apply_whose_connections_are_cut_at_any_step_comes_to_its_end,
    a_host_that_is_cut_off_for_a_while_is_waited_for,
    a_host_that_stays_away_is_named_and_the_next_apply_finishes,
}

/// Kills every login on a host but its own, once for each line on its stdin.
const CUTTER: &str = "server=$(pgrep -o -x sshd); echo ready; while read -r _; do \
    for login in $(pgrep -P $server); do [ $login = $PPID ] || kill -9 $login; done; done";

/// A login that stands ready to cut the others off.
struct Cutter {
    host: String,
    orders: ChildStdin,
    process: Child,
}

impl Cutter {
    fn on(host: &Host) -> Self {
        let mut command = host.ssh_command(quorate_lab::ssh::User::Root).unwrap();
        command.arg("--").arg(CUTTER).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert_eq!(ready, "ready\n");
        Self { host: host.name(), orders: process.stdin.take().unwrap(), process }
    }

    fn cut(&mut self) {
        self.orders.write_all(b"now\n").unwrap();
    }

    fn over(mut self) {
        drop(self.orders);
        self.process.wait().unwrap();
    }
}

/// How an apply went whose events were followed.
struct Followed {
    code: Option<i32>,
    started: u64,
    lost: usize,
    back: usize,
    said: String,
}

/// Applies, and says of each step, as it begins, on which host it is and how many began before.
fn follow(stage: &Stage, mut begins: impl FnMut(&str, u64)) -> Followed {
    let mut child = stage
        .command(&["apply", "--yes", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut followed = Followed { code: None, started: 0, lost: 0, back: 0, said: String::new() };
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        followed.said.push_str(event["@message"].as_str().unwrap());
        followed.said.push('\n');
        match event["type"].as_str().unwrap() {
            "apply_start" => {
                begins(event["hook"]["host"].as_str().unwrap(), followed.started);
                followed.started += 1;
            }
            "connection_lost" => followed.lost += 1,
            "reconnected" => followed.back += 1,
            _ => {}
        }
    }
    followed.code = child.wait().unwrap().code();
    followed
}

/// How often a successful apply lost its connections, when they are cut as these
/// steps begin.
fn apply_cut_at(stage: &Stage, steps: &[u64]) -> usize {
    let mut cutters: Vec<Cutter> = stage.hosts().iter().map(Cutter::on).collect();
    let followed = follow(stage, |host, number| {
        if steps.contains(&number) {
            cutters.iter_mut().find(|cutter| cutter.host == host).unwrap().cut();
        }
    });
    let Followed { code, started, lost, back, said } = followed;
    assert_eq!((code, back), (Some(0), lost), "{said}");
    cutters.into_iter().for_each(Cutter::over);
    println!("cut at {steps:?} of {started} steps: {lost} lost their connection");
    stage.expect_nothing_to_do();
    lost
}

pub(crate) fn an_apply_whose_connections_are_cut_at_any_step_comes_to_its_end(runtime: Runtime) {
    let stage = Stage::ready("l-cut", 3, &options(runtime));
    let members = Members::of_main(NEWEST, 3);
    let mut seeded = Seeded(0x2545_f491_4f6c_dd1d);
    let mut sample = |many, of| -> Vec<u64> { (0..many).map(|_| seeded.below(of)).collect() };

    let mut lost = apply_cut_at(&stage, &sample(6, 28));
    members.expect_whole(&stage);
    for count in [5000, 6000] {
        stage.edit(|text| {
            let text = text.replace("[clusters.main.etcd]\nsnapshot-count = 5000\n\n", "");
            let flags = format!("\n[clusters.main.etcd]\nsnapshot-count = {count}\n\n[pki]");
            text.replacen("\n[pki]", &flags, 1)
        });
        lost += apply_cut_at(&stage, &sample(4, 11));
        members.expect_whole(&stage);
    }
    assert!(lost > 3, "the connections were cut {lost} times only");
}

pub(crate) fn a_host_that_is_cut_off_for_a_while_is_waited_for(runtime: Runtime) {
    let stage = Stage::ready("l-away", 3, &options(runtime));
    let Followed { code, lost, back, said, .. } = follow(&stage, |_, number| {
        if number == 5 {
            let away = stage.host(2);
            away.cut().unwrap();
            thread::spawn(move || {
                thread::sleep(Duration::from_secs(20));
                away.heal().unwrap();
            });
        }
    });
    assert_eq!((code, back), (Some(0), lost), "{said}");
    assert!(lost > 0, "{said}");
    stage.expect_nothing_to_do();
    Members::of_main(NEWEST, 3).expect_whole(&stage);
}

pub(crate) fn a_host_that_stays_away_is_named_and_the_next_apply_finishes(runtime: Runtime) {
    let stage = Stage::ready("l-gone", 3, &options(runtime));
    let Followed { code, lost, back, said, .. } = follow(&stage, |_, number| {
        if number == 5 {
            stage.host(3).cut().unwrap();
        }
    });
    stage.host(3).heal().unwrap();
    assert_eq!((code, back), (Some(6), 0), "{said}");
    assert!(lost > 0 && said.contains("lost the connection to etcd-3"), "{said}");
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
    Members::of_main(NEWEST, 3).expect_whole(&stage);
}

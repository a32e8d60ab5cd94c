//! New certificates under running members: one member after the other, each tried before the next.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use quorate_lab::site::Runtime;
use serde_json::Value;

use crate::harness::{Members, NEWEST, Stage, eventually, on, options};

scenarios! {
    new_certificates_are_tried_at_one_member_and_then_at_the_next,
}

const CURRENT: &str = "readlink /etc/etcd/main/pki/current";

fn generations(stage: &Stage) -> Vec<String> {
    stage.hosts().iter().map(|host| on(host, CURRENT)).collect()
}

/// Another name in every server certificate: all of them are issued anew.
fn other_certificates(stage: &Stage, name: &str) {
    stage.edit(|text| {
        let lines = text.lines().filter(|line| !line.starts_with("sans = "));
        let lines = lines.map(|line| match line.strip_prefix("address = ") {
            Some(_) => format!("sans = [\"{name}\"]\n{line}\n"),
            None => format!("{line}\n"),
        });
        lines.collect()
    });
}

pub(crate) fn new_certificates_are_tried_at_one_member_and_then_at_the_next(runtime: Runtime) {
    let stage = Stage::formed("t-renew", 3, &options(runtime));
    let members = Members::of_main(NEWEST, 3);
    let pids = || stage.hosts().iter().map(|host| on(host, "pgrep -x etcd")).collect::<Vec<_>>();
    let (running, first) = (pids(), generations(&stage));

    other_certificates(&stage, "one.example.net");
    stage.run(&["plan"]).ends(0).says("try the new certificates").says("one member at a time");
    let apply = stage.run(&["apply", "--yes"]).ends(0);
    println!("renewal of three members: {:.2} s", apply.took.as_secs_f64());
    let second = generations(&stage);
    assert!(first.iter().zip(&second).all(|(before, now)| before != now), "{second:?}");
    for host in stage.hosts() {
        on(&host, "! test -e /etc/etcd/main/pki/untried");
    }
    assert_eq!(pids(), running, "nobody was restarted");
    stage.expect_nothing_to_do();
    members.expect_whole(&stage);

    // The first member to get new ones does not answer with them: it is frozen, in place of anything that
    // could be wrong with a certificate. Those before them come back, and nobody else gets any.
    other_certificates(&stage, "two.example.net");
    let mut apply = stage
        .command(&["apply", "--yes", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut said, mut frozen) = (String::new(), None);
    for line in BufReader::new(apply.stdout.take().unwrap()).lines() {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        said += &format!("{}\n", event["@message"].as_str().unwrap());
        let begins = event["type"] == "apply_start"
            && event["hook"]["step"].as_str().unwrap().ends_with("/certificates");
        if begins && frozen.is_none() {
            let name = event["hook"]["host"].as_str().unwrap();
            let host = stage.hosts().into_iter().find(|host| host.name() == name).unwrap();
            on(&host, "pkill -STOP -x etcd");
            frozen = Some(host);
        }
    }
    assert_eq!(apply.wait().unwrap().code(), Some(6), "{said}");
    on(&frozen.unwrap(), "pkill -CONT -x etcd");
    assert!(said.contains("the new certificates do not work"), "{said}");
    assert!(said.contains("those before them are back in use"), "{said}");
    assert_eq!(generations(&stage), second, "{said}");
    eventually("it is healthy again", || stage.run(&["status"]).code == Some(0));

    // Where sshd forwards nothing, that is said, and etcdctl on the host is what remains.
    for host in stage.hosts() {
        on(&host, "echo 'AllowTcpForwarding no' >/etc/ssh/sshd_config.d/00-no-forwarding.conf");
        on(&host, "systemctl reload ssh");
    }
    let apply = stage.run(&["apply", "--yes"]).ends(0);
    apply.says("tried by etcdctl on the host alone: sshd forwards no connections");
    let third: BTreeSet<String> = generations(&stage).into_iter().collect();
    assert!(third.is_disjoint(&second.into_iter().collect()));
    stage.expect_nothing_to_do();
    members.expect_whole(&stage);
}

//! New certificates under running members: one member after the other, each tried before the next.

use std::collections::BTreeSet;

use quorate_lab::site::Runtime;

use crate::harness::{Members, NEWEST, Stage, on, options};

scenarios! {
    new_certificates_are_tried_at_one_member_and_then_at_the_next,
}

const CURRENT: &str = "readlink /etc/etcd/main/pki/current";

fn generations(stage: &Stage) -> Vec<String> {
    stage.hosts().iter().map(|host| on(host, CURRENT)).collect()
}

/// Another name in every server certificate: all of them are issued again.
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
    stage.run(&["plan"]).ends(0).says("test the new certificates").says("one member at a time");
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

    if runtime == Runtime::Systemd {
        stops_at_the_first_member(&stage, &second);
    }
    other_certificates(&stage, "three.example.net");

    // Where sshd forwards nothing, the step reports it, and only etcdctl on the host tests them.
    for host in stage.hosts() {
        on(&host, "echo 'AllowTcpForwarding no' >/etc/ssh/sshd_config.d/00-no-forwarding.conf");
        on(&host, "systemctl reload ssh");
    }
    let apply = stage.run(&["apply", "--yes"]).ends(0);
    apply.says("tested only by etcdctl on the host: sshd forwards no connections");
    let third: BTreeSet<String> = generations(&stage).into_iter().collect();
    assert!(third.is_disjoint(&second.into_iter().collect()));
    stage.expect_nothing_to_do();
    members.expect_whole(&stage);
}

/// The first member shows its old certificates whatever is installed: it sees a copy of the folder. Those before
/// come back, and nobody else gets any.
fn stops_at_the_first_member(stage: &Stage, used: &[String]) {
    other_certificates(stage, "two.example.net");
    let plan = stage.run(&["plan"]).ends(0).text();
    let (_, order) = plan.split_once("one member at a time (").unwrap();
    let first = order.split(',').next().unwrap();
    let host = stage.hosts().into_iter().find(|host| host.name() == first).unwrap();
    on(&host, "cp -a /etc/etcd/main/pki /run/pki-copy");
    let inside = "nsenter -m -t $(pgrep -x etcd)";
    on(&host, &format!("{inside} mount --bind /run/pki-copy /etc/etcd/main/pki"));
    let apply = stage.run(&["apply", "--yes"]).ends(6);
    let apply =
        apply.says("the new certificates do not work").says("does not show the new certificate");
    apply.says("the previous ones are back in use");
    assert_eq!(generations(stage), used);
    on(&host, &format!("{inside} umount /etc/etcd/main/pki"));
    stage.run(&["status"]).ends(0);
}

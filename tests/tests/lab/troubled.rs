//! Members in trouble that are not lost, and a second one that dies during a replacement, while a client writes.

use std::process::Stdio;
use std::time::Instant;

use quorate_lab::SiteOptions;

use crate::harness::{Clients, Members, NEWEST, Stage, eventually, on};
use crate::membership::expect_settled;

/// A member that is cut off from us or from its peers, or whose process is stopped, is alive. `--replace` alone never
/// removes it.
#[test]
fn a_member_that_is_alive_is_never_replaced_as_a_failed_one() {
    let stage = Stage::formed("m-alive", 3, &SiteOptions::default());
    let members = Members::of_main(NEWEST, 3);
    let (one, two, three) = (stage.host(1), stage.host(2), stage.host(3));
    members.lead(&stage, &one);
    let list = || members.etcdctl(&one, "member list");
    let before = list();
    let clients = Clients::start(&stage);
    let refuses = |what: &str, arguments: &[&str]| {
        let run = stage.run(arguments);
        assert_ne!(run.code, Some(0), "{what}: {}", run.text());
        assert_eq!(list(), before, "{what}: {}", run.text());
    };
    let replace = ["apply", "--yes", "--replace", "etcd-3"];

    three.silence(22).unwrap();
    refuses("only we do not reach it", &[&replace[..], &["--confirm", "etcd-3"]].concat());
    three.heal().unwrap();

    three.silence(2380).unwrap();
    refuses("its peers' packets do not arrive", &replace);
    three.heal().unwrap();

    three.partition(&one).unwrap();
    three.partition(&two).unwrap();
    eventually("it knows no leader", || {
        !three.ssh(&members.command("get none")).unwrap().status.success()
    });
    refuses("it is cut off from both others", &replace);
    three.heal().unwrap();

    on(&three, "pkill -STOP -x etcd");
    refuses("its etcd stands still", &replace);
    on(&three, "pkill -CONT -x etcd");

    members.expect_whole(&stage);
    let written = clients.finish(&members, &stage);
    written.note("a member was cut off from us, from its peers one way and both ways, and stopped");
    stage.expect_nothing_to_do();
}

/// Etcd has no quorum then, until that one is back.
#[test]
fn a_replacement_is_finished_once_the_second_member_that_died_is_back() {
    if std::env::var_os("QUORATE_PROVE").is_none() {
        println!("not run: two more applies wait for a quorum: ./dev prove hosts");
        return;
    }
    let stage = Stage::formed("m-second", 3, &SiteOptions::default());
    let members = Members::of_main(NEWEST, 3);
    let (one, two, three) = (stage.host(1), stage.host(2), stage.host(3));
    let cluster = members.id(&one);
    let clients = Clients::start(&stage);
    stage.reinstall(&two);
    let began = Instant::now();
    let mut apply = stage
        .command(&["apply", "--yes", "--replace", "etcd-2"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("the failed member is removed", || {
        members.etcdctl(&one, "member list").lines().count() < 3
    });
    three.kill().unwrap();
    let code = apply.wait().unwrap().code();
    assert!(matches!(code, Some(code) if code != 0), "{code:?}");
    let stopped = began.elapsed().as_secs_f64();
    stage.run(&["plan"]).ends(8).says("etcd-3");
    three.boot().unwrap();
    eventually("the next apply finishes", || stage.run(&["apply", "--yes"]).code == Some(0));
    let written = clients.finish(&members, &stage);
    written.note(&format!(
        "a second member died during a replacement; the first apply gave up after {stopped:.1} s"
    ));
    assert_eq!(members.id(&one), cluster);
    expect_settled(&stage, &members);
}

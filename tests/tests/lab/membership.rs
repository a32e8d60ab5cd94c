//! Who is a member changes, while a client writes.

use quorate_lab::releases::Version;
use quorate_lab::site::Runtime;
use quorate_lab::{Host, SiteOptions};

use crate::harness::{Members, NEWEST, Stage, Writer, eventually, on, options};

scenarios! {
    a_failed_member_is_replaced,
}

/// The machine is installed again. The apply that replaces its member is killed when the cluster has the new one as a
/// learner, and plain `apply` continues.
pub(crate) fn a_failed_member_is_replaced(runtime: Runtime) {
    let stage = Stage::formed("m-new", 3, &options(runtime));
    let members = Members::of_main(NEWEST, 3);
    let (cluster, old) = (members.id(&stage.host(1)), member_id(&members, &stage.host(2)));
    stage.run(&["plan", "--replace", "etcd-2"]).ends(8).says("[replace-refused]").says("it runs");
    let writer = Writer::start(&stage);
    stage.reinstall(&stage.host(2));
    stage.run(&["plan"]).ends(8).says("[lost-member]").says("quorate apply --replace etcd-2");
    let plan = stage.run(&["plan", "--replace", "etcd-2"]).ends(0);
    plan.says("remove the failed member").says("as a learner").says("2 up, 2 needed");
    let mut apply = stage.command(&["apply", "--yes", "--replace", "etcd-2"]).spawn().unwrap();
    eventually("the new member is a learner", || {
        members.etcdctl(&stage.host(1), "member list").contains("true")
    });
    apply.kill().unwrap();
    apply.wait().unwrap();
    let rest = stage.run(&["apply", "--yes"]).ends(0);
    let written = writer.finish();
    written.expect_all_there(&members, &stage);
    written.note(&format!("replaced; the second apply took {:.1} s", rest.took.as_secs_f64()));
    assert_eq!(members.id(&stage.host(1)), cluster);
    assert_ne!(member_id(&members, &stage.host(2)), old);
    expect_settled(&stage, &members);
}

/// etcd 3.4 has learners, and etcdctl 3.4 other answers.
#[test]
fn a_member_that_lost_its_disk_is_replaced_on_3_4() {
    let version = Version::new(3, 4, 23);
    let options = SiteOptions { version, ..SiteOptions::default() };
    let stage = Stage::formed("m-old", 3, &options);
    let members = Members::of_main(version, 3);
    on(&stage.host(3), "pkill -KILL -x etcd; rm -rf /var/lib/etcd/main/member");
    eventually("nothing runs there", || on(&stage.host(3), "pgrep -x etcd || echo none") == "none");
    let writer = Writer::start(&stage);
    stage.run(&["apply", "--yes", "--replace", "etcd-3"]).ends(0);
    let written = writer.finish();
    written.expect_all_there(&members, &stage);
    written.note("replaced on 3.4");
    expect_settled(&stage, &members);
}

#[test]
fn a_cluster_of_one_grows_to_three() {
    let options = SiteOptions { members: Some(1), ..SiteOptions::default() };
    let stage = Stage::ready("m-grow", 3, &options);
    stage.run(&["apply", "--yes"]).ends(0);
    let one = Members::of_main(NEWEST, 1);
    one.expect_whole(&stage);
    let cluster = one.id(&stage.host(1));
    let writer = Writer::start(&stage);
    stage.edit(|text| {
        text.replace("members = [\"etcd-1\"]", "members = [\"etcd-1\", \"etcd-2\", \"etcd-3\"]")
    });
    let plan = stage.run(&["plan"]).ends(0);
    plan.says("add etcd-2, as a learner").says("add etcd-3, as a learner");
    let apply = stage.run(&["apply", "--yes"]).ends(0);
    let written = writer.finish();
    let members = Members::of_main(NEWEST, 3);
    written.expect_all_there(&members, &stage);
    written.note(&format!("grown from 1 to 3 in {:.1} s", apply.took.as_secs_f64()));
    assert_eq!(members.id(&stage.host(1)), cluster);
    expect_settled(&stage, &members);
}

/// Three voters, nothing to do, and so after reboots.
fn expect_settled(stage: &Stage, members: &Members) {
    members.expect_whole(stage);
    let list = members.etcdctl(&stage.host(1), "member list");
    assert!(!list.contains("true"), "a learner is left: {list}");
    stage.expect_nothing_to_do();
    stage.survives_reboots(members);
}

/// The id of a host's member, as the list has it.
fn member_id(members: &Members, host: &Host) -> String {
    let list = members.etcdctl(host, "member list");
    let name = format!(", {}, ", host.name());
    let line = list.lines().find(|line| line.contains(&name)).unwrap();
    line.split(',').next().unwrap().to_owned()
}

//! The members change while a client writes and another one watches.

use quorate_lab::releases::Version;
use quorate_lab::site::Runtime;
use quorate_lab::{Host, SiteOptions};

use crate::harness::{Clients, Members, NEWEST, Stage, eventually, on, options};

scenarios! {
    a_failed_member_is_replaced,
    members_move_to_other_hosts,
}

/// The machine is installed again. The apply that replaces its member is killed when the cluster has the new one as a
/// learner, and plain `apply` continues.
pub(crate) fn a_failed_member_is_replaced(runtime: Runtime) {
    let stage = Stage::formed("m-new", 3, &options(runtime));
    let members = Members::of_main(NEWEST, 3);
    let (cluster, old) = (members.id(&stage.host(1)), members.id_of(&stage.host(2)));
    stage.run(&["apply", "--yes", "--replace", "etcd-2"]).ends(64).says("--confirm etcd-2");
    let clients = Clients::start(&stage);
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
    let written = clients.finish(&members, &stage);
    written.note(&format!("replaced; the second apply took {:.1} s", rest.took.as_secs_f64()));
    assert_eq!(members.id(&stage.host(1)), cluster);
    assert_ne!(members.id_of(&stage.host(2)), old);
    expect_settled(&stage, &members);
}

/// One that leads is swapped for another host, in two applies as the first is killed, and then that one, which is off,
/// for the first again.
pub(crate) fn members_move_to_other_hosts(runtime: Runtime) {
    let stage = Stage::formed("m-swap", 4, &SiteOptions { members: Some(3), ..options(runtime) });
    let members = Members::of_main(NEWEST, 3);
    let (one, three, four) = (stage.host(1), stage.host(3), stage.host(4));
    let cluster = members.id(&one);
    members.lead(&stage, &three);
    let clients = Clients::start(&stage);

    rename(&stage, "etcd-3", "etcd-4");
    let plan = stage.run(&["plan"]).ends(0);
    plan.says("add etcd-4, as a learner").says("remove etcd-3").says("save a snapshot");
    let mut apply = stage.command(&["apply", "--yes"]).spawn().unwrap();
    eventually("the new member is a learner", || {
        members.etcdctl(&one, "member list").contains("true")
    });
    apply.kill().unwrap();
    apply.wait().unwrap();
    let swapped = stage.run(&["apply", "--yes"]).ends(0).took;
    members.expect_names(&one, &["etcd-1", "etcd-2", "etcd-4"]);
    expect_decommissioned(&three);
    stage.expect_nothing_to_do();

    four.kill().unwrap();
    rename(&stage, "etcd-4", "etcd-3");
    let back = stage.run(&["apply", "--yes"]).ends(0).took;
    members.expect_names(&one, &["etcd-1", "etcd-2", "etcd-3"]);
    four.boot().unwrap();
    stage.run(&["plan"]).ends(0).says("etcd-4").says("archive its data");
    stage.run(&["apply", "--yes"]).ends(0);
    members.expect_names(&one, &["etcd-1", "etcd-2", "etcd-3"]);
    expect_decommissioned(&four);
    stage.expect_nothing_to_do();

    let written = clients.finish(&members, &stage);
    written.note(&format!(
        "swapped in {:.1} s, and for a dead one in {:.1} s",
        swapped.as_secs_f64(),
        back.as_secs_f64()
    ));
    assert_eq!(members.id(&one), cluster);
    members.expect_whole(&stage);
}

/// The hosts that leave are those that come again.
#[test]
fn a_cluster_shrinks_to_one_and_grows_again() {
    let stage = Stage::formed("m-shrink", 3, &SiteOptions::default());
    let members = Members::of_main(NEWEST, 3);
    let all = "\"etcd-1\", \"etcd-2\", \"etcd-3\"";
    members.lead(&stage, &stage.host(2));
    let clients = Clients::start(&stage);
    stage.edit(|text| text.replace(all, "\"etcd-1\""));
    // It is killed once one is removed.
    let mut apply = stage.command(&["apply", "--yes"]).spawn().unwrap();
    eventually("one is removed", || {
        members.etcdctl(&stage.host(1), "member list").lines().count() < 3
    });
    apply.kill().unwrap();
    apply.wait().unwrap();
    let shrunk = stage.run(&["apply", "--yes"]).ends(0).took;
    members.expect_names(&stage.host(1), &["etcd-1"]);
    [2, 3].iter().for_each(|number| expect_decommissioned(&stage.host(*number)));
    stage.expect_nothing_to_do();
    stage.run(&["archives", "list"]).ends(0).says("-snapshot.db");
    stage.edit(|text| text.replace("members = [\"etcd-1\"]", &format!("members = [{all}]")));
    let grown = stage.run(&["apply", "--yes"]).ends(0).took;
    let written = clients.finish(&members, &stage);
    let (shrunk, grown) = (shrunk.as_secs_f64(), grown.as_secs_f64());
    written.note(&format!("shrunk to 1 in {shrunk:.1} s, grown to 3 in {grown:.1} s"));
    members.expect_whole(&stage);
    stage.expect_nothing_to_do();
}

/// Somebody added a voter by hand that never started.
#[test]
fn a_member_without_a_host_is_removed_by_its_id() {
    let stage = Stage::formed("m-stray", 3, &SiteOptions::default());
    let members = Members::of_main(NEWEST, 3);
    let clients = Clients::start(&stage);
    // etcd adds nobody until its leader has been connected to the others for some seconds.
    let add = members.command("member add stray --peer-urls=https://192.0.2.9:2380");
    eventually("etcd adds a member", || stage.host(1).ssh(&add).unwrap().status.success());
    let list = members.etcdctl(&stage.host(1), "member list");
    let row = list.lines().find(|line| line.contains("192.0.2.9")).unwrap();
    let id = row.split(", ").next().unwrap();
    let plan = stage.run(&["plan"]).ends(8).says("[changing-members]").says("an unstarted member");
    plan.says(&format!("--remove-member {id}"));
    let own = members.id_of(&stage.host(2));
    stage.run(&["plan", "--remove-member", &own]).ends(8).says("[remove-refused]");
    let run = stage.run(&["apply", "--yes", "--remove-member", id]).ends(0);
    let run = run.says("save a snapshot").says("which never started");
    let written = clients.finish(&members, &stage);
    written.note(&format!("removed a stray in {:.1} s", run.took.as_secs_f64()));
    members.expect_names(&stage.host(1), &["etcd-1", "etcd-2", "etcd-3"]);
    members.expect_whole(&stage);
    stage.expect_nothing_to_do();
}

/// Names another host in `members`.
fn rename(stage: &Stage, from: &str, to: &str) {
    let quoted = |name: &str| format!("\"etcd-1\", \"etcd-2\", \"{name}\"");
    stage.edit(|text| text.replace(&quoted(from), &quoted(to)));
}

/// Nothing of the member is on its host but its data, which is kept.
#[track_caller]
fn expect_decommissioned(host: &Host) {
    expect_nothing_of("main", host);
    on(host, "ls -d /var/lib/etcd/main/archived/*Z-[0-9a-f]*/wal");
    on(host, "test -x /opt/quorate/etcd/*/etcd && test -e /var/lib/quorate/site");
}

/// No process, unit, pod, certificate or record of a cluster's member is on the host, and no data that it could start with.
#[track_caller]
pub(crate) fn expect_nothing_of(cluster: &str, host: &Host) {
    let gone = format!(
        "! pgrep -f -- '[-]-data-dir=/var/lib/etcd/{cluster}' && ! ls -d /etc/systemd/system/etcd-{cluster}.service* \
         /etc/etcd/{cluster} /etc/kubernetes/manifests/etcd-{cluster}.yaml /var/lib/quorate/{cluster} \
         /var/lib/etcd/{cluster}/member 2>/dev/null"
    );
    on(host, &gone);
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
    let clients = Clients::start(&stage);
    stage.run(&["apply", "--yes", "--replace", "etcd-3"]).ends(0);
    let written = clients.finish(&members, &stage);
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
    let clients = Clients::start(&stage);
    stage.edit(|text| {
        text.replace("members = [\"etcd-1\"]", "members = [\"etcd-1\", \"etcd-2\", \"etcd-3\"]")
    });
    let plan = stage.run(&["plan"]).ends(0);
    plan.says("add etcd-2, as a learner").says("add etcd-3, as a learner");
    let apply = stage.run(&["apply", "--yes"]).ends(0);
    let members = Members::of_main(NEWEST, 3);
    let written = clients.finish(&members, &stage);
    written.note(&format!("grown from 1 to 3 in {:.1} s", apply.took.as_secs_f64()));
    assert_eq!(members.id(&stage.host(1)), cluster);
    expect_settled(&stage, &members);
}

/// Three voters, nothing to do, and so after reboots.
pub(crate) fn expect_settled(stage: &Stage, members: &Members) {
    members.expect_whole(stage);
    let list = members.etcdctl(&stage.host(1), "member list");
    assert!(!list.contains("true"), "a learner is left: {list}");
    stage.expect_nothing_to_do();
    stage.survives_reboots(members);
}

//! What goes from its hosts for good, while the cluster `main` on the same hosts takes writes: the rest of a cluster that the
//! inventory lost, and a whole cluster.

use quorate_lab::SiteOptions;

use crate::first_apply::events;
use crate::harness::{Clients, Members, NEWEST, Stage, eventually, on};
use crate::membership::expect_nothing_of;

const REMOVE: [&str; 6] = ["remove", "--cluster", "events", "--host", "etcd-3", "--yes"];
const DESTROY: [&str; 3] = ["destroy", "--cluster", "events"];
const APPROVED: [&str; 3] = ["--yes", "--confirm", "events"];
const NO_BACKUP: [&str; 2] = ["--allow-no-backup", "events"];

#[test]
fn a_cluster_goes_from_its_hosts_and_its_neighbour_loses_no_write() {
    let stage = Stage::formed("x-goes", 3, &SiteOptions::default());
    let main = Members::of_main(NEWEST, 3);
    let gone = Members { cluster: "events", client_port: 2382, ..main };
    let table = events(&stage);
    stage.edit(|text| text.replacen("\n[pki]", &table, 1));
    stage.run(&["pki", "init"]).ends(0);
    // Other tests may keep the machine's disk busy.
    stage.run(&["apply", "--yes", "--allow-slow-disk", "events"]).ends(0);
    gone.expect_whole(&stage);
    let clients = Clients::start(&stage);

    stage.edit(|text| text.replace(&table, "\n[pki]"));
    the_rest_is_cleared_once_the_others_agree(&stage, &gone);
    stage.edit(|text| text.replacen("\n[pki]", &table, 1));
    stage.run(&["apply", "--yes"]).ends(0);
    gone.expect_whole(&stage);
    the_whole_cluster_goes(&stage, &gone);
    stage.edit(|text| text.replace(&table, "\n[pki]"));
    stage.expect_nothing_to_do();

    let written = clients.finish(&main, &stage);
    written.note("beside a cluster that goes");
    main.expect_whole(&stage);
}

/// The member serves until somebody removes it on the host of another one, outside quorate.
fn the_rest_is_cleared_once_the_others_agree(stage: &Stage, gone: &Members) {
    let (one, three) = (stage.host(1), stage.host(3));
    let plan = stage.run(&["plan"]).ends(0).says("[not-in-inventory]");
    plan.says("quorate remove --cluster events --host etcd-3");
    stage.run(&REMOVE).ends(8).says("[still-a-member]");
    gone.expect_whole(stage);
    let id = gone.id_of(&three);
    let remove = gone.command(&format!("member remove {id}"));
    // etcd removes nobody until its leader has been connected to the others for some seconds.
    eventually("etcd removes a member", || {
        let _ = one.ssh(&remove).unwrap();
        !gone.etcdctl(&one, "member list").contains(&id)
    });
    eventually("what is left of it is removed", || stage.run(&REMOVE).code == Some(0));
    expect_nothing_of("events", &three);
    on(&three, "ls -d /var/lib/etcd/events/archived/*Z-[0-9a-f]*/wal");
    stage.run(&REMOVE).ends(0).says("Nothing of the cluster is left on the host");
    gone.expect_names(&one, &["etcd-1", "etcd-2"]);
}

/// Not without a word about the backup and the cluster's name, and not while a client is connected to any member.
fn the_whole_cluster_goes(stage: &Stage, gone: &Members) {
    let with = |more: &[&[&str]]| stage.run(&[&DESTROY[..], &more.concat()].concat());
    let unsaved = with(&[&APPROVED]).says("--allow-no-backup events");
    assert_ne!(unsaved.code, Some(0), "{}", unsaved.text());
    with(&[&["--yes"], &NO_BACKUP]).ends(64).says("--confirm events");
    gone.watch_on(&stage.host(2));
    let refused = with(&[&APPROVED, &NO_BACKUP]).says("curl on this host. Stop them first");
    assert_ne!(refused.code, Some(0), "{}", refused.text());
    gone.expect_whole(stage);
    on(&stage.host(2), "systemctl stop watcher");
    let done = with(&[&APPROVED, &NO_BACKUP]).ends(0);
    println!("a cluster was removed from three hosts in {:.1} s", done.took.as_secs_f64());
    for host in stage.hosts() {
        expect_nothing_of("events", &host);
        on(&host, "ls -d /var/lib/etcd/events/archived/*/wal");
    }
    stage.run(&["archives", "list"]).ends(0).says("events");
    with(&[&APPROVED, &NO_BACKUP]).ends(0).says("Nothing of the cluster is left on its hosts");
    stage.run(&["plan"]).ends(8).says("[formed-before]").says("--allow-reform events");
}

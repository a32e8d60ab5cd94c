//! Members that serve are replaced, and new members that never get a vote, while a client writes.

use quorate_lab::site::Runtime;
use quorate_lab::{Host, SiteOptions};

use crate::harness::{Clients, Members, NEWEST, Stage, eventually, on, options};
use crate::membership::{expect_nothing_of, expect_settled};

scenarios! {
    a_member_that_serves_is_replaced_on_its_host,
}

/// It leads. A watcher sees every write all the same.
pub(crate) fn a_member_that_serves_is_replaced_on_its_host(runtime: Runtime) {
    let stage = Stage::formed("m-serve", 3, &options(runtime));
    let members = Members::of_main(NEWEST, 3);
    let (one, two) = (stage.host(1), stage.host(2));
    members.lead(&stage, &two);
    let (cluster, old) = (members.id(&one), members.id_of(&two));
    let plan = stage.run(&["plan", "--replace", "etcd-2"]).ends(0);
    plan.says("[replaces-serving]").says("2 up, 2 needed, margin 0");
    stage.run(&["apply", "--yes", "--replace", "etcd-2"]).ends(64).says("--confirm etcd-2");
    assert_eq!(members.id_of(&two), old, "nothing was changed");
    let clients = Clients::start(&stage);
    let replace = ["apply", "--yes", "--replace", "etcd-2", "--confirm", "etcd-2"];
    let run = stage.run(&replace).ends(0);
    let written = clients.finish(&members, &stage);
    written.note(&format!("replaced one that serves in {:.1} s", run.took.as_secs_f64()));
    assert_eq!(members.id(&one), cluster);
    assert_ne!(members.id_of(&two), old);
    on(&two, "ls -d /var/lib/etcd/main/archived/*Z-[0-9a-f]*/wal");
    expect_settled(&stage, &members);
}

/// Somebody pulls the plug of the new host, and the operator puts `members` back.
#[test]
fn a_swap_whose_new_host_lost_its_power_is_turned_back() {
    let site = SiteOptions { members: Some(3), ..SiteOptions::default() };
    let stage = Stage::formed("m-plug", 4, &site);
    let members = Members::of_main(NEWEST, 3);
    let (one, four) = (stage.host(1), stage.host(4));
    let cluster = members.id(&one);
    let clients = Clients::start(&stage);
    stage.edit(|text| text.replace("\"etcd-2\", \"etcd-3\"]", "\"etcd-2\", \"etcd-4\"]"));
    let mut apply = stage.command(&["apply", "--yes"]).spawn().unwrap();
    eventually("the new member is a learner", || {
        members.etcdctl(&one, "member list").contains("true")
    });
    // No plan sees what the host has before that.
    eventually("the new member has a unit", || {
        four.ssh("test -e /etc/systemd/system/etcd-main.service").unwrap().status.success()
    });
    four.kill().unwrap();
    apply.kill().unwrap();
    apply.wait().unwrap();
    let plan = stage.run(&["plan"]);
    plan.says("unreachable etcd-4").says("etcd-3");
    stage.edit(|text| text.replace("\"etcd-2\", \"etcd-4\"]", "\"etcd-2\", \"etcd-3\"]"));
    stage.run(&["apply", "--yes"]).says("remove etcd-4");
    members.expect_names(&one, &["etcd-1", "etcd-2", "etcd-3"]);
    four.boot().unwrap();
    eventually("what the new host has is removed", || {
        stage.run(&["apply", "--yes"]).code == Some(0)
    });
    stage.expect_nothing_to_do();
    expect_nothing_of("main", &four);
    let written = clients.finish(&members, &stage);
    written.note("a swap whose new host lost its power was turned back");
    assert_eq!(members.id(&one), cluster);
    members.expect_whole(&stage);
}

/// What its peers send it may be so many bytes a second: TCP repeats what is dropped.
const THIN: &str = "nft add table inet thin && \
    nft add chain inet thin in '{ type filter hook input priority 0; }' && \
    nft add rule inet thin in tcp sport 2380 limit rate over 16 kbytes/second burst 32 kbytes drop && \
    nft add rule inet thin in tcp dport 2380 limit rate over 16 kbytes/second burst 32 kbytes drop";

/// Megabytes that the new member lacks, which that line carries in some forty minutes.
const LACKS: usize = 40;

/// The step that waits for it gives it five minutes, which no other test needs.
#[test]
fn a_learner_on_a_thin_line_is_removed_again_and_joins_once_the_line_is_wide() {
    if std::env::var_os("QUORATE_PROVE").is_none() {
        println!("not run: a learner is given five minutes: ./dev prove hosts");
        return;
    }
    let site = SiteOptions { members: Some(3), ..SiteOptions::default() };
    let stage = Stage::formed("m-thin", 4, &site);
    let members = Members::of_main(NEWEST, 3);
    let (one, four) = (stage.host(1), stage.host(4));
    fill(&members, &one);
    on(&four, THIN);
    let clients = Clients::start(&stage);
    stage.edit(|text| text.replace("\"etcd-2\", \"etcd-3\"]", "\"etcd-2\", \"etcd-4\"]"));
    let slow = stage.run(&["apply", "--yes"]).ends(6);
    let took = slow.took.as_secs_f64();
    slow.says("the learner does not catch up, and it is removed again");
    members.expect_names(&one, &["etcd-1", "etcd-2", "etcd-3"]);
    stage.run(&["plan"]).says("the cluster does not list this member");
    on(&four, "nft delete table inet thin");
    stage.run(&["apply", "--yes"]).ends(0);
    members.expect_names(&one, &["etcd-1", "etcd-2", "etcd-4"]);
    let written = clients.finish(&members, &stage);
    written.note(&format!("a learner on a thin line was removed after {took:.1} s"));
    members.expect_whole(&stage);
    stage.expect_nothing_to_do();
}

fn fill(members: &Members, host: &Host) {
    let put = members.command("put large/$n </run/large");
    let fill = format!(
        "head -c 1000000 /dev/urandom | base64 -w 0 | head -c 1000000 >/run/large && \
         for n in $(seq {LACKS}); do {put} >/dev/null || exit 1; done"
    );
    on(host, &fill);
}

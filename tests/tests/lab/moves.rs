//! Members get other addresses, while a client writes: in another network, while their hosts have both; and on a host that lost
//! the former one.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use quorate_lab::{Host, SiteOptions};

use crate::harness::{Members, NEWEST, Stage, eventually, on};

/// An address of the host in another network than the lab's.
fn elsewhere(host: &Host, more: u8) -> Ipv4Addr {
    let [a, b, _, d] = host.address().octets();
    Ipv4Addr::new(a, b, 9, d + more)
}

/// Connections to other hosts in that network come from there.
fn give(host: &Host, address: Ipv4Addr) {
    let interface = format!("ip -o -4 address show | awk '/{}/ {{ print $2 }}'", host.address());
    on(host, &format!("ip address add {address}/24 dev $({interface})"));
}

fn take(host: &Host, address: Ipv4Addr) {
    let interface = format!("ip -o -4 address show | awk '/{}/ {{ print $2 }}'", host.address());
    on(host, &format!("ip address del {address}/24 dev $({interface})"));
}

/// A client on a host, which reaches both networks, writes one key after the other to whoever answers.
fn write_on(host: &Host, members: &Members, all: &[Host]) {
    let places = all.iter().flat_map(|one| [one.address(), elsewhere(one, 0), elsewhere(one, 100)]);
    let places: Vec<String> = places.map(|at| format!("https://{at}:2379")).collect();
    let patience = "--dial-timeout=1s --command-timeout=2s";
    let put =
        members.command(&format!("{patience} --endpoints={} put moved/$n $n", places.join(",")));
    let script = format!(
        "cat >/run/writer.sh <<'END'\nn=0\nwhile :; do {put} && echo moved/$n >>/run/acknowledged\n\
         n=$((n + 1))\ndone\nEND\n: >/run/acknowledged\nsystemd-run --quiet --unit=writer sh /run/writer.sh"
    );
    on(host, &script);
}

/// Stops it: nothing that was acknowledged is gone.
fn expect_all_there(host: &Host, members: &Members) {
    on(host, "systemctl stop writer");
    let kept = members.etcdctl(host, "get moved/ --prefix --keys-only");
    let kept: BTreeSet<&str> = kept.lines().collect();
    let acknowledged = on(host, "cat /run/acknowledged");
    let lost: Vec<&str> = acknowledged.lines().filter(|key| !kept.contains(key)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    assert!(acknowledged.lines().count() > 10, "{acknowledged}");
    println!("{} writes acknowledged, none lost", acknowledged.lines().count());
}

#[test]
fn members_move_to_another_network_and_one_after_its_address_is_gone() {
    let stage = Stage::formed("moves", 3, &SiteOptions::default());
    let members = Members::of_main(NEWEST, 3);
    let cluster = members.id(&stage.host(1));
    for host in stage.hosts() {
        give(&host, elsewhere(&host, 0));
        let moved =
            format!("address = \"{}\"\nssh.host = \"{}\"", elsewhere(&host, 0), host.address());
        stage.edit(|text| text.replace(&format!("address = \"{}\"", host.address()), &moved));
    }
    write_on(&stage.host(1), &members, &stage.hosts());
    stage.run(&["plan"]).ends(0).says("update-peer-url").says("move etcd-1: 2 up, 2 needed");
    let apply = stage.run(&["apply", "--yes"]).ends(0);
    println!("three members moved in {:.1} s", apply.took.as_secs_f64());
    members.expect_whole(&stage);
    // The certificates drop the former addresses.
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
    members.expect_whole(&stage);
    let list = members.etcdctl(&stage.host(1), "member list");
    for host in stage.hosts() {
        assert!(list.contains(&format!("https://{}:2380", elsewhere(&host, 0))), "{list}");
        assert!(!list.contains(&host.address().to_string()), "{list}");
    }

    let gone = stage.host(2);
    take(&gone, elsewhere(&gone, 0));
    give(&gone, elsewhere(&gone, 100));
    let health = format!("endpoint health --endpoints=https://{}:2379", elsewhere(&gone, 0));
    eventually("nobody reaches it any more", || {
        !stage.host(1).ssh(&members.command(&health)).unwrap().status.success()
    });
    stage.edit(|text| {
        text.replace(
            &format!("\"{}\"", elsewhere(&gone, 0)),
            &format!("\"{}\"", elsewhere(&gone, 100)),
        )
    });
    let apply = stage.run(&["apply", "--yes"]).ends(0);
    println!("the one that was cut off moved in {:.1} s", apply.took.as_secs_f64());
    stage.expect_nothing_to_do();
    members.expect_whole(&stage);
    expect_all_there(&stage.host(1), &members);
    assert_eq!(members.id(&stage.host(1)), cluster);
}

//! A member that others reach at an address which no interface of its host has.

use quorate_lab::{Host, SiteOptions};

use crate::harness::{Members, NEWEST, Stage, on};

/// What a router or a cloud does, in the host's own network: who connects to the outer address arrives at the
/// inner one, and etcd's connections leave with the outer one. The host itself does not get there.
fn translate(host: &Host, outer: &str) {
    let inner = host.address();
    on(
        host,
        &format!(
            "nft add table ip nat && \
             nft 'add chain ip nat pre {{ type nat hook prerouting priority -100; }}' && \
             nft 'add chain ip nat post {{ type nat hook postrouting priority 100; }}' && \
             nft add rule ip nat pre ip daddr {outer} dnat to {inner} && \
             nft 'add rule ip nat post ip saddr {inner} tcp dport {{ 2379, 2380 }} snat to {outer}'"
        ),
    );
}

#[test]
fn a_member_behind_nat_listens_at_its_own_address() {
    let stage = Stage::ready("nat", 3, &SiteOptions::default());
    let behind = stage.host(2);
    let (inner, outer) = (behind.address(), {
        let [a, b, _, d] = behind.address().octets();
        format!("{a}.{b}.9.{d}")
    });
    translate(&behind, &outer);
    for host in [stage.host(1), stage.host(3)] {
        on(&host, &format!("ip route add {outer}/32 via {inner}"));
    }
    let moved = format!("address = \"{outer}\"\nssh.host = \"{inner}\"");
    stage.edit(|text| text.replace(&format!("address = \"{inner}\""), &moved));
    stage.run(&["plan"]).ends(8).says("[no-address]").says("listen-address");

    let listens = format!("{moved}\nlisten-address = \"{inner}\"");
    stage.edit(|text| text.replace(&moved, &listens));
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
    stage.run(&["status"]).ends(0).says(&format!("https://{outer}:2379"));
    let members = Members::of_main(NEWEST, 3);
    members.expect_whole(&stage);
    assert_eq!(on(&behind, "ss -Hltn 'sport = 2380' | awk '{print $4}'"), format!("{inner}:2380"));
    stage.run(&["etcdctl", "--host", "etcd-2", "--", "endpoint", "health"]).ends(0);

    // No matter which member leads, each is restarted in its turn, and each host reaches its own member.
    stage.edit(|text| {
        text.replace("[clusters.main]", "[clusters.main]\netcd.heartbeat-interval = 150")
    });
    stage.run(&["apply", "--yes"]).ends(0).says("etcd-2");
    stage.expect_nothing_to_do();
    members.expect_whole(&stage);
}

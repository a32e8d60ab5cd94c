//! A member whose write-ahead log is gone has forgotten what it promised.

use quorate_lab::site::Runtime;

use crate::harness::{Members, NEWEST, Stage, on, options};

scenarios! {
    a_member_without_its_log_does_not_start_and_is_named,
}

pub(crate) fn a_member_without_its_log_does_not_start_and_is_named(runtime: Runtime) {
    let stage = Stage::formed("m-lost", 3, &options(runtime));
    let members = Members::of_main(NEWEST, 3);
    let id = members.id(&stage.host(1));
    let lost = stage.host(3);
    on(&lost, "pkill -KILL -x etcd; rm -rf /var/lib/etcd/main/member");
    lost.reboot().unwrap();
    let state = stage.by_runtime(
        "sleep 6; systemctl show etcd-main -p AssertResult",
        "sleep 20; journalctl -u kubelet -o cat | grep -o 'hostPath type check failed' | head -1",
    );
    let state = on(&lost, state);
    assert_eq!(state, stage.by_runtime("AssertResult=no", "hostPath type check failed"));
    assert_eq!(on(&lost, "pgrep -x etcd || echo none"), "none");
    on(&lost, "test ! -e /var/lib/etcd/main/member");

    stage.run(&["plan"]).ends(8).says("[lost-member]").says("etcd-3");
    stage.run(&["apply", "--yes"]).ends(8).says("[lost-member]");
    stage.run(&["status"]).ends(1).says("etcd-3");
    on(&lost, "test ! -e /var/lib/etcd/main/member");
    assert_eq!(members.id(&stage.host(1)), id);
    members.etcdctl(&stage.host(1), "put still alive");
}

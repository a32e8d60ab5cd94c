//! A member whose write-ahead log is gone has forgotten what it promised.

use std::process::{self, Command};
use std::{env, fs};

use quorate_lab::releases;
use quorate_lab::site::Runtime;

use crate::harness::{Members, NEWEST, Stage, eventually, on, options};

scenarios! {
    a_member_without_its_log_does_not_start_and_is_replaced,
}

pub(crate) fn a_member_without_its_log_does_not_start_and_is_replaced(runtime: Runtime) {
    let stage = Stage::formed("m-lost", 3, &options(runtime));
    let members = Members::of_main(NEWEST, 3);
    let id = members.id(&stage.host(1));
    let lost = stage.host(3);
    on(&lost, "pkill -KILL -x etcd; rm -rf /var/lib/etcd/main/member");
    lost.reboot().unwrap();
    // In front of a pod nothing looks for the log; there it is etcd itself that ends, each time that the
    // kubelet starts it.
    let refused = "grep -rhoF 'cannot fetch cluster info from peer urls' /var/log/pods | sort -u";
    let (asked, state) = stage.by_runtime(
        // Before systemd looked at all it says the same.
        (
            "[ $(systemctl show etcd-main -P AssertTimestampMonotonic) = 0 ] || \
             systemctl show etcd-main -p AssertResult",
            "AssertResult=no",
        ),
        (refused, "cannot fetch cluster info from peer urls"),
    );
    eventually("it is refused", || on(&lost, &format!("{asked} || true")) == state);
    let no_log = "! ls /var/lib/etcd/main/member/wal/*.wal 2>/dev/null";
    on(&lost, no_log);

    stage.run(&["plan"]).ends(8).says("[lost-member]").says("etcd-3");
    stage.run(&["apply", "--yes"]).ends(8).says("[lost-member]");
    stage.run(&["status"]).ends(1).says("etcd-3");
    on(&lost, no_log);
    assert_eq!(members.id(&stage.host(1)), id);
    members.etcdctl(&stage.host(1), "put still alive");
    stage.run(&["apply", "--yes", "--replace", "etcd-3"]).ends(0);
    assert_eq!(members.id(&stage.host(1)), id);
    members.expect_whole(&stage);
    stage.expect_nothing_to_do();
}

/// What a formed member is started with, without a unit in front of it that looks for the log.
#[test]
fn etcd_itself_does_not_start_a_member_without_its_log() {
    let folder = env::temp_dir().join(format!("quorate-lost-{}", process::id()));
    fs::create_dir(&folder).unwrap();
    let arch = releases::architecture().unwrap();
    for version in releases::TRIED {
        let etcd = releases::ensure_binaries(version, &arch, |_| {}).unwrap().join("etcd");
        let data = folder.join(version.to_string());
        // The ports are the member's own, and nobody else's: it ends before it listens to clients.
        let (peer, client) = ("http://127.0.0.1:39380", "http://127.0.0.1:39379");
        // A second start, as by a kubelet, finds what the first attempt left.
        for _ in 0..2 {
            let said = Command::new("timeout")
                .args(["--signal=KILL", "60"])
                .arg(&etcd)
                .args([
                    "--name=etcd-1",
                    &format!("--data-dir={}", data.display()),
                    &format!("--listen-peer-urls={peer}"),
                    &format!("--initial-advertise-peer-urls={peer}"),
                    &format!("--listen-client-urls={client}"),
                    &format!("--advertise-client-urls={client}"),
                    "--initial-cluster-state=existing",
                    &format!("--initial-cluster=etcd-1={peer}"),
                ])
                .output()
                .unwrap();
            let words = String::from_utf8_lossy(&said.stderr);
            assert_eq!(said.status.code(), Some(1), "etcd {version}: {words}");
            let why = "cannot fetch cluster info from peer urls";
            assert!(words.contains(why), "{version}: {words}");
        }
    }
    fs::remove_dir_all(&folder).unwrap();
}

//! Hosts of other distributions than that of all other scenarios. Each runs where its image is made, by
//! `./dev lab prepare --suite NAME`; `QUORATE_PROVE=1` makes all of them.

use quorate_lab::{SiteOptions, Suite, image};

use crate::harness::{Members, NEWEST, Stage, on};

#[test]
fn a_cluster_runs_on_debian_11() {
    a_cluster_runs_on(Suite::Bullseye, "f-deb11");
}

#[test]
fn a_cluster_runs_on_debian_13() {
    a_cluster_runs_on(Suite::Trixie, "f-deb13");
}

#[test]
fn a_cluster_runs_on_ubuntu_22_04() {
    a_cluster_runs_on(Suite::Jammy, "f-jammy");
}

#[test]
fn a_cluster_runs_on_ubuntu_24_04() {
    a_cluster_runs_on(Suite::Noble, "f-noble");
}

fn a_cluster_runs_on(suite: Suite, name: &str) {
    if !image::is_made(suite) && std::env::var_os("QUORATE_PROVE").is_none() {
        println!("not run: the image of {} is not made", suite.as_str());
        return;
    }
    let options = SiteOptions::default();
    let stage = Stage::ready_on(suite, name, 3, &options);
    stage.run(&["apply", "--yes"]).ends(0);
    let plan = stage.run(&["plan", "--detailed-exitcode"]).ends(0);
    let host = stage.host(2);
    // systemd writes a line of each directive that it does not know.
    let ignored = "journalctl -b | grep -E 'etcd-main.service.*(Unknown|ignoring)' || true";
    assert_eq!(on(&host, ignored), "");
    let without = match suite {
        Suite::Bullseye => {
            plan.says("the unit omits PrivateIPC=: systemd 247 does not know it");
            "without = { PrivateIPC = \"Debian 11\" }\n"
        }
        Suite::Bookworm | Suite::Trixie | Suite::Jammy | Suite::Noble => {
            plan.does_not_say("the unit omits");
            ""
        }
    };
    let own = "nsenter --target $(pgrep -x etcd) --mount ls /etc/etcd /var/lib/etcd";
    on(&host, "mkdir /etc/etcd/other /var/lib/etcd/other");
    assert_eq!(on(&host, own), "/etc/etcd:\nmain\n\n/var/lib/etcd:\nmain");
    stage.edit(|text| {
        let settings = "settings = { MemoryMax = \"1G\", Nice = -5 }\n";
        text.replace("[pki]", &format!("[clusters.main.systemd]\n{settings}{without}\n[pki]"))
    });
    stage.run(&["plan"]).ends(0).says("MemoryMax: unset -> 1G").does_not_say("the unit omits");
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
    assert_eq!(on(&host, "ps -o ni= -p $(pgrep -x etcd) | tr -d ' '"), "-5");
    stage.survives_reboots(&Members::of_main(NEWEST, 3));
}

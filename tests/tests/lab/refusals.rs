//! What can't go well is named for every host before anything is changed on one.

use std::fs;

use quorate_lab::disk::DiskSize;
use quorate_lab::{SiteOptions, releases};

use crate::harness::{NEWEST, Stage, on};

fn ready(name: &str, hosts: u8) -> Stage {
    Stage::ready(name, hosts, &SiteOptions::default())
}

/// Puts the release on a host as somebody else would, and runs a command there as a unit.
fn run_foreign(stage: &Stage, host: u8, unit: &str, command: &str) {
    let archive = format!("v{NEWEST}/etcd-v{NEWEST}-linux-{}", releases::architecture().unwrap());
    let url = format!("{}/{archive}.tar.gz", stage.lab.mirror_url());
    let host = stage.host(host);
    on(
        &host,
        &format!("mkdir -p /srv/foreign && curl -sf {url} | tar xz -C /srv/foreign --strip 1"),
    );
    on(&host, &format!("systemd-run --quiet --unit={unit} {command}"));
}

#[test]
fn a_port_that_is_taken() {
    let stage = ready("r-port", 3);
    let host = stage.host(2);
    let address = host.address();
    let listen = format!("systemd-socket-activate --accept -l {address}:2380 /bin/cat");
    on(&host, &format!("systemd-run --quiet --unit=squatter {listen}"));
    on(&host, "timeout 60 sh -c 'until ss -Hltn | grep -q :2380; do sleep 0.05; done'");
    // A disk of its own for the data has this at its root, and is no reason to refuse.
    on(
        &stage.host(1),
        "mkdir -p /var/lib/etcd/main && mkdir -m 0700 /var/lib/etcd/main/lost+found",
    );
    stage.expect_refusal("port-taken", &["etcd-2", "2380", "systemd-socket"]);
    on(&host, "systemctl stop squatter");
    stage.run(&["apply", "--yes"]).ends(0);
}

#[test]
fn a_disk_that_is_too_small() {
    let stage = Stage::empty("r-disk", 2);
    stage.add_hosts(3, DiskSize::megabytes(2048));
    stage.write_site(&SiteOptions::default());
    let refusal = stage.expect_refusal("disk-too-small", &["etcd-3", "GiB free", "is needed"]);
    refusal.does_not_say("blocked: etcd-1");
}

#[test]
fn an_etcd_that_somebody_else_runs() {
    let stage = ready("r-foreign", 3);
    let etcd = "/srv/foreign/etcd --data-dir /srv/foreign/data \
                --listen-client-urls http://127.0.0.1:4001 \
                --advertise-client-urls http://127.0.0.1:4001 \
                --listen-peer-urls http://127.0.0.1:4002 \
                --initial-advertise-peer-urls http://127.0.0.1:4002 \
                --initial-cluster default=http://127.0.0.1:4002";
    run_foreign(&stage, 3, "their-etcd", etcd);
    on(&stage.host(3), "timeout 60 sh -c 'until ss -Hltn | grep -q :4001; do sleep 0.05; done'");
    // Its data directory is alive; what quorate might touch is not in it.
    on(&stage.host(3), "systemctl kill -s STOP their-etcd");
    stage.expect_refusal("foreign-etcd", &["etcd-3", "their-etcd.service"]);
}

#[test]
fn data_that_quorate_did_not_write() {
    let stage = ready("r-data", 3);
    on(&stage.host(1), "mkdir -p /var/lib/etcd/main/member && touch /var/lib/etcd/main/member/db");
    stage.expect_refusal("foreign-data", &["etcd-1", "/var/lib/etcd/main"]);
}

#[test]
fn peers_that_cannot_reach_each_other() {
    let stage = ready("r-peers", 3);
    stage.host(2).silence(2380).unwrap();
    let address = stage.host(2).address();
    stage.expect_refusal("peer-unreachable", &["etcd-1", "etcd-3", &format!("{address}:2380")]);
    stage.host(2).heal().unwrap();
    stage.run(&["apply", "--yes"]).ends(0);
}

#[test]
fn every_finding_of_every_host_at_once() {
    let stage = ready("r-all", 3);
    stage.host(2).silence(2380).unwrap();
    on(&stage.host(1), "mkdir -p /var/lib/etcd/main && touch /var/lib/etcd/main/x");
    on(&stage.host(3), "mkdir -p /var/lib/quorate && echo elsewhere > /var/lib/quorate/site");
    // As kubeadm leaves it, and as the distribution's package does when it is stopped.
    on(&stage.host(2), "install -d -m 0700 /var/lib/etcd");
    on(
        &stage.host(3),
        "printf '[Service]\\nExecStart=/usr/bin/etcd\\n[Install]\\nWantedBy=multi-user.target\\n' \
         >/etc/systemd/system/etcd.service && systemctl enable etcd.service",
    );
    let words = [
        "[peer-unreachable]",
        "[foreign-data]",
        "[other-site]",
        "chmod a+x /var/lib/etcd",
        "systemctl disable --now etcd.service",
    ];
    stage.expect_refusal("other-site", &words);
}

#[test]
fn a_checksum_that_is_not_the_archive_s() {
    let stage = ready("r-sum", 3);
    let right = fs::read_to_string(stage.inventory()).unwrap();
    stage.edit(|text| {
        let digest = text.rsplit('"').nth(1).unwrap().to_owned();
        text.replace(&digest, &"5".repeat(64))
    });
    let run = stage.run(&["apply", "--yes"]).ends(1).says("sha256").says("5555");
    for host in stage.hosts() {
        let nothing = "! test -e /opt/quorate/etcd/3.6.16/etcd && ! test -e /var/lib/etcd/main/member \
                       && ! systemctl is-active etcd-main && ! pgrep -x etcd \
                       && ! getent passwd etcd && ! test -e /var/lib/quorate/site \
                       && ! test -e /etc/etcd";
        on(&host, nothing);
    }
    run.does_not_say("No changes");
    fs::write(stage.inventory(), right).unwrap();
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
}

#[test]
fn an_inventory_without_the_cas_that_the_hosts_have() {
    let stage = Stage::formed("r-ca", 3, &SiteOptions::default());
    let before = stage.traces().without_data();
    fs::rename(stage.folder().join("pki"), stage.folder().join("gone")).unwrap();
    stage.run(&["plan"]).ends(8).says("commit the certificates in pki/");
    stage.run(&["apply", "--yes"]).ends(8).says("commit the certificates in pki/");
    stage.run(&["pki", "init"]).ends(0);
    stage
        .run(&["apply", "--yes"])
        .ends(8)
        .says("[other-ca]")
        .says("commit the certificates in pki/");
    stage.traces().without_data().expect_same_as(&before);
    fs::remove_dir_all(stage.folder().join("pki")).unwrap();
    fs::rename(stage.folder().join("gone"), stage.folder().join("pki")).unwrap();
    stage.expect_nothing_to_do();
}

#[test]
fn a_site_without_any_ca() {
    let stage = Stage::empty("r-no-ca", 1);
    stage.lab.site(stage.folder(), &SiteOptions::default()).unwrap();
    stage.expect_refusal("no-ca", &["quorate pki init"]);
}

#[test]
fn hosts_of_another_site() {
    let stage = Stage::formed("r-site", 3, &SiteOptions::default());
    let before = stage.traces().without_data();
    stage.edit(|text| text.replace("name = \"lab\"", "name = \"other\""));
    let run = stage.run(&["apply", "--yes"]).ends(8);
    run.says("[other-site]").says("site lab").says("site other");
    stage.traces().without_data().expect_same_as(&before);
}

/// As two mixed-up HostName lines of ssh_config do, with both keys known.
#[test]
fn logins_that_lead_to_each_other_s_machine() {
    let stage = Stage::formed("r-crossed", 3, &SiteOptions::default());
    let before = stage.traces().without_data();
    let [two, three] = [2, 3].map(|number| stage.host(number));
    let [pin_2, pin_3] = [&two, &three].map(|host| host.host_key_fingerprint().unwrap());
    stage.edit(|text| {
        let login = |pin: &str, at: &dyn std::fmt::Display| {
            format!("ssh.host = \"{at}\"\nssh.host-key = \"{pin}\"")
        };
        let key = |pin: &str| format!("ssh.host-key = \"{pin}\"");
        let text = text.replace(&key(&pin_2), "LOGIN 2").replace(&key(&pin_3), "LOGIN 3");
        text.replace("LOGIN 2", &login(&pin_3, &three.address()))
            .replace("LOGIN 3", &login(&pin_2, &two.address()))
    });
    for arguments in [&["plan"][..], &["apply", "--yes"]] {
        let run = stage.run(arguments).ends(8).says("[other-machine]");
        run.says("etcd-2: its login leads to etcd-3's machine")
            .says("etcd-3: its login leads to etcd-2's machine");
    }
    stage.run(&["status"]).ends(1).says("its login leads to etcd-3's machine");
    stage.traces().without_data().expect_same_as(&before);
}

#[test]
fn a_host_key_that_nobody_trusts_yet() {
    let stage = ready("r-key", 1);
    let pin = stage.host(1).host_key_fingerprint().unwrap();
    stage.edit(|text| text.replace(&format!("ssh.host-key = \"{pin}\"\n"), ""));
    let before = stage.traces();
    for arguments in [&["plan"][..], &["apply", "--yes"], &["status"]] {
        // The words to paste hold what was seen.
        stage.run(arguments).ends(4).says(&pin).says("ssh.host-key");
    }
    stage.traces().expect_same_as(&before);
}

#[test]
fn a_host_key_that_is_not_the_pinned_one() {
    let stage = ready("r-other-key", 1);
    let pin = stage.host(1).host_key_fingerprint().unwrap();
    let other = format!("SHA256:{}", "A".repeat(43));
    stage.edit(|text| text.replace(&pin, &other));
    let before = stage.traces();
    stage.run(&["apply", "--yes"]).ends(4).says(&pin).says(&other);
    stage.traces().expect_same_as(&before);
    // A host with the wrong key learns nothing: not even which key the operator has.
    let logins = || {
        let count = "journalctl -q -u ssh --no-pager | grep -c 'Accepted publickey'";
        on(&stage.host(1), count).parse::<u32>().unwrap()
    };
    let before = logins();
    stage.run(&["plan"]).ends(4);
    assert_eq!(logins(), before + 1, "the count's own login");
}

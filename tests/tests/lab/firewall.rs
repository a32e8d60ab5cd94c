//! The rules that quorate renders, loaded on real hosts as docs/firewall.md says.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Instant;

use quorate_lab::{Host, Lab, Options, SiteOptions};

use crate::harness::{Members, NEWEST, Stage, eventually, on};

/// The unit of docs/firewall.md.
const UNIT: &str = "[Unit]
Description=Rules that close the ports of etcd
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
After=local-fs.target nftables.service
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /etc/quorate/firewall.nft

[Install]
WantedBy=sysinit.target
";

/// What removes the rules unless it is stopped.
const ARM: &str = "systemd-run --unit=quorate-firewall-undo --on-active=60 \
    --timer-property=AccuracySec=100ms /usr/sbin/nft delete table inet quorate";

const DISARM: &str = "systemctl stop quorate-firewall-undo.timer";

const FILE: &str = "/root/etcd.nft";

/// What comes of a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Open,
    Refused,
    Silent,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Answer::Open => "open",
            Answer::Refused => "refused",
            Answer::Silent => "silent",
        })
    }
}

/// Connects from a host to a port.
fn probe(from: &Host, to: IpAddr, port: u16) -> Answer {
    let connect = format!("timeout 3 bash -c '</dev/tcp/{to}/{port}' 2>/dev/null; echo $?");
    match on(from, &connect).as_str() {
        "0" => Answer::Open,
        "124" => Answer::Silent,
        _ => Answer::Refused,
    }
}

/// What is meant: hosts 1 to 3 are members, host 4 is a client, and host 5 is nobody.
fn meant(from: u8, to: u8, is_ipv4: bool, port: u16) -> Answer {
    match (port, from) {
        (22, _) => Answer::Open,
        // Nothing listens there; the host itself gets that answer, and nobody else any.
        (2381, _) if from == to => Answer::Refused,
        _ if !is_ipv4 && from == to => Answer::Refused,
        _ if !is_ipv4 => Answer::Silent,
        (2379, 1..=4) | (2380, 1..=3) => Answer::Open,
        _ => Answer::Silent,
    }
}

/// Tries every host against every port of a member, prints the matrix, and compares it with what is meant.
fn expect_the_matrix(stage: &Stage, members: &[u8]) {
    let hosts = stage.hosts();
    let mut wrong = Vec::new();
    println!("from    to      address  22      2379    2380    2381");
    for (from, host) in (1..).zip(&hosts) {
        for to in members {
            let member = stage.host(*to);
            for at in [IpAddr::V4(member.address()), IpAddr::V6(member.address_v6())] {
                let seen: BTreeMap<u16, Answer> =
                    [22, 2379, 2380, 2381].map(|port| (port, probe(host, at, port))).into();
                let cells: Vec<String> =
                    seen.values().map(|answer| format!("{answer:8}")).collect();
                let family = if at.is_ipv4() { "IPv4" } else { "IPv6" };
                println!("{:8}{:8}{family:9}{}", host.name(), member.name(), cells.concat());
                wrong.extend(seen.into_iter().filter_map(|(port, answer)| {
                    let meant = meant(from, *to, at.is_ipv4(), port);
                    (answer != meant)
                        .then(|| format!("{} -> {at} {port}: {answer}, not {meant}", host.name()))
                }));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn write(host: &Host, path: &str, text: &str) {
    on(host, &format!("install -d $(dirname {path}) && cat >{path} <<'END'\n{text}END"));
}

/// Three members, a host that is a client, and one that is nobody.
fn stage(name: &str) -> Stage {
    let stage = Stage::formed(name, 3, &SiteOptions::default());
    let options = Options::hosts(stage.lab.name().clone(), 5);
    // Dropping a lab takes it down, and this one is the stage's.
    std::mem::forget(Lab::up(&options).unwrap());
    stage.write_site(&SiteOptions { members: Some(3), ..SiteOptions::default() });
    let client = stage.host(4).address();
    stage.edit(|text| format!("{text}\n[firewall]\nclients = [\"{client}\"]\n"));
    stage
}

#[test]
fn nobody_gets_through_but_those_who_are_meant_to() {
    let stage = stage("t-fire");
    let stranger = stage.host(5);
    let [member, address] =
        [stage.host(1), stranger.clone()].map(|host| host.address().to_string());
    let rules = |arguments: &[&str]| stage.run(&[&["firewall", "render"], arguments].concat());
    stage.run(&["plan"]).ends(0).does_not_say("[firewall-cuts]");
    on(
        &stranger,
        &format!(
            "systemd-run --unit=stranger bash -c 'exec 3<>/dev/tcp/{member}/2379; sleep 3600'"
        ),
    );
    eventually("the stranger is seen", || {
        stage.run(&["plan"]).ends(0).text().contains("[firewall-cuts]")
    });
    let refused = rules(&["etcd-1"]).ends(8).says("[firewall-cuts]").says(&address);
    assert_eq!(refused.stdout, "", "rules were printed");
    rules(&["etcd-2"]).ends(0).does_not_say("[firewall-cuts]");

    for (number, host) in (1..).zip(stage.hosts()).take(3) {
        let text = rules(&[&host.name(), "--cut", &address]).ends(0).stdout;
        write(&host, FILE, &text);
        on(&host, &format!("nft -c -f {FILE} && {ARM} && nft -f {FILE}"));
        stage.run(&["status"]).ends(0);
        assert_eq!(probe(&stage.host(4), host.address().into(), 2379), Answer::Open, "{number}");
        write(&host, "/etc/systemd/system/quorate-firewall.service", UNIT);
        on(&host, &format!("{DISARM} && install -D -m 0644 {FILE} /etc/quorate/firewall.nft"));
        on(&host, "systemctl daemon-reload && systemctl enable quorate-firewall.service");
    }
    on(&stranger, "systemctl stop stranger");
    expect_the_matrix(&stage, &[1, 2, 3]);
    Members::of_main(NEWEST, 3).expect_whole(&stage);
    stage.expect_nothing_to_do();

    let rebooted = stage.host(2);
    rebooted.reboot().unwrap();
    eventually("the rules are back", || {
        rebooted.ssh("nft list table inet quorate").unwrap().status.success()
    });
    Members::of_main(NEWEST, 3).expect_whole(&stage);
    println!("after a reboot of {}:", rebooted.name());
    expect_the_matrix(&stage, &[2]);
    // Rules are replaced by the same way, and are there once.
    on(&rebooted, &format!("nft -f {FILE}"));
    assert_eq!(on(&rebooted, "nft list ruleset | grep -c 'tcp dport 2380 drop'"), "1");
}

#[test]
fn a_wrong_rule_undoes_itself_and_a_reboot_before_that_forgets_it() {
    let stage = stage("t-fireback");
    let host = stage.host(1);
    let text = stage.run(&["firewall", "render", "etcd-1"]).ends(0).stdout;
    // Somebody adds a rule that cuts off the operator.
    let wrong = text.replace("iif \"lo\" accept", "iif \"lo\" accept\n\t\ttcp dport 22 drop");
    assert_ne!(text, wrong);
    write(&host, FILE, &wrong);
    let began = Instant::now();
    // The login that loads the rules is cut off too.
    on(
        &host,
        &format!(
            "nft -c -f {FILE} && {ARM} && setsid sh -c 'sleep 1; nft -f {FILE}' >/dev/null 2>&1 &"
        ),
    );
    let other = stage.host(2);
    eventually("the operator is cut off", || {
        probe(&other, host.address().into(), 22) == Answer::Silent
    });
    eventually("the operator is let in again", || {
        probe(&other, host.address().into(), 22) == Answer::Open
    });
    println!("back after {:.1} s", began.elapsed().as_secs_f64());
    on(&host, "! nft list table inet quorate 2>/dev/null");

    write(&host, FILE, &text);
    on(&host, &format!("{ARM} && nft -f {FILE} && nft list table inet quorate"));
    host.reboot().unwrap();
    on(&host, "! nft list table inet quorate 2>/dev/null");
    Members::of_main(NEWEST, 3).expect_whole(&stage);
}

//! Clusters whose members find each other, instead of being given a list.

use std::net::IpAddr;

use quorate_lab::SiteOptions;
use quorate_lab::dns::Record;
use quorate_lab::releases::Version;
use quorate_lab::site::Runtime;

use crate::harness::{Members, NEWEST, Stage, on, options};

scenarios! {
    dns_forms_a_cluster_of_3_7,
}

const DOMAIN: &str = "etcd.lab.test";
const PEERS: &str = "_etcd-server-ssl-main._tcp.etcd.lab.test";

/// Hosts, and an inventory that forms its cluster by DNS.
fn by_dns(name: &str, version: Version, runtime: Runtime) -> Stage {
    let stage = Stage::ready(name, 3, &SiteOptions { version, ..options(runtime) });
    stage.edit(|text| {
        let setting = format!(
            "[clusters.main]\nbootstrap = {{ dns-srv = {{ domain = \"{DOMAIN}\", \
             service-name = \"main\" }} }}\n"
        );
        text.replace("[clusters.main]\n", &setting)
    });
    stage
}

/// The records that `quorate dns` prints.
fn printed(stage: &Stage) -> Vec<Record> {
    let run = stage.run(&["dns"]).ends(0);
    let lines = run.stdout.lines().filter(|line| !line.starts_with(';'));
    lines.map(record).collect()
}

fn record(line: &str) -> Record {
    let words: Vec<&str> = line.split_whitespace().collect();
    let bare = |name: &str| name.strip_suffix('.').unwrap().to_owned();
    match words[..] {
        [name, "IN", "A" | "AAAA", address] => {
            Record::address(&bare(name), address.parse::<IpAddr>().unwrap())
        }
        [name, "IN", "SRV", "0", "0", port, target] => {
            Record::service(&bare(name), &bare(target), port.parse().unwrap())
        }
        _ => panic!("{line}"),
    }
}

fn forms(name: &str, version: Version, runtime: Runtime) {
    let stage = by_dns(name, version, runtime);
    stage.lab.set_dns_records(&printed(&stage)).unwrap();
    // How quick the disks are is another scenario's.
    let apply = stage.run(&["apply", "--yes", "--allow-slow-disk", "main"]).ends(0);
    stage.expect_nothing_to_do();
    println!("etcd {version}: formed by DNS in {:.1} s", apply.took.as_secs_f64());
    let members = Members::of_main(version, 3);
    members.expect_whole(&stage);
    // Members are listed by their addresses, and no unit knows of the domain.
    assert!(!members.etcdctl(&stage.host(1), "member list").contains(DOMAIN));
    for host in stage.hosts() {
        on(&host, &format!("! grep -q discovery {}", stage.rendered()));
    }
    // The cluster survives without DNS, through restarts of all of its hosts at once.
    stage.lab.set_dns_records(&[]).unwrap();
    stage.survives_reboots(&members);
}

#[test]
fn dns_forms_a_cluster_of_3_4() {
    forms("d-34", Version::new(3, 4, 23), Runtime::Systemd);
}

pub(crate) fn dns_forms_a_cluster_of_3_7(runtime: Runtime) {
    forms("d-37", Version::new(3, 7, 3), runtime);
}

#[test]
fn records_that_are_not_the_inventory_s_are_refused_on_every_host() {
    let stage = by_dns("d-wrong", NEWEST, Runtime::Systemd);
    let right = printed(&stage);
    let without = |name: &str| {
        let of = |record: &&Record| !record.to_string().contains(name);
        right.iter().filter(of).cloned().collect::<Vec<_>>()
    };
    let second = format!("etcd-2.{DOMAIN}");

    stage.lab.set_dns_records(&[]).unwrap();
    stage.expect_refusal("dns", &["there is no SRV record", "has no address"]);

    let mut records = without(&format!("={second}:2380"));
    stage.lab.set_dns_records(&records).unwrap();
    let lacks = format!("{PEERS} lacks {second}, port 2380");
    stage.expect_refusal("dns", &["on every host", &lacks]);

    records.push(Record::service(PEERS, &second, 2390));
    records.push(Record::service(PEERS, "stranger.lab.test", 2380));
    stage.lab.set_dns_records(&records).unwrap();
    stage.expect_refusal("dns", &["with port 2390, not 2380", "stranger.lab.test"]);

    let mut records = without(&format!("{second}=10."));
    records.push(Record::address(&second, [10, 99, 0, 1]));
    stage.lab.set_dns_records(&records).unwrap();
    stage.expect_refusal("dns", &["resolves to 10.99.0.1"]);

    // The trap of Debian's installer: a host's own name on the loopback.
    stage.lab.set_dns_records(&right).unwrap();
    on(&stage.host(2), &format!("echo '127.0.1.1 {second}' >>/etc/hosts"));
    let refusal = stage.expect_refusal("dns", &["blocked: etcd-2", "127.0.1.1", "/etc/hosts"]);
    refusal.does_not_say("blocked: etcd-1");
}

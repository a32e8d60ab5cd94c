//! Names that the hosts ask for.

use std::net::{IpAddr, TcpListener};
use std::thread;

use quorate_lab::dns::Record;
use quorate_lab::{Host, Lab, Options, releases};

use crate::{lab, text, traces};

/// What a host takes a name for, by its own resolver.
fn resolves(host: &Host, name: &str) -> Vec<IpAddr> {
    let output = host.ssh(&format!("getent ahosts {name} | cut -d' ' -f1 | sort -u")).unwrap();
    text(&output).lines().map(|line| line.parse().unwrap()).collect()
}

#[test]
fn hosts_resolve_exactly_the_records_that_the_lab_is_given() {
    let name = "t-dns".parse().unwrap();
    let lab = Lab::up(&Options { dns: Some(Vec::new()), ..Options::hosts(name, 2) }).unwrap();
    let [one, two] = [1, 2].map(|number| lab.host(number).unwrap());
    assert_eq!(resolves(&one, "etcd-2.lab.test"), [] as [IpAddr; 0]);
    let records = [
        Record::address("etcd-2.lab.test", two.address()),
        Record::address("etcd-2.lab.test", two.address_v6()),
    ];
    lab.set_dns_records(&records).unwrap();
    let both: [IpAddr; 2] = [two.address().into(), two.address_v6().into()];
    assert_eq!(resolves(&one, "etcd-2.lab.test"), both);
    assert_eq!(resolves(&two, "etcd-2.lab.test"), both);
    one.reboot().unwrap();
    assert_eq!(resolves(&one, "etcd-2.lab.test"), both, "after a reboot");
    lab.set_dns_records(&records[..1]).unwrap();
    assert_eq!(resolves(&one, "etcd-2.lab.test"), both[..1], "nobody remembers");
    let everything = traces::of("t-dns").into_keys().collect::<Vec<_>>();
    assert_eq!(traces::kinds("t-dns"), everything);
    lab.down().unwrap();
    assert_eq!(traces::kinds("t-dns"), [] as [&str; 0], "{:#?}", traces::of("t-dns"));
}

#[test]
fn a_lab_that_is_up_gets_names_and_a_host_that_is_added_later_uses_them() {
    let first = lab("t-names", 1);
    let record = Record::address("here.lab.test", first.subnet().operator_v4());
    first.set_dns_records(&[record]).unwrap();
    let second = lab("t-names", 2);
    for host in second.hosts().unwrap() {
        let operator: IpAddr = first.subnet().operator_v4().into();
        assert_eq!(resolves(&host, "here.lab.test"), [operator], "{}", host.name());
    }
}

#[test]
fn etcdctl_on_a_host_finds_its_server_by_a_service_s_record() {
    let lab = lab("t-srv", 1);
    let version = releases::TRIED[0];
    let release = releases::ensure(version, |_| {}).unwrap();
    let archive = release.archive.file_name().unwrap().to_str().unwrap();
    let operator = lab.subnet().operator_v4();
    let listener = TcpListener::bind((operator, 0)).unwrap();
    let records = [
        Record::address("a.lab.test", operator),
        Record::service(
            "_etcd-client._tcp.lab.test",
            "a.lab.test",
            listener.local_addr().unwrap().port(),
        ),
    ];
    lab.set_dns_records(&records).unwrap();
    let host = lab.host(1).unwrap();
    let fetch = format!("curl -sf {}/v{version}/{archive} | tar -xz -C /opt", lab.mirror_url());
    text(&host.ssh(&fetch).unwrap());
    let caller = thread::spawn(move || listener.accept().unwrap().1.ip());
    let ask = "ETCDCTL_API=3 timeout 5 /opt/*/etcdctl --discovery-srv=lab.test get key";
    let output = host.ssh(ask).unwrap();
    assert!(caller.is_finished(), "nobody came: {output:?}");
    assert_eq!(caller.join().unwrap(), host.address());
}

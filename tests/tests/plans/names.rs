//! What DNS says of a cluster's members is compared with the inventory: each difference is reported, with the
//! hosts that see it.

use planner::report::FindingCode;
use std::collections::BTreeSet;

use planner::facts::{Names, Observed, Offer, SiteFacts};
use quorate_tests::seen::{host, known};
use quorate_tests::site::{Shape, Way, plain};

use crate::planned;

const SERVICE: &str = "_etcd-server-ssl-c0._tcp.lab.test";
const PLAIN: &str = "_etcd-server-c0._tcp.lab.test";

/// The findings about names on a host, after this happened to what it sees.
fn said(members: usize, change: impl FnOnce(&mut SiteFacts)) -> Vec<String> {
    let (world, spec) = Shape { way: Way::Dns, ..plain(members) }.world();
    let mut facts = world.observe(&spec);
    change(&mut facts);
    let report = planned(&spec, &facts).report;
    let of_names = report
        .blocked
        .into_iter()
        .map(|blocked| blocked.finding)
        .filter(|finding| finding.code == FindingCode::Dns);
    let told = of_names.map(|finding| match finding.host {
        Some(host) => format!("{host}: {}", finding.message),
        None => finding.message,
    });
    told.collect()
}

fn unreachable(names: &mut Names) {
    names.services.insert(SERVICE.to_owned(), Observed::Unknown("timed out".to_owned()));
}

fn offers(names: &mut Names) -> &mut BTreeSet<Offer> {
    known(names.services.get_mut(SERVICE).unwrap())
}

fn addresses(names: &mut Names, seen: &[&str]) {
    let seen = seen.iter().map(|address| address.parse().unwrap()).collect();
    names.addresses.insert("etcd-1.lab.test".to_owned(), Observed::Known(seen));
}

/// What etcd-2 sees, and the findings.
type Case = (fn(&mut Names), &'static [&'static str]);

const CASES: &[Case] = &[
    (|_| {}, &[]),
    (unreachable, &["etcd-2: _etcd-server-ssl-c0._tcp.lab.test can't be looked up: timed out"]),
    (
        |names| drop(names.services.remove(SERVICE)),
        &["etcd-2: _etcd-server-ssl-c0._tcp.lab.test was not looked up"],
    ),
    (
        |names| {
            let found = names.services[SERVICE].clone();
            names.services.insert(PLAIN.to_owned(), found);
        },
        &["etcd-2: _etcd-server-c0._tcp.lab.test names etcd-1.lab.test, etcd-2.lab.test, \
           etcd-3.lab.test, and etcd would add members without TLS for it"],
    ),
    (
        |names| {
            offers(names).insert(Offer { target: "etcd-1.lab.test".to_owned(), port: 1 });
        },
        &["etcd-2: _etcd-server-ssl-c0._tcp.lab.test names etcd-1.lab.test twice: with port 1 too"],
    ),
    (
        |names| offers(names).retain(|offer| offer.target != "etcd-1.lab.test"),
        &["etcd-2: _etcd-server-ssl-c0._tcp.lab.test lacks etcd-1.lab.test, port 2380"],
    ),
    (
        |names| {
            offers(names).retain(|offer| offer.target != "etcd-1.lab.test");
            offers(names).insert(Offer { target: "etcd-1.lab.test".to_owned(), port: 1 });
        },
        &["etcd-2: _etcd-server-ssl-c0._tcp.lab.test names etcd-1.lab.test with port 1, not 2380"],
    ),
    (
        |names| {
            offers(names).insert(Offer { target: "old.lab.test".to_owned(), port: 2 });
        },
        &["etcd-2: _etcd-server-ssl-c0._tcp.lab.test names old.lab.test, port 2, which is not a \
           member's"],
    ),
    (
        |names| drop(names.addresses.remove("etcd-1.lab.test")),
        &["etcd-2: etcd-1.lab.test was not looked up"],
    ),
    (
        |names| {
            let unknown = Observed::Unknown("SERVFAIL".to_owned());
            names.addresses.insert("etcd-1.lab.test".to_owned(), unknown);
        },
        &["etcd-2: etcd-1.lab.test can't be resolved: SERVFAIL"],
    ),
    // etcd takes an IPv4 address where there is one.
    (|names| addresses(names, &["10.77.0.11", "fd00::1"]), &[]),
    (
        |names| addresses(names, &["fd00::1"]),
        &["etcd-2: etcd-1.lab.test resolves to fd00::1, and the member is at 10.77.0.11"],
    ),
    (
        |names| addresses(names, &["10.77.0.11", "10.77.0.99"]),
        &["etcd-2: etcd-1.lab.test resolves to 10.77.0.11, 10.77.0.99, and the member is at \
           10.77.0.11"],
    ),
    (
        |names| addresses(names, &["127.0.1.1"]),
        &["etcd-2: etcd-1.lab.test resolves to 127.0.1.1 (see /etc/hosts), and the member is at \
           10.77.0.11"],
    ),
    (|names| addresses(names, &[]), &["etcd-2: etcd-1.lab.test has no address"]),
];

#[test]
fn each_difference_is_reported_with_the_host_that_sees_it() {
    for (number, (change, expected)) in CASES.iter().enumerate() {
        let told = said(3, |facts| change(&mut host(facts, "etcd-2").names));
        assert_eq!(told, *expected, "{number}");
    }
}

#[test]
fn what_every_host_sees_is_reported_once() {
    let everywhere = |facts: &mut SiteFacts| {
        for name in ["etcd-1", "etcd-2", "etcd-3"] {
            unreachable(&mut host(facts, name).names);
        }
    };
    let told = "_etcd-server-ssl-c0._tcp.lab.test can't be looked up: timed out";
    assert_eq!(said(3, everywhere), [format!("on every host, {told}")]);
    let here = |facts: &mut SiteFacts| unreachable(&mut host(facts, "etcd-1").names);
    assert_eq!(said(1, here), [format!("etcd-1: {told}")], "one host is no crowd");
}

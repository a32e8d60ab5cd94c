//! When a saved plan is stale: when something moved that decided it, and not for noise.

#![expect(clippy::unwrap_used, reason = "a test that can't go on is to panic")]

use planner::facts::{DiskTime, HostFacts, MemberFacts, Observed, SiteFacts};
use planner::{Policy, SiteSpec, fingerprint, plan};
use quorate_tests::site::plain;
use quorate_tests::story::formed;

fn site() -> (SiteSpec, SiteFacts) {
    let (world, spec) = plain(3).world();
    let world = formed(world, &spec);
    let facts = world.observe(&spec);
    (spec, facts)
}

fn moved(change: impl FnOnce(&mut SiteFacts)) -> Vec<String> {
    let (spec, facts) = site();
    let print = |facts: &SiteFacts| {
        fingerprint::of(facts, &plan(&spec, facts, &Policy::default()).unwrap())
    };
    let then = print(&facts);
    let mut now = facts;
    change(&mut now);
    fingerprint::moved(&then, &print(&now))
}

fn host(facts: &mut SiteFacts) -> &mut HostFacts {
    match facts.hosts.get_mut("etcd-2").unwrap() {
        Observed::Known(host) => host,
        other => panic!("{other:?}"),
    }
}

fn member(facts: &mut SiteFacts) -> &mut MemberFacts {
    host(facts).clusters.get_mut("c0").unwrap()
}

fn etcd(facts: &mut SiteFacts) -> &mut planner::facts::EtcdFacts {
    match &mut member(facts).etcd {
        Observed::Known(etcd) => etcd,
        other => panic!("{other:?}"),
    }
}

#[test]
fn noise_does_not_make_a_plan_stale() {
    let noise = moved(|facts| {
        facts.observed_at += time::Duration::minutes(10);
        let machine = &mut host(facts).machine;
        machine.data_free -= 1_000_000;
        machine.clock_skew_ms += 400;
        machine.clock_error_ms += 3;
        let etcd = etcd(facts);
        etcd.raft_index += 1_000;
        etcd.raft_applied += 998;
        etcd.db_size += 4_096;
        etcd.db_in_use += 4_096;
    });
    assert_eq!(noise, Vec::<String>::new());
}

#[test]
fn a_disk_or_a_distance_that_is_timed_anew_does_not_make_a_plan_stale() {
    let (world, spec) = plain(3).world();
    let look = |disk: u64, distance: u64| {
        let mut facts = world.observe(&spec);
        let host = host(&mut facts);
        let p99 = std::time::Duration::from_micros(disk);
        host.disks.values_mut().for_each(|time| *time = DiskTime::Written { p99, writes: 200 });
        let time = std::time::Duration::from_micros(distance);
        host.round_trips.values_mut().for_each(|known| known.time = time);
        let plan = plan(&spec, &facts, &Policy::default()).unwrap();
        (fingerprint::hash(&plan), fingerprint::of(&facts, &plan))
    };
    let quick = look(9_900, 99_000);
    assert_eq!(look(10_100, 101_000), quick, "also where a warning comes or goes");
    assert_eq!(look(149_900, 900_000), quick);
    let (hash, print) = look(150_100, 99_000);
    assert_ne!(hash, quick.0, "a refusal is another plan");
    let lines = fingerprint::moved(&quick.1, &print);
    assert_eq!(lines, ["verdict etcd-2 c0 slow-disk: nothing -> found"]);
}

#[test]
fn every_kind_of_deciding_fact_makes_a_plan_stale() {
    type Change = fn(&mut SiteFacts);
    let cases: [(&str, Change); 12] = [
        ("seen", |f| {
            f.hosts.insert("etcd-2".parse().unwrap(), Observed::Unknown("timed out".to_owned()));
        }),
        ("site", |f| host(f).site = Observed::Absent),
        ("account", |f| host(f).etcd_user = Observed::Absent),
        ("marker", |f| member(f).marker = Observed::Absent),
        ("unit", |f| {
            if let Observed::Known(unit) = &mut member(f).unit {
                unit.active = "failed".to_owned();
            }
        }),
        ("running flags", |f| member(f).running = Observed::Known(vec!["--x=1".to_owned()])),
        ("data directory", |f| member(f).data = Observed::Absent),
        ("etcd-c0.service", |f| {
            let files = &mut member(f).files;
            files.insert("/etc/systemd/system/etcd-c0.service".to_owned(), Observed::Absent);
        }),
        ("leader", |f| etcd(f).leader = Some("1".to_owned())),
        ("members", |f| etcd(f).members = Observed::Known(Vec::new())),
        ("alarms", |f| etcd(f).errors.push("alarm NOSPACE of member 1".to_owned())),
        ("clock-skew", |f| host(f).machine.clock_skew_ms = 5_000),
    ];
    for (word, change) in cases {
        let lines = moved(change);
        assert!(lines.iter().any(|line| line.contains(word)), "{word}: {lines:?}");
    }
}

#[test]
fn equal_plans_have_equal_hashes_and_other_plans_do_not() {
    let (world, spec) = plain(3).world();
    let plan_of = |world: &quorate_tests::world::World| quorate_tests::story::plan_of(world, &spec);
    assert_eq!(fingerprint::hash(&plan_of(&world)), fingerprint::hash(&plan_of(&world)));
    let formed = formed(world.clone(), &spec);
    assert_ne!(fingerprint::hash(&plan_of(&world)), fingerprint::hash(&plan_of(&formed)));
}

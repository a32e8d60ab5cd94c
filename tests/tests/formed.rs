//! What is told of a formed cluster, and what is kept of how it was formed.

#![expect(clippy::unwrap_used, reason = "a test that can't go on is to panic")]

use inventories::inventory::Runtime;
use planner::facts::{EtcdFacts, MemberFacts, Observed, SiteFacts};
use planner::{Plan, Policy, SiteSpec, StepKind, cluster_now, plan};
use quorate_tests::sim::{Crash, Repeat};
use quorate_tests::site::{Shape, Way, cluster, host, plain};
use quorate_tests::story::{apply, formed, plan_of};

fn site(shape: &Shape) -> (SiteSpec, SiteFacts) {
    let (world, spec) = shape.world();
    let facts = formed(world, &spec).observe(&spec);
    (spec, facts)
}

fn member<'a>(facts: &'a mut SiteFacts, name: &str) -> &'a mut MemberFacts {
    let Observed::Known(host) = facts.hosts.get_mut(name).unwrap() else { panic!("{name}") };
    host.clusters.get_mut("c0").unwrap()
}

#[test]
fn a_learner_is_no_voter_that_is_up() {
    let (spec, mut facts) = site(&plain(3));
    let now = |facts: &SiteFacts| cluster_now(&spec.clusters[&cluster(0)], facts).quorum.healthy;
    assert_eq!(now(&facts), 3);
    let etcd = &mut member(&mut facts, "etcd-2").etcd;
    let Observed::Known(seen) = &*etcd else { panic!("{etcd:?}") };
    *etcd = Observed::Known(EtcdFacts { learner: true, ..seen.clone() });
    assert_eq!(now(&facts), 2);
}

/// What is said of etcd-2 where this happened to it.
fn down(runtime: Runtime, change: fn(&mut MemberFacts)) -> String {
    let (spec, mut facts) = site(&Shape { runtime, ..plain(3) });
    change(member(&mut facts, "etcd-2"));
    let mut now = cluster_now(&spec.clusters[&cluster(0)], &facts);
    now.down.remove(&host("etcd-2")).unwrap()
}

#[test]
fn of_a_member_that_is_down_the_nearest_cause_is_told() {
    let silent = |member: &mut MemberFacts| member.etcd = Observed::Unknown("refused".to_owned());
    let said = down(Runtime::Systemd, silent);
    assert_eq!(said, "unit active (running), but it does not answer: refused");
    let dead = |member: &mut MemberFacts| {
        let Observed::Known(unit) = &mut member.unit else { panic!("{:?}", member.unit) };
        (unit.active, unit.sub) = ("inactive".to_owned(), "dead".to_owned());
        member.etcd = Observed::Unknown("refused".to_owned());
    };
    assert_eq!(down(Runtime::Systemd, dead), "unit inactive (dead)");
    let gone = |member: &mut MemberFacts| {
        (member.unit, member.pod) = (Observed::Absent, Observed::Absent);
        member.etcd = Observed::Absent;
    };
    assert_eq!(down(Runtime::Systemd, gone), "no unit");
    assert_eq!(down(Runtime::StaticPod, gone), "no pod runs");
}

/// Another `bootstrap` in the inventory does not change how the cluster came to be.
#[test]
fn a_marker_that_is_written_again_tells_how_the_cluster_was_formed() {
    let by_dns = Shape { way: Way::Dns, ..plain(3) };
    let (world, spec) = by_dns.world();
    let world = formed(world, &spec);
    let wanted = Shape { way: Way::Static, ..by_dns }.spec(&world.authorities);
    let mut facts = world.observe(&wanted);
    member(&mut facts, "etcd-2").marker = Observed::Absent;
    let plan = plan(&wanted, &facts, &Policy::default()).unwrap();
    let ways: Vec<&str> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.kind {
            StepKind::WriteMarker { formed_by, .. } => Some(formed_by.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(ways, ["dns-srv"]);
}

/// A cluster that is formed by a service, and whose record there is still to be removed.
fn with_a_record() -> (SiteSpec, SiteFacts) {
    let (world, spec) = Shape { way: Way::V3, ..plain(3) }.world();
    let steps = plan_of(&world, &spec).steps.len();
    let stopped =
        |number| apply(world.clone(), &spec, 1, Some(Crash::Before(number)), Repeat::Once).0;
    let mut stopped = (0..steps).map(stopped).filter(|world| {
        let plan = plan_of(world, &spec);
        closes(&plan) && !plan.steps.iter().any(|step| step.kind.is_start())
    });
    let facts = stopped.next().unwrap().observe(&spec);
    (spec, facts)
}

fn closes(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| matches!(step.kind, StepKind::CloseDiscovery { .. }))
}

/// Whoever has not found the others yet finds them by the record.
#[test]
fn a_record_stays_as_long_as_a_member_may_need_it() {
    let (spec, seen) = with_a_record();
    let plan = |facts: &SiteFacts| plan(&spec, facts, &Policy::default()).unwrap();
    assert!(closes(&plan(&seen)));
    let mut unseen = seen.clone();
    unseen.hosts.insert(host("etcd-3"), Observed::Unknown("no route".to_owned()));
    assert!(!closes(&plan(&unseen)));
    let mut looking = seen;
    let late = member(&mut looking, "etcd-3");
    (late.marker, late.quorum_seen) = (Observed::Absent, false);
    late.etcd = Observed::Unknown("connection refused".to_owned());
    let Observed::Known(data) = &mut late.data else { panic!("{:?}", late.data) };
    (data.wal, data.empty) = (false, true);
    assert!(!closes(&plan(&looking)));
    // It registered there and never came to run: it is made sure that it finds the record again.
    for name in ["etcd-1", "etcd-2"] {
        let Observed::Known(etcd) = &mut member(&mut looking, name).etcd else { panic!("{name}") };
        let Observed::Known(list) = &mut etcd.members else { panic!("{name}") };
        list.iter_mut().filter(|m| m.name == "etcd-3").for_each(|m| m.client_urls.clear());
    }
    let late = member(&mut looking, "etcd-3");
    (late.running, late.etcd) = (Observed::Absent, Observed::Absent);
    let Observed::Known(unit) = &mut late.unit else { panic!("{:?}", late.unit) };
    (unit.active, unit.sub) = ("inactive".to_owned(), "dead".to_owned());
    let plan = plan(&looking);
    assert!(plan.steps.iter().any(|step| matches!(step.kind, StepKind::OpenDiscovery { .. })));
}

//! A bootstrap that was begun: what of it is gone on with, and what is never thrown away.

#![expect(clippy::unwrap_used, reason = "a test that can't go on is to panic")]

use inventories::inventory::Runtime;
use planner::facts::{MemberFacts, Observed, SiteFacts};
use planner::{Plan, Policy, SiteSpec, StepKind, plan};
use quorate_tests::sim::{Crash, Repeat};
use quorate_tests::site::{Shape, Way, plain};
use quorate_tests::story::{apply, plan_of};
use templates::Layout;

/// What is seen after an apply was killed before it started the last of three members.
fn begun(shape: &Shape) -> (SiteSpec, SiteFacts) {
    let (world, spec) = shape.world();
    let steps = plan_of(&world, &spec).steps;
    let last = steps.iter().rposition(|step| step.kind.is_start()).unwrap();
    let (stopped, _) = apply(world, &spec, 1, Some(Crash::Before(last)), Repeat::Once);
    let facts = stopped.observe(&spec);
    (spec, facts)
}

fn members(facts: &mut SiteFacts) -> impl Iterator<Item = &mut MemberFacts> {
    facts.hosts.values_mut().flat_map(|host| match host {
        Observed::Known(host) => host.clusters.values_mut(),
        other => panic!("{other:?}"),
    })
}

/// Its process is gone, and its log is there or not.
fn stopped(member: &mut MemberFacts, log: bool) {
    (member.pod, member.running, member.etcd) =
        (Observed::Absent, Observed::Absent, Observed::Absent);
    if let Observed::Known(unit) = &mut member.unit {
        (unit.active, unit.sub) = ("inactive".to_owned(), "dead".to_owned());
    }
    let Observed::Known(data) = &mut member.data else { panic!("{:?}", member.data) };
    (data.wal, data.empty) = (log, !log);
}

fn discards(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| matches!(step.kind, StepKind::DiscardBootstrap))
}

fn codes(plan: &Plan) -> Vec<&str> {
    plan.report.blocked.iter().map(|finding| finding.code).collect()
}

/// Of a log without a unit or a manifest nobody knows whose it was: it may have been in a quorum.
#[test]
fn a_log_without_a_witness_is_not_thrown_away() {
    let (_, mut facts) = begun(&Shape { runtime: Runtime::StaticPod, ..plain(3) });
    let (_, other) = Shape { way: Way::Dns, runtime: Runtime::StaticPod, ..plain(3) }.world();
    for member in members(&mut facts) {
        stopped(member, true);
        (member.marker, member.quorum_seen) = (Observed::Absent, false);
        member.files.insert(Layout::of(&member.cluster).pod_manifest(), Observed::Absent);
        member.token = Observed::Absent;
    }
    let plan = plan(&other, &facts, &Policy::default()).unwrap();
    assert!(codes(&plan).contains(&"begun-otherwise"), "{:#?}", plan.report);
    assert!(!discards(&plan));
}

/// A service of the old protocol takes a member once. Who has a log was taken, and goes on.
#[test]
fn by_the_old_protocol_a_log_is_gone_on_with() {
    let (spec, mut facts) = begun(&Shape { way: Way::V2, ..plain(3) });
    for member in members(&mut facts) {
        stopped(member, true);
    }
    let planned = |facts: &SiteFacts| plan(&spec, facts, &Policy::default()).unwrap();
    assert!(!discards(&planned(&facts)), "{:#?}", planned(&facts).report);
    stopped(members(&mut facts).next().unwrap(), false);
    assert!(discards(&planned(&facts)));
}

#[test]
fn where_nothing_was_begun_nothing_is_discarded() {
    for way in Way::ALL {
        let (world, spec) = Shape { way, ..plain(3) }.world();
        let plan = plan_of(&world, &spec);
        assert_eq!(plan.report.one_way, Vec::<String>::new(), "{way:?}");
    }
}

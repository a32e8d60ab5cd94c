//! An interrupted bootstrap: what the plan resumes, and what it never discards.

use inventories::inventory::Runtime;
use planner::facts::{MemberFacts, Observed, SiteFacts};
use planner::plan::{Action, Launch, Replaced};
use planner::{Plan, Policy, SiteSpec, StepKind, plan};
use quorate_tests::seen::{end, host, known, member};
use quorate_tests::sim::Repeat;
use quorate_tests::site::{Shape, Way, plain};
use quorate_tests::story::{apply, killed_before, plan_of};
use quorate_tests::world::World;
use templates::Layout;

use crate::planned;

/// The world after an apply was killed when it had started so many members.
pub(crate) fn started(shape: &Shape, members: usize) -> (World, SiteSpec) {
    let (world, spec) = shape.world();
    (killed_before(world, &spec, |step| step.kind.is_start(), members), spec)
}

/// What is seen when all but the last of three members were started.
fn interrupted(shape: &Shape) -> (SiteSpec, SiteFacts) {
    let (world, spec) = started(shape, 2);
    let facts = world.observe(&spec);
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
    end(member);
    let data = known(&mut member.data);
    (data.wal, data.empty) = (log, !log);
}

fn discards(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| matches!(step.kind, StepKind::DiscardBootstrap))
}

fn codes(plan: &Plan) -> Vec<&str> {
    plan.report
        .blocked
        .iter()
        .map(|blocked| &blocked.finding)
        .map(|finding| finding.code.as_str())
        .collect()
}

/// A log without a unit or a manifest may be of any member: it may have been in a quorum.
#[test]
fn a_log_without_a_witness_is_not_thrown_away() {
    let (_, mut facts) = interrupted(&Shape { runtime: Runtime::StaticPod, ..plain(3) });
    let (_, other) = Shape { way: Way::Dns, runtime: Runtime::StaticPod, ..plain(3) }.world();
    for member in members(&mut facts) {
        stopped(member, true);
        (member.marker, member.quorum_seen) = (Observed::Absent, false);
        member.files.insert(Layout::new(&member.cluster).pod_manifest(), Observed::Absent);
        member.token = Observed::Absent;
    }
    let plan = planned(&other, &facts);
    assert!(codes(&plan).contains(&"begun-otherwise"), "{:#?}", plan.report);
    assert!(!discards(&plan));
}

/// A service of the old protocol takes a member once. A member with a log was taken, and continues.
#[test]
fn by_the_old_protocol_a_log_is_gone_on_with() {
    let (spec, mut facts) = interrupted(&Shape { way: Way::V2, ..plain(3) });
    for member in members(&mut facts) {
        stopped(member, true);
    }
    assert!(!discards(&planned(&spec, &facts)), "{:#?}", planned(&spec, &facts).report);
    stopped(members(&mut facts).next().unwrap(), false);
    assert!(discards(&planned(&spec, &facts)));
}

#[test]
fn where_nothing_was_started_nothing_is_discarded() {
    for way in Way::ALL {
        let (world, spec) = Shape { way, ..plain(3) }.world();
        let plan = plan_of(&world, &spec);
        assert_eq!(plan.report.one_way, Vec::<String>::new(), "{way:?}");
    }
}

/// A bootstrap that cannot be resumed is discarded on the hosts that have a part of it, and nowhere else.
#[test]
fn a_bootstrap_that_started_on_a_host_has_left_its_token_there() {
    let (world, _) = started(&plain(3), 1);
    let other = Shape { quota: Some(1 << 30), ..plain(3) }.spec(&world.authorities);
    let mut facts = world.observe(&other);
    member(&mut facts, "etcd-2").data = Observed::Absent;
    member(&mut facts, "etcd-3").token = Observed::Absent;
    let plan = planned(&other, &facts);
    let of = |kind: fn(&StepKind) -> bool| {
        let steps = plan.steps.iter().filter(move |step| kind(&step.kind));
        steps.map(|step| (step.host().as_str(), step.action)).collect::<Vec<_>>()
    };
    assert_eq!(
        of(|kind| matches!(kind, StepKind::DiscardBootstrap)),
        [("etcd-1", Action::Delete), ("etcd-2", Action::Delete)],
        "{:#?}",
        plan.report
    );
    assert_eq!(
        of(StepKind::is_start),
        [("etcd-1", Action::Replace), ("etcd-2", Action::Replace), ("etcd-3", Action::Run)]
    );
}

/// A manifest that a kubelet does not run is replaced as it was seen, and not as if there were none.
#[test]
fn a_pod_that_is_gone_on_with_takes_the_place_of_its_own_manifest() {
    let (world, spec) = started(&Shape { runtime: Runtime::StaticPod, ..plain(3) }, 1);
    let mut facts = world.observe(&spec);
    stopped(member(&mut facts, "etcd-1"), false);
    let here = host(&mut facts, "etcd-1");
    (here.etcd_processes, here.listeners) = (Vec::new(), Observed::Known(Vec::new()));
    let path = Layout::new(&member(&mut facts, "etcd-1").cluster).pod_manifest();
    let seen = known(member(&mut facts, "etcd-1").files.get_mut(&path).unwrap()).sha256.clone();
    let plan = planned(&spec, &facts);
    let replaced = plan.steps.iter().find_map(|step| match &step.kind {
        StepKind::StartMember { by: Launch::Pod { replaces, .. } }
            if step.host().as_str() == "etcd-1" =>
        {
            Some(replaces.clone())
        }
        _ => None,
    });
    assert_eq!(replaced, Some(Replaced::File(seen)));
}

/// Whatever kept them apart may still be in their processes, and nothing relies on them.
#[test]
fn members_that_all_run_and_never_met_are_started_again() {
    let (spec, mut facts) = interrupted(&plain(3));
    let starts = |facts: &SiteFacts| {
        let plan = plan(&spec, facts, &Policy::default()).unwrap();
        assert!(!discards(&plan), "{plan:#?}");
        let hosts = plan.steps.iter().filter(|step| step.kind.is_start());
        hosts.map(|step| step.host().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(starts(&facts), ["etcd-3"], "the two others wait for it");
    let waiting = member(&mut facts, "etcd-1").clone();
    for (name, other) in [("etcd-2", false), ("etcd-3", true)] {
        let seen = member(&mut facts, name);
        if other {
            (seen.unit, seen.data) = (waiting.unit.clone(), waiting.data.clone());
        }
        seen.etcd = Observed::Absent;
        seen.quorum_seen = false;
        known(&mut seen.unit).active = "activating".to_owned();
    }
    let first = member(&mut facts, "etcd-1");
    (first.etcd, first.quorum_seen) = (Observed::Absent, false);
    known(&mut first.unit).active = "activating".to_owned();
    assert_eq!(starts(&facts), ["etcd-1", "etcd-2", "etcd-3"]);
}

/// Hosts are not observed at the same instant. Another apply may make progress in between.
#[test]
fn a_member_that_started_after_its_host_was_looked_at_is_not_taken_for_lost() {
    let mut outrun = 0;
    for way in Way::ALL {
        let shape = Shape { way, ..plain(3) };
        for members in 1..=2 {
            let (early, spec) = started(&shape, members);
            let (late, _) = apply(early.clone(), &spec, 1, None, Repeat::Once);
            let early = early.observe(&spec);
            for host in spec.hosts() {
                let mut facts = late.observe(&spec);
                facts.hosts.insert(host.clone(), early.hosts[host].clone());
                let again = facts.hosts_of_lost_members(&spec);
                outrun += again.len();
                let is_lost = codes(&planned(&spec, &facts)).contains(&"lost-member");
                assert_eq!(is_lost, again.contains(host), "{way:?}, {host}: {again:?}");
                // As `observe` does.
                let now = late.observe(&spec);
                facts.hosts.extend(again.into_iter().map(|host| {
                    let seen = now.hosts[&host].clone();
                    (host, seen)
                }));
                assert_eq!(codes(&planned(&spec, &facts)), Vec::<&str>::new(), "{way:?}, {host}");
            }
        }
    }
    assert!(outrun > 0, "a look at one moment alone would not show it");
}

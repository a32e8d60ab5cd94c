//! Another minor of etcd: one neighbour at a time, behind gates. The world panics where a member would lose a quorum, or
//! run beside a minor that is not its neighbour, and refuses to start what etcd refuses.

mod proof;
mod several;

use inventories::inventory::Runtime;
use inventories::{EtcdVersion, Minor};
use planner::facts::Observed;
use planner::plan::Verb;
use planner::report::FindingCode;
use planner::{Plan, Policy, Selection, SiteFacts, SiteSpec, StepKind, plan};
use proptest::prelude::*;
use quorate_tests::cases::cases;
use quorate_tests::checker::violations;
use quorate_tests::sim::{Crash, Repeat};
use quorate_tests::site::{Shape, cluster, host, plain, shapes};
use quorate_tests::story::{after_every_crash, apply, apply_with, formed, plan_of};
use quorate_tests::world::World;

/// The newest release of the next minor.
fn next(version: EtcdVersion) -> Option<EtcdVersion> {
    let next = Minor::ALL.into_iter().find(|minor| *minor > version.minor());
    next.map(EtcdVersion::newest_known)
}

/// The same site at the next minor.
fn upgraded(shape: &Shape) -> Shape {
    let version = next(shape.version).expect("a later minor");
    Shape { version, ..shape.clone() }
}

/// Sites whose clusters can be rolled to a later minor.
fn upgradable() -> impl Strategy<Value = Shape> {
    shapes().prop_filter("a single member can't be rolled, nor can the newest minor", |shape| {
        let old_pods = shape.runtime == Runtime::StaticPod && shape.version.minor() == Minor::V3_4;
        !shape.clusters.contains(&1) && next(shape.version).is_some() && !old_pods
    })
}

fn at(version: &str) -> Shape {
    Shape { version: version.parse().expect("a release"), ..plain(3) }
}

fn refused(plan: &Plan, code: FindingCode) -> bool {
    let is_it = |blocked: &planner::report::Blocked| blocked.finding.code == code;
    let restarts = plan.steps.iter().any(|step| step.kind.disrupts());
    plan.report.blocked.iter().any(is_it) && !restarts
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn an_upgrade_stopped_anywhere_is_finished_by_the_next_apply(
        shape in upgradable(),
        index in any::<prop::sample::Index>(),
        after in any::<bool>(),
    ) {
        let (world, spec) = shape.world();
        let world = formed(world, &spec);
        let wanted = upgraded(&shape).spec(&world.authorities);
        let plan = plan_of(&world, &wanted);
        prop_assert_eq!(violations(&plan, &wanted, &world.observe(&wanted)), Vec::<String>::new());
        let number = index.index(plan.steps.len());
        let crash = if after { Crash::After(number) } else { Crash::Before(number) };
        let (stopped, _) = apply(world, &wanted, 8, Some(crash), Repeat::Once);
        let again = plan_of(&stopped, &wanted);
        let found = violations(&again, &wanted, &stopped.observe(&wanted));
        prop_assert_eq!(found, Vec::<String>::new());
        let (done, report) = apply(stopped, &wanted, 8, None, Repeat::Once);
        prop_assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
        let left = plan_of(&done, &wanted);
        prop_assert!(left.is_empty(), "{:#?}", left);
        for name in wanted.clusters.keys() {
            prop_assert_eq!(done.minors(name).len(), 1);
        }
    }

    #[test]
    fn an_upgrade_that_was_stopped_goes_back(
        shape in upgradable(),
        index in any::<prop::sample::Index>(),
    ) {
        let (world, spec) = shape.world();
        let world = formed(world, &spec);
        let wanted = upgraded(&shape).spec(&world.authorities);
        let steps = plan_of(&world, &wanted).steps.len();
        let crash = Some(Crash::After(index.index(steps)));
        let (stopped, _) = apply(world, &wanted, 8, crash, Repeat::Once);
        let arrived = wanted.clusters.keys().any(|name| {
            stopped.minors(name).iter().all(|minor| *minor != shape.version.minor())
        });
        let back = plan_of(&stopped, &spec);
        let found = violations(&back, &spec, &stopped.observe(&spec));
        prop_assert_eq!(found, Vec::<String>::new());
        if arrived && shape.version.minor() == Minor::V3_4 {
            let mut codes = back.report.blocked.iter().map(|blocked| blocked.finding.code);
            prop_assert!(codes.any(|code| code == FindingCode::ChangingVersion));
        } else {
            // One that had arrived is proven first.
            let mut back = stopped;
            for _ in 0..2 {
                let (next, report) = apply(back, &spec, 8, None, Repeat::Once);
                prop_assert_eq!(report.failed().count(), 0, "{}", next.story.join("\n"));
                back = next;
            }
            prop_assert!(plan_of(&back, &spec).is_empty());
        }
    }
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn a_downgrade_stopped_anywhere_is_finished_or_turned_around(
        shape in downgradable(),
        index in any::<prop::sample::Index>(),
        turns_around in any::<bool>(),
    ) {
        let (world, spec) = shape.world();
        let world = formed(world, &spec);
        let lower = downgraded(&shape).spec(&world.authorities);
        let plan = plan_of(&world, &lower);
        prop_assert_eq!(violations(&plan, &lower, &world.observe(&lower)), Vec::<String>::new());
        let crash = Some(Crash::After(index.index(plan.steps.len())));
        let (stopped, _) = apply(world, &lower, 8, crash, Repeat::Once);
        let wanted = if turns_around { &spec } else { &lower };
        let again = plan_of(&stopped, wanted);
        let found = violations(&again, wanted, &stopped.observe(wanted));
        prop_assert_eq!(found, Vec::<String>::new());
        // One that had arrived is proven before it is turned around.
        let mut done = stopped;
        for _ in 0..2 {
            let (next, report) = apply(done, wanted, 8, None, Repeat::Once);
            prop_assert_eq!(report.failed().count(), 0, "{}", next.story.join("\n"));
            done = next;
        }
        let left = plan_of(&done, wanted);
        prop_assert!(left.is_empty(), "{:#?}", left);
    }
}

/// The same site at the minor before.
fn downgraded(shape: &Shape) -> Shape {
    let minor = Minor::ALL.into_iter().rfind(|minor| *minor < shape.version.minor());
    Shape { version: EtcdVersion::newest_known(minor.expect("an earlier minor")), ..shape.clone() }
}

/// Sites whose clusters etcd lets go down a minor.
fn downgradable() -> impl Strategy<Value = Shape> {
    let way = |shape: &Shape| shape.way == quorate_tests::site::Way::Static;
    shapes().prop_filter(
        "a single member can't be rolled, and 3.6 is the first to go down",
        move |shape| {
            !shape.clusters.contains(&1) && shape.version.minor() >= Minor::V3_6 && way(shape)
        },
    )
}

#[test]
fn a_cluster_goes_from_the_oldest_minor_to_the_newest_one_by_one() {
    let mut shape = at("3.4.23");
    let (world, spec) = shape.world();
    let mut world = formed(world, &spec);
    while next(shape.version).is_some() {
        shape = upgraded(&shape);
        let wanted = shape.spec(&world.authorities);
        let (done, report) = apply(world, &wanted, 8, None, Repeat::Once);
        assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
        assert!(plan_of(&done, &wanted).is_empty());
        world = done;
    }
    assert_eq!(world.minors(&cluster(0)), [Minor::V3_7].into());
}

#[test]
fn an_upgrade_killed_at_any_step_is_finished() {
    for version in ["3.5.35", "3.6.16"] {
        let shape = at(version);
        let (world, spec) = shape.world();
        let world = formed(world, &spec);
        let wanted = upgraded(&shape).spec(&world.authorities);
        after_every_crash(&world, &wanted, 1, |crash, done| {
            assert_eq!(done.minors(&cluster(0)).len(), 1, "{crash:?}");
        });
    }
}

/// A formed site of three members, the site that wants the next minor, and what is seen.
fn about_to_upgrade(version: &str) -> (World, SiteSpec, SiteFacts) {
    let shape = at(version);
    let (world, spec) = shape.world();
    let world = formed(world, &spec);
    let wanted = upgraded(&shape).spec(&world.authorities);
    let facts = world.observe(&wanted);
    (world, wanted, facts)
}

#[test]
fn nobody_is_restarted_before_all_hosts_have_the_release_and_all_logs_were_looked_at() {
    let (_, wanted, facts) = about_to_upgrade("3.5.35");
    let plan = plan(&wanted, &facts, &Policy::default()).unwrap();
    let first = plan.steps.iter().position(|step| step.kind.disrupts()).unwrap();
    let early = |is: &dyn Fn(&StepKind) -> bool| {
        plan.steps[..first].iter().filter(|step| is(&step.kind)).count()
    };
    assert_eq!(early(&|kind| matches!(kind, StepKind::InstallRelease { .. })), 3);
    assert_eq!(early(&|kind| matches!(kind, StepKind::PrepareLog { .. })), 3);
    assert_eq!(early(&|kind| matches!(kind, StepKind::SaveSnapshot { .. })), 1);
    assert_eq!(plan.steps.last().unwrap().id.verb, Verb::ProveVersion);
}

/// What a plan says once something is otherwise about etcd-2.
fn twisted(version: &str, twist: impl Fn(&mut planner::facts::MemberFacts)) -> Plan {
    let (_, wanted, mut facts) = about_to_upgrade(version);
    let Some(Observed::Known(seen)) = facts.hosts.get_mut(&host("etcd-2")) else { panic!() };
    twist(seen.clusters.get_mut(&cluster(0)).expect("its member"));
    let policy = Policy { allow_outage: [cluster(0)].into(), ..Policy::default() };
    plan(&wanted, &facts, &policy).expect("a plan")
}

fn etcd_of(member: &mut planner::facts::MemberFacts) -> &mut planner::facts::EtcdFacts {
    let Observed::Known(etcd) = &mut member.etcd else { panic!("it answers") };
    etcd
}

#[test]
fn every_gate_holds_an_upgrade_back_even_if_an_outage_is_allowed() {
    let waits = FindingCode::UpgradeWaits;
    let silent = Observed::Unknown("no answer".to_owned());
    assert!(refused(&twisted("3.5.35", |member| member.etcd = silent.clone()), waits));
    assert!(refused(&twisted("3.5.35", |member| etcd_of(member).leader = None), waits));
    let alarm = || "alarm NOSPACE of member 1".to_owned();
    assert!(refused(&twisted("3.5.35", |member| etcd_of(member).errors = vec![alarm()]), waits));
    assert!(refused(&twisted("3.5.35", |member| etcd_of(member).raft_applied = 7), waits));
    let v2 = |member: &mut planner::facts::MemberFacts| {
        let Observed::Known(running) = &mut member.running else { panic!("it runs") };
        running.push("--enable-v2=true".to_owned());
    };
    assert!(refused(&twisted("3.5.35", v2), waits));
    assert!(!refused(&twisted("3.6.16", v2), waits));
    assert!(refused(&twisted("3.4.23", |member| etcd_of(member).forbids_us = true), waits));
    let asked = |answer: Observed<bool>| {
        twisted("3.4.23", move |member| etcd_of(member).authentication = answer.clone())
    };
    assert!(refused(&asked(Observed::Known(true)), waits));
    assert!(refused(&asked(Observed::Unknown("no answer in 5 s".to_owned())), waits));
    assert!(refused(&asked(Observed::Absent), waits));
    assert!(!refused(&twisted("3.5.35", |member| etcd_of(member).forbids_us = true), waits));
}

/// What clears an alarm takes the running release.
#[test]
fn an_alarm_in_the_way_of_an_upgrade_names_a_way_out_that_goes() {
    for (alarm, way) in [
        ("NOSPACE", "back to the running 3.5 release, then: quorate defrag --cluster c0"),
        ("CORRUPT", "back, and run quorate apply"),
    ] {
        let raised = vec![format!("alarm {alarm} of member 1")];
        let plan = twisted("3.5.35", |member| etcd_of(member).errors = raised.clone());
        let mut waits = plan.report.blocked.iter().map(|blocked| &blocked.finding);
        let waits = waits.find(|finding| finding.code == FindingCode::UpgradeWaits).unwrap();
        let hint = waits.hint.as_deref().unwrap();
        assert!(hint.contains(way) && !hint.contains("disarm"), "{hint}");
    }
}

#[test]
fn nobody_is_upgraded_while_it_is_unknown_what_a_member_runs_with() {
    let unknown = Observed::Unknown("permission denied".to_owned());
    let plan = twisted("3.5.35", |member| member.running = unknown.clone());
    assert!(refused(&plan, FindingCode::UpgradeWaits), "{:#?}", plan.report);
}

#[test]
fn a_member_with_a_patch_that_can_not_be_left_holds_all_back() {
    let old = |version: &'static str| {
        move |member: &mut planner::facts::MemberFacts| {
            etcd_of(member).version = version.to_owned();
        }
    };
    let refusal = FindingCode::ChangingVersion;
    assert!(refused(&twisted("3.5.35", old("3.5.31")), refusal));
    assert!(!refused(&twisted("3.5.35", old("3.5.32")), refusal));
    assert!(refused(&twisted("3.6.16", old("3.6.10")), refusal));
    assert!(refused(&twisted("3.5.35", old("3.4.23")), refusal));
}

#[test]
fn another_patch_has_none_of_it() {
    let shape = at("3.6.14");
    let (world, spec) = shape.world();
    let world = formed(world, &spec);
    let wanted = at("3.6.16").spec(&world.authorities);
    let plan = plan_of(&world, &wanted);
    let around = |step: &planner::Step| {
        [Verb::PrepareLog, Verb::SaveSnapshot, Verb::ProveVersion].contains(&step.id.verb)
    };
    assert!(!plan.steps.iter().any(around));
    assert!(plan.steps.iter().any(|step| step.kind.disrupts()));
}

#[test]
fn a_mixture_that_somebody_left_is_finished() {
    let (world, wanted, _) = about_to_upgrade("3.5.35");
    let (stopped, _) = {
        let is_second = |plan: &Plan| {
            let mut restarts = plan.steps.iter().enumerate().filter(|(_, s)| s.kind.disrupts());
            restarts.nth(1).unwrap().0
        };
        let number = is_second(&plan_of(&world, &wanted));
        apply(world, &wanted, 1, Some(Crash::After(number)), Repeat::Once)
    };
    assert_eq!(stopped.minors(&cluster(0)).len(), 2);
    let plan = plan_of(&stopped, &wanted);
    let restarts = plan.steps.iter().filter(|step| step.kind.disrupts()).count();
    assert_eq!(restarts, 1);
    let (done, report) = apply(stopped, &wanted, 8, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0);
    assert_eq!(done.minors(&cluster(0)), [Minor::V3_6].into());
}

#[test]
fn a_single_member_goes_only_when_an_outage_is_allowed() {
    let shape = Shape { version: "3.5.35".parse().unwrap(), ..plain(1) };
    let (world, spec) = shape.world();
    let world = formed(world, &spec);
    let wanted = upgraded(&shape).spec(&world.authorities);
    let held = plan_of(&world, &wanted);
    let codes: Vec<FindingCode> = held.report.held.iter().map(|held| held.code).collect();
    assert_eq!(codes, [FindingCode::NeedsOutage]);
    assert!(held.steps.iter().all(|step| matches!(step.kind, StepKind::InstallRelease { .. })));
    let policy = Policy { allow_outage: [cluster(0)].into(), ..Policy::default() };
    let (done, report) = apply_with(world, &wanted, &policy, 1, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
    assert_eq!(done.minors(&cluster(0)), [Minor::V3_6].into());
    assert!(plan_of(&done, &wanted).is_empty());
}

#[test]
fn a_host_that_is_left_out_keeps_its_minor_and_nothing_is_proven() {
    let (world, wanted, facts) = about_to_upgrade("3.5.35");
    let selection = Selection { hosts: [host("etcd-2")].into(), ..Selection::default() };
    let policy = Policy { selection, ..Policy::default() };
    let plan = plan(&wanted, &facts, &policy).unwrap();
    assert_eq!(violations(&plan, &wanted, &facts), Vec::<String>::new());
    assert!(plan.steps.iter().all(|step| step.id.verb != Verb::ProveVersion));
    let (half, report) = apply_with(world, &wanted, &policy, 1, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", half.story.join("\n"));
    assert_eq!(half.minors(&cluster(0)), [Minor::V3_5, Minor::V3_6].into());
    let (done, report) = apply(half, &wanted, 8, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0);
    assert!(plan_of(&done, &wanted).is_empty());
}

//! A cluster that ran out of space gets room on every member before its alarm goes, and a run that is killed on the way
//! is finished by the next one.

use inventories::inventory::Runtime;
use planner::facts::Observed;
use planner::plan::Verb;
use planner::policy::Maintenance;
use planner::report::FindingCode;
use planner::{Plan, Policy, SiteSpec, StepKind};
use quorate_tests::database::Database;
use quorate_tests::seen::{known, member};
use quorate_tests::sim::{Crash, Repeat};
use quorate_tests::site::{Shape, cluster, host, plain};
use quorate_tests::story::{apply, apply_with, formed};
use quorate_tests::world::World;

use crate::{RUNTIMES, defrag, held, plan_with, sound, turns};

const QUOTA: i64 = 1_000_000_000;
const MEMBERS: [&str; 3] = ["etcd-1", "etcd-2", "etcd-3"];

/// A site whose databases are as large as their quota. So many megabytes of each are revisions that the API servers
/// have compacted, and so many are others that are not the newest.
fn full(runtime: Runtime, (in_use, compacted, old): (u64, u64, u64)) -> (World, SiteSpec) {
    let (world, spec) = Shape { runtime, quota: Some(QUOTA), ..plain(3) }.world();
    let mut world = formed(world, &spec);
    for name in MEMBERS {
        let database =
            &mut world.hosts.get_mut(name).unwrap().members.get_mut("c0").unwrap().database;
        *database = Database::of_megabytes(1_000, in_use);
        (database.compacted, database.old) = (compacted * 1_000_000, old * 1_000_000);
    }
    world.run_full(&host("etcd-2"), &cluster(0));
    (world, spec)
}

fn compact_now() -> Policy {
    Policy { compact_now: [cluster(0)].into(), ..defrag() }
}

fn kinds(plan: &Plan) -> (usize, usize) {
    let count = |is: fn(&StepKind) -> bool| plan.steps.iter().filter(|step| is(&step.kind)).count();
    let compacts = count(|kind| matches!(kind, StepKind::Compact { .. }));
    (compacts, count(|kind| matches!(kind, StepKind::Disarm { .. })))
}

fn has_room(world: &World, told: &str) {
    assert!(world.full.is_empty(), "{told}: the alarm is up: {}", world.story.join("\n"));
    for name in MEMBERS {
        let there = &world.hosts[name].members["c0"];
        assert!(there.process.is_some(), "{told}: {name} is down");
        assert_eq!(there.database.size, there.database.in_use, "{told}: {name}");
    }
}

#[test]
fn every_member_gets_room_and_then_the_alarm_goes() {
    for runtime in RUNTIMES {
        let (world, spec) = full(runtime, (780, 600, 0));
        let facts = world.observe(&spec);
        let plan = plan_with(&world, &spec, &defrag());
        sound(&plan, &spec, &facts);
        assert_eq!((turns(&plan).len(), kinds(&plan)), (3, (1, 1)));
        assert!(matches!(plan.steps.last().unwrap().kind, StepKind::Disarm { .. }));
        let (done, report) = apply_with(world, &spec, &defrag(), 1, None, Repeat::Once);
        assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
        has_room(&done, "done");
        assert!(plan_with(&done, &spec, &defrag()).is_empty());
    }
}

#[test]
fn a_way_out_that_is_killed_anywhere_is_finished_by_the_next() {
    for runtime in RUNTIMES {
        let (world, spec) = full(runtime, (790, 200, 500));
        let plan = plan_with(&world, &spec, &compact_now());
        for (number, step) in plan.steps.iter().enumerate() {
            let mut stopped = Vec::new();
            for crash in [Crash::Before(number), Crash::After(number)] {
                let once = Repeat::Once;
                stopped
                    .push(apply_with(world.clone(), &spec, &compact_now(), 1, Some(crash), once).0);
            }
            if let StepKind::Defragment { .. } = step.kind {
                let mut between = stopped[0].clone();
                between.stop_for_defragmentation(step.host(), &cluster(0), runtime);
                stopped.push(between);
            }
            for world in stopped {
                let told = step.id.to_string();
                let next = plan_with(&world, &spec, &compact_now());
                sound(&next, &spec, &world.observe(&spec));
                let policy = compact_now();
                let (done, report) =
                    apply_with(world.clone(), &spec, &policy, 1, None, Repeat::Once);
                assert_eq!(report.failed().count(), 0, "{told}: {}", done.story.join("\n"));
                has_room(&done, &told);
                // An apply in between starts members that are down.
                let (started, _) = apply(world, &spec, 1, None, Repeat::Once);
                let (done, _) = apply_with(started, &spec, &policy, 1, None, Repeat::Once);
                has_room(&done, &told);
            }
        }
    }
}

#[test]
fn each_step_of_the_way_out_may_be_done_twice() {
    let (world, spec) = full(Runtime::Systemd, (790, 600, 0));
    let (done, report) = apply_with(world, &spec, &defrag(), 1, None, Repeat::Twice);
    assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
    has_room(&done, "twice");
}

#[test]
fn where_more_than_four_fifths_are_in_use_the_quota_comes_first() {
    let (world, spec) = full(Runtime::Systemd, (801, 0, 300));
    let plan = plan_with(&world, &spec, &defrag());
    let waits = held(&plan);
    assert_eq!((waits.code, kinds(&plan)), (FindingCode::DefragWaits, (0, 0)));
    let hint = waits.hint.as_deref().unwrap();
    assert!(
        hint.starts_with("set quota-backend-bytes = 1002000000 or more, run quorate apply"),
        "{hint}"
    );
    assert!(hint.ends_with("quorate defrag --compact-now c0"), "{hint}");

    // The roll that raises it is allowed while the alarm is up; until then the inventory's quota helps nobody.
    let wanted = Shape { quota: Some(2 * QUOTA), ..plain(3) }.spec(&world.authorities);
    let plan = plan_with(&world, &wanted, &defrag());
    let hint = held(&plan).hint.as_deref().unwrap();
    assert!(hint.starts_with("quorate apply, which raises the quota to 2.0 GB"), "{hint}");
    let (raised, report) = apply(world.clone(), &wanted, 1, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", raised.story.join("\n"));
    let (done, report) = apply_with(raised, &wanted, &defrag(), 1, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
    assert!(done.full.is_empty());

    let (done, _) = apply_with(world, &spec, &compact_now(), 1, None, Repeat::Once);
    has_room(&done, "by name");
}

/// What the newest revisions need is known after the compaction alone.
#[test]
fn an_alarm_stays_where_a_compaction_by_name_was_not_enough() {
    let (world, spec) = full(Runtime::Systemd, (990, 0, 100));
    let (tried, report) = apply_with(world, &spec, &compact_now(), 1, None, Repeat::Once);
    let failed: Vec<String> = report.failed().map(ToString::to_string).collect();
    assert_eq!(failed, ["etcd-1/c0/disarm"]);
    assert!(!tried.full.is_empty());
    let plan = plan_with(&tried, &spec, &defrag());
    assert!(held(&plan).message.contains("uses 890 MB of a quota of 1.0 GB"), "{plan:#?}");
}

#[test]
fn the_alarm_of_a_whole_cluster_is_not_cleared_by_a_part_of_a_plan() {
    let (world, spec) = full(Runtime::Systemd, (300, 0, 0));
    let selection = planner::Selection { hosts: [host("etcd-1")].into(), ..Default::default() };
    let plan = plan_with(&world, &spec, &Policy { selection, ..defrag() });
    assert!(held(&plan).message.contains("can't change all of its members"));
}

#[test]
fn where_etcd_refuses_us_nothing_starts() {
    let (world, spec) = full(Runtime::Systemd, (300, 0, 0));
    let mut facts = world.observe(&spec);
    known(&mut member(&mut facts, "etcd-1").etcd).forbids_us = true;
    let plan = planner::plan(&spec, &facts, &defrag()).unwrap();
    assert!(held(&plan).message.contains("etcd's own authentication"));
}

#[test]
fn without_an_alarm_a_compaction_that_is_allowed_removes_nothing() {
    let (mut world, spec) = full(Runtime::Systemd, (300, 0, 0));
    world.full.clear();
    let plan = plan_with(&world, &spec, &compact_now());
    assert_eq!((turns(&plan).len(), kinds(&plan)), (3, (0, 0)));
    let said: Vec<_> = plan.report.warnings.iter().map(|one| one.message.as_str()).collect();
    assert!(said.contains(&"no member raised a NOSPACE alarm, so --compact-now removes nothing"));
    let ordinary = plan_with(&world, &spec, &Policy { maintenance: None, ..compact_now() });
    assert!(matches!(defrag().maintenance, Some(Maintenance::Defragment(_))));
    assert!(ordinary.report.warnings.is_empty(), "{ordinary:#?}");
}

/// The tools of a release that nobody runs defragment nothing, and its restarts wait for room.
#[test]
fn between_minors_the_way_out_is_back_and_it_goes() {
    let at = |version: &str, quota| Shape {
        quota: Some(quota),
        version: version.parse().unwrap(),
        ..plain(3)
    };
    let (world, low) = at("3.5.35", QUOTA).world();
    let mut world = formed(world, &low);
    let high = at("3.6.16", QUOTA).spec(&world.authorities);
    let fill = |world: &mut World| {
        for name in MEMBERS {
            let there = world.hosts.get_mut(name).unwrap().members.get_mut("c0").unwrap();
            there.database = Database::of_megabytes(1_000, 300);
        }
        world.run_full(&host("etcd-2"), &cluster(0));
    };
    let mut before = world.clone();
    fill(&mut before);
    let waits = plan_with(&before, &high, &defrag());
    let hint = held(&waits).hint.as_deref().unwrap();
    assert!(hint.contains("back to the running 3.5 release, then: quorate defrag"), "{hint}");
    let (done, report) = apply_with(before, &low, &defrag(), 1, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
    has_room(&done, "nobody was restarted");

    let plan = plan_with(&world, &high, &Policy::default());
    let first = plan.steps.iter().position(|step| matches!(step.id.verb, Verb::Rejoin)).unwrap();
    world = apply(world, &high, 1, Some(Crash::After(first)), Repeat::Once).0;
    fill(&mut world);
    assert_eq!(world.minors(&cluster(0)).len(), 2);
    for (spec, way) in [
        (&high, "back to a 3.5 release and in the same change raise quota-backend-bytes"),
        (&low, "raise quota-backend-bytes, quorate apply, then: quorate defrag"),
    ] {
        let hint = held(&plan_with(&world, spec, &defrag())).hint.clone().unwrap();
        assert!(hint.contains(way), "{hint}");
    }
    let back = at("3.5.35", 2 * QUOTA).spec(&world.authorities);
    let (raised, report) = apply(world, &back, 1, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", raised.story.join("\n"));
    let (done, report) = apply_with(raised, &back, &defrag(), 1, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
    assert!(done.full.is_empty());
}

#[test]
fn an_alarm_stays_while_nobody_knows_with_which_quota_a_member_runs() {
    let (world, spec) = full(Runtime::Systemd, (300, 0, 0));
    let mut facts = world.observe(&spec);
    member(&mut facts, "etcd-1").running = Observed::Unknown("permission denied".to_owned());
    let plan = planner::plan(&spec, &facts, &defrag()).unwrap();
    assert!(held(&plan).message.contains("can't change all of its members"));
    assert_eq!(kinds(&plan), (0, 0));
}

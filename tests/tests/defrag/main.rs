//! Databases are rewritten one member at a time, the leader last, never while anything is wrong; and a run that is
//! killed anywhere is finished by the next one. The simulated world panics when a quorum is lost on the way.

#![expect(clippy::unwrap_used, reason = "a test that can't continue is to panic")]

mod nospace;

use inventories::inventory::Runtime;
use inventories::{EtcdVersion, HostName};
use planner::plan::{DefragRule, DefragWay, Guard};
use planner::policy::Maintenance;
use planner::report::{Finding, FindingCode};
use planner::{Plan, Policy, SiteFacts, SiteSpec, StepKind, plan};
use proptest::prelude::*;
use quorate_tests::blockade::blockades;
use quorate_tests::cases::cases;
use quorate_tests::checker::violations;
use quorate_tests::database::Database;
use quorate_tests::drift::drifts;
use quorate_tests::fault::{Fault, faults};
use quorate_tests::invariants::leader_restarts_last;
use quorate_tests::seen::{end, member};
use quorate_tests::sim::{Crash, Repeat};
use quorate_tests::site::{Shape, cluster, host, plain, shapes};
use quorate_tests::story::{apply, apply_with, formed};
use quorate_tests::world::World;

const RUNTIMES: [Runtime; 2] = [Runtime::Systemd, Runtime::StaticPod];

fn defrag() -> Policy {
    let maintenance = Some(Maintenance::Defragment(DefragRule::default()));
    Policy { maintenance, ..Policy::default() }
}

fn planned(spec: &SiteSpec, facts: &SiteFacts) -> Plan {
    plan(spec, facts, &defrag()).unwrap()
}

/// A formed site all of whose databases are mostly free pages.
fn bloated(shape: &Shape) -> (World, SiteSpec) {
    let (world, spec) = shape.world();
    let mut world = formed(world, &spec);
    for host in world.hosts.values_mut() {
        for member in host.members.values_mut() {
            member.database = Database::of_megabytes(400, 60);
        }
    }
    (world, spec)
}

fn set(world: &mut World, name: &str, database: Database) {
    world.hosts.get_mut(name).unwrap().members.get_mut("c0").unwrap().database = database;
}

/// The members whose databases are rewritten, in their order.
fn turns(plan: &Plan) -> Vec<&str> {
    let is_turn = |step: &&planner::Step| matches!(step.kind, StepKind::Defragment { .. });
    plan.steps.iter().filter(is_turn).map(|step| step.host().as_str()).collect()
}

fn ways(plan: &Plan) -> Vec<DefragWay> {
    let way = |step: &planner::Step| match step.kind {
        StepKind::Defragment { way, .. } => Some(way),
        _ => None,
    };
    plan.steps.iter().filter_map(way).collect()
}

fn sound(plan: &Plan, spec: &SiteSpec, facts: &SiteFacts) {
    assert_eq!(violations(plan, spec, facts), Vec::<String>::new());
    leader_restarts_last(plan, facts).unwrap_or_else(|broken| panic!("{broken}"));
}

fn held(plan: &Plan) -> &Finding {
    assert_eq!(turns(plan), Vec::<&str>::new());
    assert_eq!(plan.report.held.len(), 1, "{:#?}", plan.report);
    &plan.report.held[0]
}

fn is_done(world: &World) {
    for (name, host) in &world.hosts {
        for member in host.members.values() {
            assert!(member.process.is_some(), "{name} is down: {}", world.story.join("\n"));
            assert_eq!(member.database.size, member.database.in_use, "{name}");
            assert_eq!(member.kept, None, "{name}: a copy of the manifest is left");
        }
    }
}

#[test]
fn one_member_after_the_other_and_the_leader_last() {
    for (runtime, members) in RUNTIMES.into_iter().flat_map(|runtime| [(runtime, 3), (runtime, 5)])
    {
        let (mut world, spec) = bloated(&Shape { runtime, ..plain(members) });
        world.leaders.insert(cluster(0), host("etcd-2"));
        let facts = world.observe(&spec);
        let plan = planned(&spec, &facts);
        sound(&plan, &spec, &facts);
        let order = turns(&plan);
        assert_eq!((order.len(), order.last()), (members, Some(&"etcd-2")));
        for pair in order.windows(2) {
            let next = format!("{}/c0/defragment", pair[1]);
            let next = plan.steps.iter().find(|step| step.id == *next).unwrap();
            let back = format!("{}/c0/rejoin", pair[0]);
            let waits = |id: &planner::StepId| *id == *back || *id == *"etcd-2/c0/move-leader";
            assert!(next.after.iter().any(waits), "{next:?}");
            let Guard::OthersHealthy { clusters } = &next.guard else { panic!("{next:?}") };
            assert_eq!(clusters["c0"].needed, members - 1, "all of the others");
        }
        let (done, report) = apply_with(world, &spec, &defrag(), 8, None, Repeat::Once);
        assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
        is_done(&done);
        let again = planned(&spec, &done.observe(&spec));
        assert!(again.is_empty(), "{again:#?}");
        assert_eq!(again.report.waiting.len(), members, "each says why not");
    }
}

/// The leader may change at any moment.
#[test]
fn a_leader_that_was_elected_since_the_plan_is_left_to_the_next_run() {
    let (world, spec) = bloated(&plain(3));
    let crash = Some(Crash::After(1));
    let (mut world, _) = apply_with(world, &spec, &defrag(), 1, crash, Repeat::Once);
    world.leaders.insert(cluster(0), host("etcd-3"));
    let plan = planned(&spec, &world.observe(&spec));
    assert_eq!(turns(&plan).last(), Some(&"etcd-3"));
    let (done, report) = apply_with(world, &spec, &defrag(), 1, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
    is_done(&done);
}

/// What was killed between the stop and the start is a member that is down, and a pod without a manifest.
#[test]
fn a_run_that_is_killed_anywhere_is_finished_by_the_next() {
    for (runtime, in_use) in [(RUNTIMES[0], 60), (RUNTIMES[0], 450), (RUNTIMES[1], 60)] {
        let (mut world, spec) = bloated(&Shape { runtime, ..plain(3) });
        for name in ["etcd-1", "etcd-2", "etcd-3"] {
            set(&mut world, name, Database::of_megabytes(900, in_use));
        }
        let plan = planned(&spec, &world.observe(&spec));
        for (number, step) in plan.steps.iter().enumerate() {
            let mut stopped = Vec::new();
            for crash in [Crash::Before(number), Crash::After(number)] {
                let (world, _) =
                    apply_with(world.clone(), &spec, &defrag(), 1, Some(crash), Repeat::Once);
                stopped.push(world);
            }
            if let StepKind::Defragment { way: DefragWay::Stopped(runtime), .. } = step.kind {
                let mut between = stopped[0].clone();
                between.stop_for_defragmentation(step.host(), &cluster(0), runtime);
                stopped.push(between);
            }
            for world in stopped {
                finishes(&world, &spec, &format!("{} {number}", step.id));
            }
        }
    }
}

/// The next `defrag` finishes what is left; the next `apply` starts members that are down, and the `defrag` after it finishes.
fn finishes(stopped: &World, spec: &SiteSpec, told: &str) {
    let facts = stopped.observe(spec);
    sound(&planned(spec, &facts), spec, &facts);
    let (done, report) = apply_with(stopped.clone(), spec, &defrag(), 1, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{told}: {}", done.story.join("\n"));
    is_done(&done);
    let (started, report) = apply(stopped.clone(), spec, 1, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{told}: {}", started.story.join("\n"));
    assert!(started.hosts.values().all(|host| host.members["c0"].process.is_some()), "{told}");
    let (done, _) = apply_with(started, spec, &defrag(), 1, None, Repeat::Once);
    is_done(&done);
}

#[test]
fn a_step_that_is_done_twice_stops_nobody_twice() {
    for runtime in RUNTIMES {
        let (world, spec) = bloated(&Shape { runtime, ..plain(3) });
        let (once, _) = apply_with(world.clone(), &spec, &defrag(), 1, None, Repeat::Once);
        let (twice, report) = apply_with(world, &spec, &defrag(), 1, None, Repeat::Twice);
        assert_eq!(report.failed().count(), 0, "{}", twice.story.join("\n"));
        assert_eq!(once.digest(), twice.digest());
        let done = |world: &World, word: &str| {
            world.story.iter().filter(|l| l.contains("/defragment: ") && l.contains(word)).count()
        };
        assert_eq!((done(&twice, "Defragmented"), done(&twice, "Already")), (3, 3));
    }
}

#[test]
fn a_member_whose_database_is_not_worth_it_is_left_alone_and_named_with_its_numbers() {
    let (mut world, spec) = bloated(&plain(3));
    set(&mut world, "etcd-1", Database::of_megabytes(400, 284));
    set(&mut world, "etcd-3", Database::of_megabytes(120, 30));
    let plan = planned(&spec, &world.observe(&spec));
    assert_eq!(turns(&plan), ["etcd-2"]);
    let said: Vec<&str> = plan.report.waiting.iter().map(|why| why.message.as_str()).collect();
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(said[0].contains("400 MB, of which 284 MB in use, 29 % free"), "{}", said[0]);
    assert!(said[1].contains("120 MB, of which 30 MB in use, 75 % free"), "{}", said[1]);

    let rule = DefragRule { min_free_percent: 29, min_free_bytes: 90_000_000 };
    let policy = Policy { maintenance: Some(Maintenance::Defragment(rule)), ..Policy::default() };
    let plan = plan_with(&world, &spec, &policy);
    assert_eq!(turns(&plan).len(), 3, "the rule is the operator's");
}

fn plan_with(world: &World, spec: &SiteSpec, policy: &Policy) -> Plan {
    plan(spec, &world.observe(spec), policy).unwrap()
}

#[test]
fn the_way_is_chosen_by_what_runs_the_member_and_how_long_it_takes() {
    let way = |shape: &Shape, in_use: u64| {
        let (mut world, spec) = bloated(shape);
        for name in ["etcd-1", "etcd-2", "etcd-3"] {
            set(&mut world, name, Database::of_megabytes(900, in_use));
        }
        ways(&planned(&spec, &world.observe(&spec)))[0]
    };
    let version = |text: &str| Shape { version: text.parse().unwrap(), ..plain(3) };
    assert_eq!(way(&plain(3), 400), DefragWay::Online);
    assert_eq!(way(&plain(3), 401), DefragWay::Stopped(Runtime::Systemd));
    assert_eq!(way(&version("3.5.6"), 60), DefragWay::Online);
    assert_eq!(way(&version("3.5.5"), 60), DefragWay::Stopped(Runtime::Systemd));
    let pods = Shape { runtime: Runtime::StaticPod, ..plain(3) };
    assert_eq!(way(&pods, 1), DefragWay::Stopped(Runtime::StaticPod));
}

/// etcd's own authentication refuses quorate's certificate; the tool of the release asks nobody.
#[test]
fn where_etcd_refuses_us_every_member_is_stopped_for_it() {
    let (world, spec) = bloated(&plain(3));
    let mut facts = world.observe(&spec);
    quorate_tests::seen::known(&mut member(&mut facts, "etcd-1").etcd).forbids_us = true;
    assert_eq!(ways(&planned(&spec, &facts)), [DefragWay::Stopped(Runtime::Systemd); 3]);
}

/// Sizes move with each write: a plan that was reviewed is not another one because of that.
#[test]
fn a_database_that_grows_makes_no_other_plan() {
    let (mut world, spec) = bloated(&plain(3));
    let before = planner::fingerprint::hash(&planned(&spec, &world.observe(&spec)));
    set(&mut world, "etcd-1", Database::of_megabytes(401, 62));
    let after = planner::fingerprint::hash(&planned(&spec, &world.observe(&spec)));
    assert_eq!(before, after);
}

#[test]
fn nothing_is_defragmented_while_anything_is_wrong_with_a_member() {
    let (world, spec) = bloated(&plain(3));
    let facts = world.observe(&spec);
    let because = |change: &dyn Fn(&mut SiteFacts), why: &str| {
        let mut facts = facts.clone();
        change(&mut facts);
        let plan = planned(&spec, &facts);
        sound(&plan, &spec, &facts);
        let held = held(&plan);
        assert_eq!(held.code, FindingCode::DefragWaits);
        assert!(held.message.contains(why), "{why}: {}", held.message);
    };
    let etcd = |facts: &mut SiteFacts, change: &dyn Fn(&mut planner::facts::EtcdFacts)| {
        change(quorate_tests::seen::known(&mut member(facts, "etcd-2").etcd));
    };
    because(&|facts| etcd(facts, &|etcd| etcd.leader = None), "etcd-2 is not healthy");
    because(&|facts| etcd(facts, &|etcd| etcd.learner = true), "etcd-2 is a");
    because(&|facts| etcd(facts, &|etcd| etcd.raft_applied -= 5_001), "etcd-2 has applied");
    let silent = planner::Observed::Unknown("context deadline exceeded".to_owned());
    because(&|facts| member(facts, "etcd-2").etcd = silent.clone(), "etcd-2 is not healthy");
    let unseen = planner::Observed::Unknown("connect: timed out".to_owned());
    because(
        &|facts| drop(facts.hosts.insert(host("etcd-2"), unseen.clone())),
        "etcd-2 is unreachable",
    );
    because(&|facts| etcd(facts, &|etcd| etcd.version = "3.6.1".to_owned()), "runs etcd 3.6.1");
}

#[test]
fn a_used_up_quota_is_no_reason_to_wait_and_corruption_is() {
    let (world, spec) = bloated(&plain(3));
    let with_alarm = |alarm: &str| {
        let mut facts = world.observe(&spec);
        let etcd = quorate_tests::seen::known(&mut member(&mut facts, "etcd-2").etcd);
        etcd.errors.push(format!("alarm {alarm} of member {}", etcd.member_id));
        let plan = planned(&spec, &facts);
        sound(&plan, &spec, &facts);
        plan
    };
    assert_eq!(turns(&with_alarm("NOSPACE")).len(), 3);
    let corrupt = with_alarm("CORRUPT");
    assert_eq!((turns(&corrupt).len(), corrupt.report.blocked.len()), (0, 1));
}

#[test]
fn a_cluster_that_can_spare_no_member_needs_an_outage_by_name() {
    let (world, spec) = bloated(&plain(1));
    let plan = planned(&spec, &world.observe(&spec));
    let waits = held(&plan);
    assert_eq!(waits.code, FindingCode::NeedsOutage);
    assert_eq!(waits.hint.as_deref(), Some("quorate defrag --allow-outage c0"));
    let allowed = Policy { allow_outage: [cluster(0)].into(), ..defrag() };
    let plan = plan_with(&world, &spec, &allowed);
    assert!(!plan.steps.iter().any(|step| matches!(step.kind, StepKind::MoveLeader { .. })));
    let (done, report) = apply_with(world, &spec, &allowed, 1, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
    is_done(&done);
}

#[test]
fn a_single_member_that_was_left_stopped_is_started_without_another_outage() {
    for runtime in RUNTIMES {
        let (mut world, spec) = bloated(&Shape { runtime, ..plain(1) });
        world.stop_for_defragmentation(&host("etcd-1"), &cluster(0), runtime);
        let facts = world.observe(&spec);
        let plan = planned(&spec, &facts);
        sound(&plan, &spec, &facts);
        assert_eq!(held(&plan).code, FindingCode::NeedsOutage);
        let (started, report) = apply_with(world, &spec, &defrag(), 1, None, Repeat::Once);
        assert_eq!(report.failed().count(), 0, "{}", started.story.join("\n"));
        assert!(started.hosts["etcd-1"].members["c0"].process.is_some());
    }
}

/// In a larger cluster nobody gives the others' health up, whatever was allowed.
#[test]
fn an_outage_that_is_allowed_makes_no_member_of_three_less_careful() {
    let (world, spec) = bloated(&plain(3));
    let allowed = Policy { allow_outage: [cluster(0)].into(), ..defrag() };
    let facts = world.observe(&spec);
    sound(&plan(&spec, &facts, &allowed).unwrap(), &spec, &facts);
    let mut ill = facts;
    end(member(&mut ill, "etcd-2"));
    member(&mut ill, "etcd-2").data = planner::Observed::Unknown("input/output error".to_owned());
    assert_eq!(turns(&plan(&spec, &ill, &allowed).unwrap()), Vec::<&str>::new());
}

#[test]
fn a_host_without_room_for_the_copy_refuses_and_its_member_runs() {
    for runtime in RUNTIMES {
        let (mut world, spec) = bloated(&Shape { runtime, ..plain(3) });
        world.hosts.get_mut("etcd-1").unwrap().room = 200_217_727;
        let (tried, report) = apply_with(world, &spec, &defrag(), 1, None, Repeat::Once);
        let failed: Vec<String> = report.failed().map(ToString::to_string).collect();
        assert_eq!(failed, ["etcd-1/c0/defragment"]);
        assert!(tried.hosts.values().all(|host| host.members["c0"].process.is_some()));
    }
}

#[test]
fn what_the_inventory_asks_for_is_left_to_an_apply_and_said_once() {
    let shape = plain(3);
    let (world, _) = bloated(&shape);
    let wanted = Shape { quota: Some(1 << 32), ..shape }.spec(&world.authorities);
    let plan = planned(&wanted, &world.observe(&wanted));
    assert_eq!(turns(&plan).len(), 3);
    let left: Vec<&Finding> =
        plan.report.waiting.iter().filter(|one| one.code == FindingCode::LeftForApply).collect();
    assert_eq!(left.len(), 1);
    assert!(left[0].message.contains("other steps are due"), "{}", left[0].message);
}

/// The tools of a release that is not there yet can't be called.
#[test]
fn a_roll_to_another_release_comes_first() {
    let shape = plain(3);
    let (world, _) = bloated(&shape);
    let version = EtcdVersion::new(shape.version.minor(), shape.version.patch() + 1);
    let wanted = Shape { version, ..shape }.spec(&world.authorities);
    let plan = planned(&wanted, &world.observe(&wanted));
    let waits = held(&plan);
    assert!(waits.message.contains("lacks the tools of etcd"), "{}", waits.message);
    assert_eq!(waits.hint.as_deref(), Some("quorate apply --cluster c0"));
}

#[test]
fn clusters_that_share_a_host_take_turns() {
    let (world, spec) = bloated(&Shape { clusters: vec![3, 3], ..plain(3) });
    let facts = world.observe(&spec);
    let plan = planned(&spec, &facts);
    sound(&plan, &spec, &facts);
    assert_eq!(turns(&plan).len(), 6);
    let first_of_second = plan.steps.iter().find(|step| {
        matches!(step.kind, StepKind::Defragment { .. }) && step.cluster() == Some(&cluster(1))
    });
    let before = &first_of_second.unwrap().after;
    assert!(before.iter().any(|id| id.to_string().ends_with("/c0/rejoin")), "{before:?}");
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn the_checker_accepts_every_plan(
        shape in shapes(),
        sizes in prop::collection::vec((0..1_000_u64, 0..1_000_u64), 10),
        drifts in prop::collection::vec((any::<prop::sample::Index>(), drifts()), 0..3),
        trouble in prop::option::of((any::<prop::sample::Index>(), faults())),
        blocked in prop::option::of((any::<prop::sample::Index>(), blockades())),
        full in prop::option::of((any::<prop::sample::Index>(), any::<bool>())),
    ) {
        let (mut world, spec) = bloated(&shape);
        let members = world.hosts.values_mut().flat_map(|host| host.members.values_mut());
        for (member, (size, part)) in members.zip(&sizes) {
            member.database = Database::of_megabytes(*size, size * part / 1_000);
        }
        let name = |index: prop::sample::Index| -> HostName {
            host(&shape.hosts[index.index(shape.hosts.len())])
        };
        for (index, drift) in drifts {
            drift.apply_to(&mut world, &name(index));
        }
        if let Some((index, fault)) = trouble {
            world.strike(&name(index), fault).unwrap();
        }
        let mut policy = defrag();
        if let Some((index, compacts)) = full {
            world.run_full(&name(index), &cluster(0));
            policy.compact_now.extend(compacts.then(|| cluster(0)));
        }
        let mut facts = world.observe(&spec);
        if let Some((index, blockade)) = blocked {
            blockade.apply_to(&mut facts, &name(index), &cluster(0));
        }
        let plan = plan(&spec, &facts, &policy).unwrap();
        sound(&plan, &spec, &facts);
    }

    /// Whatever happens to hosts while it runs, no quorum is lost to it, and nothing it did is left half done.
    #[test]
    fn a_host_that_fails_in_the_middle_costs_nobody_else_anything(
        runtime in prop::sample::select(&RUNTIMES[..]),
        at in any::<prop::sample::Index>(),
        struck in 1..=3_usize,
        fault in prop::sample::select(&[Fault::Down, Fault::Cut, Fault::Slow][..]),
    ) {
        let (world, spec) = bloated(&Shape { runtime, ..plain(3) });
        let plan = planned(&spec, &world.observe(&spec));
        let number = at.index(plan.steps.len());
        let crash = Some(Crash::After(number));
        let (mut world, _) = apply_with(world, &spec, &defrag(), 1, crash, Repeat::Once);
        let name = host(&format!("etcd-{struck}"));
        world.strike(&name, fault).unwrap();
        let seen = world.observe(&spec);
        let meanwhile = planned(&spec, &seen);
        sound(&meanwhile, &spec, &seen);
        if !meanwhile.steps.is_empty() {
            world = apply_with(world, &spec, &defrag(), 1, None, Repeat::Once).0;
        }
        world.mend(&name).unwrap();
        world = apply(world, &spec, 1, None, Repeat::Once).0;
        world = apply_with(world, &spec, &defrag(), 1, None, Repeat::Once).0;
        is_done(&world);
    }
}

//! Members that join a formed cluster: wherever an apply is killed, the next ones finish, and each plan on the way is
//! one that the checker accepts.

use std::collections::{BTreeMap, BTreeSet};

use inventories::inventory::{CgroupDriver, Runtime};
use planner::facts::{DataDirectory, DataOrigin, Observed};
use planner::plan::Guard;
use planner::report::FindingCode;
use planner::{Plan, Policy, SiteSpec, Step, StepKind, plan};
use quorate_tests::checker::violations;
use quorate_tests::fault::Fault;
use quorate_tests::seen::{known, member};
use quorate_tests::sim::{Crash, Repeat};
use quorate_tests::site::{Shape, host, plain};
use quorate_tests::story::{apply_with, formed};
use quorate_tests::world::World;

fn shape(members: usize, runtime: Runtime) -> Shape {
    Shape { runtime, ..plain(members) }
}

/// A plan that the checker accepts.
fn sound(world: &World, spec: &SiteSpec, policy: &Policy) -> Plan {
    let facts = world.observe(spec);
    let plan = plan(spec, &facts, policy).unwrap();
    let found = violations(&plan, spec, &facts);
    assert!(found.is_empty(), "{found:#?}\n{plan:#?}");
    plan
}

fn applied(world: World, spec: &SiteSpec, policy: &Policy, crash: Option<Crash>) -> World {
    sound(&world, spec, policy);
    let (world, report) = apply_with(world, spec, policy, 1, crash, Repeat::Once);
    if crash.is_none() {
        assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
    }
    world
}

/// Applies as the plan tells the operator to, until there is nothing to do.
fn finished(mut world: World, spec: &SiteSpec, told: &Policy) -> World {
    for _ in 0..3 {
        let plain = sound(&world, spec, &Policy::default());
        if plain.is_empty() {
            return world;
        }
        let policy = if plain.report.blocked.is_empty() { &Policy::default() } else { told };
        world = applied(world, spec, policy, None);
    }
    panic!("{:#?}\n{}", sound(&world, spec, &Policy::default()), world.story.join("\n"));
}

/// Kills an apply before and after each of its steps.
fn after_every_crash(world: &World, spec: &SiteSpec, policy: &Policy, voters: usize) {
    for number in 0..sound(world, spec, policy).steps.len() {
        for crash in [Crash::Before(number), Crash::After(number)] {
            let stopped = applied(world.clone(), spec, policy, Some(crash));
            let done = finished(stopped, spec, policy);
            let list = done.lists.values().next().unwrap();
            let learners = list.iter().filter(|listed| listed.learner).count();
            assert_eq!((list.len(), learners), (voters, 0), "{crash:?}: {list:?}");
            assert_eq!(done.voting().values().next().unwrap().len(), voters, "{crash:?}");
        }
    }
}

fn replacing(name: &str) -> Policy {
    Policy { replace: [host(name)].into(), ..Policy::default() }
}

#[test]
fn a_replacement_that_is_killed_anywhere_is_finished_by_the_next_applies() {
    for runtime in [Runtime::Systemd, Runtime::StaticPod] {
        let (world, spec) = shape(3, runtime).world();
        let mut world = formed(world, &spec);
        world.strike(&host("etcd-2"), Fault::DiskLost).unwrap();
        after_every_crash(&world, &spec, &replacing("etcd-2"), 3);
    }
}

/// The leader of five, on its own host.
#[test]
fn so_is_the_replacement_of_a_member_that_serves() {
    for runtime in [Runtime::Systemd, Runtime::StaticPod] {
        let (world, spec) = shape(5, runtime).world();
        let world = formed(world, &spec);
        after_every_crash(&world, &spec, &replacing("etcd-1"), 5);
    }
}

#[test]
fn a_member_that_serves_hands_over_and_goes_only_if_all_others_are_healthy() {
    let (world, spec) = shape(5, Runtime::Systemd).world();
    let world = formed(world, &spec);
    let plan = sound(&world, &spec, &replacing("etcd-1"));
    let step = |verb: &str| {
        let is_it = |step: &&Step| step.id.to_string().contains(verb);
        plan.steps.iter().find(is_it).unwrap_or_else(|| panic!("{verb}: {plan:#?}"))
    };
    let (save, hand_over, remove) = (step("save-snapshot"), step("move-leader"), step("/remove-"));
    assert!(hand_over.after.contains(&save.id), "{hand_over:?}");
    assert!(remove.after.contains(&hand_over.id), "{remove:?}");
    let Guard::OthersHealthy { clusters } = &remove.guard else { panic!("{remove:?}") };
    let others = clusters.values().next().unwrap();
    assert_eq!((others.members.len(), others.needed), (4, 4));
    assert_eq!(plan.report.confirm, ["etcd-1".to_owned()].into());
}

/// Both are removed before the first is added: etcd adds no member while a listed member is not connected.
#[test]
fn two_failed_members_of_five_are_replaced_by_one_apply() {
    let (world, spec) = shape(5, Runtime::Systemd).world();
    let mut world = formed(world, &spec);
    for name in ["etcd-2", "etcd-4"] {
        world.strike(&host(name), Fault::DiskLost).unwrap();
    }
    let policy = Policy { replace: [host("etcd-2"), host("etcd-4")].into(), ..Policy::default() };
    after_every_crash(&world, &spec, &policy, 5);
}

#[test]
fn a_growth_that_is_killed_anywhere_is_finished_by_the_next_applies() {
    for runtime in [Runtime::Systemd, Runtime::StaticPod] {
        let small = Shape { clusters: vec![1], ..shape(3, runtime) };
        let (world, spec) = small.world();
        let world = formed(world, &spec);
        let wanted = shape(3, runtime).spec(&world.authorities);
        after_every_crash(&world, &wanted, &Policy::default(), 3);
    }
}

/// A machine that nothing of the member is on, and that has none of its addresses, is another one.
#[test]
fn only_a_failed_member_is_replaced() {
    let (world, spec) = shape(3, Runtime::Systemd).world();
    let mut world = formed(world, &spec);
    let refused = |world: &World, name: &str| {
        let facts = world.observe(&spec);
        let plan = plan(&spec, &facts, &replacing(name)).unwrap();
        let blocked = &plan.report.blocked;
        assert!(plan.steps.is_empty(), "{plan:#?}");
        blocked.iter().map(|blocked| blocked.finding.message.clone()).collect::<Vec<_>>().join("; ")
    };
    world.hosts.get_mut(&host("etcd-2")).unwrap().slow = true;
    assert!(refused(&world, "etcd-2").contains("it runs and does not serve"));
    world.hosts.get_mut(&host("etcd-2")).unwrap().slow = false;
    world.hosts.get_mut(&host("etcd-2")).unwrap().reachable = false;
    assert!(refused(&world, "etcd-2").contains("its host is unreachable"));
    world.hosts.get_mut(&host("etcd-2")).unwrap().reachable = true;
    world.strike(&host("etcd-2"), Fault::DiskLost).unwrap();
    world.strike(&host("etcd-3"), Fault::DiskLost).unwrap();
    assert!(refused(&world, "etcd-2").contains("no member that knows a leader"));
}

fn codes(plan: &Plan) -> Vec<FindingCode> {
    let blocked = plan.report.blocked.iter().map(|blocked| blocked.finding.code);
    blocked.chain(plan.report.held.iter().map(|finding| finding.code)).collect()
}

/// Each takes members down or counts on all of them, and the kubelet's turn would wait for what waits for it.
#[test]
fn kubelets_and_restarts_take_their_turns_after_the_new_members() {
    let alone = |driver| Shape { kubelet: Some(driver), ..shape(3, Runtime::StaticPod) };
    let small = Shape { clusters: vec![1], ..alone(CgroupDriver::Systemd) };
    let (world, spec) = small.world();
    let world = formed(world, &spec);
    let wanted = Shape { quota: Some(4 << 30), ..alone(CgroupDriver::Cgroupfs) };
    let wanted = wanted.spec(&world.authorities);
    let first = sound(&world, &wanted, &Policy::default());
    assert_eq!(codes(&first), [FindingCode::RollWaits, FindingCode::RollWaits]);
    assert!(first.steps.iter().any(|step| matches!(step.kind, StepKind::PromoteMember { .. })));
    let world = applied(world, &wanted, &Policy::default(), None);
    assert_eq!(codes(&sound(&world, &wanted, &Policy::default())), []);
}

/// As after an address was changed by hand and the old member left in the list: it counts for the quorum.
#[test]
fn a_second_member_of_one_name_stops_restarts() {
    let (world, spec) = shape(3, Runtime::Systemd).world();
    let world = formed(world, &spec);
    let wanted = Shape { quota: Some(4 << 30), ..shape(3, Runtime::Systemd) };
    let wanted = wanted.spec(&world.authorities);
    for url in ["https://10.99.0.1:2380", "https://10.0.0.1:2380"] {
        let mut facts = world.observe(&wanted);
        for name in ["etcd-1", "etcd-2", "etcd-3"] {
            let etcd = known(&mut member(&mut facts, name).etcd);
            let list = known(&mut etcd.members);
            let mut second = list.iter().find(|row| row.name == "etcd-2").unwrap().clone();
            (second.id, second.peer_urls) = ("0123456789abcdef".to_owned(), vec![url.to_owned()]);
            list.insert(0, second);
        }
        let plan = plan(&wanted, &facts, &Policy::default()).unwrap();
        assert!(codes(&plan).contains(&FindingCode::ChangingMembers), "{plan:#?}");
        assert!(!plan.steps.iter().any(|step| step.kind.disrupts()), "{plan:#?}");
    }
}

/// It has no vote, so it can be removed as a failed voter is.
#[test]
fn a_learner_whose_disk_died_is_replaced_as_well() {
    let small = Shape { clusters: vec![1], ..shape(3, Runtime::Systemd) };
    let (world, spec) = small.world();
    let world = formed(world, &spec);
    let wanted = shape(3, Runtime::Systemd).spec(&world.authorities);
    let steps = sound(&world, &wanted, &Policy::default()).steps;
    let is_start = |step: &Step| step.kind.is_start() && *step.host() == host("etcd-2");
    let start = steps.iter().position(is_start).unwrap();
    let mut world = applied(world, &wanted, &Policy::default(), Some(Crash::After(start)));
    world.strike(&host("etcd-2"), Fault::DiskLost).unwrap();
    finished(world, &wanted, &replacing("etcd-2"));
}

/// Somebody else's data is not set aside without a word.
#[test]
fn a_new_member_does_not_take_a_disk_that_holds_something() {
    let small = Shape { clusters: vec![1], ..shape(3, Runtime::Systemd) };
    let (world, spec) = small.world();
    let world = formed(world, &spec);
    let wanted = shape(3, Runtime::Systemd).spec(&world.authorities);
    let mut facts = world.observe(&wanted);
    let data = DataDirectory { empty: false, ..empty_directory() };
    member(&mut facts, "etcd-2").data = Observed::Known(data);
    let plan = plan(&wanted, &facts, &Policy::default()).unwrap();
    assert!(codes(&plan).contains(&FindingCode::ForeignData), "{plan:#?}");
    assert!(!plan.steps.iter().any(|step| *step.host() == host("etcd-2")), "{plan:#?}");
}

fn empty_directory() -> DataDirectory {
    DataDirectory {
        mode: 0o700,
        owner: "etcd".to_owned(),
        group: "etcd".to_owned(),
        empty: true,
        wal: false,
        owners: BTreeSet::new(),
        origin: DataOrigin::default(),
        restored: false,
        archives: BTreeMap::new(),
    }
}

/// The unit of an earlier try is on the host, as it is to be: what was forgotten is disabled, and has to be enabled again.
#[test]
fn a_replacement_of_a_replacement_writes_the_unit_again() {
    let (world, spec) = shape(3, Runtime::Systemd).world();
    let mut world = formed(world, &spec);
    world.strike(&host("etcd-2"), Fault::DiskLost).unwrap();
    let steps = sound(&world, &spec, &replacing("etcd-2")).steps;
    let is_start = |step: &Step| step.kind.is_start() && *step.host() == host("etcd-2");
    let start = steps.iter().position(is_start).unwrap();
    let mut world = applied(world, &spec, &replacing("etcd-2"), Some(Crash::After(start)));
    world.strike(&host("etcd-2"), Fault::DiskLost).unwrap();
    let world = applied(world, &spec, &replacing("etcd-2"), None);
    assert!(sound(&world, &spec, &Policy::default()).is_empty());
}

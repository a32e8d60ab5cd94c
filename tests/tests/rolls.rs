//! Restarts of formed clusters: one member at a time, the leader last, never below quorum. The
//! simulated world panics when a restart costs a quorum that was not given up for lost.

use std::collections::BTreeMap;

use engine::hosts::Bindings;
use inventories::inventory::{CgroupDriver, Runtime};
use inventories::{ClusterName, EtcdVersion, HostName, Minor};
use planner::facts::{HostFacts, Observed};
use planner::plan::{Guard, Scope, Verb};
use planner::quorum::NEAR;
use planner::report::FindingCode;
use planner::{Plan, Policy, StepKind, plan};
use proptest::prelude::*;
use quorate_tests::cases::cases;
use quorate_tests::checker::violations;
use quorate_tests::drift::{Drift, drifts};
use quorate_tests::sim::{Crash, Repeat};
use quorate_tests::site::{Shape, cluster, host, plain, shapes};
use quorate_tests::story::{after_every_crash, apply, execute_in, formed, plan_of};
use quorate_tests::world::World;
use templates::Layout;
use templates::layout::PkiFile;

/// The same site, wanting something that only a restart brings.
fn changed(shape: &Shape) -> Shape {
    Shape {
        quota: Some(shape.quota.unwrap_or(1 << 31) + 1),
        version: EtcdVersion::new(shape.version.minor(), shape.version.patch() + 1),
        kubelet: shape.kubelet.map(|_| CgroupDriver::Systemd),
        ..shape.clone()
    }
}

fn restarts(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().filter(|step| step.kind.disrupts()).map(|step| step.host().as_str()).collect()
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn a_roll_stopped_anywhere_converges_and_never_costs_the_quorum(
        shape in shapes().prop_filter("a single member can't be rolled", |s| !s.clusters.contains(&1)),
        at in any::<prop::sample::Index>(),
        after in any::<bool>(),
    ) {
        let (world, spec) = shape.world();
        let world = formed(world, &spec);
        let wanted = changed(&shape).spec(&world.authorities);
        let steps = plan_of(&world, &wanted).steps.len();
        prop_assert!(steps > 0);
        let number = at.index(steps);
        let crash = if after { Crash::After(number) } else { Crash::Before(number) };
        let (stopped, _) = apply(world, &wanted, 8, Some(crash), Repeat::Once);
        let (rolled, report) = apply(stopped, &wanted, 8, None, Repeat::Once);
        prop_assert_eq!(report.failed().count(), 0, "{}", rolled.story.join("\n"));
        let again = plan_of(&rolled, &wanted);
        prop_assert!(again.is_empty(), "{:#?}", again);
    }
}

/// The processes that a plan starts and ends, for each member: as (starts, ends). A restart is both.
fn turns(plan: &Plan) -> BTreeMap<(&HostName, &ClusterName), (usize, usize)> {
    let mut turns: BTreeMap<_, (usize, usize)> = BTreeMap::new();
    for step in &plan.steps {
        let Some(cluster) = step.cluster() else { continue };
        let (starts, ends) = turns.entry((step.host(), cluster)).or_default();
        let restarts = matches!(step.kind, StepKind::RestartMember { .. });
        *starts += usize::from(step.kind.is_start() || restarts);
        *ends += usize::from(step.kind.disrupts());
    }
    turns
}

proptest! {
    #![proptest_config(cases(96))]

    /// What is wrong with a member in several ways is put right in one turn: what starts it, or what restarts it, or
    /// what moves it to another runtime. Only a pod that this plan lets join its cluster is started and, as one
    /// that never forms a cluster again, restarted.
    #[test]
    fn a_plan_restarts_no_member_twice(
        shape in shapes(),
        stop in prop::option::of(any::<prop::sample::Index>()),
        drifts in prop::collection::vec((any::<prop::sample::Index>(), drifts()), 0..4),
        changes in any::<bool>(),
        moves in any::<bool>(),
    ) {
        let (world, spec) = shape.world();
        let mut world = match stop {
            None => formed(world, &spec),
            Some(at) => {
                let number = at.index(plan_of(&world, &spec).steps.len());
                apply(world, &spec, 4, Some(Crash::After(number)), Repeat::Once).0
            }
        };
        for (index, drift) in drifts.into_iter().filter(|(_, drift)| !matches!(drift, Drift::Struck(_))) {
            drift.apply_to(&mut world, &host(&shape.hosts[index.index(shape.hosts.len())]));
        }
        let mut wanted = if changes { changed(&shape) } else { shape };
        if moves {
            wanted.runtime = Runtime::Systemd;
        }
        let wanted = wanted.spec(&world.authorities);
        let allowed = wanted.clusters.keys().cloned().collect();
        let facts = world.observe(&wanted);
        let policy = Policy { allow_outage: allowed, ..Policy::default() };
        let plan = plan(&wanted, &facts, &policy).unwrap();
        for ((host, cluster), (starts, ends)) in turns(&plan) {
            let is_formed = |facts: &HostFacts| {
                facts.clusters.get(cluster).is_some_and(|member| member.marker.known().is_some())
            };
            let known = facts.hosts.get(host).and_then(Observed::known);
            let joins = wanted.clusters[cluster].runtime == Runtime::StaticPod
                && !known.is_some_and(is_formed);
            prop_assert!(starts <= 1 + usize::from(joins), "{}: {:#?}", host, plan.steps);
            prop_assert!(ends <= 1, "{}: {:#?}", host, plan.steps);
        }
    }
}

/// The lines of a unit that systemd applies when it starts the process.
fn settings(unit: &str) -> Vec<&str> {
    unit.lines().filter(|line| line.contains("LimitNOFILE") || line.contains("Nice=")).collect()
}

#[test]
fn settings_that_no_argument_shows_are_restored_wherever_the_apply_is_killed() {
    let (world, spec) = plain(3).world();
    let mut edited = formed(world, &spec);
    let member = edited.hosts.get_mut("etcd-2").unwrap().members.get_mut("c0").unwrap();
    let wanted = member.unit.clone().unwrap();
    let by_hand = wanted.replace("[Service]\n", "[Service]\nLimitNOFILE=1024\nNice=19\n");
    assert_ne!(settings(&wanted), settings(&by_hand));
    member.loaded = Some((by_hand.clone(), true));
    member.unit = Some(by_hand.clone());
    member.process = Some(by_hand);
    member.drop_ins = vec!["/etc/systemd/system/etcd-c0.service.d/a.conf".to_owned()];
    after_every_crash(&edited, &spec, 1, |crash, mended| {
        let member = &mended.hosts["etcd-2"].members["c0"];
        let runs = member.process.as_deref().unwrap();
        assert_eq!(settings(runs), settings(&wanted), "{crash:?}: {:#?}", mended.story);
    });
}

#[test]
fn an_edited_unit_whose_process_has_the_wanted_arguments_is_repaired_without_a_restart() {
    let (world, spec) = plain(3).world();
    let mut world = formed(world, &spec);
    let member = world.hosts.get_mut("etcd-2").unwrap().members.get_mut("c0").unwrap();
    let by_hand = member.unit.clone().unwrap().replace("--name=etcd-2", "--name=etcd-9");
    member.loaded = Some((by_hand.clone(), true));
    member.unit = Some(by_hand);
    let plan = plan_of(&world, &spec);
    assert_eq!(restarts(&plan), Vec::<&str>::new());
    assert_eq!(plan.steps.len(), 1);
}

#[test]
fn each_restart_waits_until_the_one_before_is_back() {
    for members in [3, 5] {
        let shape = plain(members);
        let (world, spec) = shape.world();
        let world = formed(world, &spec);
        let wanted = changed(&shape).spec(&world.authorities);
        let plan = plan_of(&world, &wanted);
        let order = restarts(&plan);
        assert_eq!(order.len(), members);
        for step in plan.steps.iter().filter(|step| step.kind.disrupts()) {
            let Guard::OthersHealthy { clusters } = &step.guard else { panic!("{step:?}") };
            let others = &clusters["c0"];
            let all = (members - 1, members - 1);
            assert_eq!((others.members.len(), others.needed), all, "all of the others");
            assert!(!others.members.contains_key(step.host()));
            assert_eq!(others.cluster_id.as_ref(), world.formed.get("c0"));
        }
        for pair in order.windows(2) {
            let restart = |host: &str| format!("{host}/c0/restart");
            let next = plan.steps.iter().find(|step| step.id == *restart(pair[1])).unwrap();
            assert!(
                next.after.iter().any(|id| *id == *format!("{}/c0/rejoin", pair[0])),
                "{next:?}"
            );
        }
        assert_eq!(violations(&plan, &wanted, &world.observe(&wanted)), Vec::<String>::new());
    }
}

#[test]
fn the_leader_restarts_last_and_hands_over_first() {
    let shape = plain(3);
    let (world, spec) = shape.world();
    let mut world = formed(world, &spec);
    world.leaders.insert(cluster(0), host("etcd-2"));
    let plan = plan_of(&world, &changed(&shape).spec(&world.authorities));
    assert_eq!(restarts(&plan), ["etcd-1", "etcd-3", "etcd-2"]);
    let moves: Vec<String> = plan
        .steps
        .iter()
        .filter(|step| matches!(step.kind, StepKind::MoveLeader { .. }))
        .map(|step| step.id.to_string())
        .collect();
    assert_eq!(moves, ["etcd-2/c0/move-leader"]);
}

#[test]
fn clusters_that_share_a_host_take_turns() {
    let shape = Shape { clusters: vec![3, 3], ..plain(3) };
    let (world, spec) = shape.world();
    let world = formed(world, &spec);
    let plan = plan_of(&world, &changed(&shape).spec(&world.authorities));
    let first_of_second = plan
        .steps
        .iter()
        .find(|step| step.kind.disrupts() && step.cluster() == Some(&cluster(1)))
        .unwrap();
    assert!(
        first_of_second
            .after
            .iter()
            .any(|id| id.scope == Scope::Member(cluster(0)) && id.verb == Verb::Rejoin),
        "{} waits for no restart of the other cluster: {:?}",
        first_of_second.id,
        first_of_second.after
    );
}

#[test]
fn a_member_that_is_down_is_started_before_another_is_taken_down() {
    let shape = plain(3);
    let (world, spec) = shape.world();
    let mut world = formed(world, &spec);
    world.hosts.get_mut("etcd-2").unwrap().members.get_mut("c0").unwrap().process = None;
    world.settle();
    let wanted = changed(&shape).spec(&world.authorities);
    let (rolled, report) = apply(world, &wanted, 8, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", rolled.story.join("\n"));
    assert!(plan_of(&rolled, &wanted).is_empty());
}

/// To change the runtime is to start a member as well. The proof waits for those that were down, and not for the turns
/// that wait for the proof.
#[test]
fn a_member_that_is_down_is_started_before_the_others_change_their_runtime() {
    for members in [3, 5] {
        for version in [EtcdVersion::new(Minor::V3_4, 23), plain(members).version] {
            let shape = Shape { runtime: Runtime::StaticPod, version, ..plain(members) };
            let (world, spec) = shape.world();
            let mut world = formed(world, &spec);
            world.hosts.get_mut("etcd-1").unwrap().members.get_mut("c0").unwrap().process = None;
            world.settle();
            let wanted = Shape { runtime: Runtime::Systemd, ..shape }.spec(&world.authorities);
            let facts = world.observe(&wanted);
            let plan = plan(&wanted, &facts, &Policy::default()).unwrap();
            assert_eq!(violations(&plan, &wanted, &facts), Vec::<String>::new(), "{plan:#?}");
            assert_eq!(restarts(&plan).len(), members, "{plan:#?}");
            let (done, report) = apply(world, &wanted, 8, None, Repeat::Once);
            assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
            assert!(plan_of(&done, &wanted).is_empty());
        }
    }
}

#[test]
fn a_roll_waits_while_a_host_can_not_be_seen() {
    let shape = plain(3);
    let (world, spec) = shape.world();
    let mut world = formed(world, &spec);
    world.hosts.get_mut("etcd-3").unwrap().reachable = false;
    let plan = plan_of(&world, &changed(&shape).spec(&world.authorities));
    assert_eq!(restarts(&plan), Vec::<&str>::new());
    assert_eq!(
        plan.report.held.iter().map(|f| f.code.as_str()).collect::<Vec<_>>(),
        ["roll-waits"]
    );
    assert!(!plan.is_empty());
}

/// A member that was away for a day is no healthy other from the moment that it answers.
#[test]
fn a_roll_waits_for_a_member_that_has_to_catch_up() {
    let shape = plain(3);
    let (world, spec) = shape.world();
    let mut world = formed(world, &spec);
    let wanted = changed(&shape).spec(&world.authorities);
    let before = plan_of(&world, &wanted);
    let behind = |world: &mut World, entries| {
        world.hosts.get_mut("etcd-3").unwrap().members.get_mut("c0").unwrap().behind = entries;
    };
    behind(&mut world, NEAR + 1);
    let held = plan_of(&world, &wanted);
    assert_eq!(restarts(&held), Vec::<&str>::new());
    let [finding] = &held.report.held[..] else { panic!("{:?}", held.report.held) };
    assert_eq!(finding.code, FindingCode::RollWaits);
    let words = "etcd-3 has caught up, which has applied 1043575 of 1048576 entries of the log";
    assert!(finding.message.contains(words), "{}", finding.message);
    // It fell behind after the plan was made.
    let (stopped, report) =
        execute_in(world.clone(), &before, Bindings::default(), 8, None, Repeat::Once, |_| {});
    assert!(report.failed().count() > 0);
    assert!(restarts(&plan_of(&stopped, &wanted)).is_empty());
    behind(&mut world, NEAR);
    assert_eq!(restarts(&plan_of(&world, &wanted)).len(), 3);
}

#[test]
fn a_single_member_restarts_only_when_an_outage_is_allowed() {
    let shape = plain(1);
    let (world, spec) = shape.world();
    let world = formed(world, &spec);
    let wanted = changed(&shape).spec(&world.authorities);
    let plan_with = |policy: &Policy| plan(&wanted, &world.observe(&wanted), policy).unwrap();
    let careful = plan_with(&Policy::default());
    assert_eq!(
        careful.report.held.iter().map(|f| f.code.as_str()).collect::<Vec<_>>(),
        ["needs-outage"]
    );
    let allowed = Policy { allow_outage: [cluster(0)].into(), ..Policy::default() };
    assert_eq!(restarts(&plan_with(&allowed)), ["etcd-1"]);
}

#[test]
fn corruption_stops_everything() {
    let (world, spec) = plain(3).world();
    let world = formed(world, &spec);
    let mut facts = world.observe(&changed(&plain(3)).spec(&world.authorities));
    for host in facts.hosts.values_mut() {
        let planner::Observed::Known(host) = host else { continue };
        let Some(planner::Observed::Known(etcd)) = host.clusters.get_mut("c0").map(|m| &mut m.etcd)
        else {
            continue;
        };
        etcd.errors = vec![format!("alarm CORRUPT of member {}", etcd.member_id)];
    }
    let wanted = changed(&plain(3)).spec(&world.authorities);
    let plan = plan(&wanted, &facts, &Policy::default()).unwrap();
    assert!(plan.steps.is_empty());
    assert!(plan.report.blocked.iter().any(|blocked| blocked.finding.code == FindingCode::Corrupt));
}

/// Nobody is there to lead instead, while a single member restarts.
#[test]
fn a_single_member_hands_over_to_nobody() {
    let allowed = Policy { allow_outage: [cluster(0)].into(), ..Policy::default() };
    for runtime in [Runtime::Systemd, Runtime::StaticPod] {
        let shape = Shape { runtime, ..plain(1) };
        let (world, spec) = shape.world();
        let first = plan_of(&world, &spec);
        let world = formed(world, &spec);
        let wanted = changed(&shape).spec(&world.authorities);
        let roll = plan(&wanted, &world.observe(&wanted), &allowed).unwrap();
        assert_eq!(restarts(&roll), ["etcd-1"], "{runtime:?}");
        let moves = |step: &&planner::Step| matches!(step.kind, StepKind::MoveLeader { .. });
        assert_eq!(first.steps.iter().chain(&roll.steps).find(moves), None, "{runtime:?}");
    }
}

/// In a cluster of three or more, exactly one may be missing when a pod's bootstrap ends.
#[test]
fn the_restart_that_ends_a_bootstrap_is_guarded_where_a_quorum_can_be_kept() {
    for members in [1, 2, 3, 5] {
        let (world, spec) = Shape { runtime: Runtime::StaticPod, ..plain(members) }.world();
        let plan = plan_of(&world, &spec);
        let ends: Vec<&Guard> =
            plan.steps.iter().filter(|s| s.kind.disrupts()).map(|s| &s.guard).collect();
        assert_eq!(ends.len(), members);
        let guarded = |guard: &&Guard| match guard {
            Guard::OthersHealthy { clusters } => clusters["c0"].needed == members - 1,
            _ => false,
        };
        let wanted = if members > 2 { members } else { 0 };
        assert_eq!(ends.into_iter().filter(guarded).count(), wanted, "{members} members");
    }
}

/// A process that starts reads its certificates and runs from its release.
#[test]
fn a_restart_waits_for_all_that_is_repaired_of_its_member() {
    let shape = Shape { runtime: Runtime::StaticPod, ..plain(3) };
    let (world, spec) = shape.world();
    let world = formed(world, &spec);
    let wanted = Shape { quota: Some(3 << 30), ..shape }.spec(&world.authorities);
    let mut facts = world.observe(&wanted);
    let Some(Observed::Known(seen)) = facts.hosts.get_mut("etcd-2") else { panic!("etcd-2") };
    seen.releases.values_mut().for_each(|release| *release = Observed::Absent);
    let member = seen.clusters.get_mut("c0").unwrap();
    let certificate = Layout::new(&member.cluster).pki_file(PkiFile::ServerCert);
    member.files.insert(certificate, Observed::Absent);
    let plan = plan(&wanted, &facts, &Policy::default()).unwrap();
    let restart = plan.step(&"etcd-2/c0/restart".parse().unwrap()).unwrap();
    for needed in ["etcd-2/c0/certificates", "etcd-2/install-etcd-3.6.16"] {
        assert!(restart.after.iter().any(|id| id == needed), "{needed}: {:?}", restart.after);
    }
}

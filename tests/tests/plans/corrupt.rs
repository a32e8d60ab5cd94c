//! A member with other data than the others is replaced once it is stopped, if all others agree; its alarm goes last.

use inventories::inventory::Runtime;
use planner::plan::Verb;
use planner::report::FindingCode;
use planner::{Plan, Policy, SiteSpec, StepKind, plan};
use quorate_tests::checker::violations;
use quorate_tests::fault::Fault;
use quorate_tests::roster::Listed;
use quorate_tests::sim::{Crash, Repeat};
use quorate_tests::site::{Shape, cluster, host, plain, spec_of};
use quorate_tests::story::{apply_with, formed};
use quorate_tests::world::World;

/// The member of etcd-2 is corrupt, and stopped.
fn site(runtime: Runtime, members: usize) -> (World, SiteSpec) {
    let (world, spec) = Shape { runtime, ..plain(members) }.world();
    let mut world = formed(world, &spec);
    world.turn_odd(&host("etcd-2"), &cluster(0));
    world.stop_for_defragmentation(&host("etcd-2"), &cluster(0), runtime);
    (world, spec)
}

fn replacing() -> Policy {
    Policy { replace: [host("etcd-2")].into(), ..Policy::default() }
}

fn planned(world: &World, spec: &SiteSpec, policy: &Policy) -> Plan {
    let facts = world.observe(spec);
    let plan = plan(spec, &facts, policy).unwrap();
    assert_eq!(violations(&plan, spec, &facts), Vec::<String>::new(), "{plan:#?}");
    plan
}

fn is_blocked(plan: &Plan) -> bool {
    plan.report.blocked.iter().any(|blocked| blocked.finding.code == FindingCode::Corrupt)
}

/// Every member runs, has the same data, and there is no alarm.
fn is_whole(world: &World, spec: &SiteSpec, told: &str) {
    assert!(world.corrupt.is_empty(), "{told}: {}", world.story.join("\n"));
    for host in spec.clusters["c0"].members.keys() {
        let there = &world.hosts[host].members["c0"];
        assert!(there.process.is_some() && !there.log.as_ref().unwrap().odd, "{told}: {host}");
    }
    let rest = planned(world, spec, &Policy::default());
    assert!(rest.is_empty(), "{told}: {rest:#?}");
}

#[test]
fn it_is_compared_removed_added_and_its_alarm_cleared() {
    for (runtime, members) in
        [(Runtime::Systemd, 3), (Runtime::StaticPod, 3), (Runtime::Systemd, 5)]
    {
        let (world, spec) = site(runtime, members);
        assert!(is_blocked(&planned(&world, &spec, &Policy::default())), "nobody named it");
        let plan = planned(&world, &spec, &replacing());
        let compared = plan.steps.iter().find_map(|step| match &step.kind {
            StepKind::CompareData { members, clears, .. } if clears.is_empty() => Some(members),
            _ => None,
        });
        let compared = compared.unwrap();
        assert_eq!(compared.len(), members - 1);
        assert!(!compared.contains_key("etcd-2"), "it is not asked about itself");
        let (done, report) = apply_with(world, &spec, &replacing(), 1, None, Repeat::Twice);
        assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
        is_whole(&done, &spec, "done");
    }
}

#[test]
fn a_repair_that_is_killed_anywhere_is_finished_by_the_next() {
    let (world, spec) = site(Runtime::Systemd, 3);
    let count = planned(&world, &spec, &replacing()).steps.len();
    for number in 0..count {
        for crash in [Crash::Before(number), Crash::After(number)] {
            let once = Repeat::Once;
            let (mut world, _) =
                apply_with(world.clone(), &spec, &replacing(), 1, Some(crash), once);
            for _ in 0..2 {
                let blocked = is_blocked(&planned(&world, &spec, &Policy::default()));
                let policy = if blocked { replacing() } else { Policy::default() };
                planned(&world, &spec, &policy);
                world = apply_with(world, &spec, &policy, 1, None, once).0;
            }
            is_whole(&world, &spec, &format!("{crash:?}"));
        }
    }
}

/// The alarm may be wrong about who is corrupt.
#[test]
fn nobody_is_removed_while_the_others_disagree() {
    let (mut world, spec) = site(Runtime::Systemd, 3);
    let other = world.hosts.get_mut("etcd-3").unwrap().members.get_mut("c0").unwrap();
    other.log.as_mut().unwrap().odd = true;
    let before = world.lists.clone();
    let (tried, report) = apply_with(world, &spec, &replacing(), 1, None, Repeat::Once);
    let failed: Vec<String> = report.failed().map(ToString::to_string).collect();
    assert!(failed.len() == 1 && failed[0].ends_with("/compare-data"), "{failed:?}");
    assert_eq!(tried.lists, before);
    assert!(!tried.corrupt.is_empty());
}

/// Another member is as suspicious as the one that is replaced.
#[test]
fn a_second_corrupt_member_stops_the_replacement_of_the_first() {
    let (mut world, spec) = site(Runtime::Systemd, 5);
    world.turn_odd(&host("etcd-3"), &cluster(0));
    assert!(is_blocked(&planned(&world, &spec, &replacing())));
}

/// Four voters, of which etcd-4 is to leave; the member of etcd-2 is corrupt, and stopped.
fn leaving() -> (World, SiteSpec) {
    let shape = Shape { clusters: vec![4], ..plain(4) };
    let (world, spec) = shape.world();
    let mut world = formed(world, &spec);
    let mut inventory = shape.inventory();
    inventory.clusters.get_mut(&cluster(0)).unwrap().members.truncate(3);
    world.turn_odd(&host("etcd-2"), &cluster(0));
    world.stop_for_defragmentation(&host("etcd-2"), &cluster(0), Runtime::Systemd);
    let spec = spec_of(&inventory, &world.authorities);
    (world, spec)
}

fn removals(plan: &Plan) -> usize {
    let removes = |step: &&planner::Step| {
        matches!(step.kind, StepKind::RemoveMember { .. } | StepKind::RemoveListed { .. })
    };
    plan.steps.iter().filter(removes).count()
}

#[test]
fn a_member_that_leaves_is_compared_too_and_stays_until_the_alarm_is_cleared() {
    let (world, spec) = leaving();
    let plan = planned(&world, &spec, &replacing());
    let compared = plan.steps.iter().find_map(|step| match &step.kind {
        StepKind::CompareData { members, clears, .. } if clears.is_empty() => Some(members),
        _ => None,
    });
    let names: Vec<&str> = compared.unwrap().keys().map(|host| host.as_str()).collect();
    assert_eq!(names, ["etcd-1", "etcd-3", "etcd-4"]);
    assert_eq!(removals(&plan), 1, "{plan:#?}");
    let waits = |one: &planner::report::Finding| one.code == FindingCode::RemovalWaits;
    assert!(plan.report.held.iter().any(waits), "{:#?}", plan.report);
    let (world, report) = apply_with(world, &spec, &replacing(), 1, None, Repeat::Twice);
    assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
    let (done, report) = apply_with(world, &spec, &Policy::default(), 1, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
    is_whole(&done, &spec, "without etcd-4");
}

#[test]
fn nobody_is_removed_while_too_few_can_be_compared() {
    let (mut world, spec) = leaving();
    world.strike(&host("etcd-4"), Fault::Cut).unwrap();
    let plan = planned(&world, &spec, &replacing());
    assert!(is_blocked(&plan), "{:#?}", plan.report);
    assert_eq!(removals(&plan), 0);
}

/// Nobody here can stop it; the hint of the alarm names the command that removes it.
#[test]
fn a_corrupt_member_on_an_unknown_host_goes_by_its_id_once_the_others_agree() {
    let (world, spec) = plain(3).world();
    let mut world = formed(world, &spec);
    let row = Listed {
        id: "ab1".to_owned(),
        name: "other".to_owned(),
        peer_url: "https://10.9.9.9:2380".to_owned(),
        learner: false,
    };
    world.lists.values_mut().next().unwrap().push(row);
    world.corrupt.entry(cluster(0)).or_default().insert("ab1".to_owned());
    world.settle();
    let told = planned(&world, &spec, &Policy::default());
    let mut blocked = told.report.blocked.iter().map(|blocked| &blocked.finding);
    let finding = blocked.find(|finding| finding.code == FindingCode::Corrupt).unwrap();
    let hint = finding.hint.as_deref().unwrap();
    assert!(hint.contains("quorate plan --cluster c0 --remove-member ab1"), "{hint}");
    let policy = Policy { remove_members: ["ab1".to_owned()].into(), ..Policy::default() };
    let plan = planned(&world, &spec, &policy);
    let at = |verb: Verb| plan.steps.iter().position(|step| step.id.verb == verb).unwrap();
    let removed = at(Verb::RemoveListed("ab1".to_owned()));
    assert!(at(Verb::CompareData) < removed && removed < at(Verb::ClearCorrupt));
    let (done, report) = apply_with(world, &spec, &policy, 1, None, Repeat::Twice);
    assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
    is_whole(&done, &spec, "by its id");
}

#[test]
fn a_corrupt_member_that_leaves_is_stopped_first_and_then_removed() {
    let shape = Shape { clusters: vec![4], ..plain(4) };
    let (world, spec) = shape.world();
    let mut world = formed(world, &spec);
    let mut inventory = shape.inventory();
    inventory.clusters.get_mut(&cluster(0)).unwrap().members.truncate(3);
    let spec = spec_of(&inventory, &world.authorities);
    world.turn_odd(&host("etcd-4"), &cluster(0));
    let told = planned(&world, &spec, &Policy::default());
    assert!(is_blocked(&told));
    let hint = told.report.blocked[0].finding.hint.as_deref().unwrap();
    assert!(hint.contains("stop etcd on etcd-4, then quorate plan --cluster c0"), "{hint}");
    world.stop_for_defragmentation(&host("etcd-4"), &cluster(0), Runtime::Systemd);
    let (done, report) = apply_with(world, &spec, &Policy::default(), 1, None, Repeat::Twice);
    assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
    is_whole(&done, &spec, "without etcd-4");
}

//! Narrowed plans: each is a part of the whole plan and safe on its own, and together they are the whole.

#![expect(clippy::unwrap_used, reason = "a test that can't continue is to panic")]

use std::collections::{BTreeMap, BTreeSet};

use inventories::EtcdVersion;

use planner::{Plan, Policy, Selection, SiteSpec, Step, StepId, StepKind, fingerprint, plan};
use proptest::prelude::*;
use quorate_tests::cases::cases;
use quorate_tests::checker::violations;
use quorate_tests::sim::Repeat;
use quorate_tests::site::{Shape, cluster, host, plain, shapes};
use quorate_tests::story::{apply_with, formed, plan_of};
use quorate_tests::world::World;

fn clusters(numbers: &[usize]) -> Selection {
    let clusters = numbers.iter().map(|number| cluster(*number)).collect();
    Selection { clusters, ..Selection::default() }
}

fn hosts(names: &[&str]) -> Selection {
    let hosts = names.iter().map(|name| host(name)).collect();
    Selection { hosts, ..Selection::default() }
}

fn policy(selection: Selection) -> Policy {
    Policy { selection, ..Policy::default() }
}

fn narrowed(world: &World, spec: &SiteSpec, selection: Selection) -> Plan {
    plan(spec, &world.observe(spec), &policy(selection)).unwrap()
}

/// The same site, wanting something that only a restart brings.
fn changed(shape: &Shape) -> Shape {
    Shape {
        quota: Some(shape.quota.unwrap_or(1 << 31) + 1),
        version: EtcdVersion::new(shape.version.minor(), shape.version.patch() + 1),
        ..shape.clone()
    }
}

/// Dependencies that a part may do without: whose turn it is, and what another cluster waits for.
fn may_miss(whole: &BTreeMap<&StepId, &Step>, missing: &StepId, selection: &Selection) -> bool {
    let step = whole[missing];
    let other = |name| !selection.clusters.is_empty() && !selection.clusters.contains(name);
    matches!(step.kind, StepKind::AwaitRejoin { .. })
        || step.cluster().is_some_and(other)
        || matches!(step.kind, StepKind::InstallRelease { .. }) && !selection.clusters.is_empty()
}

/// Everything that the whole plan does before a step.
fn all_before<'a>(whole: &BTreeMap<&StepId, &'a Step>, step: &'a Step) -> BTreeSet<&'a StepId> {
    let mut before = BTreeSet::new();
    let mut next: Vec<&StepId> = step.after.iter().collect();
    while let Some(id) = next.pop() {
        if before.insert(id) {
            next.extend(&whole[id].after);
        }
    }
    before
}

/// Every step is one of the whole plan, in its order, with all that it needs; and what is left out is
/// counted.
fn expect_part(part: &Plan, whole: &Plan) -> Result<(), TestCaseError> {
    let of_whole: BTreeMap<&StepId, &Step> = whole.steps.iter().map(|s| (&s.id, s)).collect();
    let kept: BTreeSet<&StepId> = part.steps.iter().map(|step| &step.id).collect();
    for step in &part.steps {
        let Some(same) = of_whole.get(&step.id) else {
            return Err(TestCaseError::fail(format!("{} is not in the whole plan", step.id)));
        };
        prop_assert_eq!(
            (&step.kind, &step.guard, step.action),
            (&same.kind, &same.guard, same.action)
        );
        let before = all_before(&of_whole, same);
        prop_assert!(step.after.iter().all(|id| before.contains(id)), "{}", step.id);
        for missing in same.after.iter().filter(|id| !kept.contains(id)) {
            let fine = may_miss(&of_whole, missing, &part.selection);
            prop_assert!(fine, "{} is done without {missing}", step.id);
        }
    }
    let left: usize = part.report.left_out.iter().map(|left| left.steps).sum();
    prop_assert_eq!(part.steps.len() + left, whole.steps.len());
    Ok(())
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn a_plan_of_some_clusters_is_a_part_of_the_whole_and_all_parts_are_the_whole(
        shape in shapes(), roll in any::<bool>(),
    ) {
        let (mut world, mut spec) = shape.world();
        if roll && !shape.clusters.contains(&1) {
            world = formed(world, &spec);
            spec = changed(&shape).spec(&world.authorities);
        }
        for number in 0..shape.clusters.len() {
            let selection = clusters(&[number]);
            let facts = world.observe(&spec);
            let part = narrowed(&world, &spec, selection.clone());
            expect_part(&part, &plan_of(&world, &spec))?;
            prop_assert_eq!(violations(&part, &spec, &facts), Vec::<String>::new());
            let (after, report) = apply_with(world, &spec, &policy(selection.clone()), 8, None, Repeat::Once);
            prop_assert_eq!(report.failed().count(), 0, "{}", after.story.join("\n"));
            world = after;
            prop_assert!(narrowed(&world, &spec, selection).steps.is_empty());
        }
        prop_assert!(plan_of(&world, &spec).is_empty());
    }

}

proptest! {
    // Each case is up to ten applies.
    #![proptest_config(cases(12))]

    #[test]
    fn a_plan_of_one_host_touches_no_other_and_host_by_host_all_is_done(
        shape in shapes().prop_filter("a single member can't be rolled", |s| !s.clusters.contains(&1)),
        down in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (world, spec) = shape.world();
        let mut world = formed(world, &spec);
        if let Some(down) = down {
            let name = &shape.hosts[down.index(shape.hosts.len())];
            for member in world.hosts.get_mut(name.as_str()).unwrap().members.values_mut() {
                member.process = None;
            }
            world.settle();
        }
        let spec = changed(&shape).spec(&world.authorities);
        // Twice: what was held back for a member that was down is done the second time.
        for name in shape.hosts.iter().chain(&shape.hosts) {
            let name = host(name);
            if !spec.hosts().contains(&name) {
                continue;
            }
            let selection = hosts(&[name.as_str()]);
            let facts = world.observe(&spec);
            let part = narrowed(&world, &spec, selection.clone());
            expect_part(&part, &plan_of(&world, &spec))?;
            prop_assert_eq!(violations(&part, &spec, &facts), Vec::<String>::new());
            let elsewhere = part.steps.iter().find(|step| {
                *step.host() != name && !matches!(step.kind, StepKind::ProveHealthy { .. })
            });
            prop_assert_eq!(elsewhere, None);
            let (after, report) = apply_with(world, &spec, &policy(selection), 8, None, Repeat::Once);
            prop_assert_eq!(report.failed().count(), 0, "{}", after.story.join("\n"));
            world = after;
        }
        let rest = plan_of(&world, &spec);
        prop_assert!(rest.is_empty(), "{:#?}", rest);
    }
}

#[test]
fn a_bootstrap_can_not_be_narrowed_to_some_of_its_hosts() {
    let (world, spec) = plain(3).world();
    let part = narrowed(&world, &spec, hosts(&["etcd-1", "etcd-2"]));
    assert!(part.steps.is_empty());
    let codes: Vec<&str> =
        part.report.blocked.iter().map(|found| found.finding.code.as_str()).collect();
    assert_eq!(codes, ["narrowed-bootstrap"]);
    assert!(part.report.blocked[0].finding.message.contains("etcd-3"));
    let all = narrowed(&world, &spec, hosts(&["etcd-1", "etcd-2", "etcd-3"]));
    assert_eq!(all.steps, plan_of(&world, &spec).steps);
}

#[test]
fn a_restart_of_one_host_is_held_back_while_another_member_is_down() {
    let shape = plain(3);
    let (world, spec) = shape.world();
    let mut world = formed(world, &spec);
    world.hosts.get_mut("etcd-3").unwrap().members.get_mut("c0").unwrap().process = None;
    world.settle();
    let wanted = changed(&shape).spec(&world.authorities);
    let part = narrowed(&world, &wanted, hosts(&["etcd-1"]));
    assert!(part.report.held[0].message.contains("until etcd-3 is healthy"), "{:?}", part.report);
    assert!(!part.steps.iter().any(|step| step.kind.disrupts()));
}

#[test]
fn trouble_of_a_cluster_that_was_not_selected_blocks_nothing_and_is_told() {
    let shape = Shape { clusters: vec![1, 3], ..plain(3) };
    let (mut world, mut spec) = shape.world();
    world.hosts.get_mut("etcd-3").unwrap().reachable = false;
    spec.clusters.get_mut("c1").unwrap().authorities.peer = None;
    let whole = plan_of(&world, &spec);
    assert!(whole.steps.iter().all(|step| step.cluster() != Some(&cluster(1))));
    // A host that might carry it is waited for by a cluster that is to be formed, and by nothing else.
    let waits = narrowed(&world, &spec, clusters(&[0]));
    let codes: Vec<&str> =
        waits.report.blocked.iter().map(|found| found.finding.code.as_str()).collect();
    assert_eq!(codes, ["unseen"]);
    world.hosts.get_mut("etcd-3").unwrap().reachable = true;
    let part = narrowed(&world, &spec, clusters(&[0]));
    assert!(!part.steps.is_empty() && part.report.unseen.is_empty());
    let left = &part.report.left_out;
    assert!(left.iter().any(|l| l.cluster == Some(cluster(1)) && l.problems == 1), "{left:?}");
    let first = Shape { clusters: vec![1], ..plain(3) }.spec(&world.authorities);
    let mut world = formed(world, &first);
    world.hosts.get_mut("etcd-3").unwrap().reachable = false;
    let part = narrowed(&world, &spec, clusters(&[0]));
    assert!(part.report.blocked.is_empty() && part.report.unseen.is_empty());
    let left = &part.report.left_out;
    assert!(left.iter().any(|l| l.cluster == Some(cluster(1)) && l.problems == 2), "{left:?}");
}

#[test]
fn the_hash_and_the_fingerprint_are_those_of_the_selection() {
    let shape = Shape { clusters: vec![3, 3], ..plain(3) };
    let (world, spec) = shape.world();
    let world = formed(world, &spec);
    let whole = plan_of(&world, &spec);
    let part = narrowed(&world, &spec, clusters(&[0]));
    assert_eq!(part.steps, whole.steps);
    assert_ne!(fingerprint::hash(&part), fingerprint::hash(&whole));
    let mut moved = world.clone();
    moved.hosts.get_mut("etcd-2").unwrap().members.get_mut("c1").unwrap().process = None;
    moved.settle();
    let print = |world: &World, plan: &Plan| fingerprint::of(&world.observe(&spec), plan);
    assert_eq!(print(&world, &part), print(&moved, &narrowed(&moved, &spec, clusters(&[0]))));
    assert_ne!(print(&world, &whole), print(&moved, &plan_of(&moved, &spec)));
}

/// A selection that starts all members that are down can also prove the cluster whole again.
#[test]
fn a_part_that_starts_the_only_member_that_is_down_proves_the_cluster() {
    let (world, spec) = plain(3).world();
    let mut world = formed(world, &spec);
    let stop = |world: &mut World, name: &str| {
        world.hosts.get_mut(name).unwrap().members.get_mut("c0").unwrap().process = None;
    };
    let proves = |plan: &Plan| {
        plan.steps.iter().any(|step| matches!(step.kind, StepKind::ProveHealthy { .. }))
    };
    stop(&mut world, "etcd-2");
    assert!(proves(&narrowed(&world, &spec, hosts(&["etcd-2"]))));
    stop(&mut world, "etcd-3");
    let part = narrowed(&world, &spec, hosts(&["etcd-2"]));
    assert!(!proves(&part));
    let [start] = &part.steps[..] else { panic!("{:?}", part.steps) };
    assert!(start.kind.is_start());
}

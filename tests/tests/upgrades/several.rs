//! Several minors in one apply: hop after hop, each the plan that an inventory would get which wants that release, and
//! nothing but what the first plan announced.

use std::collections::BTreeSet;

use inventories::inventory::Arch;
use inventories::{EtcdVersion, Minor};
use planner::plan::Verb;
use planner::report::FindingCode;
use planner::{Plan, Policy, Selection, SiteSpec, not_announced, plan};
use proptest::prelude::*;
use quorate_tests::cases::cases;
use quorate_tests::checker::violations;
use quorate_tests::sim::{Crash, Repeat};
use quorate_tests::site::{Shape, cluster, host, plain, spec_of};
use quorate_tests::story::{apply, apply_all, formed, plan_of};
use quorate_tests::world::World;

fn release(text: &str) -> EtcdVersion {
    text.parse().expect("a release")
}

/// A site that wants this release, and pins these beside it.
fn wants(shape: &Shape, world: &World, version: &str, pins: &[&str]) -> SiteSpec {
    let mut inventory = Shape { version: release(version), ..shape.clone() }.inventory();
    for pin in pins {
        inventory.release.sha256.insert((release(pin), Arch::Amd64), "ab".repeat(32));
    }
    spec_of(&inventory, &world.authorities)
}

const PINS: &[&str] = &["3.5.35", "3.6.16"];

fn at(version: &str) -> (Shape, World) {
    let shape = Shape { version: release(version), ..plain(3) };
    let (world, spec) = shape.world();
    let world = formed(world, &spec);
    (shape, world)
}

fn hops(plan: &Plan) -> Vec<String> {
    plan.report.hops.iter().map(|hop| format!("{} -> {}", hop.from, hop.to)).collect()
}

#[test]
fn each_plan_is_that_of_its_own_hop_and_the_first_names_all() {
    for (from, to, stops) in [
        ("3.4.23", "3.7.3", ["3.5.35", "3.6.16", "3.7.3"].as_slice()),
        ("3.7.3", "3.5.35", &["3.6.16", "3.5.35"]),
        ("3.5.10", "3.6.16", &["3.5.35", "3.6.16"]),
    ] {
        let (shape, mut world) = at(from);
        let wanted = wants(&shape, &world, to, PINS);
        for (number, stop) in stops.iter().enumerate() {
            let facts = world.observe(&wanted);
            let made = plan(&wanted, &facts, &Policy::default()).unwrap();
            assert_eq!(hops(&made).len(), stops.len() - number, "{made:#?}");
            let alone = wants(&shape, &world, stop, PINS);
            assert_eq!(made.steps, plan_of(&world, &alone).steps, "{from} to {stop}");
            assert_eq!(violations(&made, &alone, &facts), Vec::<String>::new());
            let (next, report) = apply(world, &wanted, 8, None, Repeat::Once);
            assert_eq!(report.failed().count(), 0, "{}", next.story.join("\n"));
            world = next;
        }
        assert!(plan_of(&world, &wanted).is_empty());
        assert_eq!(world.minors(&cluster(0)), [release(to).minor()].into());
    }
}

#[test]
fn one_apply_goes_from_the_oldest_minor_to_the_newest_and_down_again() {
    let (shape, world) = at("3.4.23");
    let wanted = wants(&shape, &world, "3.7.3", PINS);
    let (world, report) = apply_all(world, &wanted, None);
    assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
    assert_eq!(world.minors(&cluster(0)), [Minor::V3_7].into());
    let lower = wants(&shape, &world, "3.5.35", PINS);
    let (world, report) = apply_all(world, &lower, None);
    assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
    assert_eq!(world.minors(&cluster(0)), [Minor::V3_5].into());
    assert!(plan_of(&world, &lower).is_empty());
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn a_way_that_is_killed_anywhere_is_gone_on_by_the_next_apply(
        hop in 0..3_usize,
        index in any::<prop::sample::Index>(),
        after in any::<bool>(),
        down in any::<bool>(),
    ) {
        let (from, to, last) = if down { ("3.7.3", "3.5.35", 1) } else { ("3.4.23", "3.7.3", 2) };
        let (shape, world) = at(from);
        let wanted = wants(&shape, &world, to, PINS);
        // Every hop of three members has at least so many steps.
        let number = index.index(15);
        let crash = if after { Crash::After(number) } else { Crash::Before(number) };
        let (stopped, _) = apply_all(world, &wanted, Some((hop.min(last), crash)));
        let (done, report) = apply_all(stopped, &wanted, None);
        prop_assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
        let left = plan_of(&done, &wanted);
        prop_assert!(left.is_empty(), "{:#?}", left);
        prop_assert_eq!(done.minors(&cluster(0)), BTreeSet::from([release(to).minor()]));
    }
}

#[test]
fn a_release_that_is_not_pinned_is_no_stop_and_is_named() {
    let (shape, world) = at("3.4.23");
    let refused = plan_of(&world, &wants(&shape, &world, "3.7.3", &["3.5.31", "3.6.16"]));
    assert!(refused.steps.is_empty() && refused.report.hops.is_empty());
    let finding = &refused.report.blocked[0].finding;
    assert_eq!(finding.code, FindingCode::ChangingVersion);
    let hint = finding.hint.as_deref().unwrap();
    assert!(hint.contains("quorate release pin 3.5.35 3.6.16 3.7.3"), "{hint}");
}

/// The first plan of a way from 3.5 to 3.7, the world after it, and what is wanted.
fn after_the_first() -> (Plan, World, SiteSpec) {
    let (shape, world) = at("3.5.35");
    let wanted = wants(&shape, &world, "3.7.3", PINS);
    let first = plan_of(&world, &wanted);
    let (world, report) = apply(world, &wanted, 8, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0);
    (first, world, wanted)
}

#[test]
fn what_was_not_announced_stops_the_way() {
    let (first, world, wanted) = after_the_first();
    assert_eq!(not_announced(&first, &plan_of(&world, &wanted)), Vec::<String>::new());

    let mut down = world.clone();
    let second = down.hosts.get_mut(&host("etcd-2")).expect("a host");
    second.members.get_mut(&cluster(0)).expect("its member").process = None;
    let others = not_announced(&first, &plan_of(&down, &wanted));
    assert!(others.iter().any(|other| other.contains("step etcd-2/c0/start")), "{others:?}");
    assert!(others.iter().any(|other| other.contains("[upgrade-waits]")), "{others:?}");

    let mut other = wanted;
    other.release.sha256.insert((release("3.6.17"), Arch::Amd64), "ab".repeat(32));
    assert_eq!(not_announced(&first, &plan_of(&world, &other)), Vec::<String>::new());
    let other = wants(&at("3.5.35").0, &world, "3.7.2", PINS);
    let others = not_announced(&first, &plan_of(&world, &other));
    assert_eq!(others, ["the hops that are left: c0 to 3.7.3 -> c0 to 3.7.2"]);
}

#[test]
fn a_plan_of_some_hosts_brings_nobody_further_than_its_own_hop() {
    let (shape, world) = at("3.5.35");
    let wanted = wants(&shape, &world, "3.7.3", PINS);
    let selection = Selection { hosts: [host("etcd-2")].into(), ..Selection::default() };
    let policy = Policy { selection, ..Policy::default() };
    let made = plan(&wanted, &world.observe(&wanted), &policy).unwrap();
    assert_eq!(hops(&made), ["3.5.35 -> 3.6.16"]);
    assert!(made.steps.iter().all(|step| step.id.verb != Verb::ProveVersion));
}

/// Until the cluster has reached the minor that its members run, no member leaves that minor.
#[test]
fn a_cluster_is_proven_at_its_own_minor_before_it_leaves_it() {
    let (_, world, wanted) = after_the_first();
    let mut facts = world.observe(&wanted);
    for host in ["etcd-1", "etcd-2", "etcd-3"] {
        let member = quorate_tests::seen::member(&mut facts, host);
        quorate_tests::seen::known(&mut member.etcd).storage =
            planner::facts::Observed::Known(Minor::V3_5);
    }
    let made = plan(&wanted, &facts, &Policy::default()).unwrap();
    let verbs: Vec<_> = made.steps.iter().map(|step| step.id.verb.clone()).collect();
    assert_eq!(verbs, [Verb::ProveVersion]);
    assert_eq!(hops(&made), ["3.6.16 -> 3.6.16", "3.6.16 -> 3.7.3"]);
}

#[test]
fn the_name_of_a_plan_covers_the_hops_after_it() {
    let (shape, world) = at("3.5.35");
    let long = plan_of(&world, &wants(&shape, &world, "3.7.3", PINS));
    let short = plan_of(&world, &wants(&shape, &world, "3.6.16", PINS));
    assert_eq!(long.steps, short.steps);
    assert_ne!(planner::fingerprint::hash(&long), planner::fingerprint::hash(&short));
}

//! A cluster is formed once, wherever its members move.

use std::collections::{BTreeMap, BTreeSet};

use inventories::HostName;
use planner::facts::Observed;
use planner::fingerprint;
use planner::plan::Verb;
use planner::{FormedRecord, Policy, SiteSpec, Step, StepId, StepKind, plan, records};
use proptest::prelude::*;
use quorate_tests::cases::cases;
use quorate_tests::checker::violations;
use quorate_tests::shared::Shared;
use quorate_tests::sim::Repeat;
use quorate_tests::site::{Shape, cluster, host, shapes, spec_of};
use quorate_tests::story::{apply, formed, plan_of};
use quorate_tests::world::{SimHost, World};

/// A formed cluster on the first hosts of a site that has as many again.
fn doubled(shape: &Shape) -> (Shape, World, FormedRecord) {
    let spares = (0..shape.hosts.len()).map(|number| format!("spare-{number}"));
    let hosts = shape.hosts.iter().cloned().chain(spares).collect();
    let shape = Shape { hosts, clusters: shape.clusters[..1].to_vec(), ..shape.clone() };
    let (world, spec) = shape.world();
    let first = plan_of(&world, &spec);
    let world = formed(world, &spec);
    let mut made = records(&spec, &first, &world.observe(&spec), &Policy::default());
    let record = made.remove(&cluster(0)).unwrap();
    (shape, world, record)
}

/// The inventory after each of these members was replaced by a spare host.
fn moved(shape: &Shape, world: &World, away: &BTreeSet<usize>) -> SiteSpec {
    let mut inventory = shape.inventory();
    let half = shape.hosts.len() / 2;
    let cluster = inventory.clusters.get_mut(&cluster(0)).unwrap();
    let member = |number: usize| if away.contains(&number) { half + number } else { number };
    cluster.members = (0..shape.clusters[0]).map(|n| host(&shape.hosts[member(n)])).collect();
    spec_of(&inventory, &world.authorities)
}

/// Nobody starts but who joins what runs, whatever is in the plan besides; and where nobody can join, it is refused.
fn is_not_formed_again(world: &World, spec: &SiteSpec) -> Result<(), TestCaseError> {
    let facts = world.observe(spec);
    let made = plan(spec, &facts, &Policy::default()).unwrap();
    prop_assert_eq!(violations(&made, spec, &facts), Vec::<String>::new());
    let joins = |step: &Step| {
        let promotes = StepId::for_member(step.host(), &cluster(0), Verb::Promote);
        made.step(&promotes).is_some()
    };
    let starts = || made.steps.iter().filter(|step| step.kind.is_start());
    let forms: Vec<&Step> = starts().filter(|step| !joins(step)).collect();
    prop_assert_eq!(forms, Vec::<&Step>::new(), "{:#?}", made.report);
    prop_assert!(starts().next().is_some() || made.report.refused().next().is_some());
    Ok(())
}

fn with_record(mut spec: SiteSpec, record: &FormedRecord) -> SiteSpec {
    let known = Observed::Known(record.clone());
    spec.clusters.values_mut().for_each(|cluster| cluster.formed = known.clone());
    spec
}

proptest! {
    #![proptest_config(cases(32))]

    /// Some or all members are replaced, and any of the old hosts may be out of reach meanwhile: also then
    /// there is no second cluster, with or without a record.
    #[test]
    fn members_that_are_replaced_do_not_form_a_second_cluster(
        shape in shapes(),
        away in prop::collection::btree_set(0_usize..5, 0..=5),
        all in any::<bool>(),
        unseen in prop::collection::btree_set(0_usize..5, 0..3),
        recorded in any::<bool>(),
    ) {
        let (shape, mut world, record) = doubled(&shape);
        let members = shape.clusters[0];
        let away: BTreeSet<usize> = (0..members).filter(|n| all || away.contains(n)).collect();
        prop_assume!(!away.is_empty());
        for number in unseen {
            world.hosts.get_mut(&host(&shape.hosts[number])).unwrap().reachable = false;
        }
        let spec = moved(&shape, &world, &away);
        let spec = if recorded { with_record(spec, &record) } else { spec };
        is_not_formed_again(&world, &spec)?;
    }

    /// Every host gets another address, which leads to another machine: the old ones run somewhere, and
    /// nothing but the record knows.
    #[test]
    fn hosts_that_are_all_others_do_not_form_a_second_cluster(shape in shapes()) {
        let (shape, world, record) = doubled(&shape);
        let others: BTreeMap<HostName, Shared<SimHost>> =
            world.hosts.keys().map(|name| (name.clone(), Shared::new(SimHost::empty()))).collect();
        let others = World { hosts: others, ..world };
        let spec = with_record(shape.spec(&others.authorities), &record);
        is_not_formed_again(&others, &spec)?;
    }
}

#[test]
fn the_record_is_made_by_the_apply_that_forms_and_by_no_plan_without_steps() {
    let shape = quorate_tests::site::plain(3);
    let (world, spec) = shape.world();
    let first = plan_of(&world, &spec);
    let policy = Policy::default();
    assert_eq!(records(&spec, &first, &world.observe(&spec), &policy), BTreeMap::new());
    let (world, _) = apply(world, &spec, 4, None, Repeat::Once);
    let facts = world.observe(&spec);
    let made = records(&spec, &first, &facts, &policy);
    assert_eq!(made[&cluster(0)].cluster_id, world.formed[&cluster(0)]);
    assert_eq!(made[&cluster(0)].formed, "2026-11-23");
    assert_eq!(records(&spec, &plan_of(&world, &spec), &facts, &policy), BTreeMap::new());
    // What is recorded is not recorded again, and never another cluster over it unless that is allowed.
    let recorded = with_record(spec.clone(), &made[&cluster(0)]);
    assert_eq!(records(&recorded, &first, &facts, &policy), BTreeMap::new());
    let other = FormedRecord { cluster_id: "1".to_owned(), formed: "2020-01-01".to_owned() };
    let other = with_record(spec, &other);
    assert_eq!(records(&other, &first, &facts, &policy), BTreeMap::new());
    let allowed = Policy { allow_reform: BTreeSet::from([cluster(0)]), ..policy };
    assert_eq!(records(&other, &first, &facts, &allowed), made);
    // What is done differs, so the plans do.
    let hash = |policy: &Policy| fingerprint::hash(&plan(&other, &facts, policy).unwrap());
    assert_ne!(hash(&Policy::default()), hash(&allowed));
}

#[test]
fn a_cluster_that_was_formed_before_is_formed_again_only_by_name() {
    let (shape, world, record) = doubled(&quorate_tests::site::plain(3));
    let spec = with_record(moved(&shape, &world, &BTreeSet::from([0, 1, 2])), &record);
    let facts = world.observe(&spec);
    let policy = |names: &[usize]| Policy {
        allow_reform: names.iter().map(|number| cluster(*number)).collect(),
        ..Policy::default()
    };
    let codes = |policy: &Policy| {
        let made = plan(&spec, &facts, policy).unwrap();
        let codes: Vec<&str> =
            made.report.blocked.iter().map(|found| found.finding.code.as_str()).collect();
        (codes, made.steps.iter().any(|step| matches!(step.kind, StepKind::StoreToken)), made)
    };
    let (refused, acts, _) = codes(&policy(&[1]));
    assert_eq!((refused, acts), (vec!["formed-before"], false));
    let (allowed, acts, made) = codes(&policy(&[0]));
    assert_eq!((allowed, acts), (vec![], true));
    assert!(made.report.one_way.iter().any(|line| line.contains("--allow-reform c0")));
}

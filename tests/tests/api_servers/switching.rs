//! API servers that go from one cluster to another keep the one that they leave until they are done, and so does whatever
//! can't be told apart from a member that leaves.

use inventories::Inventory;
use planner::plan::{Leaver, Verb};
use planner::policy::{DestroyRequest, Maintenance};
use planner::{Observed, Plan, Policy, Selection, SiteSpec, Step, StepKind, plan};
use quorate_tests::checker::violations;
use quorate_tests::sim::Repeat;
use quorate_tests::site::{cluster, host, spec_of};
use quorate_tests::story::{apply_with, formed, plan_of};
use quorate_tests::world::World;

use super::held::rewrite;
use super::{codes, name, of_verb, site_of, waits, wired, with_members};

const WIRED: &str = "https://10.77.0.11:2379,https://10.77.0.12:2379,https://10.77.0.13:2379";

fn allowed() -> Policy {
    Policy { allow_switch: [name()].into(), ..Policy::default() }
}

fn planned(world: &World, spec: &SiteSpec, policy: &Policy) -> Plan {
    let facts = world.observe(spec);
    let plan = plan(spec, &facts, policy).unwrap();
    assert_eq!(violations(&plan, spec, &facts), Vec::<String>::new());
    plan
}

fn removals(plan: &Plan) -> Vec<&Step> {
    let serves =
        |step: &&Step| matches!(step.kind, StepKind::RemoveListed { leaver: Leaver::Serves, .. });
    plan.steps.iter().filter(serves).collect()
}

/// The API servers use c0 and are to use c1, while c0 gets another member.
fn switching() -> (World, Inventory) {
    let (world, mut inventory) = site_of(vec![3, 1]);
    let spec = spec_of(&inventory, &world.authorities);
    let world = formed(world, &spec);
    assert!(plan_of(&world, &spec).is_empty());
    inventory.kubernetes.get_mut(&name()).unwrap().cluster = cluster(1);
    (world, inventory)
}

fn swapped(inventory: &Inventory, world: &World) -> SiteSpec {
    let mut inventory = inventory.clone();
    let wanted = inventory.clusters.get_mut(&cluster(0)).unwrap();
    wanted.members = ["etcd-1", "etcd-2", "etcd-4"].map(host).into();
    spec_of(&inventory, &world.authorities)
}

#[test]
fn a_member_stays_until_the_api_servers_that_leave_its_cluster_are_done() {
    let (world, inventory) = switching();
    let spec = swapped(&inventory, &world);
    let plan = planned(&world, &spec, &allowed());
    let awaits = of_verb(&plan, &Verb::AwaitApiServer);
    let removals = removals(&plan);
    assert_eq!((awaits.len(), removals.len()), (2, 1));
    for ready in awaits {
        assert!(waits(&plan, removals[0], ready), "{}", ready.id);
    }
    let (world, report) = apply_with(world, &spec, &allowed(), 4, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
    assert!(plan_of(&world, &spec).is_empty());
}

#[test]
fn a_member_stays_while_an_api_server_may_not_leave_its_cluster() {
    let (world, inventory) = switching();
    let spec = swapped(&inventory, &world);
    let plan = planned(&world, &spec, &Policy::default());
    assert_eq!(removals(&plan).len(), 0);
    for code in ["other-etcd", "removal-waits"] {
        assert!(codes(&plan).contains(&code), "{:?}", codes(&plan));
    }
}

#[test]
fn a_cluster_is_destroyed_only_after_the_api_servers_that_leave_it_are_done() {
    let (world, inventory) = switching();
    let spec = spec_of(&inventory, &world.authorities);
    let request = DestroyRequest { cluster: cluster(0), api_servers: Observed::Known([].into()) };
    let destroy = Policy { maintenance: Some(Maintenance::Destroy(request)), ..Policy::default() };
    let refused = planned(&world, &spec, &destroy);
    assert!(refused.steps.is_empty());
    assert_eq!(codes(&refused), ["clients-not-stopped"]);
    let said = &refused.report.blocked[0].finding.message;
    assert_eq!(said, "the API server of etcd-6, etcd-7 lists its members");
    let (world, report) = apply_with(world, &spec, &allowed(), 4, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
    let plan = planned(&world, &spec, &destroy);
    assert!(!plan.steps.is_empty() && plan.report.blocked.is_empty(), "{:?}", codes(&plan));
}

/// What leads to a member by another address of its host, by a name or by a virtual address may lead to the one that goes.
#[test]
fn a_server_that_is_no_member_s_address_may_be_the_member_that_leaves() {
    let (world, inventory) = wired(3);
    let spec = with_members(&inventory, &world, &["etcd-1", "etcd-2", "etcd-4"]);
    let members = ["etcd-1", "etcd-2", "etcd-3", "etcd-4"].map(host);
    let selection = Selection { hosts: members.into(), ..Selection::default() };
    let policy = Policy { selection, ..Policy::default() };
    let stay = "https://10.77.0.11:2379,https://10.77.0.12:2379";
    for (lists, goes) in [
        (WIRED.to_owned(), false),
        (stay.to_owned(), true),
        (format!("{stay},https://10.77.0.14:2379"), true),
        (format!("{stay},https://10.99.0.13:2379"), false),
        (format!("{stay},https://10.77.0.200:2379"), false),
        (format!("{stay},https://etcd.lab:2379"), false),
    ] {
        let mut world = world.clone();
        for name in ["etcd-6", "etcd-7"] {
            rewrite(&mut world, name, WIRED, &lists);
        }
        let plan = planned(&world, &spec, &policy);
        assert_eq!(removals(&plan).len(), usize::from(goes), "{lists}: {:?}", codes(&plan));
        assert_eq!(codes(&plan).contains(&"removal-waits"), !goes, "{lists}");
    }
}

//! A member neither leaves nor moves while an API server that stays as it is may look for it there.

use std::collections::BTreeSet;

use inventories::{Inventory, StoredResource};
use planner::plan::Verb;
use planner::{Plan, Policy, Selection, SiteSpec, Step, StepKind, plan};
use quorate_tests::checker::violations;
use quorate_tests::sim::Repeat;
use quorate_tests::site::{cluster, host, spec_of};
use quorate_tests::story::{apply, formed, plan_of};
use quorate_tests::world::World;

use super::{checked, codes, name, of_verb, site_of, waits, wired};

/// The members of c0 get another client port.
fn with_port(inventory: &Inventory, world: &World) -> SiteSpec {
    let mut moved = inventory.clone();
    moved.clusters.get_mut(&cluster(0)).unwrap().ports.client = 2479;
    spec_of(&moved, &world.authorities)
}

/// The steps that take a member away from where it serves, or prepare that.
fn turns(plan: &Plan) -> Vec<String> {
    let verbs = [Verb::Unit, Verb::UpdatePeerUrl, Verb::StopOldRuntime, Verb::Restart];
    let turns = plan.steps.iter().filter(|step| verbs.contains(&step.id.verb));
    turns.map(|step| step.id.to_string()).collect()
}

pub(super) fn rewrite(world: &mut World, name: &str, from: &str, to: &str) {
    let server = world.hosts.get_mut(&host(name)).unwrap().api_server.as_mut().unwrap();
    assert!(server.manifest.contains(from), "{}", server.manifest);
    server.manifest = server.manifest.replace(from, to);
    server.process = Some(server.manifest.clone());
}

#[test]
fn members_stay_where_they_are_while_an_api_server_knows_no_other_place() {
    let (world, inventory) = wired(3);
    let spec = with_port(&inventory, &world);
    let mut unseen = world.clone();
    unseen.hosts.get_mut(&host("etcd-7")).unwrap().reachable = false;
    let mut unread = world;
    rewrite(&mut unread, "etcd-7", "- kube-apiserver\n", "- sh\n    - -c\n");
    for world in [unseen, unread] {
        let plan = checked(&world, &spec);
        assert_eq!(turns(&plan), Vec::<String>::new());
        assert!(codes(&plan).contains(&"roll-waits"), "{:?}", codes(&plan));
    }
}

/// One that is not selected stays as it is. What it lists decides.
#[test]
fn what_an_api_server_lists_that_stays_as_it_is_decides_whether_members_move() {
    let (world, inventory) = wired(3);
    let spec = with_port(&inventory, &world);
    let members = ["etcd-1", "etcd-2", "etcd-3"].map(host);
    let selection = Selection { hosts: members.into(), clusters: BTreeSet::new() };
    let policy = Policy { selection, ..Policy::default() };
    let old = "https://10.77.0.11:2379,https://10.77.0.12:2379,https://10.77.0.13:2379";
    let both = format!("{old},{}", old.replace("2379", "2479"));
    let some = "https://10.77.0.11:2379,https://10.77.0.11:2479,https://10.77.0.12:2379";
    let name = "https://localhost:2379";
    for (lists, moves) in [(old, false), (some, false), (name, false), (both.as_str(), true)] {
        let mut world = world.clone();
        for name in ["etcd-6", "etcd-7"] {
            rewrite(&mut world, name, old, lists);
        }
        let facts = world.observe(&spec);
        let plan = plan(&spec, &facts, &policy).unwrap();
        assert_eq!(violations(&plan, &spec, &facts), Vec::<String>::new());
        assert_eq!(!turns(&plan).is_empty(), moves, "{lists}: {:?}", codes(&plan));
        assert_eq!(codes(&plan).contains(&"roll-waits"), !moves, "{lists}");
    }
}

/// Its unit is what a boot takes it to the new place with.
#[test]
fn nothing_of_a_move_is_prepared_before_the_api_servers_list_both_places() {
    let (world, inventory) = wired(3);
    let plan = checked(&world, &with_port(&inventory, &world));
    let awaits = of_verb(&plan, &Verb::AwaitApiServer);
    assert_eq!(awaits.len(), 2);
    for unit in of_verb(&plan, &Verb::Unit) {
        for ready in &awaits {
            assert!(waits(&plan, unit, ready), "{}", unit.id);
        }
    }
}

/// c0 with three members and an etcd for events, c1, with one; both API servers use both.
fn with_events() -> (World, Inventory) {
    let (world, mut inventory) = site_of(vec![3, 1]);
    let prod = inventory.kubernetes.get_mut(&name()).unwrap();
    prod.overrides.insert(StoredResource::new("/events").unwrap(), cluster(1));
    let spec = spec_of(&inventory, &world.authorities);
    let world = formed(world, &spec);
    assert!(plan_of(&world, &spec).is_empty());
    (world, inventory)
}

fn swap(inventory: &mut Inventory, number: usize, members: &[&str]) {
    let wanted = inventory.clusters.get_mut(&cluster(number)).unwrap();
    wanted.members = members.iter().map(|name| host(name)).collect();
}

#[test]
fn a_member_stays_while_the_api_servers_wait_for_another_cluster() {
    let (mut world, mut inventory) = with_events();
    swap(&mut inventory, 0, &["etcd-1", "etcd-2", "etcd-4"]);
    swap(&mut inventory, 1, &["etcd-1", "etcd-2", "etcd-5"]);
    world.hosts.get_mut(&host("etcd-5")).unwrap().reachable = false;
    let spec = spec_of(&inventory, &world.authorities);
    let plan = checked(&world, &spec);
    assert_eq!(of_verb(&plan, &Verb::WireApiServer).len(), 0);
    let removes = |step: &&Step| matches!(step.kind, StepKind::RemoveListed { .. });
    assert_eq!(plan.steps.iter().filter(removes).count(), 0);
    assert!(plan.step(&"etcd-4/c0/promote".parse().unwrap()).is_some(), "who joins need not wait");
    for code in ["apiservers-wait", "removal-waits"] {
        assert!(codes(&plan).contains(&code), "{:?}", codes(&plan));
    }
    world.hosts.get_mut(&host("etcd-5")).unwrap().reachable = true;
    let (world, report) = apply(world, &spec, 4, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
    assert!(plan_of(&world, &spec).is_empty());
}

#[test]
fn a_member_stays_where_it_is_while_the_api_servers_wait_for_another_cluster() {
    let (mut world, mut inventory) = with_events();
    inventory.clusters.get_mut(&cluster(0)).unwrap().ports.client = 2479;
    swap(&mut inventory, 1, &["etcd-1", "etcd-2", "etcd-5"]);
    world.hosts.get_mut(&host("etcd-5")).unwrap().reachable = false;
    let plan = checked(&world, &spec_of(&inventory, &world.authorities));
    assert_eq!(of_verb(&plan, &Verb::WireApiServer).len(), 0);
    assert_eq!(of_verb(&plan, &Verb::Restart).len(), 0);
    for code in ["apiservers-wait", "roll-waits"] {
        assert!(codes(&plan).contains(&code), "{:?}", codes(&plan));
    }
}

/// The lists change once c1 has its new member, which comes after the moves of c0 on hosts that both use.
#[test]
fn one_cluster_moves_while_another_one_changes_its_members() {
    for members in [["etcd-1", "etcd-2", "etcd-4"], ["etcd-1", "etcd-4", "etcd-5"]] {
        let (world, mut inventory) = with_events();
        inventory.clusters.get_mut(&cluster(0)).unwrap().ports.client = 2479;
        swap(&mut inventory, 1, &members);
        let spec = spec_of(&inventory, &world.authorities);
        checked(&world, &spec);
        let mut world = world;
        for _ in 0..4 {
            let (done, report) = apply(world, &spec, 4, None, Repeat::Once);
            assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
            world = done;
        }
        assert!(plan_of(&world, &spec).is_empty());
    }
}

/// A cluster is formed beside one whose members move.
#[test]
fn one_cluster_moves_while_another_one_is_formed() {
    let (world, mut inventory) = site_of(vec![3, 1]);
    let events = inventory.clusters.remove(&cluster(1)).unwrap();
    let spec = spec_of(&inventory, &world.authorities);
    let mut world = formed(world, &spec);
    inventory.clusters.insert(cluster(1), events);
    let prod = inventory.kubernetes.get_mut(&name()).unwrap();
    prod.overrides.insert(StoredResource::new("/events").unwrap(), cluster(1));
    inventory.clusters.get_mut(&cluster(0)).unwrap().ports.client = 2479;
    let spec = spec_of(&inventory, &world.authorities);
    checked(&world, &spec);
    for _ in 0..4 {
        let (done, report) = apply(world, &spec, 4, None, Repeat::Once);
        assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
        world = done;
    }
    assert!(plan_of(&world, &spec).is_empty());
}

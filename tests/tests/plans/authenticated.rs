//! etcd's own authentication refuses quorate's certificate: the plan says so, and holds every step that changes who is a
//! member.

use std::collections::BTreeSet;
use std::net::IpAddr;

use inventories::HostName;
use planner::{Policy, SiteSpec, StepKind, plan};
use quorate_tests::checker::violations;
use quorate_tests::fault::Fault;
use quorate_tests::invariants::changes_membership;
use quorate_tests::roster::Listed;
use quorate_tests::seen::{known, member};
use quorate_tests::site::{Shape, cluster, host, plain, spec_of};
use quorate_tests::story::formed;
use quorate_tests::world::World;

/// A cluster of three on the first of five hosts, and the same with other `members`.
fn site(wanted: &[usize]) -> (World, SiteSpec) {
    let shape = Shape { clusters: vec![3], ..plain(5) };
    let (world, spec) = shape.world();
    let world = formed(world, &spec);
    let mut inventory = shape.inventory();
    inventory.clusters.get_mut(&cluster(0)).unwrap().members =
        wanted.iter().map(|number| host(&format!("etcd-{number}"))).collect();
    let spec = spec_of(&inventory, &world.authorities);
    (world, spec)
}

fn replacing(name: &str) -> Policy {
    let names: BTreeSet<HostName> = [host(name)].into();
    Policy { replace: names, ..Policy::default() }
}

fn changes(kind: &StepKind) -> bool {
    changes_membership(kind) || matches!(kind, StepKind::UpdatePeerUrl { .. })
}

/// The number of steps that change the membership, and the report, which says why there are none.
fn steps(world: &World, spec: &SiteSpec, policy: &Policy, forbidden: bool) -> (usize, String) {
    let mut facts = world.observe(spec);
    for name in ["etcd-1", "etcd-2", "etcd-3"].map(host) {
        let running = world.hosts[&name].members.values().any(|member| member.process.is_some());
        if forbidden && running {
            known(&mut member(&mut facts, name.as_str()).etcd).forbids_us = true;
        }
    }
    let plan = plan(spec, &facts, policy).unwrap();
    assert_eq!(violations(&plan, spec, &facts), Vec::<String>::new(), "{plan:#?}");
    let changes = plan.steps.iter().filter(|step| changes(&step.kind)).count();
    (changes, format!("{:#?}", plan.report))
}

#[test]
fn no_operation_begins_that_only_root_may_do() {
    let usual = Policy::default;
    let same = || site(&[1, 2, 3]);
    let failed = || {
        let (mut world, spec) = same();
        world.strike(&host("etcd-2"), Fault::DiskLost).unwrap();
        (world, spec)
    };
    let stray = || {
        let (mut world, spec) = same();
        let peer_url = "https://10.9.9.9:2380".to_owned();
        let row = Listed { id: "ab1".to_owned(), name: String::new(), peer_url, learner: false };
        world.lists.values_mut().next().unwrap().push(row);
        world.settle();
        (world, spec)
    };
    let moved = || {
        let shape = plain(3);
        let (world, spec) = shape.world();
        let mut world = formed(world, &spec);
        let (old, new) = (IpAddr::from([10, 77, 0, 12]), IpAddr::from([10, 88, 0, 12]));
        let mut inventory = shape.inventory();
        let entry = inventory.hosts.get_mut(&host("etcd-2")).unwrap();
        (entry.address, entry.peer_address) = (new, new);
        (entry.listen_address, entry.peer_listen_address) = (new, new);
        world.renumber(&host("etcd-2"), [old, new]);
        let spec = spec_of(&inventory, &world.authorities);
        (world, spec)
    };
    let strays = Policy { remove_members: ["ab1".to_owned()].into(), ..usual() };
    for (what, (world, spec), policy) in [
        ("replace a failed member", failed(), replacing("etcd-2")),
        ("replace one that serves", same(), replacing("etcd-2")),
        ("swap", site(&[1, 2, 4]), usual()),
        ("grow", site(&[1, 2, 3, 4, 5]), usual()),
        ("shrink", site(&[1]), usual()),
        ("remove a stray", stray(), strays),
        ("move", moved(), usual()),
    ] {
        let (begins, told) = steps(&world, &spec, &policy, false);
        assert!(begins > 0, "{what} is not planned at all: {told}");
        let (begins, told) = steps(&world, &spec, &policy, true);
        assert_eq!(begins, 0, "{what}: {told}");
        assert!(
            told.contains("etcd's own authentication refuses quorate's certificate"),
            "{what}: {told}"
        );
    }
}

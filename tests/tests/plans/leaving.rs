//! Members that leave a formed cluster: wherever an apply is killed, the next ones finish, and each plan on the way is
//! one that the checker accepts.

mod crashes;
mod faults;
mod laws;
mod plans;

use std::collections::BTreeSet;

use inventories::HostName;
use inventories::inventory::Runtime;
use planner::report::FindingCode;
use planner::{Plan, Policy, SiteSpec, Step, StepKind, cluster_now, plan};
use quorate_tests::checker::violations;
use quorate_tests::fault::Fault;
use quorate_tests::invariants::changes_membership;
use quorate_tests::sim::{Crash, Repeat};
use quorate_tests::site::{Shape, cluster, host, plain, spec_of};
use quorate_tests::story::{apply_with, formed};
use quorate_tests::world::World;

/// A formed cluster, and what its operator wants of it next.
#[derive(Clone)]
struct Site {
    shape: Shape,
    world: World,
    /// The `members` that it was formed with.
    before: SiteSpec,
    /// The `members` that are wanted now.
    wanted: SiteSpec,
}

impl Site {
    /// The first hosts carry the cluster, which is to have the members of `wanted`.
    fn new(runtime: Runtime, members: usize, wanted: &[usize]) -> Self {
        let shape = Shape { runtime, clusters: vec![members], ..plain(6) };
        let (world, before) = shape.world();
        let world = formed(world, &before);
        let mut site = Self { shape, wanted: before.clone(), before, world };
        site.wanted = site.of_members(wanted);
        site
    }

    /// etcd-3 is swapped for etcd-4.
    fn swap(runtime: Runtime) -> Self {
        Self::new(runtime, 3, &[1, 2, 4])
    }

    /// The same site with other `members`.
    fn of_members(&self, members: &[usize]) -> SiteSpec {
        let mut inventory = self.shape.inventory();
        let cluster = inventory.clusters.get_mut(&cluster(0)).unwrap();
        cluster.members = members.iter().map(|number| host(&format!("etcd-{number}"))).collect();
        spec_of(&inventory, &self.world.authorities)
    }

    /// The hosts that an inventory names as members.
    fn members(&self, spec: &SiteSpec) -> BTreeSet<HostName> {
        spec.clusters[&cluster(0)].members.keys().cloned().collect()
    }

    fn strike(mut self, name: &str, fault: Fault) -> Self {
        self.world.strike(&host(name), fault).unwrap();
        self
    }

    /// A plan for what is wanted.
    fn plan(&self) -> Plan {
        sound(&self.world, &self.wanted)
    }

    /// The member on a host ends.
    fn stop(mut self, name: &str) -> Self {
        let host = self.world.hosts.get_mut(&host(name)).unwrap();
        host.members.values_mut().for_each(|member| member.process = None);
        self.world.settle();
        self
    }
}

/// How many steps of a plan change who is a member.
fn changes(plan: &Plan) -> usize {
    let changes = |step: &&Step| changes_membership(&step.kind);
    plan.steps.iter().filter(changes).count()
}

/// The messages of what is held back for a reason.
fn held(plan: &Plan, code: FindingCode) -> String {
    let held = plan.report.held.iter().filter(|held| held.code == code);
    held.map(|held| held.message.clone()).collect::<Vec<_>>().join("; ")
}

/// A plan that the checker accepts.
fn sound(world: &World, spec: &SiteSpec) -> Plan {
    let facts = world.observe(spec);
    let plan = plan(spec, &facts, &Policy::default()).unwrap();
    let found = violations(&plan, spec, &facts);
    assert!(found.is_empty(), "{found:#?}\n{plan:#?}\n{}", world.story.join("\n"));
    plan
}

fn applied(world: World, spec: &SiteSpec, crash: Option<Crash>) -> World {
    sound(&world, spec);
    let (world, report) = apply_with(world, spec, &Policy::default(), 1, crash, Repeat::Once);
    if crash.is_none() {
        assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
    }
    world
}

/// Applies until there is nothing to do.
fn finished(mut world: World, spec: &SiteSpec) -> World {
    for _ in 0..3 {
        if sound(&world, spec).is_empty() {
            return world;
        }
        world = applied(world, spec, None);
    }
    panic!("{:#?}\n{}", sound(&world, spec), world.story.join("\n"));
}

/// The cluster has the members that are wanted, each of them runs and votes, and reports say so.
fn is_reached(world: &World, spec: &SiteSpec) {
    let wanted: BTreeSet<&str> =
        spec.clusters[&cluster(0)].members.keys().map(HostName::as_str).collect();
    let list = world.lists.values().next().unwrap();
    let names: BTreeSet<&str> = list.iter().map(|listed| listed.name.as_str()).collect();
    assert_eq!((names, list.len()), (wanted.clone(), wanted.len()), "{}", world.story.join("\n"));
    assert!(list.iter().all(|listed| !listed.learner), "{list:?}");
    assert_eq!(world.voting().values().next().unwrap().len(), wanted.len());
    let now = cluster_now(spec, &cluster(0), &world.observe(spec)).unwrap();
    assert_eq!((now.quorum.voters, now.quorum.healthy), (wanted.len(), wanted.len()));
}

/// Nothing of an unwanted member runs or could start again: at most an archive is left.
fn nobody_else_is_left(world: &World, spec: &SiteSpec) {
    let members = &spec.clusters[&cluster(0)].members;
    for (name, host) in world.hosts.iter().filter(|(name, _)| !members.contains_key(*name)) {
        let Some(member) = host.members.get(&cluster(0)) else { continue };
        let story = world.story.join("\n");
        assert!(member.process.is_none() && member.log.is_none(), "{name}: {member:?}\n{story}");
        let signs = (member.marker.is_some(), member.quorum_seen);
        assert_eq!(signs, (false, false), "{name}\n{story}");
    }
}

/// And of those that were members, nothing but the archive is there.
fn is_cleared(world: &World, name: &str) {
    let member = &world.hosts[&host(name)].members[&cluster(0)];
    let files = (member.unit.is_some(), member.manifest.is_some(), member.generation.is_some());
    assert_eq!(files, (false, false, false), "{name}: {}", world.story.join("\n"));
    assert!(member.loaded.is_none() && member.token.is_none(), "{name}: {member:?}");
}

//! Which hosts an apply locks.

use std::collections::BTreeSet;

use inventories::HostName;
use planner::{TooFewToLock, hosts_to_lock};
use quorate_tests::site::{cluster, host, plain};
use quorate_tests::story::formed;

use crate::planned;

fn locked(away: &[&str]) -> Result<BTreeSet<HostName>, TooFewToLock> {
    let (world, spec) = plain(3).world();
    let mut world = formed(world, &spec);
    for name in away {
        world.hosts.get_mut(&host(name)).unwrap().reachable = false;
    }
    // Something to do on the host that is always there.
    world
        .hosts
        .get_mut(&host("etcd-1"))
        .unwrap()
        .members
        .get_mut(&cluster(0))
        .unwrap()
        .generation = None;
    let facts = world.observe(&spec);
    let plan = planned(&spec, &facts);
    assert!(!plan.steps.is_empty());
    hosts_to_lock(&plan, &spec, &facts)
}

#[test]
fn every_host_that_was_seen_is_locked_and_more_than_half_of_a_cluster() {
    let hosts = |names: &[&str]| names.iter().map(|name| host(name)).collect::<BTreeSet<_>>();
    assert_eq!(locked(&[]), Ok(hosts(&["etcd-1", "etcd-2", "etcd-3"])));
    assert_eq!(locked(&["etcd-3"]), Ok(hosts(&["etcd-1", "etcd-2"])));
    let too_few = TooFewToLock { cluster: cluster(0), seen: 1, all: 3 };
    assert_eq!(locked(&["etcd-2", "etcd-3"]), Err(too_few));
}

#[test]
fn a_plan_without_steps_locks_nothing() {
    let (world, spec) = plain(3).world();
    let world = formed(world, &spec);
    let facts = world.observe(&spec);
    assert_eq!(hosts_to_lock(&planned(&spec, &facts), &spec, &facts), Ok(BTreeSet::new()));
}

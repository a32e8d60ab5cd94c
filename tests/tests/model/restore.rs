//! A cluster becomes what a snapshot holds, and an operator may change his mind as long as nothing is set aside.

use std::collections::BTreeSet;

use planner::Policy;
use planner::policy::{Maintenance, RestoreRequest};
use quorate_tests::fault::Fault;
use quorate_tests::model::{Bounds, Command, Left, Operation, Order, Times};
use quorate_tests::site::{host, plain, restore_request};
use quorate_tests::story::formed;

use super::{ALWAYS, CALM, proving, tell};

/// One fault, wherever in a story, and quorate is killed anywhere and again.
const ONE_FAULT: Bounds = Bounds {
    faults: &Fault::ALL,
    at_once: 1,
    often: Left { faults: Times::AtMost(1), ..ALWAYS },
    order: Order::PreparationsInTurn,
};

/// A formed cluster whose members on these hosts lost their disks.
fn restore(members: usize, lost: &[&str]) -> Operation {
    let (world, spec) = plain(members).world();
    let mut world = formed(world, &spec);
    for name in lost {
        world.strike(&host(name), Fault::DiskLost).unwrap_or_else(|broken| panic!("{broken}"));
    }
    // The members are known, so nobody is asked about old ones.
    let request = RestoreRequest { old_members_stopped: BTreeSet::new(), ..restore_request() };
    let restore = Command {
        policy: Policy {
            maintenance: Some(Maintenance::Restore(Box::new(request))),
            ..Policy::default()
        },
        ..Command::apply("quorate restore", spec.clone())
    };
    Operation::apply(world, spec).helped_by(restore).of_sizes(members..=members)
}

fn walk(name: &str, operation: &Operation) {
    tell(name, operation, &Bounds { order: Order::PreparationsInTurn, ..CALM });
    if proving() {
        tell(name, operation, &ONE_FAULT);
    }
}

#[test]
fn a_single_member_is_restored() {
    walk("restore of 1", &restore(1, &[]));
}

#[test]
fn a_cluster_without_a_majority_is_restored() {
    walk("restore of 3, of which 2 lost their disks", &restore(3, &["etcd-2", "etcd-3"]));
}

#[test]
#[ignore = "a walk of a restore of members that all run is a proof: ./dev prove model"]
fn a_running_cluster_is_restored() {
    walk("restore of 3 that run", &restore(3, &[]));
}

//! A cluster goes to another minor, and back.

use inventories::{EtcdVersion, Minor};
use quorate_tests::fault::Fault;
use quorate_tests::model::{Bounds, Command, Left, Operation, Order, Times};
use quorate_tests::site::{Shape, cluster, plain};
use quorate_tests::story::formed;

use super::{ALWAYS, CALM, proving, tell};

/// One crash and one fault, wherever in a story, in which the operator may turn around once.
const ONE_OF_EACH: Bounds = Bounds {
    faults: &[Fault::Down, Fault::Cut, Fault::Slow],
    at_once: 1,
    often: Left { crashes: Times::AtMost(1), faults: Times::AtMost(1), turns: Times::AtMost(1) },
    order: Order::PreparationsInTurn,
};

/// A formed cluster that is to run the newest release of the next minor; the operator may turn around at any moment.
fn upgrade(members: usize, from: Minor, to: Minor) -> Operation {
    let [former, next] = [from, to]
        .map(|minor| Shape { version: EtcdVersion::newest_known(minor), ..plain(members) });
    let (world, spec) = former.world();
    let world = formed(world, &spec);
    let wanted = next.spec(&world.authorities);
    let back = Command::apply("quorate apply with the former version", spec);
    let mut operation = Operation::apply(world, wanted).or(back).of_sizes(members..=members);
    if members == 1 {
        // The only one is an outage, which the operator allows.
        for command in &mut operation.commands {
            command.policy.allow_outage.insert(cluster(0));
        }
    }
    operation
}

fn walk(name: &str, operation: &Operation) {
    let calm = Left { turns: Times::AtMost(1), ..ALWAYS };
    tell(name, operation, &Bounds { often: calm, order: Order::PreparationsInTurn, ..CALM });
    if proving() {
        tell(name, operation, &ONE_OF_EACH);
    }
}

#[test]
fn a_single_member_goes_to_the_next_minor_and_back() {
    walk("3.5 to 3.6 of 1", &upgrade(1, Minor::V3_5, Minor::V3_6));
}

#[test]
#[ignore = "a walk of an upgrade of three members and of the way back is a proof: ./dev prove model"]
fn three_members_go_to_the_next_minor_and_back() {
    walk("3.5 to 3.6 of 3", &upgrade(3, Minor::V3_5, Minor::V3_6));
    walk("3.6 to 3.7 of 3", &upgrade(3, Minor::V3_6, Minor::V3_7));
}

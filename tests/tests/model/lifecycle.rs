//! A cluster is formed, rolled and repaired.

use inventories::EtcdVersion;
use quorate_tests::model::{Bounds, Left, Operation, Order, Times};
use quorate_tests::site::{Shape, cluster, host, plain};
use quorate_tests::story::formed;

use super::{ALWAYS, CALM, FEW, ONE, TWO, proving, tell};

fn bootstrap(members: usize) -> Operation {
    let (world, spec) = plain(members).world();
    Operation::apply(world, spec)
}

/// A formed cluster that is to run another patch with another flag.
fn roll(members: usize) -> Operation {
    let shape = plain(members);
    let (world, spec) = shape.world();
    let world = formed(world, &spec);
    let wanted = Shape {
        quota: Some(8 << 30),
        version: EtcdVersion::new(shape.version.minor(), shape.version.patch() + 1),
        ..shape
    };
    let spec = wanted.spec(&world.authorities);
    Operation::apply(world, spec)
}

/// A formed cluster whose first member was stopped and its unit edited, and whose last one, where
/// there are more, lost its certificates and got a drop-in.
fn repair(members: usize) -> Operation {
    let (world, spec) = plain(members).world();
    let mut world = formed(world, &spec);
    let first = world.hosts.get_mut("etcd-1").and_then(|host| host.members.get_mut("c0"));
    if let Some(member) = first {
        member.process = None;
        member.unit = member.unit.take().map(|unit| unit + "# edited by hand\n");
    }
    let last = host(&format!("etcd-{members}"));
    if let Some(member) = world.hosts.get_mut(&last).and_then(|host| host.members.get_mut("c0"))
        && members > 1
    {
        member.generation = None;
        member.drop_ins = vec![format!("/etc/systemd/system/etcd-{}.service.d/a.conf", cluster(0))];
    }
    world.settle();
    Operation::apply(world, spec)
}

#[test]
fn bootstrap_of_one_member() {
    tell("bootstrap of 1", &bootstrap(1), &TWO);
}

#[test]
fn bootstrap_of_three_members() {
    if proving() {
        tell("bootstrap of 3", &bootstrap(3), &TWO);
    } else {
        tell("bootstrap of 3", &bootstrap(3), &Bounds { order: Order::PreparationsInTurn, ..CALM });
    }
}

#[test]
#[ignore = "a walk of five members is a proof: ./dev prove model"]
fn bootstrap_of_five_members() {
    tell("bootstrap of 5", &bootstrap(5), &Bounds { order: Order::PreparationsInTurn, ..CALM });
    let fewer = |crashes, faults| Left {
        crashes: Times::AtMost(crashes),
        faults: Times::AtMost(faults),
        ..ALWAYS
    };
    tell("bootstrap of 5", &bootstrap(5), &Bounds { often: fewer(1, 1), ..FEW });
    tell("bootstrap of 5", &bootstrap(5), &Bounds { often: fewer(0, 2), ..FEW });
}

#[test]
fn roll_of_three_members() {
    tell("roll of 3", &roll(3), if proving() { &TWO } else { &CALM });
}

#[test]
#[ignore = "a walk of five members is a proof: ./dev prove model"]
fn roll_of_five_members() {
    tell("roll of 5", &roll(5), &Bounds { order: Order::PreparationsInTurn, ..CALM });
    tell("roll of 5", &roll(5), &FEW);
}

#[test]
fn repair_of_one_member() {
    tell("repair of 1", &repair(1), &TWO);
}

#[test]
fn repair_of_three_members() {
    tell("repair of 3", &repair(3), if proving() { &TWO } else { &CALM });
}

#[test]
#[ignore = "a walk of five members is a proof: ./dev prove model"]
fn repair_of_five_members() {
    tell("repair of 5", &repair(5), &Bounds { order: Order::PreparationsInTurn, ..ONE });
    tell("repair of 5", &repair(5), &Bounds { order: Order::Every, ..FEW });
}

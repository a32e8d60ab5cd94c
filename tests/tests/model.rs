//! The exhaustive model, in bounds that every run affords. In full:
//! `QUORATE_PROVE=1 cargo test --release -p quorate-tests --test model -- --nocapture --include-ignored`, which is
//! `./dev prove model`.
#![expect(clippy::print_stdout, reason = "what a walk saw is a result of the run")]

use std::time::Instant;

use inventories::EtcdVersion;
use planner::SiteSpec;
use quorate_tests::fault::Fault;
use quorate_tests::model::{Bounds, Left, Often, Order, walk};
use quorate_tests::site::{Shape, cluster, host, plain};
use quorate_tests::story::formed;
use quorate_tests::world::World;

/// Nothing goes wrong but quorate itself.
const CALM: Bounds = Bounds { faults: &[], at_once: 0, often: Often::Always, order: Order::Every };
/// One host at a time is in trouble.
const ONE: Bounds =
    Bounds { faults: &Fault::ALL, at_once: 1, often: Often::Always, order: Order::Every };
/// Two are.
const TWO: Bounds =
    Bounds { faults: &Fault::ALL, at_once: 2, often: Often::Always, order: Order::Every };

/// Two faults and one crash, wherever and whenever in a story: what is walked of five members.
const FEW: Bounds = Bounds {
    often: Often::AtMost(Left { crashes: 1, faults: 2 }),
    order: Order::PreparationsInTurn,
    ..TWO
};

/// Walks, and tells what the bounds were and what was seen.
fn tell(name: &str, (world, spec): (World, SiteSpec), bounds: &Bounds) {
    let begun = Instant::now();
    let walk = walk(world, &spec, bounds);
    let Bounds { at_once, often, order, .. } = bounds;
    println!(
        "{name}, {}, {at_once} host(s) in trouble at once, {}: {walk}, {:.1} s",
        match often {
            Often::Always => "crashes and faults anywhere and again".to_owned(),
            Often::AtMost(Left { crashes, faults }) => {
                format!("{crashes} crash(es) and {faults} fault(s) anywhere")
            }
        },
        match order {
            Order::Every => "every order",
            Order::PreparationsInTurn => "preparations in turn",
        },
        begun.elapsed().as_secs_f64()
    );
    assert!(walk.converged > 0);
}

fn bootstrap(members: usize) -> (World, SiteSpec) {
    plain(members).world()
}

/// A formed cluster that is to run another patch with another flag.
fn roll(members: usize) -> (World, SiteSpec) {
    let shape = plain(members);
    let (world, spec) = shape.world();
    let world = formed(world, &spec);
    let wanted = Shape {
        quota: Some(8 << 30),
        version: EtcdVersion::new(shape.version.minor(), shape.version.patch() + 1),
        ..shape
    };
    let spec = wanted.spec(&world.authorities);
    (world, spec)
}

/// A formed cluster whose first member was stopped and its unit edited, and whose last one, where
/// there are more, lost its certificates and got a drop-in.
fn repair(members: usize) -> (World, SiteSpec) {
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
    (world, spec)
}

/// Whether to walk in full: only an optimized build does that in minutes.
///
/// What is walked in no other way is an ignored test, so that a run that leaves it out says so.
fn proving() -> bool {
    std::env::var_os("QUORATE_PROVE").is_some() && !cfg!(debug_assertions)
}

#[test]
fn bootstrap_of_one_member() {
    tell("bootstrap of 1", bootstrap(1), &TWO);
}

#[test]
fn bootstrap_of_three_members() {
    if proving() {
        tell("bootstrap of 3", bootstrap(3), &TWO);
    } else {
        tell("bootstrap of 3", bootstrap(3), &Bounds { order: Order::PreparationsInTurn, ..CALM });
    }
}

#[test]
#[ignore = "a walk of five members is a proof: ./dev prove model"]
fn bootstrap_of_five_members() {
    tell("bootstrap of 5", bootstrap(5), &Bounds { order: Order::PreparationsInTurn, ..CALM });
    let fewer = |crashes, faults| Often::AtMost(Left { crashes, faults });
    tell("bootstrap of 5", bootstrap(5), &Bounds { often: fewer(1, 1), ..FEW });
    tell("bootstrap of 5", bootstrap(5), &Bounds { often: fewer(0, 2), ..FEW });
}

#[test]
fn roll_of_three_members() {
    tell("roll of 3", roll(3), if proving() { &TWO } else { &CALM });
}

#[test]
#[ignore = "a walk of five members is a proof: ./dev prove model"]
fn roll_of_five_members() {
    tell("roll of 5", roll(5), &Bounds { order: Order::PreparationsInTurn, ..CALM });
    tell("roll of 5", roll(5), &FEW);
}

#[test]
fn repair_of_one_member() {
    tell("repair of 1", repair(1), &TWO);
}

#[test]
fn repair_of_three_members() {
    tell("repair of 3", repair(3), if proving() { &TWO } else { &CALM });
}

#[test]
#[ignore = "a walk of five members is a proof: ./dev prove model"]
fn repair_of_five_members() {
    tell("repair of 5", repair(5), &Bounds { order: Order::PreparationsInTurn, ..ONE });
    tell("repair of 5", repair(5), &Bounds { order: Order::Every, ..FEW });
}

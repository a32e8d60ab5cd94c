//! The exhaustive model, small enough for every run. `./dev prove` walks further.
#![expect(clippy::print_stdout, reason = "what a walk saw is a result of the run")]

use inventories::EtcdVersion;
use quorate_tests::model::{Bounds, walk};
use quorate_tests::site::{Shape, plain};
use quorate_tests::story::formed;
use std::time::Instant;

fn tell(name: &str, shape: &Shape, bounds: &Bounds) {
    let (world, spec) = shape.world();
    let begun = Instant::now();
    let walk = walk(world, &spec, bounds);
    println!("{name}: {walk}, {:.2} s", begun.elapsed().as_secs_f64());
    assert!(walk.converged > 0);
}

fn tell_roll(name: &str, shape: &Shape, bounds: &Bounds) {
    let (world, spec) = shape.world();
    let world = formed(world, &spec);
    let wanted = Shape {
        quota: Some(8 << 30),
        version: EtcdVersion::new(shape.version.minor(), shape.version.patch() + 1),
        ..shape.clone()
    };
    let wanted = wanted.spec(&world.authorities);
    let begun = Instant::now();
    let walk = walk(world, &wanted, bounds);
    println!("{name}: {walk}, {:.2} s", begun.elapsed().as_secs_f64());
    assert!(walk.converged > 0);
}

/// `./dev prove` walks further than every run can.
fn proving() -> bool {
    std::env::var_os("QUORATE_PROVE").is_some()
}

#[test]
fn bootstrap_of_one_member() {
    tell("bootstrap of 1, 1 fault, 1 crash", &plain(1), &Bounds { faults: 1, crashes: 1 });
}

#[test]
fn bootstrap_of_more_members() {
    if proving() {
        tell("bootstrap of 1, 2 faults, 2 crashes", &plain(1), &Bounds { faults: 2, crashes: 2 });
        tell("bootstrap of 3, 1 crash", &plain(3), &Bounds { faults: 0, crashes: 1 });
        tell("bootstrap of 3, 1 fault, 1 crash", &plain(3), &Bounds { faults: 1, crashes: 1 });
    } else {
        tell("bootstrap of 3", &plain(3), &Bounds { faults: 0, crashes: 0 });
    }
}

#[test]
fn roll_of_three_members() {
    if proving() {
        tell_roll("roll of 3, 1 fault, 1 crash", &plain(3), &Bounds { faults: 1, crashes: 1 });
        tell_roll("roll of 3, 2 faults, 1 crash", &plain(3), &Bounds { faults: 2, crashes: 1 });
    } else {
        tell_roll("roll of 3, 1 crash", &plain(3), &Bounds { faults: 0, crashes: 1 });
    }
}

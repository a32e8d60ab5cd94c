//! The exhaustive model, in bounds that every run affords. In full:
//! `QUORATE_PROVE=1 cargo test --release -p quorate-tests --test model -- --nocapture --include-ignored`, which is
//! `./dev prove model`.
#![expect(clippy::print_stdout, reason = "what a walk saw is a result of the run")]

mod lifecycle;
mod membership;
mod restore;
mod upgrade;

use std::time::Instant;

use quorate_tests::fault::Fault;
use quorate_tests::model::{Bounds, Left, Operation, Order, Times, walk};

/// As often as it may be; the operator wants one thing.
const ALWAYS: Left = Left { crashes: Times::Any, faults: Times::Any, turns: Times::AtMost(0) };
/// Nothing goes wrong but quorate itself.
const CALM: Bounds = Bounds { faults: &[], at_once: 0, often: ALWAYS, order: Order::Every };
/// One host at a time is in trouble.
const ONE: Bounds = Bounds { faults: &Fault::ALL, at_once: 1, ..CALM };
/// Two are.
const TWO: Bounds = Bounds { at_once: 2, ..ONE };

/// Two faults and one crash, wherever and whenever in a story: what is walked of five members.
const FEW: Bounds = Bounds {
    often: Left { crashes: Times::AtMost(1), faults: Times::AtMost(2), ..ALWAYS },
    order: Order::PreparationsInTurn,
    ..TWO
};

/// Walks, and tells what the bounds were and what was seen.
fn tell(name: &str, operation: &Operation, bounds: &Bounds) {
    let started = Instant::now();
    let walk = walk(operation, bounds);
    let Bounds { at_once, often, order, .. } = bounds;
    let Left { crashes, faults, turns } = often;
    println!(
        "{name}, {}, {}, {}, {at_once} host(s) in trouble at once, {}: {walk}, {:.1} s",
        times(*crashes, "crash(es)"),
        times(*faults, "fault(s)"),
        times(*turns, "change(s) of mind"),
        match order {
            Order::Every => "every order",
            Order::PreparationsInTurn => "preparations in turn",
        },
        started.elapsed().as_secs_f64()
    );
}

fn times(times: Times, what: &str) -> String {
    match times {
        Times::Any => format!("any {what}"),
        Times::AtMost(most) => format!("{most} {what}"),
    }
}

/// Whether to walk in full: only an optimized build does that in minutes.
///
/// What is walked nowhere else is an ignored test, so that a run that leaves it out shows that.
fn proving() -> bool {
    std::env::var_os("QUORATE_PROVE").is_some() && !cfg!(debug_assertions)
}

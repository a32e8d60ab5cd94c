//! An apply that pauses between members, in the simulated world.

#![expect(clippy::unwrap_used, reason = "a test that can't continue is to panic")]

use std::collections::BTreeSet;
use std::sync::Arc;

use engine::bind;
use engine::event::Event;
use engine::execute::{Signal, execute};
use planner::progress::Outcome;
use planner::{Plan, StepId};
use quorate_tests::sim::{Crash, Repeat, Sim};
use quorate_tests::site::{Shape, plain};
use quorate_tests::story::{apply, formed, plan_of};
use tokio::sync::watch;

fn ids(names: &[&str]) -> BTreeSet<StepId> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// A formed cluster of three, and the inventory with another quota.
fn roll() -> (Sim, Plan, Shape) {
    let shape = plain(3);
    let (world, spec) = shape.world();
    let world = formed(world, &spec);
    let wanted = Shape { quota: Some(1 << 33), ..shape };
    let plan = plan_of(&world, &wanted.spec(&world.authorities));
    (Sim::new(world, None::<Crash>, Repeat::Once), plan, wanted)
}

#[test]
fn a_roll_pauses_after_each_member_but_the_last_and_a_bootstrap_never() {
    let (_, plan, _) = roll();
    assert_eq!(plan.pauses(), ids(&["etcd-2/c0/rejoin", "etcd-3/c0/rejoin"]));
    let (world, spec) = plain(3).world();
    assert_eq!(plan_of(&world, &spec).pauses(), BTreeSet::new());
}

/// What began after the pause, where the operator goes on after so many questions and stops at the next.
fn goes_on(times: usize) -> (Vec<StepId>, bool) {
    let (sim, plan, wanted) = roll();
    let pauses = plan.pauses();
    let bindings =
        bind::tokens(&plan, &sim.world().observe(&wanted.spec(&sim.world().authorities)));
    let (signal, signalled) = watch::channel(Signal::Go);
    let (mut asked, mut begun) = (0, Vec::new());
    let emit = |event: Event| match event {
        Event::StepFinished { id, outcome: Outcome::Done, .. } if pauses.contains(&id) => {
            signal.send_replace(Signal::Pause);
            asked += 1;
            let signal = signal.clone();
            let next = if asked > times { Signal::Stop } else { Signal::Go };
            tokio::spawn(async move { signal.send_replace(next) });
        }
        Event::StepStarted { id, .. } => {
            assert_eq!(*signal.borrow(), Signal::Go, "{id} began in a pause");
            begun.push(id);
        }
        _ => {}
    };
    let work = execute(&plan, Arc::new(sim.clone()), bindings.unwrap(), 8, signalled, emit);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let report = runtime.block_on(work);
    // Whatever came of it, the next apply finishes.
    let spec = wanted.spec(&sim.world().authorities);
    let (world, _) = apply(sim.world(), &spec, 8, None, Repeat::Once);
    assert!(plan_of(&world, &spec).is_empty());
    (begun, report.interrupted)
}

#[test]
fn a_no_between_members_ends_the_apply_and_a_yes_continues_it() {
    let hosts = |begun: &[StepId]| -> BTreeSet<String> {
        begun.iter().map(|id| id.host.to_string()).collect()
    };
    let (begun, interrupted) = goes_on(0);
    assert!(interrupted && hosts(&begun) == ["etcd-2".to_owned()].into(), "{begun:?}");
    let (begun, interrupted) = goes_on(1);
    assert!(interrupted && !hosts(&begun).contains("etcd-1"), "{begun:?}");
    let (begun, interrupted) = goes_on(2);
    assert!(!interrupted && hosts(&begun).len() == 3, "{begun:?}");
}

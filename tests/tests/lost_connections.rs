//! Connections that are lost in the middle of steps: the host is waited for, and the step done again.

use std::collections::BTreeMap;

use planner::progress::Outcome;
use proptest::prelude::*;
use quorate::engine::event::Event;
use quorate::engine::execute::ApplyReport;
use quorate_tests::cases::cases;
use quorate_tests::sim::{Loss, Sim};
use quorate_tests::site::{Shape, plain, shapes};
use quorate_tests::story::{apply_on, formed, plan_of};

fn losses(steps: usize, wanted: &[(prop::sample::Index, Loss)]) -> BTreeMap<usize, Loss> {
    wanted.iter().map(|(at, loss)| (at.index(steps), *loss)).collect()
}

fn some_losses() -> impl Strategy<Value = Vec<(prop::sample::Index, Loss)>> {
    let loss = prop_oneof![Just(Loss::Before), Just(Loss::After), Just(Loss::Meanwhile)];
    prop::collection::vec((any::<prop::sample::Index>(), loss), 1..4)
}

fn told_lost(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::ConnectionLost { .. })).count()
}

fn told_back(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Reconnected { .. })).count()
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn a_bootstrap_goes_on_over_lost_connections(shape in shapes(), wanted in some_losses(), parallelism in 1_usize..9) {
        let (world, spec) = shape.world();
        let losses = losses(plan_of(&world, &spec).steps.len(), &wanted);
        let sim = Sim::losing(world, losses.clone());
        let (world, report, events) = apply_on(&sim, &spec, parallelism);
        prop_assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
        prop_assert_eq!((told_lost(&events), told_back(&events)), (losses.len(), losses.len()));
        prop_assert!(plan_of(&world, &spec).is_empty());
    }

    #[test]
    fn a_roll_goes_on_over_lost_connections_and_never_costs_the_quorum(
        shape in shapes().prop_filter("a single member can't be rolled", |s| !s.clusters.contains(&1)),
        wanted in some_losses(),
    ) {
        let (world, spec) = shape.world();
        let world = formed(world, &spec);
        let quota = Some(shape.quota.unwrap_or(1 << 31) + 1);
        let spec = Shape { quota, ..shape }.spec(&world.authorities);
        let losses = losses(plan_of(&world, &spec).steps.len(), &wanted);
        let (world, report, _) = apply_on(&Sim::losing(world, losses), &spec, 8);
        prop_assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
        prop_assert!(plan_of(&world, &spec).is_empty());
    }
}

/// A bootstrap whose first attempts lose their connections so.
fn bootstrap(losses: &[Loss]) -> (ApplyReport, Vec<Event>) {
    let (world, spec) = plain(3).world();
    let losses = losses.iter().copied().enumerate().collect();
    let (_, report, events) = apply_on(&Sim::losing(world, losses), &spec, 1);
    (report, events)
}

fn failures(events: &[Event]) -> Vec<String> {
    let failed = events.iter().filter_map(|event| match event {
        Event::StepFinished { outcome: Outcome::Failed, error: Some(error), .. } => Some(error),
        _ => None,
    });
    failed.map(|error| format!("{} {}", error.kind, error.words.join(" "))).collect()
}

#[test]
fn a_host_that_does_not_come_back_leaves_the_step_unknown_and_says_so() {
    let (report, events) = bootstrap(&[Loss::Forever]);
    assert_eq!(report.failed().count(), 1);
    let failures = failures(&events);
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(failures[0].contains("whether it was done is not known"), "{failures:?}");
    assert!(failures[0].contains("not back after 0 s"), "{failures:?}");
    assert_eq!((told_lost(&events), told_back(&events)), (1, 0));
}

#[test]
fn a_link_that_breaks_every_time_is_given_up() {
    let (_, events) = bootstrap(&[Loss::Before; 3]);
    assert_eq!(failures(&events), Vec::<String>::new());
    let (_, events) = bootstrap(&[Loss::After; 4]);
    assert_eq!(failures(&events).len(), 1);
    assert_eq!(told_lost(&events), 3);
}

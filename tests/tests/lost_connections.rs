//! Connections that are lost in the middle of steps: the host is waited for, and the step done again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use engine::event::Event;
use engine::execute::{ApplyReport, Signal, execute};
use engine::hosts::{Bindings, Done, Hosts, StepError, StepErrorKind, Timed};
use planner::progress::Outcome;
use planner::{SiteFacts, SiteSpec, Step, StepId};
use proptest::prelude::*;
use quorate_tests::cases::cases;
use quorate_tests::sim::{Loss, Sim};
use quorate_tests::site::{Shape, plain, shapes};
use quorate_tests::story::{apply_on, formed, plan_of};
use tokio::sync::watch;

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
    fn a_bootstrap_survives_lost_connections(shape in shapes(), wanted in some_losses(), parallelism in 1_usize..9) {
        let (world, spec) = shape.world();
        let losses = losses(plan_of(&world, &spec).steps.len(), &wanted);
        let sim = Sim::losing(world, losses.clone());
        let (world, report, events) = apply_on(&sim, &spec, parallelism);
        prop_assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
        prop_assert_eq!((told_lost(&events), told_back(&events)), (losses.len(), losses.len()));
        prop_assert!(plan_of(&world, &spec).is_empty());
    }

    #[test]
    fn a_roll_survives_lost_connections_and_never_costs_the_quorum(
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
    assert!(failures[0].contains("it may or may not have completed"), "{failures:?}");
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

/// Hosts on which each step loses its connection once, and is refused when it runs again.
#[derive(Default)]
struct Refusing(Mutex<BTreeSet<StepId>>);

impl Hosts for Refusing {
    async fn observe(&self, _: &SiteSpec, _: Timed) -> SiteFacts {
        unreachable!("nothing looks during an apply")
    }

    async fn run(&self, step: &Step, _: &Bindings) -> Result<Done, StepError> {
        let is_first =
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(step.id.clone());
        let kind = match is_first {
            true => StepErrorKind::Lost("the host closed it".to_owned()),
            false => StepErrorKind::Guard("the file is gone".to_owned()),
        };
        Err(StepError { host: step.host().clone(), kind, words: Vec::new(), hint: None })
    }

    async fn reconnect(&self, _: &Step) -> Result<(), StepError> {
        Ok(())
    }
}

#[test]
fn a_refusal_after_a_lost_connection_does_not_say_that_nothing_was_changed() {
    let (world, spec) = plain(1).world();
    let plan = plan_of(&world, &spec);
    let mut events = Vec::new();
    let (_stop, stopped) = watch::channel(Signal::Go);
    let emit = |event| events.push(event);
    let run = execute(&plan, Arc::new(Refusing::default()), Bindings::default(), 1, stopped, emit);
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run);
    let errors: Vec<&StepError> = events
        .iter()
        .filter_map(|event| match event {
            Event::StepFinished { error: Some(error), .. } => Some(error),
            _ => None,
        })
        .collect();
    assert!(!errors.is_empty());
    for error in errors {
        assert!(!error.kind.changed_nothing(), "{}", error.kind);
        let said = error.kind.to_string();
        assert!(said.contains("the host closed it") && said.contains("the file is gone"), "{said}");
    }
}

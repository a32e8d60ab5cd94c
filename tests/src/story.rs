//! Whole runs of quorate over the simulated world: observe, plan, execute.

use std::sync::Arc;

use engine::bind;
use engine::event::Event;
use engine::execute::{ApplyReport, Signal, execute};
use engine::hosts::Bindings;
use planner::{Plan, Policy, SiteSpec, Step, not_announced, plan};
use tokio::sync::watch;

use crate::sim::{Crash, Repeat, Sim};
use crate::world::World;

/// One `quorate plan`.
pub fn plan_of(world: &World, spec: &SiteSpec) -> Plan {
    plan(spec, &world.observe(spec), &Policy::default())
        .unwrap_or_else(|defect| panic!("a plan can be made: {defect}"))
}

/// A world in which a first apply has formed every cluster.
pub fn formed(world: World, spec: &SiteSpec) -> World {
    let (world, report) = apply(world, spec, 8, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
    world
}

/// Kills an apply before and after each of its steps. The next one fails at nothing and leaves nothing to do; then
/// `check` looks at the world.
pub fn after_every_crash(
    world: &World,
    spec: &SiteSpec,
    parallelism: usize,
    check: impl Fn(Crash, &World),
) {
    for number in 0..plan_of(world, spec).steps.len() {
        for crash in [Crash::Before(number), Crash::After(number)] {
            let (stopped, _) = apply(world.clone(), spec, parallelism, Some(crash), Repeat::Once);
            let (done, report) = apply(stopped, spec, parallelism, None, Repeat::Once);
            assert_eq!(report.failed().count(), 0, "{crash:?}: {}", done.story.join("\n"));
            let left = plan_of(&done, spec);
            assert!(left.is_empty(), "{crash:?}: {left:#?}");
            check(crash, &done);
        }
    }
}

/// One `quorate apply`: the world after it, and how it ended.
pub fn apply(
    world: World,
    spec: &SiteSpec,
    parallelism: usize,
    crash: Option<Crash>,
    repeat: Repeat,
) -> (World, ApplyReport) {
    apply_with(world, spec, &Policy::default(), parallelism, crash, repeat)
}

/// The world after an apply was killed before one of these steps: the first of them is number 0.
pub fn killed_before(
    world: World,
    spec: &SiteSpec,
    these: impl Fn(&Step) -> bool,
    number: usize,
) -> World {
    let steps = plan_of(&world, spec).steps.into_iter().enumerate();
    let (next, _) = steps
        .filter(|(_, step)| these(step))
        .nth(number)
        .unwrap_or_else(|| panic!("the plan has no such step"));
    apply(world, spec, 1, Some(Crash::Before(next)), Repeat::Once).0
}

/// One `quorate apply` with choices of the operator's.
pub fn apply_with(
    world: World,
    spec: &SiteSpec,
    policy: &Policy,
    parallelism: usize,
    crash: Option<Crash>,
    repeat: Repeat,
) -> (World, ApplyReport) {
    let facts = world.observe(spec);
    let plan =
        plan(spec, &facts, policy).unwrap_or_else(|defect| panic!("a plan can be made: {defect}"));
    let is_stopped = plan.steps.is_empty() && !plan.report.blocked.is_empty();
    assert!(!is_stopped, "blocked: {:#?}", plan.report.blocked);
    let bindings = bind::tokens(&plan, &facts).unwrap_or_else(|error| panic!("{error}"));
    execute_in(world, &plan, bindings, parallelism, crash, repeat, |_| {})
}

/// One `quorate apply` over all its hops to another minor: the world after it, and how its last plan ended. It is killed
/// at `crash` in the hop of that number; the first is 0.
pub fn apply_all(
    mut world: World,
    spec: &SiteSpec,
    crash: Option<(usize, Crash)>,
) -> (World, ApplyReport) {
    let mut before: Option<Plan> = None;
    for number in 0.. {
        let plan = plan_of(&world, spec);
        let others = before.map(|before| not_announced(&before, &plan)).unwrap_or_default();
        assert!(others.is_empty(), "not announced: {others:#?}");
        let bindings = bind::tokens(&plan, &world.observe(spec));
        let bindings = bindings.unwrap_or_else(|error| panic!("{error}"));
        let crash = crash.filter(|(hop, _)| *hop == number).map(|(_, crash)| crash);
        let (next, report) = execute_in(world, &plan, bindings, 8, crash, Repeat::Once, |_| {});
        let has_more = plan.report.hops.iter().any(|hop| hop.number > 1);
        if crash.is_some() || report.failed().count() > 0 || !has_more {
            return (next, report);
        }
        (world, before) = (next, Some(plan));
    }
    unreachable!("an apply ends")
}

/// Executes a plan that was made before.
pub fn execute_in(
    world: World,
    plan: &Plan,
    bindings: Bindings,
    parallelism: usize,
    crash: Option<Crash>,
    repeat: Repeat,
    listen: impl FnMut(Event),
) -> (World, ApplyReport) {
    execute_on(&Sim::new(world, crash, repeat), plan, bindings, parallelism, listen)
}

/// One `quorate apply` against these hosts: the world after it, how it ended, and what it reported.
pub fn apply_on(
    sim: &Sim,
    spec: &SiteSpec,
    parallelism: usize,
) -> (World, ApplyReport, Vec<Event>) {
    let world = sim.world();
    let plan = plan_of(&world, spec);
    let bindings = bind::tokens(&plan, &world.observe(spec));
    let bindings = bindings.unwrap_or_else(|error| panic!("{error}"));
    let mut events = Vec::new();
    let (world, report) = execute_on(sim, &plan, bindings, parallelism, |event| events.push(event));
    (world, report, events)
}

/// Executes a plan that was made before, against these hosts.
pub fn execute_on(
    sim: &Sim,
    plan: &Plan,
    bindings: Bindings,
    parallelism: usize,
    listen: impl FnMut(Event),
) -> (World, ApplyReport) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap_or_else(|error| panic!("a runtime starts: {error}"));
    let (_keep, stop) = watch::channel(Signal::Go);
    let hosts = Arc::new(sim.clone());
    let report = runtime.block_on(execute(plan, hosts, bindings, parallelism, stop, listen));
    (sim.world(), report)
}

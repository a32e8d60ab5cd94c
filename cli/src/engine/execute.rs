//! Drives a plan: whatever may run now runs, at most so many at once, and each end is an event.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use planner::plan::Plan;
use planner::progress::{Outcome, Progress};
use planner::{Step, StepId};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::event::Event;
use super::hosts::{Bindings, Done, Hosts, StepError};

/// How an apply ended.
#[derive(Debug, Default)]
pub struct ApplyReport {
    /// How each step ended.
    pub outcomes: BTreeMap<StepId, Outcome>,
    /// Whether the operator stopped it.
    pub interrupted: bool,
}

impl ApplyReport {
    /// Steps that failed: the root causes.
    pub fn failed(&self) -> impl Iterator<Item = &StepId> {
        self.outcomes.iter().filter(|(_, outcome)| **outcome == Outcome::Failed).map(|(id, _)| id)
    }

    /// Steps that changed something.
    pub fn changed(&self) -> usize {
        self.outcomes.values().filter(|outcome| **outcome == Outcome::Done).count()
    }
}

/// Executes a plan. `stop` turns true when no further step may begin; running steps are finished.
pub async fn execute<H: Hosts>(
    plan: &Plan,
    hosts: Arc<H>,
    bindings: Bindings,
    parallelism: usize,
    mut stop: watch::Receiver<bool>,
    mut emit: impl FnMut(Event),
) -> ApplyReport {
    let steps: BTreeMap<&StepId, &Step> = plan.steps.iter().map(|step| (&step.id, step)).collect();
    let bindings = Arc::new(bindings);
    let mut progress = Progress::of(plan);
    let mut running: JoinSet<Finished> = JoinSet::new();
    let mut told: BTreeSet<StepId> = BTreeSet::new();
    emit(Event::Started { steps: plan.steps.len() });
    loop {
        if *stop.borrow() {
            progress.stop();
        }
        while running.len() < parallelism.max(1) {
            let Some(id) = progress.take_ready() else { break };
            let step = steps[&id].clone();
            emit(Event::StepStarted { id, action: step.action });
            running.spawn(run(step, Arc::clone(&hosts), Arc::clone(&bindings)));
        }
        let finished = tokio::select! {
            finished = running.join_next() => finished,
            Ok(()) = stop.changed() => {
                emit(Event::Stopping { running: progress.running().iter().cloned().collect() });
                continue;
            }
        };
        let Some(finished) = finished else { break };
        // A step that panicked is a defect: it must not look like a step that is still running.
        let finished = match finished {
            Ok(finished) => finished,
            Err(defect) => std::panic::resume_unwind(defect.into_panic()),
        };
        progress.finish(&finished.id, finished.outcome.clone());
        told.insert(finished.id.clone());
        emit(Event::StepFinished {
            id: finished.id,
            outcome: finished.outcome,
            elapsed: finished.elapsed,
            error: finished.error,
        });
    }
    tell_never_begun(&progress, &told, &mut emit);
    ApplyReport { outcomes: progress.outcomes().clone(), interrupted: *stop.borrow() }
}

struct Finished {
    id: StepId,
    outcome: Outcome,
    elapsed: Duration,
    error: Option<StepError>,
}

async fn run<H: Hosts>(step: Step, hosts: Arc<H>, bindings: Arc<Bindings>) -> Finished {
    let begun = Instant::now();
    let result = hosts.run(&step, &bindings).await;
    let (outcome, error) = match result {
        Ok(Done::Changed) => (Outcome::Done, None),
        Ok(Done::Already) => (Outcome::AlreadyDone, None),
        Err(error) => (Outcome::Failed, Some(error)),
    };
    Finished { id: step.id, outcome, elapsed: begun.elapsed(), error }
}

fn tell_never_begun(progress: &Progress, told: &BTreeSet<StepId>, emit: &mut impl FnMut(Event)) {
    for (id, outcome) in progress.outcomes() {
        if !told.contains(id) {
            let (id, outcome) = (id.clone(), outcome.clone());
            emit(Event::StepFinished { id, outcome, elapsed: Duration::ZERO, error: None });
        }
    }
}

//! Drives a plan: whatever may run now runs, at most so many at once, and each end is an event.
//!
//! A lost connection is no end: the step's host is waited for, and the step done again. It may have
//! been done already, and then it reports that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use planner::plan::Plan;
use planner::progress::{Outcome, Progress};
use planner::{Step, StepId};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{Instrument as _, Span, debug, debug_span};

use super::event::Event;
use super::hosts::{Bindings, Done, Hosts, StepError, StepErrorKind};

/// How often one step may lose its connection. A link that breaks each time is no link.
const MOST_LOSSES: u32 = 3;

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
}

/// Whether further steps may begin. Running ones are finished whatever it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// They may.
    Go,
    /// Not before it says something else.
    Pause,
    /// None of them may.
    Stop,
}

/// Executes a plan, as far as `signal` lets it.
pub async fn execute<H: Hosts>(
    plan: &Plan,
    hosts: Arc<H>,
    bindings: Bindings,
    parallelism: usize,
    mut signal: watch::Receiver<Signal>,
    mut emit: impl FnMut(Event),
) -> ApplyReport {
    let steps: BTreeMap<&StepId, &Step> = plan.steps.iter().map(|step| (&step.id, step)).collect();
    let bindings = Arc::new(bindings);
    let mut progress = Progress::new(plan);
    let mut running: JoinSet<Turn> = JoinSet::new();
    let mut told: BTreeSet<StepId> = BTreeSet::new();
    emit(Event::Started { steps: plan.steps.len() });
    loop {
        let now = *signal.borrow();
        if now == Signal::Stop {
            progress.stop();
        }
        while now == Signal::Go && running.len() < parallelism.max(1) {
            let Some(id) = progress.take_ready() else { break };
            let step = steps[&id].clone();
            emit(Event::StepStarted { id, action: step.action });
            let attempt = Attempt { step, started: Instant::now(), losses: 0, cut_off: None };
            running.spawn(attempt.run(Arc::clone(&hosts), Arc::clone(&bindings)));
        }
        if running.is_empty() && (now != Signal::Pause || progress.is_over()) {
            break;
        }
        let turn = tokio::select! {
            Some(turn) = running.join_next() => turn,
            Ok(()) = signal.changed() => {
                if *signal.borrow() == Signal::Stop && !running.is_empty() {
                    let running = progress.running().iter().cloned().collect();
                    emit(Event::Stopping { running });
                }
                continue;
            }
            // Nobody is left who could say go on.
            else => break,
        };
        // A step that panicked is a defect: it must not look like a step that is still running.
        let (attempt, result) = match turn {
            Ok(Turn::Ran(attempt, Err(error)))
                if error.kind.lost().is_some() && attempt.losses < MOST_LOSSES =>
            {
                let why = error.kind.lost().unwrap_or_default().to_owned();
                let id = attempt.step.id.clone();
                emit(Event::ConnectionLost { id, host: error.host.clone(), why });
                running.spawn(attempt.reconnect(Arc::clone(&hosts), error));
                continue;
            }
            Ok(Turn::Back(attempt, after)) => {
                let (id, host) = (attempt.step.id.clone(), attempt.step.host().clone());
                emit(Event::Reconnected { id, host, after });
                running.spawn(attempt.run(Arc::clone(&hosts), Arc::clone(&bindings)));
                continue;
            }
            Ok(Turn::Ran(attempt, result)) => {
                let result = result.map_err(|error| attempt.after_all(error));
                (attempt, result)
            }
            Err(defect) => std::panic::resume_unwind(defect.into_panic()),
        };
        let (outcome, note, error) = match result {
            Ok(Done::Changed) => (Outcome::Done, None, None),
            Ok(Done::Partly(note)) => (Outcome::Done, Some(note.to_owned()), None),
            Ok(Done::Defragmented(came)) => (Outcome::Done, Some(came.to_string()), None),
            Ok(Done::Already) => (Outcome::AlreadyDone, None, None),
            Err(error) => (Outcome::Failed, None, Some(error)),
        };
        let (id, elapsed) = (attempt.step.id, attempt.started.elapsed());
        progress.finish(&id, outcome.clone());
        told.insert(id.clone());
        emit(Event::StepFinished { id, outcome, elapsed, note, error });
    }
    report_not_started(&progress, &told, &mut emit);
    ApplyReport {
        outcomes: progress.outcomes().clone(),
        interrupted: *signal.borrow() == Signal::Stop,
    }
}

/// A step that is being done.
struct Attempt {
    step: Step,
    started: Instant,
    /// How often its connection was lost.
    losses: u32,
    /// Why the connection was lost while the step ran, if it was.
    cut_off: Option<String>,
}

/// How a task ended.
enum Turn {
    /// The step ran.
    Ran(Attempt, Result<Done, StepError>),
    /// After a lost connection the host is back, after so long.
    Back(Attempt, Duration),
}

impl Attempt {
    /// What is traced of it says which step, and so on which host.
    fn span(&self) -> Span {
        debug_span!("step", id = %self.step.id, host = %self.step.host())
    }

    async fn run<H: Hosts>(self, hosts: Arc<H>, bindings: Arc<Bindings>) -> Turn {
        let span = self.span();
        let result = hosts.run(&self.step, &bindings).instrument(span.clone()).await;
        span.in_scope(|| match &result {
            Ok(done) => debug!(?done, "ended"),
            Err(error) => debug!("failed: {}", error.kind),
        });
        Turn::Ran(self, result)
    }

    /// A host that does not come back leaves the step as `loss` says.
    async fn reconnect<H: Hosts>(mut self, hosts: Arc<H>, mut loss: StepError) -> Turn {
        if let StepErrorKind::Lost(why) = &loss.kind {
            self.cut_off = Some(why.clone());
        }
        let lost = Instant::now();
        let span = self.span();
        span.in_scope(|| debug!("awaiting the host's return: {}", loss.kind));
        match hosts.reconnect(&self.step).instrument(span).await {
            Ok(()) => {
                self.losses += 1;
                Turn::Back(self, lost.elapsed())
            }
            Err(gone) => {
                let waited = lost.elapsed().as_secs();
                loss.words.push(format!("not back after {waited} s: {}", gone.kind));
                loss.hint = gone.hint.or(loss.hint);
                self.losses = MOST_LOSSES;
                Turn::Ran(self, Err(loss))
            }
        }
    }

    /// The error that the step ends with. "Nothing was changed" is true of the last try alone where an earlier one
    /// was cut off.
    fn after_all(&self, mut error: StepError) -> StepError {
        if let Some(why) = &self.cut_off
            && error.kind.changed_nothing()
        {
            let again = error.kind.to_string();
            error.kind = StepErrorKind::Unknown(format!(
                "the connection was lost while the step ran ({why}); the second attempt failed: {again}"
            ));
        }
        error
    }
}

fn report_not_started(progress: &Progress, told: &BTreeSet<StepId>, emit: &mut impl FnMut(Event)) {
    for (id, outcome) in progress.outcomes() {
        if !told.contains(id) {
            let (id, outcome) = (id.clone(), outcome.clone());
            emit(Event::StepFinished {
                id,
                outcome,
                elapsed: Duration::ZERO,
                note: None,
                error: None,
            });
        }
    }
}

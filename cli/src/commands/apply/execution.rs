//! Doing a plan under its lock: driving the steps, and the look after the last one.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use planner::{SiteFacts, StepId};

use super::super::Context;
use super::super::planning::{self, Planned};
use super::pace::Pace;
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::interrupt::Interrupts;
use crate::report::apply::{ApplySummary, Trace};
use crate::report::reporter::Reporter;
use crate::terminal::Terminal;
use engine::execute::{ApplyReport, execute};
use engine::hosts::{Bindings, Hosts, Timed};
use engine::lock::Lock;

/// What came of a plan that was executed.
pub(super) struct Executed {
    pub(super) code: ExitCode,
    pub(super) trace: Trace,
    pub(super) facts: SiteFacts,
}

pub(super) async fn execute_plan<H: Hosts>(
    context: &Context,
    hosts: Arc<H>,
    (planned, bindings, pauses): (&Planned, Bindings, BTreeSet<StepId>),
    lock: &Lock,
    interrupts: &mut Interrupts,
    reporter: &RefCell<Reporter<'_>>,
) -> Result<Executed, CliError> {
    let started = Instant::now();
    let summary = RefCell::new(ApplySummary::new(&planned.plan));
    let (pace, signal) = Pace::new(pauses);
    let emit = |event| {
        pace.note(&event);
        reporter.borrow_mut().event(&event);
        summary.borrow_mut().fold(event);
    };
    let doing = Arc::clone(&hosts);
    let work = execute(&planned.plan, doing, bindings, context.parallelism.steps, signal, emit);
    let lost = drive(work, (&pace, &context.terminal), lock, interrupts, reporter).await?;
    let mut summary = summary.into_inner();
    summary.elapsed = started.elapsed();
    let facts = look_back(context, &*hosts, planned, lock, interrupts).await;
    summary.look_back(&planned.spec, &facts);
    reporter.borrow_mut().apply_summary(&summary, &planned.spec);
    if let Some(why) = lost {
        let message = format!("the lock was lost, so no further step was started: {why}");
        return Err(CliError::new(summary.code().first(ExitCode::Locked), message));
    }
    Ok(Executed { code: summary.code(), trace: summary.trace(), facts })
}

/// The state of the hosts after an apply. Unknown where that takes too long, or the operator
/// interrupts: the apply's result is then reported without it.
async fn look_back<H: Hosts>(
    context: &Context,
    hosts: &H,
    planned: &Planned,
    lock: &Lock,
    interrupts: &mut Interrupts,
) -> SiteFacts {
    let look = planning::observe(context, &planned.spec, hosts, Timed::Nothing);
    let given_up = tokio::select! {
        facts = look => return facts,
        () = interrupts.next() => None,
        () = tokio::time::sleep(LONGEST_LOOK) => None,
        why = lock.lost() => Some(why),
    };
    context.terminal.clear();
    if let Some(why) = given_up {
        context.terminal.warn(&format!("the lock was lost after the last step: {why}"));
    }
    SiteFacts {
        observed_at: planned.facts.observed_at,
        hosts: BTreeMap::new(),
        misled: BTreeMap::new(),
        bystanders: BTreeMap::new(),
    }
}

/// Lets an apply run. After the first interrupt it finishes in an orderly way; the second
/// leaves at once. Asks where it pauses. Where the lock is lost meanwhile, says why.
async fn drive(
    work: impl Future<Output = ApplyReport>,
    (pace, terminal): (&Pace, &Terminal),
    lock: &Lock,
    interrupts: &mut Interrupts,
    reporter: &RefCell<Reporter<'_>>,
) -> Result<Option<String>, CliError> {
    let mut work = std::pin::pin!(work);
    let mut lock_lost = std::pin::pin!(lock.lost());
    let mut lost = None;
    let mut asking: Option<Asking<'_>> = None;
    loop {
        if asking.is_none()
            && let Some(question) = pace.question()
        {
            asking = Some(Box::pin(async move { terminal.ask(&question).await }));
        }
        tokio::select! {
            _ = &mut work => return Ok(lost),
            why = &mut lock_lost, if lost.is_none() => {
                lost = Some(why);
                pace.stop();
            }
            () = interrupts.next() => {
                if pace.is_stopped() {
                    let message = "interrupted twice; what was running may be half done";
                    return Err(CliError::new(ExitCode::Interrupted, message)
                        .hint("the next quorate plan reads the state of the hosts"));
                }
                pace.stop();
            }
            answer = answer(&mut asking) => {
                asking = None;
                pace.answered(answer.ok().flatten().as_deref());
            }
            () = tokio::time::sleep(TICK) => reporter.borrow_mut().tick(),
        }
    }
}

/// A question that waits for its answer.
type Asking<'t> = Pin<Box<dyn Future<Output = io::Result<Option<String>>> + 't>>;

async fn answer(asking: &mut Option<Asking<'_>>) -> io::Result<Option<String>> {
    match asking {
        Some(asking) => asking.await,
        None => std::future::pending().await,
    }
}

/// How long the look after the last step may take. One host's look is given up after a minute.
const LONGEST_LOOK: Duration = Duration::from_secs(90);

/// How often what moves on the terminal is drawn again.
const TICK: Duration = Duration::from_millis(100);

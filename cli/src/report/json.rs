//! An apply for programs: one JSON object a line on stdout, and documents.
//!
//! Every line has `@level`, `@message` (a text for people that says it all), `@module`,
//! `@timestamp` and `type`. The first line is of type `version`, the last of type `end`. Readers
//! ignore keys and types that they do not know; `ui` tells when that is no longer enough.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use inventories::diagnostic::JsonDiagnostic;
use inventories::{Diagnostic, Severity};
use planner::plan::Count;
use planner::progress::Outcome;
use planner::report::Finding;
use planner::{Plan, SiteSpec, StepId};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::apply::ApplySummary;
use super::endpoints;
use super::error_document::ErrorDocument;
use super::event_line::{
    Changes, DiagnosticDocument, EndedHook, EventKind, EventLine, Hook, Level, Operation, Outputs,
    RunDiagnostic, RunningHook, StepDiagnostic, UI, WaitedHook,
};
use super::plan_document::{FindingDocument, PlanDocument, StepDocument, Summary};
use super::words::OutcomeWord;
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::terminal::Terminal;
use engine::event::Event;
use engine::hosts::StepError;

/// How long a reader waits for a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Prints a document as a result.
pub fn print_document(terminal: &Terminal, document: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(document).map_err(CliError::failed)?;
    terminal.print(&text);
    Ok(())
}

/// Prints an error in a document's place.
pub fn print_error(terminal: &Terminal, error: &CliError) {
    // A document of texts and numbers always serializes.
    let _ = print_document(terminal, &ErrorDocument::new(error));
}

/// Reports an apply's progress to programs.
#[derive(Debug)]
pub struct Stream<'a> {
    terminal: &'a Terminal,
    running: BTreeMap<StepId, Instant>,
    hooks: BTreeMap<StepId, Hook>,
    spoken: Instant,
}

impl<'a> Stream<'a> {
    /// Begins with the line that says what follows.
    pub fn begin(terminal: &'a Terminal) -> Self {
        let (running, hooks) = (BTreeMap::new(), BTreeMap::new());
        let mut stream = Self { terminal, running, hooks, spoken: Instant::now() };
        let quorate = env!("CARGO_PKG_VERSION");
        let message = format!("quorate {quorate}");
        stream.line(Level::Info, &message, EventKind::Version { quorate, ui: UI });
        stream
    }

    /// What is wrong with the inventory, or worth a look.
    pub fn diagnostics(&mut self, found: &[Diagnostic]) {
        for diagnostic in found {
            let level = match diagnostic.severity {
                Severity::Error => Level::Error,
                Severity::Warning => Level::Warn,
            };
            let document =
                DiagnosticDocument::Inventory(Box::new(JsonDiagnostic::from(diagnostic)));
            self.diagnostic(level, &diagnostic.message, document);
        }
    }

    /// The plan: its findings, every step, the totals, and the whole as one document.
    pub fn planned(&mut self, plan: &Plan, code: ExitCode) {
        let report = &plan.report;
        self.findings(Level::Warn, &report.warnings);
        self.findings(Level::Error, &report.held);
        self.findings(Level::Error, report.blocked.iter().map(|blocked| &blocked.finding));
        for step in &plan.steps {
            let message = format!("{}: plan to {}", step.id, step.action.word());
            let change = StepDocument::from(step);
            self.line(Level::Info, &message, EventKind::PlannedChange { change });
            self.hooks.insert(step.id.clone(), Hook::from(step));
        }
        self.summary("Plan", Operation::Plan, plan.count());
        let plan = Box::new(PlanDocument::new(plan, code));
        self.line(Level::Info, "the plan", EventKind::Plan { plan });
    }

    /// Reports an event.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Started { steps } => {
                self.line(Level::Info, &format!("applying {steps} steps"), EventKind::Log);
            }
            Event::StepStarted { id, action } => {
                self.running.insert(id.clone(), Instant::now());
                let message = format!("{id}: {} begins", action.word());
                self.line(Level::Info, &message, EventKind::ApplyStart { hook: self.hook(id) });
            }
            Event::ConnectionLost { id, host, why } => {
                let message = format!("{id}: lost the connection to {host}, reconnecting ({why})");
                let kind = EventKind::ConnectionLost { hook: self.hook(id), why };
                self.line(Level::Warn, &message, kind);
            }
            Event::Reconnected { id, host, after } => {
                let message = format!("{id}: reconnected to {host}, continuing");
                let hook = WaitedHook { step: self.hook(id), waited_seconds: after.as_secs() };
                self.line(Level::Info, &message, EventKind::Reconnected { hook });
            }
            Event::StepFinished { id, outcome, elapsed, note, error } => {
                self.running.remove(id);
                self.finished(id, outcome, *elapsed, note.as_deref());
                if let Some(error) = error {
                    self.failed(id, error);
                }
            }
            Event::Stopping { running } => {
                let running = running.iter().map(ToString::to_string).collect();
                let message = "interrupted: finishing the running steps, starting no others";
                self.line(Level::Warn, message, EventKind::Stopping { running });
            }
        }
    }

    fn finished(&mut self, id: &StepId, outcome: &Outcome, elapsed: Duration, note: Option<&str>) {
        let hook = EndedHook {
            step: self.hook(id),
            elapsed_seconds: elapsed.as_secs(),
            result: OutcomeWord::from(outcome),
        };
        let (level, word, kind) = match outcome {
            Outcome::Done => (Level::Info, "done", EventKind::ApplyComplete { hook }),
            Outcome::AlreadyDone => {
                (Level::Info, "already done", EventKind::ApplyComplete { hook })
            }
            Outcome::Failed => (Level::Error, "failed", EventKind::ApplyErrored { hook }),
            Outcome::Skipped { .. } | Outcome::NotStarted => {
                (Level::Warn, "not started", EventKind::ApplySkipped { hook })
            }
        };
        let note = note.map(|note| format!("; {note}")).unwrap_or_default();
        self.line(level, &format!("{id}: {word}{note}"), kind);
    }

    fn failed(&mut self, id: &StepId, error: &StepError) {
        let StepError { host, kind, words, hint } = error;
        let summary = format!("{host}: {}", kind.with_causes());
        let document = DiagnosticDocument::Step(StepDiagnostic {
            severity: Level::Error,
            summary: &summary,
            step: id.to_string(),
            host: host.as_str(),
            words,
            hint: hint.as_deref(),
        });
        self.diagnostic(Level::Error, &summary, document);
    }

    /// Time has passed.
    pub fn tick(&mut self) {
        if self.spoken.elapsed() < HEARTBEAT {
            return;
        }
        for (id, started) in self.running.clone() {
            let elapsed_seconds = started.elapsed().as_secs();
            let message = format!("{id}: still running after {elapsed_seconds} s");
            let hook = RunningHook { step: self.hook(&id), elapsed_seconds };
            self.line(Level::Info, &message, EventKind::ApplyProgress { hook });
        }
    }

    /// The totals, where the clusters are, and how they are now.
    pub fn apply_summary(&mut self, summary: &ApplySummary<'_>, spec: &SiteSpec) {
        self.summary("Apply", Operation::Apply, summary.count());
        let endpoints = summary
            .clusters(spec)
            .map(|cluster| (cluster.name.as_str(), endpoints(cluster)))
            .collect();
        let clusters = summary.now.iter().map(|(name, now)| (name.as_str(), now.into())).collect();
        let kind = EventKind::Outputs { outputs: Outputs { endpoints, clusters } };
        self.line(Level::Info, "the clusters' endpoints, and how they are now", kind);
    }

    /// Why it ended before its end.
    pub fn error(&mut self, error: &CliError) {
        self.diagnostics(&error.diagnostics);
        let summary = error.to_string();
        let document = DiagnosticDocument::Run(RunDiagnostic {
            severity: Level::Error,
            summary: &summary,
            hints: &error.hints,
        });
        self.diagnostic(Level::Error, &summary, document);
    }

    /// The last line.
    pub fn end(&mut self, code: ExitCode) {
        let level = if code == ExitCode::Done { Level::Info } else { Level::Error };
        let kind = EventKind::End { exit_code: code.number(), reason: code.reason() };
        self.line(level, code.meaning(), kind);
    }

    fn findings<'f>(&mut self, level: Level, found: impl IntoIterator<Item = &'f Finding>) {
        for finding in found {
            let document = DiagnosticDocument::Finding(FindingDocument::from(finding));
            self.diagnostic(level, &finding.message, document);
        }
    }

    fn diagnostic(&mut self, level: Level, message: &str, diagnostic: DiagnosticDocument<'_>) {
        self.line(level, message, EventKind::Diagnostic { diagnostic });
    }

    fn summary(&mut self, what: &str, operation: Operation, count: Count) {
        let Count { add, change, destroy } = count;
        let message = format!("{what}: {add} added, {change} changed, {destroy} destroyed");
        let changes = Changes { total: Summary::from(count), operation };
        self.line(Level::Info, &message, EventKind::ChangeSummary { changes });
    }

    /// The plan describes every step; for one that it does not, the name is better than nothing.
    fn hook(&self, id: &StepId) -> Hook {
        let unplanned = || Hook { step: id.to_string(), ..Hook::default() };
        self.hooks.get(id).cloned().unwrap_or_else(unplanned)
    }

    fn line(&mut self, level: Level, message: &str, kind: EventKind<'_>) {
        let timestamp = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
        let line = EventLine { level, message, module: "quorate", timestamp, kind };
        // Texts, numbers and maps of texts always serialize.
        self.terminal.print(&serde_json::to_string(&line).unwrap_or_default());
        self.spoken = Instant::now();
    }
}

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
use planner::{Plan, SiteSpec, Step, StepId};
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::apply::Ending;
use super::endpoints;
use super::error_document::ErrorDocument;
use super::plan_document::{ClusterDocument, FindingDocument, PlanDocument, StepDocument, Summary};
use crate::engine::event::Event;
use crate::engine::hosts::StepError;
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::terminal::Terminal;

/// Version of the event stream.
const UI: &str = "1.0";

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

/// Tells programs how an apply goes.
#[derive(Debug)]
pub struct Stream<'a> {
    terminal: &'a Terminal,
    running: BTreeMap<StepId, (Instant, Value)>,
    hooks: BTreeMap<StepId, Value>,
    spoken: Instant,
}

impl<'a> Stream<'a> {
    /// Begins with the line that says what follows.
    pub fn begin(terminal: &'a Terminal) -> Self {
        let (running, hooks) = (BTreeMap::new(), BTreeMap::new());
        let mut stream = Self { terminal, running, hooks, spoken: Instant::now() };
        let version = env!("CARGO_PKG_VERSION");
        let more = json!({ "quorate": version, "ui": UI });
        stream.line("info", "version", &format!("quorate {version}"), more);
        stream
    }

    /// What is wrong with the inventory, or worth a look.
    pub fn diagnostics(&mut self, found: &[Diagnostic]) {
        for diagnostic in found {
            let level = match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warn",
            };
            let more = json!({ "diagnostic": JsonDiagnostic::from(diagnostic) });
            self.line(level, "diagnostic", &diagnostic.message, more);
        }
    }

    /// The plan: its findings, every step, the totals, and the whole as one document.
    pub fn planned(&mut self, plan: &Plan, code: ExitCode) {
        let report = &plan.report;
        for (level, found) in
            [("warn", &report.warnings), ("error", &report.held), ("error", &report.blocked)]
        {
            for finding in found {
                let more = json!({ "diagnostic": FindingDocument::from(finding) });
                self.line(level, "diagnostic", &finding.message, more);
            }
        }
        for step in &plan.steps {
            let message = format!("{}: plan to {}", step.id, step.action.word());
            let more = json!({ "change": StepDocument::from(step) });
            self.line("info", "planned_change", &message, more);
            self.hooks.insert(step.id.clone(), hook(step));
        }
        self.summary("Plan", "plan", plan.count());
        self.line("info", "plan", "the plan", json!({ "plan": PlanDocument::new(plan, code) }));
    }

    /// Tells what happened.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Started { steps } => {
                let message = format!("applying {steps} steps");
                self.line("info", "log", &message, json!({}));
            }
            Event::StepStarted { id, action } => {
                let hook = self.hooks.get(id).cloned().unwrap_or_default();
                self.running.insert(id.clone(), (Instant::now(), hook.clone()));
                let message = format!("{id}: {} begins", action.word());
                self.line("info", "apply_start", &message, json!({ "hook": hook }));
            }
            Event::ConnectionLost { id, host, why } => {
                let hook = self.hooks.get(id).cloned().unwrap_or_default();
                let message = format!("{id}: lost the connection to {host}, reconnecting ({why})");
                self.line("warn", "connection_lost", &message, json!({ "hook": hook, "why": why }));
            }
            Event::Reconnected { id, host, after } => {
                let mut hook = self.hooks.get(id).cloned().unwrap_or_default();
                hook["waited_seconds"] = json!(after.as_secs());
                let message = format!("{id}: reconnected to {host}, goes on");
                self.line("info", "reconnected", &message, json!({ "hook": hook }));
            }
            Event::StepFinished { id, outcome, elapsed, error } => {
                self.running.remove(id);
                self.finished(id, outcome, *elapsed, error.as_ref());
            }
            Event::Stopping { running } => {
                let ids: Vec<&str> = running.iter().map(|id| id.0.as_str()).collect();
                let message = "interrupted: running steps are finished, no other begins";
                self.line("warn", "stopping", message, json!({ "running": ids }));
            }
        }
    }

    fn finished(
        &mut self,
        id: &StepId,
        outcome: &Outcome,
        elapsed: Duration,
        error: Option<&StepError>,
    ) {
        let (level, kind, word) = match outcome {
            Outcome::Done => ("info", "apply_complete", "done"),
            Outcome::AlreadyDone => ("info", "apply_complete", "as it should be already"),
            Outcome::Failed => ("error", "apply_errored", "failed"),
            Outcome::Skipped { .. } | Outcome::NotStarted => {
                ("warn", "apply_skipped", "never began")
            }
        };
        let mut hook = self.hooks.get(id).cloned().unwrap_or_default();
        hook["elapsed_seconds"] = json!(elapsed.as_secs());
        hook["result"] = json!(outcome);
        self.line(level, kind, &format!("{id}: {word}"), json!({ "hook": hook }));
        if let Some(StepError { host, kind, words, hint }) = error {
            let message = format!("{host}: {kind}");
            let diagnostic = json!({
                "severity": "error",
                "summary": message,
                "step": id,
                "host": host,
                "words": words,
                "hint": hint,
            });
            self.line("error", "diagnostic", &message, json!({ "diagnostic": diagnostic }));
        }
    }

    /// Time has passed.
    pub fn tick(&mut self) {
        if self.spoken.elapsed() < HEARTBEAT {
            return;
        }
        for (id, (begun, hook)) in self.running.clone() {
            let mut hook = hook;
            let elapsed = begun.elapsed().as_secs();
            hook["elapsed_seconds"] = json!(elapsed);
            let message = format!("{id}: still running after {elapsed} s");
            self.line("info", "apply_progress", &message, json!({ "hook": hook }));
        }
    }

    /// The totals, where the clusters are, and how they are now.
    pub fn ending(&mut self, ending: &Ending<'_>, spec: &SiteSpec) {
        self.summary("Apply", "apply", ending.count());
        let endpoints: BTreeMap<&str, Vec<String>> = ending
            .clusters(spec)
            .map(|cluster| (cluster.name.as_str(), endpoints(cluster)))
            .collect();
        let clusters: BTreeMap<&str, ClusterDocument<'_>> =
            ending.now.iter().map(|(name, now)| (name.as_str(), now.into())).collect();
        let more = json!({ "outputs": { "endpoints": endpoints, "clusters": clusters } });
        self.line("info", "outputs", "the clusters' endpoints, and how they are now", more);
    }

    /// Why it ended before its end.
    pub fn error(&mut self, error: &CliError) {
        self.diagnostics(&error.diagnostics);
        let summary = error.to_string();
        let diagnostic = json!({ "severity": "error", "summary": summary, "hints": error.hints });
        self.line("error", "diagnostic", &summary, json!({ "diagnostic": diagnostic }));
    }

    /// The last line.
    pub fn end(&mut self, code: ExitCode) {
        let level = if code == ExitCode::Done { "info" } else { "error" };
        let more = json!({ "exit_code": code.number(), "reason": code.reason() });
        self.line(level, "end", code.meaning(), more);
    }

    fn summary(&mut self, what: &str, operation: &str, count: Count) {
        let Count { add, change, destroy } = count;
        let message = format!("{what}: {add} added, {change} changed, {destroy} destroyed");
        let mut changes = json!(Summary::from(count));
        changes["operation"] = json!(operation);
        self.line("info", "change_summary", &message, json!({ "changes": changes }));
    }

    fn line(&mut self, level: &str, kind: &str, message: &str, more: Value) {
        let timestamp = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
        let mut line = json!({
            "@level": level,
            "@message": message,
            "@module": "quorate",
            "@timestamp": timestamp,
            "type": kind,
        });
        if let (Value::Object(line), Value::Object(more)) = (&mut line, more) {
            line.extend(more);
        }
        self.terminal.print(&line.to_string());
        self.spoken = Instant::now();
    }
}

fn hook(step: &Step) -> Value {
    json!({
        "step": step.id,
        "host": step.host,
        "cluster": step.cluster,
        "action": step.action.word(),
    })
}

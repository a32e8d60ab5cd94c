//! Reports the progress of an apply, to people or to programs.

use inventories::Diagnostic;
use planner::text::Hosts;
use planner::{Plan, SiteSpec, text};

use super::apply::ApplySummary;
use super::human::{self, Human};
use super::json::Stream;
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::terminal::Terminal;
use engine::event::Event;

/// Reports an apply's progress.
#[derive(Debug)]
pub struct Reporter<'a> {
    terminal: &'a Terminal,
    hosts: Hosts,
    audience: Audience<'a>,
}

#[derive(Debug)]
enum Audience<'a> {
    People(Human<'a>),
    Programs(Stream<'a>),
}

impl<'a> Reporter<'a> {
    /// For people: results on stdout, progress on stderr. Plans are laid out with `hosts`.
    pub fn human(terminal: &'a Terminal, hosts: Hosts) -> Self {
        Self { terminal, hosts, audience: Audience::People(Human::new(terminal)) }
    }

    /// For programs: nothing but JSON on stdout.
    pub fn json(terminal: &'a Terminal) -> Self {
        let audience = Audience::Programs(Stream::begin(terminal));
        Self { terminal, hosts: Hosts::default(), audience }
    }

    /// What an operator should check in the inventory.
    pub fn warnings(&mut self, found: &[Diagnostic]) {
        match &mut self.audience {
            Audience::People(_) => self.terminal.diagnostics(found),
            Audience::Programs(stream) => stream.diagnostics(found),
        }
    }

    /// The plan that is to be applied, and the exit code that it means if nothing fails.
    pub fn planned(&mut self, plan: &Plan, code: ExitCode) {
        match &mut self.audience {
            Audience::People(_) => {
                self.terminal.print_wrapped(&text::plan(plan, self.terminal.page(self.hosts)));
            }
            Audience::Programs(stream) => stream.planned(plan, code),
        }
    }

    /// Something happened.
    pub fn event(&mut self, event: &Event) {
        match &mut self.audience {
            Audience::People(human) => human.event(event),
            Audience::Programs(stream) => stream.event(event),
        }
    }

    /// Time has passed.
    pub fn tick(&mut self) {
        match &mut self.audience {
            Audience::People(human) => human.tick(),
            Audience::Programs(stream) => stream.tick(),
        }
    }

    /// Every step has ended, or will never begin.
    pub fn apply_summary(&mut self, summary: &ApplySummary<'_>, spec: &SiteSpec) {
        match &mut self.audience {
            Audience::People(_) => {
                self.terminal.clear();
                self.terminal.print_wrapped(&human::apply_summary(
                    summary,
                    spec,
                    self.terminal.style(),
                ));
            }
            Audience::Programs(stream) => stream.apply_summary(summary, spec),
        }
    }

    /// The command is over. People see the error from the caller.
    pub fn end(&mut self, ended: &Result<ExitCode, CliError>) {
        match (&mut self.audience, ended) {
            (Audience::People(_), _) => self.terminal.clear(),
            (Audience::Programs(stream), Ok(code)) => stream.end(*code),
            (Audience::Programs(stream), Err(error)) => {
                stream.error(error);
                stream.end(error.kind);
            }
        }
    }
}

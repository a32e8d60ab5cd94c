//! An apply for people: one line for each step that ended, and on a terminal one more that shows
//! what runs now.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use planner::StepId;
use planner::progress::Outcome;
use planner::text::{Paint, Style};

use crate::terminal::Terminal;
use engine::event::Event;
use engine::hosts::StepError;

mod apply_summary;
mod spinner;

pub use apply_summary::apply_summary;
pub use spinner::Spinner;

/// In a log, how long nothing may be said while steps run.
const SILENCE: Duration = Duration::from_secs(30);

/// Reports an apply's progress to people.
#[derive(Debug)]
pub struct Human<'a> {
    terminal: &'a Terminal,
    spinner: Spinner<'a>,
    running: BTreeMap<StepId, Instant>,
    ended: usize,
    steps: usize,
    spoken: Instant,
}

impl<'a> Human<'a> {
    /// Reports on this terminal.
    pub fn new(terminal: &'a Terminal) -> Self {
        Self {
            terminal,
            spinner: Spinner::new(terminal),
            running: BTreeMap::new(),
            ended: 0,
            steps: 0,
            spoken: Instant::now(),
        }
    }

    /// Reports an event.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Started { steps } => {
                self.steps = *steps;
                // The time until the approval does not belong to the steps.
                self.spinner = Spinner::new(self.terminal);
            }
            Event::StepStarted { id, action } => {
                self.running.insert(id.clone(), Instant::now());
                self.line_if_verbose(&format!("{:>9} begins   {id}", action.word()));
            }
            Event::ConnectionLost { id, host, why } => {
                self.line(&format!(
                    "    {id}: lost the connection to {host}, reconnecting ({why})"
                ));
            }
            Event::Reconnected { id, host, after } => {
                let time = after.as_secs_f64();
                self.line(&format!(
                    "    {id}: reconnected to {host} after {time:.1} s, continuing"
                ));
            }
            Event::StepFinished { id, outcome, elapsed, note, error } => {
                self.running.remove(id);
                self.finished(id, outcome, *elapsed, error.as_ref());
                if let Some(note) = note {
                    self.line(&format!("    {note}"));
                }
            }
            Event::Stopping { running } => {
                let many = running.len();
                let running = match many {
                    1 => "1 running step".to_owned(),
                    many => format!("{many} running steps"),
                };
                self.line(&format!(
                    "Interrupt received: {running} will be finished, no other begins. \
                     Interrupt again to leave at once; then what runs may be half done."
                ));
            }
        }
        self.draw();
    }

    /// Time has passed.
    pub fn tick(&mut self) {
        if !self.terminal.is_live() && !self.running.is_empty() && self.spoken.elapsed() > SILENCE {
            self.line(&format!("still running: {}", self.what_runs()));
        }
        self.draw();
    }

    fn finished(
        &mut self,
        id: &StepId,
        outcome: &Outcome,
        elapsed: Duration,
        error: Option<&StepError>,
    ) {
        let style = self.terminal.message_style();
        let Some((paint, word)) = word_of(outcome) else { return };
        self.ended += 1;
        let width = self.steps.to_string().len();
        let (ended, steps) = (self.ended, self.steps);
        let word = style.paint(paint, &format!("{word:<8}"));
        let time = style.paint(Paint::Dim, &format!("{:.1} s", elapsed.as_secs_f64()));
        self.line(&format!("[{ended:>width$}/{steps}] {word} {:<44} {time}", id));
        // The host's own words follow at the end, where they are not scrolled away.
        if let Some(error) = error {
            self.line(&format!("    {}: {}", error.host, error.kind.with_causes()));
        }
    }

    /// What has run for longest comes first: it is what the others wait for, and the line may be cut.
    fn what_runs(&self) -> String {
        let mut running: Vec<_> = self.running.iter().collect();
        running.sort_by_key(|(_, started)| **started);
        let running: Vec<String> = running
            .into_iter()
            .map(|(id, started)| format!("{id} ({} s)", started.elapsed().as_secs()))
            .collect();
        running.join(", ")
    }

    fn draw(&mut self) {
        if self.running.is_empty() {
            self.terminal.clear();
        } else {
            let (ended, steps, many) = (self.ended, self.steps, self.running.len());
            let text = format!("[{ended}/{steps}] {many} running: {}", self.what_runs());
            self.spinner.draw(&text);
        }
    }

    fn line(&mut self, text: &str) {
        self.terminal.clear();
        self.terminal.say(text);
        self.spoken = Instant::now();
    }

    fn line_if_verbose(&mut self, text: &str) {
        self.terminal.clear();
        self.terminal.say_more(text);
    }
}

/// `None` for steps that not started: the end tells of them together.
fn word_of(outcome: &Outcome) -> Option<(Paint, &'static str)> {
    match outcome {
        Outcome::Done => Some((Paint::Green, "done")),
        Outcome::AlreadyDone => Some((Paint::Cyan, "as is")),
        Outcome::Failed => Some((Paint::Red, "FAILED")),
        Outcome::Skipped { .. } | Outcome::NotStarted => None,
    }
}

/// Why a step failed: the error, the host's own words, what to do.
fn why(error: &StepError, style: Style) -> Vec<String> {
    let StepError { host, kind, words, hint } = error;
    let mut lines = vec![format!("{host}: {}", kind.with_causes())];
    lines.extend(words.iter().map(|line| style.paint(Paint::Dim, &format!("| {line}"))));
    if let Some(hint) = hint {
        lines.push(format!("{}: {hint}", style.paint(Paint::Bold, "hint")));
    }
    lines
}

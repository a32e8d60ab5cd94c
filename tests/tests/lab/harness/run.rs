//! One run of the program, and what is expected of it.

use std::fmt::Write as _;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::text;

/// How a run of the program went.
#[derive(Debug)]
pub(crate) struct Run {
    arguments: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Run {
    pub(crate) fn new(mut command: Command, arguments: &[&str]) -> Self {
        let began = Instant::now();
        let output = command.output().unwrap();
        Self::ended(arguments, &output, began.elapsed())
    }

    pub(crate) fn ended(arguments: &[&str], output: &Output, took: Duration) -> Self {
        Self {
            arguments: arguments.join(" "),
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            took,
        }
    }

    /// Ended with this exit code.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.text());
        self
    }

    /// Printed this, wherever.
    #[track_caller]
    pub(crate) fn says(self, part: &str) -> Self {
        assert!(self.text().contains(part), "it does not say {part:?}:\n{}", self.text());
        self
    }

    /// Did not print this.
    #[track_caller]
    pub(crate) fn does_not_say(self, part: &str) -> Self {
        assert!(!self.text().contains(part), "it says {part:?}:\n{}", self.text());
        self
    }

    /// Its stdout as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        match serde_json::from_str(&self.stdout) {
            Ok(value) => value,
            Err(error) => panic!("{error}:\n{}", self.text()),
        }
    }

    /// All that it printed, with the command line above.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("$ quorate {}\n", self.arguments);
        let _ = write!(text, "{}{}", self.stdout, self.stderr);
        let _ = writeln!(text, "[{:?}, {:.1} s]", self.code, self.took.as_secs_f64());
        text
    }
}

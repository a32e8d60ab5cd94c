//! Why a step failed, before it is known on which host: made where the knowledge is.

use std::error::Error;

use inventories::HostName;

use super::explain;
use super::log_line;
use crate::hosts::{StepError, StepErrorKind};
use remote::{RemoteError, clean};

/// The most lines of a host's words that a failure keeps; the end explains it.
const MOST_WORDS: usize = 15;

/// A [`StepError`] that does not name its host yet.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: StepErrorKind,
    pub(crate) words: Vec<String>,
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(kind: StepErrorKind) -> Self {
        Self { kind, words: Vec::new(), hint: None }
    }

    /// The step could not be prepared on the operator's side.
    pub(crate) fn local(why: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(StepErrorKind::Local(why.into()))
    }

    /// The host tried and failed.
    #[expect(clippy::needless_pass_by_value, reason = "errors are mapped with it")]
    pub(crate) fn failed(why: impl ToString) -> Self {
        Self::new(StepErrorKind::Failed(why.to_string()))
    }

    pub(crate) fn hinted(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Adds the host's own words, cleaned, each line on its own. A line of etcd's that is known
    /// explains itself: it becomes the hint.
    pub(crate) fn with_words(mut self, said: &[u8]) -> Self {
        let said = clean(said);
        let lines = said.lines().map(log_line::readable).filter(|line| !line.is_empty());
        let lines: Vec<String> = lines.collect();
        let lines = &lines[lines.len().saturating_sub(MOST_WORDS)..];
        if self.hint.is_none() {
            // The last word is the nearest to the end of the process.
            let known = lines.iter().rev().find_map(|line| explain::explain(line));
            self.hint = known.map(|known| known.to_string());
        }
        self.words.extend_from_slice(lines);
        self
    }

    /// Adds the words of another host than the step's.
    pub(crate) fn with_words_of(mut self, host: &HostName, said: &[u8]) -> Self {
        let before = self.words.len();
        self = self.with_words(said);
        for word in &mut self.words[before..] {
            *word = format!("{host}: {word}");
        }
        self
    }

    pub(crate) fn on(self, host: &HostName) -> StepError {
        let Self { kind, words, hint } = self;
        let explained = || match &kind {
            StepErrorKind::Failed(why) => explain::explain(why).map(|known| known.to_string()),
            _ => None,
        };
        let hint = hint.or_else(explained);
        StepError { host: host.clone(), kind, words, hint }
    }
}

impl From<RemoteError> for Failure {
    fn from(error: RemoteError) -> Self {
        let why = error.to_string();
        let unknown = error.outcome_unknown();
        let kind = if error.may_pass() {
            if unknown { StepErrorKind::Lost(why) } else { StepErrorKind::Away(why) }
        } else if unknown {
            StepErrorKind::Unknown(why)
        } else if let RemoteError::Argument(_) = error {
            return Self { hint: error.hint(), ..Self::local(error) };
        } else {
            StepErrorKind::Unreachable(why)
        };
        Self { kind, words: Vec::new(), hint: error.hint() }
    }
}

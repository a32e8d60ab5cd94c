//! The error that ends a command.

use std::error::Error;
use std::fmt;

use inventories::Diagnostic;

use crate::exit::ExitCode;

/// Why a command ended: which exit code it means, what happened, and what to do about it.
///
/// Errors below say what happened; hints are added where the knowledge is. The chain is printed
/// once, at the top.
#[derive(Debug)]
pub struct CliError {
    /// What the process ends with.
    pub kind: ExitCode,
    /// What happened, with its causes.
    pub source: Box<dyn Error + Send + Sync>,
    /// What to do next, one line each.
    pub hints: Vec<String>,
    /// What is wrong with the inventory, where that is the reason.
    pub diagnostics: Vec<Diagnostic>,
}

impl CliError {
    /// An error of a kind.
    pub fn new(kind: ExitCode, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, source: source.into(), hints: Vec::new(), diagnostics: Vec::new() }
    }

    /// An error that changed nothing.
    pub fn failed(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(ExitCode::Failed, source)
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds what to do next, where something is known.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hints.extend(hint);
        self
    }

    /// What happened, from the outermost to the root cause.
    pub fn chain(&self) -> Vec<String> {
        let mut messages = vec![self.source.to_string()];
        let mut cause = self.source.source();
        while let Some(error) = cause {
            messages.push(error.to_string());
            cause = error.source();
        }
        messages
    }
}

/// The chain in one line, for logs and JSON.
impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, message) in self.chain().iter().enumerate() {
            let between = if depth == 0 { "" } else { ": " };
            write!(f, "{between}{message}")?;
        }
        Ok(())
    }
}

/// Says what was being done when an error arose.
#[derive(Debug)]
pub struct ErrorContext {
    doing: String,
    source: Box<dyn Error + Send + Sync>,
}

impl ErrorContext {
    /// `doing` is a lower-case fragment such as `cannot read quorate.toml`.
    pub fn new(doing: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { doing: doing.into(), source: source.into() }
    }
}

impl fmt::Display for ErrorContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.doing)
    }
}

impl Error for ErrorContext {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_names_every_cause_once() {
        let root = std::io::Error::other("no such file");
        let error = CliError::failed(ErrorContext::new("cannot read a.toml", root));
        assert_eq!(error.to_string(), "cannot read a.toml: no such file");
    }
}

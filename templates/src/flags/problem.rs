//! How a problem with a flag is put together.

use inventories::{FlagProblem, Severity};

/// The kinds of problem, which `FlagProblem::code` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Unknown,
    OtherVersion,
    Renamed,
    Owned,
    Unsupported,
    Dangerous,
    Deprecated,
    Risky,
    Type,
}

impl Code {
    fn word(self) -> &'static str {
        match self {
            Code::Unknown => "unknown-flag",
            Code::OtherVersion => "flag-of-other-version",
            Code::Renamed => "renamed-flag",
            Code::Owned => "owned-flag",
            Code::Unsupported => "unsupported-flag",
            Code::Dangerous => "dangerous-flag",
            Code::Deprecated => "deprecated-flag",
            Code::Risky => "risky-flag",
            Code::Type => "flag-type",
        }
    }
}

/// A problem under construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) code: Code,
    pub(super) severity: Severity,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Problem {
    pub(super) fn error(code: Code, message: String) -> Self {
        Self { code, severity: Severity::Error, message, hint: None }
    }

    pub(super) fn warning(code: Code, message: String) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    pub(super) fn hint(self, hint: String) -> Self {
        Self { hint: Some(hint), ..self }
    }
}

impl From<Problem> for FlagProblem {
    fn from(problem: Problem) -> Self {
        let Problem { code, severity, message, hint } = problem;
        Self { severity, code: code.word(), message, hint }
    }
}

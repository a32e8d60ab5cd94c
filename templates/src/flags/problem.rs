//! How a problem with a flag is put together.

use inventories::{FlagProblem, Severity};

/// The kinds of problem, which `FlagProblem::code` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
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
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Problem {
    pub(crate) fn error(code: Code, message: String) -> Self {
        Self { code, severity: Severity::Error, message, hint: None }
    }

    pub(crate) fn warning(code: Code, message: String) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    pub(crate) fn hint(self, hint: String) -> Self {
        Self { hint: Some(hint), ..self }
    }
}

impl From<Problem> for FlagProblem {
    fn from(problem: Problem) -> Self {
        let Problem { code, severity, message, hint } = problem;
        Self { severity, code: code.word(), message, hint }
    }
}

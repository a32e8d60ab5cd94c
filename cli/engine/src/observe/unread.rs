//! Why something that a host said, or did not say, is not known.

use planner::facts::Observed;

use super::records::RecordError;

/// Why it is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unread {
    /// The script that reads the facts did not finish.
    #[error("the facts script ended with status {status}{}", after_colon(.stderr))]
    Ended {
        /// Its exit status.
        status: i32,
        /// What it complained about.
        stderr: String,
    },
    /// The reply is not one of that script.
    #[error(transparent)]
    Malformed(#[from] RecordError),
    /// There is no such record, or it is no text.
    #[error("the host did not say {0}")]
    Silent(String),
    /// It can't be what it should be, in words for people.
    #[error("{0}")]
    Odd(String),
}

impl Unread {
    pub(super) fn odd(what: impl Into<String>) -> Self {
        Self::Odd(what.into())
    }
}

fn after_colon(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

/// What was read, or why not.
pub(super) fn observed<T>(read: Result<T, Unread>) -> Observed<T> {
    match read {
        Ok(value) => Observed::Known(value),
        Err(why) => Observed::Unknown(why.to_string()),
    }
}

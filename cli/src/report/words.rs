//! The planner's choices as the words of JSON documents, which do not change when the planner's do.

use planner::facts::Clock;
use planner::progress::Outcome;
use planner::report::Formation;
use schemars::JsonSchema;
use serde::Serialize;

/// How far a cluster is formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FormationWord {
    /// There is nothing of it.
    Absent,
    /// A bootstrap started and never had a quorum.
    Started,
    /// It had a quorum at least once, so its data counts.
    Formed,
    /// It was formed before, as other hosts or the record beside the inventory say; the hosts of its
    /// members show nothing of it.
    Elsewhere,
    /// Not every host could be seen, and none of those that were says that it is formed.
    Unknown,
}

/// Who measured a round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClockWord {
    /// quorate, by opening connections from host to host: the quickest of a few.
    Connecting,
    /// The host's kernel, on the connections between the members: the quickest of the last minutes.
    Kernel,
}

/// How a step ended, or why it did not start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum OutcomeWord {
    /// It was done.
    Done,
    /// It had been done before, and was left as it is.
    AlreadyDone,
    /// It failed.
    Failed,
    /// It did not start, because of the step named.
    Skipped {
        /// The step that failed: the root cause, not the nearest one.
        because: String,
    },
    /// It did not start, because the run was interrupted.
    NotStarted,
}

impl From<Formation> for FormationWord {
    fn from(formation: Formation) -> Self {
        match formation {
            Formation::Absent => Self::Absent,
            Formation::Started => Self::Started,
            Formation::Formed => Self::Formed,
            Formation::Elsewhere => Self::Elsewhere,
            Formation::Unknown => Self::Unknown,
        }
    }
}

impl From<Clock> for ClockWord {
    fn from(clock: Clock) -> Self {
        match clock {
            Clock::Connecting => Self::Connecting,
            Clock::Kernel => Self::Kernel,
        }
    }
}

impl From<&Outcome> for OutcomeWord {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::Done,
            Outcome::AlreadyDone => Self::AlreadyDone,
            Outcome::Failed => Self::Failed,
            Outcome::Skipped { because } => Self::Skipped { because: because.to_string() },
            Outcome::NotStarted => Self::NotStarted,
        }
    }
}

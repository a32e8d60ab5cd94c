//! What happens during an apply, as it happens. Reporters print; nothing else does.

use std::time::Duration;

use inventories::HostName;
use planner::progress::Outcome;
use planner::{StepId, plan::Action};

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// Execution begins.
    Started {
        /// How many steps there are.
        steps: usize,
    },
    /// A step begins.
    StepStarted {
        /// Which.
        id: StepId,
        /// What it means for the thing it touches.
        action: Action,
    },
    /// The connection to a step's host is lost; the host is waited for.
    ConnectionLost {
        /// The step.
        id: StepId,
        /// Its host.
        host: HostName,
        /// What happened to the connection.
        why: String,
    },
    /// The host is back, nothing of the lost attempt runs any more, and the step is done again.
    Reconnected {
        /// The step.
        id: StepId,
        /// Its host.
        host: HostName,
        /// How long that took.
        after: Duration,
    },
    /// A step ended, or will never begin.
    StepFinished {
        /// Which.
        id: StepId,
        /// How.
        outcome: Outcome,
        /// How long it took; zero where it not started.
        elapsed: Duration,
        /// What else is to be told of it: what is not known, or how long a member stood still.
        note: Option<String>,
        /// Why it failed.
        error: Option<crate::hosts::StepError>,
    },
    /// No more steps start, because the operator interrupted; these are still running.
    Stopping {
        /// Steps that are being finished.
        running: Vec<StepId>,
    },
}

//! A script with the arguments that every script has, and the time that it may take.

use std::time::Duration;

use planner::Step;
use remote::{Call, Payload};

use super::failure::Failure;
use super::guard;

/// How long a step may take with the host's disk. A disk under load syncs slowly.
const WORK: Duration = Duration::from_secs(60);
/// The longest answer of such a step: a word, or a journal's end.
const MAX_REPLY: usize = 256 * 1024;

/// The words of a script that nobody fences and no journal notes.
pub(crate) const UNFENCED: [&str; FENCE_WORDS] = ["-"; FENCE_WORDS];

/// The machine, the lock, its generation, the journal, its entry.
pub(crate) const FENCE_WORDS: usize = 5;

/// A call of `script` for a step, its guard's arguments first.
pub(crate) fn guarded(
    step: &Step,
    script: &'static str,
    args: impl IntoIterator<Item = String>,
) -> Result<Call, Failure> {
    let mut all = guard::arguments(step, None)?;
    all.extend(args);
    Ok(patient(call(script, all, Payload::new()), guard::patience(step)))
}

/// A call that may take as long as its script says that it waits, and works.
pub(crate) fn call(script: &'static str, args: Vec<String>, payload: Payload) -> Call {
    Call { script, args, payload, deadline: WORK + super::waits(script), max_reply: MAX_REPLY }
}

/// The same for a script that is also told how long to wait: so many seconds.
pub(crate) fn patient(call: Call, seconds: u64) -> Call {
    Call { deadline: call.deadline + Duration::from_secs(seconds), ..call }
}

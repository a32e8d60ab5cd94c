//! Lines of the journals that hosts keep: one where a step begins and one where it ends, and the same for an apply as a
//! whole. Scripts append those of steps; they close the object behind the outcome.

use planner::facts::{Applied, Commit};
use serde::Serialize;
use templates::layout::JOURNAL_FILE;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Fence;
use crate::script::call::Arguments;
use crate::script::failure::Failure;

/// A line of a step, before its outcome.
#[derive(Serialize)]
struct StepLine<'a> {
    at: String,
    who: &'a str,
    plan: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<&'a str>,
    step: String,
}

impl StepLine<'_> {
    /// The script closes the object behind the outcome.
    fn open(&self) -> Result<String, Failure> {
        let line = serde_json::to_string(self).map_err(Failure::local)?;
        Ok(line.strip_suffix('}').unwrap_or(&line).to_owned())
    }
}

/// Notes in the host's journal who runs a script that no lock fences.
pub(crate) fn entry(who: &str, what: &str) -> Result<Arguments, Failure> {
    let at = now()?;
    let line = StepLine { at, who, plan: "-", commit: None, run: None, step: what.to_owned() };
    Ok(Arguments::new().with("journal", JOURNAL_FILE).with("entry", line.open()?))
}

/// The same for a step of the apply that holds the lock.
pub(super) fn entry_of_step(fence: &Fence, step: String) -> Result<Arguments, Failure> {
    let line = StepLine {
        at: now()?,
        who: &fence.who,
        plan: &fence.plan,
        commit: fence.commit.as_ref().map(Commit::as_str),
        run: Some(short(&fence.nonce)),
        step,
    };
    Ok(Arguments::new().with("journal", &fence.journal).with("entry", line.open()?))
}

/// An apply as a whole.
#[derive(Debug, Clone)]
pub struct Work {
    /// The command: `apply` or `defrag`.
    pub command: &'static str,
    /// Why the operator did it, in one line.
    pub reason: Option<String>,
}

/// A line of an apply as a whole.
#[derive(Serialize)]
struct ApplyLine<'a> {
    at: &'a str,
    who: &'a str,
    plan: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'a str>,
    run: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    step: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    took_ms: Option<u64>,
    outcome: &'a str,
}

/// What came of an apply.
#[derive(Debug, Clone, Copy)]
pub enum Moment<'a> {
    /// It begins.
    Begun,
    /// It ended.
    Ended {
        /// The word of its exit code.
        outcome: &'a str,
        /// In milliseconds.
        took: u64,
    },
}

impl Work {
    /// Its line in the journal.
    pub(super) fn line(&self, record: &Applied, nonce: &str, moment: Moment<'_>) -> String {
        let (outcome, took_ms) = match moment {
            Moment::Begun => ("begun", None),
            Moment::Ended { outcome, took } => (outcome, Some(took)),
        };
        let line = ApplyLine {
            at: &record.at,
            who: &record.by,
            plan: &record.plan,
            commit: record.commit.as_ref().map(Commit::as_str),
            run: short(nonce),
            reason: self.reason.as_deref(),
            step: self.command,
            took_ms,
            outcome,
        };
        // A line of texts always serializes.
        serde_json::to_string(&line).unwrap_or_default()
    }
}

/// What tells a run from others in journals: the beginning of the random part of its nonce.
fn short(nonce: &str) -> &str {
    let random = nonce.rsplit('.').next().unwrap_or_default();
    random.get(..8).unwrap_or(random)
}

fn now() -> Result<String, Failure> {
    OffsetDateTime::now_utc().format(&Rfc3339).map_err(Failure::local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_an_apply_have_one_run_and_stay_lines() {
        let record = Applied {
            format: 1,
            at: "2026-11-29T03:00:00Z".to_owned(),
            by: "ann@desk".to_owned(),
            plan: "0f0f".to_owned(),
            commit: None,
            dirty: false,
            outcome: "unfinished".to_owned(),
            left: None,
        };
        let work = Work { command: "apply", reason: Some("a\n\"quota\"".to_owned()) };
        let nonce = "boot.7.1.2.0123456789abcdef0123456789abcdef";
        assert_eq!(
            work.line(&record, nonce, Moment::Begun),
            r#"{"at":"2026-11-29T03:00:00Z","who":"ann@desk","plan":"0f0f","run":"01234567","reason":"a\n\"quota\"","step":"apply","outcome":"begun"}"#
        );
        let ended = work.line(&record, "n1", Moment::Ended { outcome: "done", took: 1200 });
        assert!(ended.contains(r#""run":"n1""#), "{ended}");
        assert!(ended.ends_with(r#""step":"apply","took_ms":1200,"outcome":"done"}"#), "{ended}");
    }
}

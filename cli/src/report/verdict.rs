//! What a plan means before anything is applied.

use planner::Plan;
use planner::report::{Finding, FindingCode};

use crate::exit::ExitCode;

/// The exit code of a plan that is only shown, or none of whose steps can run.
pub fn verdict(plan: &Plan) -> ExitCode {
    let found = &plan.report;
    let mut code = ExitCode::Done;
    // A host that the inventory alone knows may stand in the way as well.
    let is_unseen = |finding: &Finding| finding.code == FindingCode::Unseen;
    if !found.unseen.is_empty() || found.refused().any(is_unseen) {
        code = code.first(ExitCode::Unreachable);
    }
    if is_refused(plan) {
        code = code.first(ExitCode::Blocked);
    }
    code
}

/// The same, where pending changes have an exit code of their own.
pub fn detailed(plan: &Plan) -> ExitCode {
    let changes = if plan.steps.is_empty() { ExitCode::Done } else { ExitCode::Changes };
    verdict(plan).first(changes)
}

/// The exit code of an apply all of whose steps succeeded, and `changed` something or not.
pub fn of_all_done(plan: &Plan, changed: Changed) -> ExitCode {
    match (verdict(plan), changed) {
        (ExitCode::Blocked, Changed::Something) => ExitCode::Incomplete,
        (code, _) => code,
    }
}

/// Whether an apply changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It did, or may have.
    Something,
    /// It did not.
    Nothing,
}

/// Not being able to look is no refusal: it is reported as what it is.
fn is_refused(plan: &Plan) -> bool {
    plan.report.refused().any(|finding| finding.code != FindingCode::Unseen)
}

//! What a plan comes to before anything is applied.

use planner::Plan;
use planner::report::FindingCode;

use crate::exit::ExitCode;

/// The exit code of a plan that is only shown, or of which nothing can be done.
pub fn verdict(plan: &Plan) -> ExitCode {
    let found = &plan.report;
    let mut code = ExitCode::Done;
    if !found.unseen.is_empty() {
        code = code.first(ExitCode::Unreachable);
    }
    if is_refused(plan) {
        code = code.first(ExitCode::Blocked);
    }
    code
}

/// The same, where changes to apply are to be told from none.
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

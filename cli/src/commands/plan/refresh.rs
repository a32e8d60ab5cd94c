//! `quorate plan --refresh-only`: what moved on the hosts since the last apply.

use planner::since::{self, Moved};
use planner::text;

use super::super::Context;
use super::super::planning::Planned;
use super::PlanArgs;
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::report::json;
use crate::report::refresh_document::RefreshDocument;

/// Shows it. With `--detailed-exitcode` something that moved counts as changes.
pub(super) fn run(
    context: &Context,
    planned: &Planned,
    arguments: &PlanArgs,
) -> Result<ExitCode, CliError> {
    let judged = planned.plan.selection.judged_hosts(&planned.spec);
    let moved = since::moved(&planned.facts, &judged);
    let mut code = ExitCode::Done;
    if !planned.plan.report.unseen.is_empty() {
        code = code.first(ExitCode::Unreachable);
    }
    let any = |moved: &Moved| matches!(moved, Moved::Known(lines) if !lines.is_empty());
    if arguments.detailed_exitcode && moved.values().any(any) {
        code = code.first(ExitCode::Changes);
    }
    if arguments.json {
        let document = RefreshDocument::new(&planned.plan, &moved, code);
        json::print_document(&context.terminal, &document)?;
    } else {
        let text = text::moved(&planned.plan.report, &moved, context.terminal.style());
        context.terminal.print(&text);
    }
    Ok(code)
}

//! `quorate graph`

use clap::{Args, ValueEnum};
use planner::text;

use super::planning::{Asked, PolicyArgs};
use super::{Context, plan};
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::report::verdict::verdict;
use engine::hosts::Timed;

/// Arguments of `quorate graph`.
#[derive(Debug, Args)]
pub struct GraphArgs {
    /// The language to draw in
    #[arg(long, value_name = "FORMAT", default_value = "dot")]
    format: Format,
    /// What is allowed.
    #[command(flatten)]
    policy: PolicyArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Graphviz
    Dot,
    /// Mermaid, for Markdown
    Mermaid,
}

pub(super) fn run(context: &Context, arguments: &GraphArgs) -> Result<ExitCode, CliError> {
    let plan =
        plan::connect_and_plan(context, &Asked::Inventory(&arguments.policy), Timed::Forming)?.plan;
    let code = verdict(&plan);
    if code != ExitCode::Done {
        let blocked = text::blocked(&plan.report.blocked, context.terminal.message_style());
        context.terminal.say_always(&blocked.join("\n"));
    }
    context.terminal.print(&match arguments.format {
        Format::Dot => text::dot(&plan),
        Format::Mermaid => text::mermaid(&plan),
    });
    Ok(code)
}

//! `quorate plan`

use clap::Args;
use planner::text;

use super::Context;
use super::hosts::Door;
use super::planning::{self, Planned};
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::interrupt::Interrupts;
use crate::report::json;
use crate::report::plan_document::PlanDocument;

/// Arguments of `quorate plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Print the plan as one JSON document
    #[arg(long)]
    json: bool,
    /// Exit with 2 where there are changes to apply
    #[arg(long)]
    detailed_exitcode: bool,
}

pub(super) fn run(context: &Context, arguments: &PlanArgs) -> Result<ExitCode, CliError> {
    let planned = make(context).inspect_err(|error| {
        if arguments.json {
            json::print_error(&context.terminal, error);
        }
    })?;
    let plan = &planned.plan;
    let mut code = planning::verdict(plan);
    if arguments.detailed_exitcode && !plan.steps.is_empty() {
        code = code.first(ExitCode::Changes);
    }
    if arguments.json {
        json::print_document(&context.terminal, &PlanDocument::new(plan, code))?;
    } else {
        context.terminal.print(&text::plan(plan, context.terminal.style()));
        if plan.needs_ca_keys() {
            context
                .terminal
                .say("Applying needs the CA keys; where they are sealed: --identity FILE.");
        }
    }
    Ok(code)
}

/// Looks and plans, and changes nothing.
pub(super) fn make(context: &Context) -> Result<Planned, CliError> {
    let site = context.site()?;
    let spec = site.spec()?;
    context.block_on(async {
        let hosts = Door::of(context, &site)?.hosts();
        let mut interrupts = Interrupts::listen().map_err(CliError::failed)?;
        interrupts.give_way(planning::make(context, spec, &hosts)).await
    })?
}

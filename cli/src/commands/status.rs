//! `quorate status`

use clap::Args;
use inventories::ClusterName;

use super::planning::{Asked, PolicyArgs};
use super::{Context, plan};
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::report::json;
use crate::report::status::{self, Status};
use engine::hosts::Timed;

/// Arguments of `quorate status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Print the status as one JSON document
    #[arg(long)]
    json: bool,
    /// Only this cluster (may be given again)
    #[arg(long, value_name = "NAME")]
    cluster: Vec<ClusterName>,
    /// Time the members' disks and the round trips between them as well
    #[arg(long)]
    preflight: bool,
}

pub(super) fn run(context: &Context, arguments: &StatusArgs) -> Result<ExitCode, CliError> {
    let timed = if arguments.preflight { Timed::All } else { Timed::Nothing };
    let allowed = PolicyArgs::of_clusters(&arguments.cluster);
    let planned = plan::make(context, &Asked::Inventory(&allowed), timed).inspect_err(|error| {
        if arguments.json {
            json::print_error(&context.terminal, error);
        }
    })?;
    let status = Status::of(&planned.spec, &planned.facts, &planned.shown().report, timed);
    let code = status.code();
    if arguments.json {
        json::print_document(&context.terminal, &status)?;
    } else {
        context.terminal.print(&status::text(&status, context.terminal.style()));
    }
    Ok(code)
}

//! What the commands have in common that plan maintenance, something that no inventory asks for.

use std::sync::Arc;

use clap::{ArgGroup, Args};
use engine::backups::restorable::Restorable;

use super::apply::{self, ConsentArgs, Order, Output, Pause};
use super::planning::Asked;
use super::{Context, plan};
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::keys::IdentityArgs;

/// How such a plan is shown or approved.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("unasked").args(["yes", "dry_run"]))]
pub(super) struct MaintenanceArgs {
    /// Show what would be done, and change nothing
    #[arg(long, conflicts_with = "expect")]
    pub(super) dry_run: bool,
    /// How it is approved.
    #[command(flatten)]
    consent: ConsentArgs,
    /// Print what is done as one JSON object per line; with --dry-run, the plan as one JSON document
    #[arg(long, requires = "unasked")]
    pub(super) json: bool,
}

impl MaintenanceArgs {
    /// Shows the plan, or carries it out.
    pub(super) fn run(
        &self,
        context: &Context,
        asked: Asked<'_>,
        identity: &IdentityArgs,
        snapshot: Option<&Arc<Restorable>>,
    ) -> Result<ExitCode, CliError> {
        let Self { dry_run, consent, json } = self;
        if *dry_run {
            return plan::show(context, &asked, consent.layout.hosts(), *json);
        }
        let output = Output::from_flag(*json);
        apply::carry_out(
            context,
            &Order { asked, saved: None, consent, pause: Pause::Never, identity, snapshot, output },
        )
    }
}

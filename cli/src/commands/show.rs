//! `quorate show`

use std::path::PathBuf;

use clap::Args;

use super::Context;
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::saved_plan::SavedPlan;

/// Arguments of `quorate show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// A plan that `quorate plan --out` saved
    #[arg(value_name = "PLAN")]
    saved: PathBuf,
}

pub(super) fn run(context: &Context, arguments: &ShowArgs) -> Result<ExitCode, CliError> {
    let saved = SavedPlan::read(&arguments.saved)?;
    context.terminal.print(&saved.summary());
    let file = arguments.saved.display();
    context.terminal.say(&format!("To perform exactly these actions: quorate apply {file}"));
    Ok(ExitCode::Done)
}

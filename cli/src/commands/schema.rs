//! `quorate schema`

use super::Context;
use crate::error::CliError;
use crate::exit::ExitCode;

pub(super) fn run(context: &Context) -> Result<ExitCode, CliError> {
    let schema =
        serde_json::to_string_pretty(&inventories::json_schema()).map_err(CliError::failed)?;
    context.terminal.print(&schema);
    Ok(ExitCode::Done)
}

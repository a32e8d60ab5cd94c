//! `quorate schema`

use clap::{Args, ValueEnum};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::recover::document::RecoverDocument;
use super::snapshot::list;
use super::{Context, archives, history};
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::report::error_document::ErrorDocument;
use crate::report::event_line::EventLine;
use crate::report::json::print_document;
use crate::report::plan_document::PlanDocument;
use crate::report::refresh_document::RefreshDocument;
use crate::report::status::Status;

/// Arguments of `quorate schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// What the schema is of
    #[arg(value_enum, value_name = "WHAT", default_value = "inventory")]
    of: Document,
}

/// What has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Document {
    /// The inventory, for editors
    Inventory,
    /// What `plan --json` prints
    Plan,
    /// What `plan --refresh-only --json` prints
    Refresh,
    /// What `status --json` prints
    Status,
    /// What `history --json` prints
    History,
    /// What `history --steps --json` prints
    Steps,
    /// What `archives list --json` prints
    Archives,
    /// What `snapshot list --json` prints
    Snapshots,
    /// What `recover --json` prints
    Recover,
    /// A line of what `apply --json` and `defrag --yes --json` print
    Events,
    /// What is printed in the place of a document where there is none
    Error,
}

pub(super) fn run(context: &Context, arguments: &SchemaArgs) -> Result<ExitCode, CliError> {
    let schema = match arguments.of {
        Document::Inventory => inventories::json_schema(),
        Document::Plan => printed::<PlanDocument<'_>>(),
        Document::Refresh => printed::<RefreshDocument<'_>>(),
        Document::Status => printed::<Status>(),
        Document::History => printed::<Vec<history::Apply>>(),
        Document::Steps => printed::<Vec<history::Entry>>(),
        Document::Archives => printed::<Vec<archives::Entry>>(),
        Document::Snapshots => printed::<Vec<list::Entry>>(),
        Document::Recover => printed::<RecoverDocument>(),
        Document::Events => printed::<EventLine<'_>>(),
        Document::Error => printed::<ErrorDocument<'_>>(),
    };
    print_document(&context.terminal, &schema)?;
    Ok(ExitCode::Done)
}

/// The schema of what is printed: a key that is always there is required, `null` or not.
fn printed<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

//! An error as one JSON document.

use inventories::diagnostic::JsonDiagnostic;
use schemars::JsonSchema;
use serde::Serialize;

use super::plan_document::FORMAT_VERSION;
use crate::error::CliError;

/// Why there is no document: printed in its place, so that `--json` always prints one.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ErrorDocument<'a> {
    format_version: &'static str,
    quorate_version: &'static str,
    exit_code: u8,
    reason: &'static str,
    error: ErrorText<'a>,
    /// What is wrong with the inventory, where that is the reason.
    diagnostics: Vec<JsonDiagnostic<'a>>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ErrorText<'a> {
    summary: String,
    hints: &'a [String],
}

impl<'a> ErrorDocument<'a> {
    /// The document of an error that ends a command.
    pub fn new(error: &'a CliError) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            quorate_version: env!("CARGO_PKG_VERSION"),
            exit_code: error.kind.number(),
            reason: error.kind.reason(),
            error: ErrorText { summary: error.to_string(), hints: &error.hints },
            diagnostics: error.diagnostics.iter().map(JsonDiagnostic::from).collect(),
        }
    }
}

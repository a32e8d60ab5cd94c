//! Diagnostics for programs, in the shape that OpenTofu made common.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Diagnostic, Location, Severity};

/// A diagnostic as one JSON object.
///
/// Strings hold what the file holds; JSON escapes control characters. `excerpt`s mask secrets.
#[derive(Debug, Serialize, JsonSchema)]
pub struct JsonDiagnostic<'a> {
    severity: Severity,
    code: &'a str,
    summary: &'a str,
    /// The hint, or empty.
    detail: &'a str,
    #[serde(flatten)]
    place: JsonPlace<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    related: Option<JsonRelated<'a>>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct JsonRelated<'a> {
    label: &'a str,
    #[serde(flatten)]
    place: JsonPlace<'a>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct JsonPlace<'a> {
    range: JsonRange<'a>,
    snippet: JsonSnippet<'a>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct JsonRange<'a> {
    filename: &'a str,
    start: JsonPosition,
    end: JsonPosition,
}

/// Line and column count from 1, columns in Unicode characters; the byte counts from 0.
#[derive(Debug, Serialize, JsonSchema)]
struct JsonPosition {
    line: usize,
    column: usize,
    byte: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
struct JsonSnippet<'a> {
    /// What is wrong at the highlight.
    context: Option<&'a str>,
    code: &'a str,
    start_line: usize,
    highlight_start_offset: usize,
    highlight_end_offset: usize,
}

impl<'a> From<&'a Diagnostic> for JsonDiagnostic<'a> {
    fn from(diagnostic: &'a Diagnostic) -> Self {
        let Diagnostic { severity, code, message, label, hint, at, related } = diagnostic;
        Self {
            severity: *severity,
            code,
            summary: message,
            detail: hint.as_deref().unwrap_or_default(),
            place: JsonPlace::new(at, label.as_deref()),
            related: related.as_ref().map(|related| JsonRelated {
                label: &related.label,
                place: JsonPlace::new(&related.at, None),
            }),
        }
    }
}

impl<'a> JsonPlace<'a> {
    fn new(at: &'a Location, context: Option<&'a str>) -> Self {
        let Location { file, span, line, column, end_line, end_column, excerpt } = at;
        let start = JsonPosition { line: *line, column: *column, byte: span.start };
        let end = JsonPosition { line: *end_line, column: *end_column, byte: span.end };
        Self {
            range: JsonRange { filename: file, start, end },
            snippet: JsonSnippet {
                context,
                code: &excerpt.code,
                start_line: *line,
                highlight_start_offset: excerpt.highlight.start,
                highlight_end_offset: excerpt.highlight.end,
            },
        }
    }
}

impl Serialize for Diagnostic {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        JsonDiagnostic::from(self).serialize(serializer)
    }
}

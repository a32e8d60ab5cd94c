//! What is wrong with an inventory, where, and what to write instead.

use std::ops::Range;

mod excerpt;
mod json;
mod render;

pub use excerpt::Excerpt;
pub use json::JsonDiagnostic;
pub use render::{Colour, render, render_all};

/// How bad a finding is.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The inventory cannot be used.
    Error,
    /// The inventory can be used; somebody should look.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// One mistake, with everything that is needed to show it: no file is read again.
///
/// Texts may hold anything that the inventory holds, also control characters. The renderer and
/// the JSON form escape them; other code that prints them has to do the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the inventory can still be used.
    pub severity: Severity,
    /// A stable kebab-case word for the kind of mistake, such as `unknown-key`.
    pub code: &'static str,
    /// What is wrong, as a lower-case fragment without a full stop.
    pub message: String,
    /// What is wrong at the span, in a few words.
    pub label: Option<String>,
    /// What to write instead.
    pub hint: Option<String>,
    /// Where it is wrong.
    pub at: Location,
    /// The other place, where two settings do not go together.
    pub related: Option<Related>,
}

/// Another place that a mistake has to do with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// What is there, in a few words.
    pub label: String,
    /// Where it is.
    pub at: Location,
}

/// A place in a file, with the source line to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file as the operator named it.
    pub file: String,
    /// Bytes of the file.
    pub span: Range<usize>,
    /// Line of the span's begin, counted from 1.
    pub line: usize,
    /// Column of the span's begin, counted from 1 in Unicode characters.
    pub column: usize,
    /// Line of the span's end, counted from 1.
    pub end_line: usize,
    /// Column just after the span, counted from 1 in Unicode characters.
    pub end_column: usize,
    /// The line of the span's begin.
    pub excerpt: Excerpt,
}

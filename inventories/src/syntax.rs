//! From text to a tree of tables: TOML's own rules, all violations at once, within fixed bounds.

use std::ops::Range;

use toml::de::DeTable;

use crate::report::{At, Finding, MOST, Report, SYNTAX};
use crate::source::{MAX_BYTES, Source};

use keys::MAX_DEPTH;

mod keys;

/// Reads one file. `None` if it is too large or too deeply nested to be looked at.
pub(crate) fn parse<'s>(
    file: usize,
    source: &'s Source,
    report: &mut Report<'_>,
) -> Option<toml::Spanned<DeTable<'s>>> {
    let size = source.text.len();
    if size > MAX_BYTES {
        report.add(
            Finding::error(
                "file-too-large",
                &At::new(file, 0..0),
                format!("the file has {size} bytes, more than the {MAX_BYTES} that an inventory may have"),
            )
            .hint("is this the right file?"),
        );
        return None;
    }
    let keys = keys::Keys::read(&source.text);
    if let Some(span) = keys.too_deep() {
        report.mark_broken(file);
        let message = format!("tables and lists stand in each other more than {MAX_DEPTH} deep");
        let hint = "the deepest key of an inventory is like clusters.main.bootstrap.static";
        report.add(Finding::error("nesting", &At::new(file, span), message).hint(hint));
        return None;
    }
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    if !errors.is_empty() {
        report.mark_broken(file);
    }
    for error in errors.iter().take(MOST) {
        let span = error.span().unwrap_or(0..0);
        let at = At::new(file, span.clone());
        report.add(match error.message() {
            "duplicate key" => duplicate(file, source, &at, &span, &keys),
            message => {
                let (message, hint) = explain(message, &source.text, &span);
                Finding::error(SYNTAX, &at, message).maybe_hint(hint)
            }
        });
    }
    Some(table)
}

/// Whether a text is nested too deeply to be made a tree of.
pub(crate) fn is_too_deep(text: &str) -> bool {
    keys::Keys::read(text).too_deep().is_some()
}

fn duplicate(
    file: usize,
    source: &Source,
    at: &At,
    span: &Range<usize>,
    keys: &keys::Keys,
) -> Finding {
    let name = &source.text[span.clone()];
    let finding = Finding::error("duplicate-key", at, format!("`{name}` is written twice"))
        .label("again here")
        .hint("keep one of the two");
    match keys.first_of(span) {
        Some(first) => finding.related(&At::new(file, first), "first here"),
        None => finding,
    }
}

/// The parser's message and what to write, for the mistakes that people make most.
fn explain(message: &str, text: &str, span: &Range<usize>) -> (String, Option<String>) {
    let start = text.floor_char_boundary(span.start);
    let line_start = text[..start].rfind('\n').map_or(0, |end| end + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let (key, value) = line.split_once('=').unwrap_or((line, ""));
    let (key, value) = (key.trim(), value.trim());
    if line.contains('=') && value.is_empty() {
        return ("the key has no value".to_owned(), Some(format!("write: {key} = \"…\"")));
    }
    let bare = value.chars().all(|c| c.is_alphanumeric() || ".-_/:@+~".contains(c));
    if bare && !value.is_empty() && value.len() < MAX_BARE {
        return (message.to_owned(), Some(format!("write texts in quotes: {key} = \"{value}\"")));
    }
    (message.to_owned(), None)
}

/// Longer values are not repeated in a hint.
const MAX_BARE: usize = 80;

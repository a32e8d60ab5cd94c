//! From text to a tree of tables: TOML's own rules, all violations at once, within fixed bounds.

use std::ops::Range;

use toml::de::DeTable;

use crate::report::{At, Finding, Report};
use crate::source::{MAX_BYTES, Source};

mod keys;

/// The most parts a dotted key may have. The inventory needs 4; trees that are nested without
/// bound would overflow the stack when they are walked or dropped.
const MAX_KEY_PARTS: usize = 16;

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
    if let Some(span) = keys.deeper_than(MAX_KEY_PARTS) {
        report.mark_broken(file);
        report.add(
            Finding::error(
                "nesting",
                &At::new(file, span),
                format!("the key has more than {MAX_KEY_PARTS} parts"),
            )
            .hint("no key of an inventory has more than 4, such as hosts.etcd-1.ssh.port"),
        );
        return None;
    }
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    for error in &errors {
        report.mark_broken(file);
        let span = error.span().unwrap_or(0..0);
        let at = At::new(file, span.clone());
        report.add(match error.message() {
            "duplicate key" => duplicate(file, source, &at, &span, &keys),
            message => Finding::error("syntax", &at, message.to_owned()).maybe_hint(advice(
                message,
                &source.text,
                &span,
            )),
        });
    }
    Some(table)
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

/// What to write, for the mistakes that people make most.
fn advice(message: &str, text: &str, span: &Range<usize>) -> Option<String> {
    let before = text[..text.floor_char_boundary(span.start)].trim_end();
    if message.contains("recursion") {
        return Some("an inventory needs 4 levels at most".to_owned());
    }
    if message.contains("string values must be quoted") || before.ends_with('=') {
        return Some("write texts in quotes: key = \"value\"".to_owned());
    }
    None
}

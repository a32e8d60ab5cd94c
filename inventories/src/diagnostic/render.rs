//! Diagnostics as text for people.

use std::fmt::Write;

use super::{Diagnostic, Location, Severity};
use crate::escape::{escape, width};

/// Whether the text carries ANSI colours. The colour never says anything alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Never,
    /// With ANSI escape sequences.
    Always,
}

impl Colour {
    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Colour::Never => text.to_owned(),
            Colour::Always => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

const BOLD: &str = "1";
const RULE: &str = "1;34";

/// Every diagnostic, a blank line between, and the count at the end. Empty when there is none.
pub fn render_all(diagnostics: &[Diagnostic], colour: Colour) -> String {
    if diagnostics.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    for diagnostic in diagnostics {
        text.push_str(&render(diagnostic, colour));
        text.push('\n');
    }
    let count = |severity| diagnostics.iter().filter(|d| d.severity == severity).count();
    let counts = [(count(Severity::Error), "error"), (count(Severity::Warning), "warning")]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}{}", if number == 1 { "" } else { "s" }))
        .collect::<Vec<_>>();
    let _ = writeln!(text, "{}", counts.join(", "));
    text
}

/// One diagnostic: what is wrong, the source line with the place marked, and what to write.
///
/// Whatever the file holds, the text has no control character but newlines (and the colours that
/// were asked for), and nothing that turns the direction of writing around.
pub fn render(diagnostic: &Diagnostic, colour: Colour) -> String {
    let Diagnostic { severity, code, message, label, hint, at, related } = diagnostic;
    let tone = match severity {
        Severity::Error => "1;31",
        Severity::Warning => "1;33",
    };
    let lines = [Some(at), related.as_ref().map(|related| &related.at)];
    let gutter = lines.iter().flatten().map(|at| at.line.to_string().len()).max().unwrap_or(1);
    let head = colour.paint(tone, &format!("{}[{code}]", severity.as_str()));
    let mut text = format!("{head}: {}\n", colour.paint(BOLD, &escape(message)));
    let label = label.as_deref().unwrap_or_default();
    text.push_str(&place(at, "-->", '^', tone, label, gutter, colour));
    if let Some(related) = related {
        text.push_str(&place(&related.at, ":::", '-', RULE, &related.label, gutter, colour));
    }
    if let Some(hint) = hint {
        let indent = " ".repeat(gutter);
        let margin = format!("{indent}         ");
        let hint = hint.lines().map(escape).collect::<Vec<_>>().join(&format!("\n{margin}"));
        let rule = colour.paint(RULE, "=");
        let _ = writeln!(text, "{indent} {rule} {}: {hint}", colour.paint(BOLD, "help"));
    }
    text
}

fn place(
    at: &Location,
    arrow: &str,
    mark: char,
    tone: &str,
    label: &str,
    gutter: usize,
    colour: Colour,
) -> String {
    let code = &at.excerpt.code;
    let (begin, end) = (at.excerpt.highlight.start, at.excerpt.highlight.end);
    let indent = " ".repeat(gutter);
    let arrow = colour.paint(RULE, arrow);
    let rule = colour.paint(RULE, "|");
    let number = colour.paint(RULE, &format!("{:gutter$}", at.line));
    let marks = mark.to_string().repeat(width(&code[begin..end]).max(1));
    let under = colour.paint(tone, format!("{marks} {}", escape(label)).trim_end());
    let lead = " ".repeat(width(&code[..begin]));
    format!(
        "{indent}{arrow} {}:{}:{}\n{indent} {rule}\n{number} {rule} {}\n{indent} {rule} {lead}{under}\n",
        escape(&at.file),
        at.line,
        at.column,
        escape(code).trim_end(),
    )
}

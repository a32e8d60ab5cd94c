//! The last gate before a terminal or a CI log: whatever a host or a file said, it is only text.

use std::env;
use std::sync::LazyLock;

use planner::text::Style;

/// Takes out control characters other than newline and tab, and what turns the direction of
/// writing around. Colours survive where colours are wanted. In GitHub Actions, a line that its
/// runner would take for a command is kept from being one.
pub fn safe(text: &str, style: Style) -> String {
    static IN_ACTIONS: LazyLock<bool> =
        LazyLock::new(|| env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true"));
    let text = visible(text, style);
    if *IN_ACTIONS { no_commands(&text) } else { text }
}

fn visible(text: &str, style: Style) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let sequence = if c == '\u{1b}' { colour_sequence(rest) } else { None };
        match sequence {
            Some(sequence) => {
                if style == Style::Colour {
                    out.push_str(sequence);
                }
                rest = &rest[sequence.len()..];
            }
            None => {
                if c == '\n' || c == '\t' || !(c.is_control() || is_deceptive(c)) {
                    out.push(c);
                }
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    out
}

/// `ESC [ digits ; digits m` at the beginning of a text.
fn colour_sequence(text: &str) -> Option<&str> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    parameters[end..].starts_with('m').then(|| &text[..2 + end + 1])
}

/// Bidirectional controls, zero-width characters and line separators.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{feff}' | '\u{61c}')
}

/// The runner obeys lines that begin with `::`, leading blanks left out of account, and `##[` wherever
/// it stands.
fn no_commands(text: &str) -> String {
    let defused = |line: &str| match line.trim_start().starts_with("::") {
        true => format!("| {line}"),
        false => line.to_owned(),
    };
    text.replace("##[", "## [").split_inclusive('\n').map(defused).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_colour_reaches_the_terminal() {
        let hostile = "\u{1b}[31mred\u{1b}[0m\u{1b}[2J\u{1b}]0;t\u{7} a\u{202e}b\r\n\tend\u{9b}5m";
        assert_eq!(visible(hostile, Style::Plain), "red[2J]0;t ab\n\tend5m");
        assert_eq!(visible(hostile, Style::Colour), "\u{1b}[31mred\u{1b}[0m[2J]0;t ab\n\tend5m");
    }

    #[test]
    fn a_host_gives_no_commands_to_the_ci_runner() {
        let said = "ok\n  ::set-env name=PATH::x\n##[group]x\nfd00::1\nit said: ##[add-mask]x\n";
        let defused =
            "ok\n|   ::set-env name=PATH::x\n## [group]x\nfd00::1\nit said: ## [add-mask]x\n";
        assert_eq!(no_commands(said), defused);
    }
}

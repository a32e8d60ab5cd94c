//! How a file differs, in the lines that differ.

use similar::{ChangeTag, TextDiff};

/// The most lines that a plan shows of one file; the rest is counted.
const MOST_LINES: usize = 20;

/// Says how a text differs from the one that is wanted: nothing where it does not. `None` is a text
/// that could not be read whole.
pub(crate) fn of_text(path: &str, seen: Option<&str>, wanted: &str) -> Vec<String> {
    let Some(seen) = seen else {
        return vec![format!("{path}: content differs, and is not text that can be shown")];
    };
    if seen == wanted {
        return Vec::new();
    }
    let diff = TextDiff::from_lines(seen, wanted);
    let mut lines: Vec<String> = diff
        .iter_all_changes()
        .filter_map(|change| {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => return None,
            };
            Some(format!("  {sign} {}", shown(change.value())))
        })
        .collect();
    let more = lines.len().saturating_sub(MOST_LINES);
    lines.truncate(MOST_LINES);
    if more > 0 {
        lines.push(format!("  … and {more} more lines"));
    }
    lines.insert(0, format!("{path}: content differs"));
    lines
}

/// A line of a host's file without what a terminal would obey.
fn shown(line: &str) -> String {
    line.trim_end_matches(['\n', '\r'])
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_that_differ_are_shown() {
        let lines = of_text("/u", Some("a\nb\nc\n"), "a\nB\nc\n");
        assert_eq!(lines, ["/u: content differs", "  - b", "  + B"]);
        assert_eq!(of_text("/u", Some("a\n"), "a\n"), Vec::<String>::new());
    }

    #[test]
    fn a_file_full_of_differences_is_cut_and_a_terminal_is_not_steered() {
        let seen: String = (0..100).map(|n| format!("x{n}\n")).collect();
        let lines = of_text("/u", Some(&seen), "");
        assert_eq!(lines.len(), MOST_LINES + 2);
        assert_eq!(lines.last().unwrap(), "  … and 80 more lines");
        assert_eq!(of_text("/u", Some("\u{1b}[31m\n"), "")[1], "  - \u{fffd}[31m");
    }
}

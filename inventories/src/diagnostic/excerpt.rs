//! The piece of a source line that is shown with a mistake.

use std::ops::Range;

/// The most characters of a line that are shown.
const WIDTH: usize = 160;
/// How many characters before the mistake are kept when a line is too long.
const LEAD: usize = 40;

/// A source line, or the part of it around a mistake when it is long. Secrets are masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The text, as it stands in the file.
    pub code: String,
    /// The mistake within `code`, in bytes; empty where it is the end of the line.
    pub highlight: Range<usize>,
}

impl Excerpt {
    /// Cuts the excerpt for `span` out of `line`, which begins at byte `line_start` of the file.
    ///
    /// `hidden` are the bytes of the file that must not be shown: each of their characters
    /// becomes a `*`.
    pub(crate) fn cut(
        line: &str,
        line_start: usize,
        span: &Range<usize>,
        hidden: &[Range<usize>],
    ) -> Self {
        let begin = span.start.saturating_sub(line_start).min(line.len());
        let end = span.end.saturating_sub(line_start).clamp(begin, line.len());
        let line_end = line_start + line.len();
        let hidden: Vec<_> = hidden
            .iter()
            .filter(|range| range.start < line_end && range.end > line_start)
            .collect();
        let lead = line[..begin].chars().count();
        let skip = if line.chars().nth(WIDTH).is_some() { lead.saturating_sub(LEAD) } else { 0 };
        let mut excerpt = Self { code: String::new(), highlight: 0..0 };
        let mut open = false;
        for (at, character) in line.char_indices().skip(skip).take(WIDTH) {
            if at >= begin && !open {
                excerpt.highlight.start = excerpt.code.len();
                open = true;
            }
            let masked = hidden.iter().any(|range| range.contains(&(line_start + at)));
            excerpt.code.push(if masked { '*' } else { character });
            if open && at < end {
                excerpt.highlight.end = excerpt.code.len();
            }
        }
        if !open {
            excerpt.highlight = excerpt.code.len()..excerpt.code.len();
        }
        excerpt.highlight.end = excerpt.highlight.end.max(excerpt.highlight.start);
        excerpt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_around_the_mistake() {
        let line = format!("{}bad{}", "a".repeat(5_000), "z".repeat(5_000));
        let excerpt = Excerpt::cut(&line, 100, &(5_100..5_103), &[]);
        assert_eq!(&excerpt.code[excerpt.highlight.clone()], "bad");
        assert_eq!(excerpt.code.len(), WIDTH);
    }

    #[test]
    fn hidden_bytes_are_starred() {
        let secret = 17..24;
        let excerpt = Excerpt::cut("key = \"sécret\"", 10, &(16..25), &[secret]);
        assert_eq!(excerpt.code, "key = \"******\"");
        assert_eq!(&excerpt.code[excerpt.highlight], "\"******\"");
    }

    #[test]
    fn the_end_of_a_line_is_an_empty_highlight() {
        let excerpt = Excerpt::cut("key =", 0, &(5..5), &[]);
        assert_eq!(excerpt.highlight, 5..5);
    }
}

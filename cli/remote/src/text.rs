//! What a host said, made fit for an error message.
//!
//! A host's output is not ours: it may hold escape sequences that repaint a terminal, directional
//! marks that reorder a line, or a gigabyte of either.

use std::iter::Peekable;
use std::str::Chars;

/// How much of a host's stderr is kept for an error message; the end of it explains a failure.
pub(crate) const TAIL_BYTES: usize = 8 * 1024;

/// The end of a stream of any length, in constant memory.
#[derive(Default)]
pub(crate) struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    /// Appends, forgetting the oldest bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        // Shifting only at twice the size keeps the cost linear in what passes through.
        if self.bytes.len() > 2 * TAIL_BYTES {
            self.bytes.drain(..self.bytes.len() - TAIL_BYTES);
        }
    }

    /// The end of what was pushed, cleaned.
    pub(crate) fn text(&self) -> String {
        clean(&self.bytes[self.bytes.len().saturating_sub(TAIL_BYTES)..])
    }
}

/// Turns bytes of a host into text without control characters other than newline and tab, without
/// escape sequences, and without characters that change the direction or visibility of others.
pub fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || is_deceptive(c) => {}
            c => out.push(c),
        }
    }
    out.trim().to_owned()
}

/// Skips the rest of an escape sequence, of the kinds that end by a rule of their own.
fn skip_escape(chars: &mut Peekable<Chars<'_>>) {
    let ends: fn(&char) -> bool = match chars.next_if(|next| !next.is_control()) {
        Some('[') => |c| ('\u{40}'..='\u{7e}').contains(c),
        Some(']' | 'P' | '_' | '^' | 'X') => |c| matches!(c, '\u{7}' | '\u{9c}' | '\\' | '\n'),
        _ => return,
    };
    chars.by_ref().take_while(|c| !ends(c)).for_each(drop);
}

/// Bidirectional controls, zero-width characters and line separators.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escape_sequences_and_directional_marks_do_not_reach_the_operator() {
        let said = b"\x1b[31mred\x1b[0m \x1b]0;title\x07end \x1b]8;;http://x\x1b\\link\x08\r\nnext\x00 \xff";
        assert_eq!(clean(said), "red end link\nnext \u{fffd}");
        assert_eq!(clean("a\u{202e}b\u{200b}c".as_bytes()), "abc");
    }

    #[test]
    fn a_flood_leaves_its_end_only() {
        let mut tail = Tail::default();
        for _ in 0..1000 {
            tail.push(&[b'x'; 1000]);
        }
        tail.push(b"the reason");
        assert!(tail.bytes.capacity() < 5 * TAIL_BYTES);
        let text = tail.text();
        assert_eq!(text.len(), TAIL_BYTES);
        assert!(text.ends_with("xthe reason"));
    }

    proptest! {
        #[test]
        fn no_bytes_yield_a_control_character(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(clean(&bytes).chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
        }
    }
}

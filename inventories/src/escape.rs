//! Text from a file, made safe to print.

/// The text with every character escaped that a terminal obeys or that does not show as itself:
/// control characters, characters that turn the direction of writing, invisible ones.
pub(crate) fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, character| {
        match shown(character) {
            Shown::AsIs => safe.push(character),
            Shown::Spaces => safe.push_str(TAB),
            Shown::Escaped => safe.extend(character.escape_unicode()),
        }
        safe
    })
}

/// How many characters wide the text is once escaped.
pub(crate) fn width(text: &str) -> usize {
    let one = |character: char| match shown(character) {
        Shown::AsIs => 1,
        Shown::Spaces => TAB.len(),
        Shown::Escaped => character.escape_unicode().count(),
    };
    text.chars().map(one).sum()
}

/// Tabs have a fixed width here, so that marks below a line stand where they should.
const TAB: &str = "    ";

enum Shown {
    AsIs,
    Spaces,
    Escaped,
}

fn shown(character: char) -> Shown {
    match character {
        '\t' => Shown::Spaces,
        ' '..='~' => Shown::AsIs,
        _ if character.is_control() || is_misleading(character) => Shown::Escaped,
        _ => Shown::AsIs,
    }
}

/// Characters that are invisible, join others, or change the direction of what follows. Letters of
/// scripts that are written from right to left are among them: a terminal reorders the line.
fn is_misleading(character: char) -> bool {
    matches!(character,
        '\u{a0}' | '\u{ad}'
        | '\u{300}'..='\u{36f}'
        | '\u{590}'..='\u{8ff}'
        | '\u{1680}' | '\u{180e}'
        | '\u{2000}'..='\u{200f}'
        | '\u{2028}'..='\u{202f}'
        | '\u{205f}'..='\u{206f}'
        | '\u{3000}'
        | '\u{e000}'..='\u{f8ff}'
        | '\u{fb1d}'..='\u{fdff}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{fe70}'..='\u{feff}'
        | '\u{fff0}'..='\u{ffff}'
        | '\u{10800}'..='\u{10fff}'
        | '\u{1e800}'..='\u{1efff}'
        | '\u{e0000}'..='\u{10ffff}')
}

/// What to say about the first character of a name that is not plain ASCII, since it may look
/// just like one that is: `'е' (U+0435)`.
pub(crate) fn odd_character(text: &str) -> Option<String> {
    let odd = text.chars().find(|c| !c.is_ascii() || c.is_ascii_control())?;
    Some(format!("'{}' (U+{:04X})", escape(&odd.to_string()), u32::from(odd)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let hostile = "a\u{1b}[31m\u{202e}b\u{7}\r\u{200b}אب";
        let safe = escape(hostile);
        assert!(safe.is_ascii(), "{safe}");
        assert_eq!(width(hostile), safe.chars().count());
    }

    #[test]
    fn a_homoglyph_is_named_by_its_number() {
        assert_eq!(odd_character("еtcd").as_deref(), Some("'е' (U+0435)"));
        assert_eq!(odd_character("etcd"), None);
    }
}

//! One line of a configuration file, in words.

use super::error::ConfigProblem;

/// A line that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The keyword in lower case.
    pub keyword: String,
    /// The keyword as it is written.
    pub spelling: String,
    /// The words after it, without quotes.
    pub words: Vec<String>,
    /// All after it, as it is written.
    pub rest: String,
}

impl Line {
    /// `None` for an empty line or a comment.
    pub fn parse(text: &str) -> Result<Option<Self>, ConfigProblem> {
        let text = text.trim_matches([' ', '\t', '\r', '\u{c}']);
        if text.is_empty() || text.starts_with('#') {
            return Ok(None);
        }
        let end = text.find([' ', '\t', '=']).unwrap_or(text.len());
        let (spelling, rest) = text.split_at(end);
        let rest = rest.trim_start_matches([' ', '\t']);
        let rest = rest.strip_prefix('=').unwrap_or(rest);
        Ok(Some(Self {
            keyword: spelling.to_ascii_lowercase(),
            spelling: spelling.to_owned(),
            words: words(rest)?,
            rest: rest.trim_start_matches([' ', '\t', '=']).to_owned(),
        }))
    }
}

/// Splits as ssh does: quotes of both kinds, a backslash before quotes, backslashes and spaces, and
/// `#` where a word would begin ends the line.
fn words(text: &str) -> Result<Vec<String>, ConfigProblem> {
    let mut words = Vec::new();
    let mut rest = text.chars().peekable();
    loop {
        while rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        if matches!(rest.peek(), None | Some('#')) {
            return Ok(words);
        }
        let mut word = String::new();
        let mut quote = None;
        while let Some(c) = rest.next_if(|c| quote.is_some() || !matches!(c, ' ' | '\t')) {
            match (c, quote) {
                ('\\', _) => {
                    let escaped = rest.next_if(|next| {
                        matches!(next, '\'' | '"' | '\\') || (*next == ' ' && quote.is_none())
                    });
                    word.push(escaped.unwrap_or('\\'));
                }
                ('"' | '\'', None) => quote = Some(c),
                (c, Some(open)) if c == open => quote = None,
                (c, _) => word.push(c),
            }
        }
        if quote.is_some() {
            return Err(ConfigProblem::Quote);
        }
        words.push(word);
    }
}

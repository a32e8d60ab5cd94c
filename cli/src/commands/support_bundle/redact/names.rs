//! Secrets that a name announces.

use super::REMOVED;

/// Names whose value is a secret: in whatever case, with or without `-` and `_`, and as part of a longer name.
const NAMES: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "cookie",
    "webhook",
];

/// The same, but too short to be looked for within other words: how a name ends.
const ENDINGS: [&str; 2] = ["pass", "pwd"];

/// Whether a name is that of a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_signature = lower.rsplit(['-', '_']).next() == Some("sig");
    let bare: String = lower.chars().filter(|c| !matches!(c, '-' | '_')).collect();
    is_signature
        || NAMES.iter().any(|known| bare.contains(known))
        || ENDINGS.iter().any(|known| bare.ends_with(known))
}

/// `name = value`, `name: value`, `"name": "value"`, `--name value`, `"--name", "value"` and `, name value` of a log,
/// where the name is that of a secret: the rest of the line goes, for a secret may hold blanks.
pub(super) fn named(line: &str) -> String {
    let mut at = 0;
    while let Some(word) = Word::next(line, at) {
        at = word.end;
        if let Some(value) = word.value(line)
            && (is_secret(word.text) || word.is_login(&line[value..]))
        {
            return format!("{}{REMOVED}", &line[..value]);
        }
    }
    line.to_owned()
}

/// A name as it stands in a line.
struct Word<'a> {
    text: &'a str,
    start: usize,
    end: usize,
}

impl<'a> Word<'a> {
    /// The next one from there on.
    fn next(line: &'a str, from: usize) -> Option<Self> {
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let start = from + line[from..].find(is_of_name)?;
        let end = line[start..].find(|c| !is_of_name(c)).map_or(line.len(), |end| start + end);
        Some(Self { text: &line[start..end], start, end })
    }

    /// Where its value begins, if it is followed by one.
    fn value(&self, line: &str) -> Option<usize> {
        let behind = &line[self.end..];
        let unquoted = behind.trim_start_matches(['"', '\'', '\\']);
        let is_quoted = unquoted.len() < behind.len();
        let rest = unquoted.trim_start();
        let at = line.len() - rest.len();
        let is_option = self.text.starts_with('-');
        let is_field = line[..self.start].ends_with(", ") && rest.len() < unquoted.len();
        match rest.chars().next()? {
            '=' | ':' => Some(at + 1),
            ',' if is_quoted || is_option => Some(at + 1),
            _ if is_option || is_field => Some(at),
            _ => None,
        }
    }

    /// `--user name:password`, and all that is called so.
    fn is_login(&self, value: &str) -> bool {
        let name = self.text.to_ascii_lowercase();
        let is_user = self.text == "-u" || name.rsplit(['-', '_']).next() == Some("user");
        let value = value.trim_start_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
        let end = value
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ','))
            .unwrap_or(value.len());
        is_user && value[..end].contains(':')
    }
}

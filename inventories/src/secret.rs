//! Secrets that stand in an inventory by mistake, so that no message repeats them.
//!
//! No key of the inventory takes a secret. Where one stands all the same, the output of a failed
//! `validate` in CI must not be what publishes it.

use std::ops::Range;

/// The secrets in a text, also in one that is not valid TOML: private keys, and what stands behind
/// a key that is named after a secret.
pub(crate) fn secrets(text: &str) -> Vec<Range<usize>> {
    let mut found = named_secrets(text);
    for (start, _) in text.match_indices(AGE_PREFIX) {
        let key = text[start..].bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'-');
        found.push(start..start + key.count());
    }
    let mut from = 0;
    while let Some(start) = text[from..].find(PEM_BEGIN).map(|at| from + at) {
        let end = text[start..].find(PEM_END).map_or(text.len(), |at| start + at);
        found.push(start..end);
        from = end.max(start + PEM_BEGIN.len());
    }
    found
}

fn named_secrets(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let named = line.match_indices('=').find(|(at, _)| {
            let before = line[..*at].trim_end();
            let key = before.rsplit(|c: char| c.is_whitespace() || "{,".contains(c)).next();
            key.is_some_and(names_a_secret)
        });
        if let Some((at, _)) = named {
            let value = line[at + 1..].trim();
            let from = start + line.len() - line[at + 1..].trim_start().len();
            found.push(from..from + value.len());
        }
        start += line.len();
    }
    found
}

const AGE_PREFIX: &str = "AGE-SECRET-KEY-";
const PEM_BEGIN: &str = "-----BEGIN ";
const PEM_END: &str = "-----END ";

/// Whether a key of this name is meant to hold a secret.
pub(crate) fn names_a_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    // The path of a secret is none.
    if key.ends_with("-file") {
        return false;
    }
    ["password", "passphrase", "passwd", "secret", "private-key", "credential"]
        .iter()
        .any(|word| key.contains(word))
}

/// Whether a value is a private key.
pub(crate) fn is_private_key(value: &str) -> bool {
    value.contains(AGE_PREFIX) || (value.contains(PEM_BEGIN) && value.contains("PRIVATE KEY"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_in_any_text() {
        let text = "x = { ssh.password = \"p4ss\" }\nx = AGE-SECRET-KEY-1QQ rest\n-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n";
        let hidden: Vec<_> = secrets(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(
            hidden,
            ["\"p4ss\" }", "AGE-SECRET-KEY-1QQ", "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n"]
        );
    }

    #[test]
    fn only_keys_that_hold_secrets_are_named_so() {
        assert!(names_a_secret("discovery-password"));
        assert!(!names_a_secret("identity-file"));
        assert!(!names_a_secret("password-file"));
        assert!(!names_a_secret("auth-token-ttl"));
    }
}

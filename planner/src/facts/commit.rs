//! The name of a commit. Hosts send them back, and git on the operator's machine is asked about them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A commit by its full hash: 40 or 64 lower-case hex digits. Nothing else fits in, so that what a host
/// made up can't become an option of git.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Commit(String);

/// A text that is not a commit's hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a commit is 40 or 64 hex digits")]
pub struct NotACommit;

impl Commit {
    /// How much of a hash tells commits apart.
    const SHORT: usize = 12;

    /// Reads a full hash, as git prints it.
    pub fn parse(text: &str) -> Result<Self, NotACommit> {
        let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_hex && matches!(text.len(), 40 | 64) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotACommit)
        }
    }

    /// The whole hash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Enough of it for people.
    pub fn short(&self) -> &str {
        self.0.get(..Self::SHORT).unwrap_or(&self.0)
    }
}

impl TryFrom<String> for Commit {
    type Error = NotACommit;

    fn try_from(text: String) -> Result<Self, NotACommit> {
        Self::parse(&text)
    }
}

impl From<Commit> for String {
    fn from(commit: Commit) -> Self {
        commit.0
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_hash_is_a_commit() {
        for sound in ["0".repeat(40), "0123456789abcdef".repeat(4)] {
            assert_eq!(Commit::parse(&sound).unwrap().as_str(), sound);
        }
        let option = format!("--{}", "a".repeat(38));
        for broken in ["", "--help", "HEAD", "c0ffee", &option, &"A".repeat(40), &"0".repeat(41)] {
            assert_eq!(Commit::parse(broken), Err(NotACommit), "{broken}");
            let json = serde_json::Value::from(broken);
            assert!(serde_json::from_value::<Commit>(json).is_err(), "{broken}");
        }
    }
}

//! The token of a bootstrap: random, made once for each bootstrap, the same on every member.
//!
//! etcd derives member and cluster ids from it, so that a leftover member of an earlier cluster can
//! never talk to the new one. It is no secret, but it is random: it is bound at execution, and no
//! plan holds it.

use std::fmt;

/// What stands for the token in an argument list until it is bound.
pub const PLACEHOLDER: &str = "@BOOTSTRAP_TOKEN@";

/// A bootstrap's token: 128 random bits as 32 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootstrapToken(String);

/// Why a text is not a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a bootstrap token: 32 lower-case hex digits")]
pub struct TokenError;

impl BootstrapToken {
    /// The token of 16 bytes, which the caller draws from the system's generator.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The token as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The flags that end with the token, each as an argument begins.
const HOLDERS: [&str; 3] = ["--initial-cluster-token=", "--discovery-token=", "--discovery="];

/// An argument with the token in it, where one of our own waits for it. No operator's flag has such a
/// name.
pub(crate) fn bind(argument: &str, token: &BootstrapToken) -> Option<String> {
    let holds = HOLDERS.iter().any(|flag| argument.starts_with(flag));
    let before = argument.strip_suffix(PLACEHOLDER).filter(|_| holds)?;
    Some(format!("{before}{token}"))
}

impl std::str::FromStr for BootstrapToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 32 && text.bytes().all(hex) {
            Ok(Self(text.to_owned()))
        } else {
            Err(TokenError)
        }
    }
}

impl fmt::Display for BootstrapToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_file() {
        let token = BootstrapToken::from_random([0x0f; 16]);
        assert_eq!(token.as_str(), "0f".repeat(16));
        assert_eq!(token.to_string().parse(), Ok(token));
    }

    #[test]
    fn nothing_else_is_a_token() {
        for bad in
            ["", PLACEHOLDER, &"0F".repeat(16), &"0f".repeat(17), &format!("{}\n", "0".repeat(31))]
        {
            assert_eq!(bad.parse::<BootstrapToken>(), Err(TokenError), "{bad:?}");
        }
    }
}

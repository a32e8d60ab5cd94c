//! Public keys for which CA keys are sealed.

use std::fmt;

use age::ssh::ParseRecipientKeyError;

/// Somebody who can open a sealed CA key: an age or SSH public key.
#[derive(Clone)]
pub struct Recipient(Key);

#[derive(Clone)]
enum Key {
    Age(age::x25519::Recipient),
    Ssh(age::ssh::Recipient),
}

/// Why a text is not a recipient.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    /// A private key, which is not repeated here.
    #[error("is a private key; write the public key that belongs to it")]
    PrivateKey,
    /// A kind of key that age cannot seal for.
    #[error("is a key of the kind {kind}; age seals for age1…, ssh-ed25519 and ssh-rsa keys")]
    Unsupported {
        /// The kind, as the text names it.
        kind: String,
    },
    /// An RSA key that is too small to be safe, or larger than age takes.
    #[error("is an RSA key of a size that age refuses; 2048 to 4096 bits work")]
    RsaSize,
    /// The right beginning, but not a key.
    #[error("is cut short or mistyped")]
    Malformed,
    /// Nothing that looks like a key.
    #[error("is not a public key that begins with age1, ssh-ed25519 or ssh-rsa")]
    NotKey,
}

impl Recipient {
    /// Reads `age1…`, or a line of an SSH public key file: `ssh-ed25519 …`, `ssh-rsa …`.
    pub fn parse(text: &str) -> Result<Self, RecipientError> {
        let text = text.trim();
        if text.starts_with("AGE-SECRET-KEY-") || text.contains("PRIVATE KEY-----") {
            return Err(RecipientError::PrivateKey);
        }
        if text.contains(char::is_control) {
            return Err(RecipientError::NotKey);
        }
        let kind = text.split(' ').next().unwrap_or_default();
        if kind.starts_with("ssh-") || kind.starts_with("ecdsa-") || kind.starts_with("sk-") {
            return parse_ssh(text, kind);
        }
        match kind.split_once('1') {
            Some(("age", _)) => {}
            // age1tag1…, age1yubikey1… and their kind: can be sealed for, but only a plugin opens.
            _ => return Err(RecipientError::NotKey),
        }
        if let Some((plugin, _)) = kind[4..].split_once('1') {
            return Err(RecipientError::Unsupported { kind: format!("age1{plugin}") });
        }
        text.parse().map(|key| Self(Key::Age(key))).map_err(|_| RecipientError::Malformed)
    }

    pub(super) fn as_age(&self) -> &dyn age::Recipient {
        match &self.0 {
            Key::Age(key) => key,
            Key::Ssh(key) => key,
        }
    }
}

fn parse_ssh(text: &str, kind: &str) -> Result<Recipient, RecipientError> {
    if kind != "ssh-ed25519" && kind != "ssh-rsa" {
        return Err(RecipientError::Unsupported { kind: kind.to_owned() });
    }
    text.parse().map(|key| Recipient(Key::Ssh(key))).map_err(|why| match why {
        ParseRecipientKeyError::RsaModulusTooLarge | ParseRecipientKeyError::RsaModulusTooSmall => {
            RecipientError::RsaSize
        }
        _ => RecipientError::Malformed,
    })
}

/// The key without its comment, as it stands in the inventory and in recipients files.
impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Key::Age(key) => write!(f, "{key}"),
            Key::Ssh(key) => write!(f, "{key}"),
        }
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({self})")
    }
}

impl PartialEq for Recipient {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Recipient {}

impl std::str::FromStr for Recipient {
    type Err = RecipientError;

    fn from_str(text: &str) -> Result<Self, RecipientError> {
        Self::parse(text)
    }
}

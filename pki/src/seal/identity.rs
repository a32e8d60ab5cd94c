//! Private keys that open sealed CA keys.

use std::fmt;

use age::armor::ArmoredReader;
use age::ssh;
use zeroize::Zeroizing;

use super::{ARMOR, read_secret};
use crate::secret::Passphrase;

/// The largest scrypt work factor that a passphrase-protected identity file may ask for: 2^20 is
/// 1 GiB of memory and a few seconds. A hostile file could otherwise ask for hours.
const LARGEST_WORK_FACTOR: u8 = 20;

/// The content of an identity file: one or more private keys.
pub struct Identity(Vec<Key>);

enum Key {
    Age(age::x25519::Identity),
    /// Always unlocked: `parse` asks for the passphrase.
    Ssh(Box<ssh::Identity>),
}

/// Why an identity file cannot be used. Nothing of its content is in the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Neither an age identity file nor an OpenSSH private key.
    #[error("is neither an age identity file nor an OpenSSH private key")]
    NotIdentity,
    /// A public key, where the private one is needed.
    #[error("is a public key; the private key that belongs to it is needed")]
    PublicKey,
    /// A line of an age identity file that is not a key.
    #[error("line {line} is not an age private key")]
    BadLine {
        /// Counted from 1.
        line: usize,
    },
    /// A line of an age identity file that needs a plugin.
    #[error("line {line} needs an age plugin, which is not supported")]
    Plugin {
        /// Counted from 1.
        line: usize,
    },
    /// A file with comments only.
    #[error("holds no key")]
    Empty,
    /// Protected by a passphrase, and nobody gave it.
    #[error("is protected by a passphrase, and none was given")]
    PassphraseNeeded,
    /// Protected by another passphrase, or damaged.
    #[error("cannot be opened with this passphrase")]
    WrongPassphrase,
    /// It asks for more work than any honest file.
    #[error("asks for a scrypt work factor above {LARGEST_WORK_FACTOR}")]
    ExcessiveWork,
    /// An SSH key that age cannot use.
    #[error("is an SSH key of an unsupported kind ({kind}); Ed25519 and RSA keys work")]
    Unsupported {
        /// What it is.
        kind: String,
    },
}

impl Identity {
    /// Reads the content of an age identity file or of an OpenSSH private key.
    ///
    /// # Errors
    /// [`IdentityError::PassphraseNeeded`] if, and only if, the file is protected by a passphrase
    /// and none is given.
    pub fn parse(text: &str, passphrase: Option<&Passphrase>) -> Result<Self, IdentityError> {
        let text = text.trim_start();
        if text.starts_with(ARMOR) {
            return parse_protected(text, passphrase);
        }
        if text.starts_with("-----BEGIN ") {
            return parse_ssh(text, passphrase).map(|key| Self(vec![key]));
        }
        if ["ssh-", "ecdsa-", "sk-", "age1"].iter().any(|public| text.starts_with(public)) {
            return Err(IdentityError::PublicKey);
        }
        parse_age(text).map(Self)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.0.iter().map(|key| match key {
            Key::Age(key) => key as &dyn age::Identity,
            Key::Ssh(key) => &**key,
        })
    }
}

/// How many keys there are, and nothing about them.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} keys)", self.0.len())
    }
}

fn parse_age(text: &str) -> Result<Vec<Key>, IdentityError> {
    let mut keys = Vec::new();
    for (line, text) in (1..).zip(text.lines().map(str::trim)) {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if text.starts_with("AGE-PLUGIN-") {
            return Err(IdentityError::Plugin { line });
        }
        if !text.starts_with("AGE-SECRET-KEY-") && keys.is_empty() {
            return Err(IdentityError::NotIdentity);
        }
        keys.push(Key::Age(text.parse().map_err(|_| IdentityError::BadLine { line })?));
    }
    if keys.is_empty() { Err(IdentityError::Empty) } else { Ok(keys) }
}

fn parse_protected(text: &str, passphrase: Option<&Passphrase>) -> Result<Identity, IdentityError> {
    let decryptor = age::Decryptor::new_buffered(ArmoredReader::new(text.as_bytes()))
        .map_err(|_| IdentityError::NotIdentity)?;
    if !decryptor.is_scrypt() {
        return Err(IdentityError::NotIdentity);
    }
    let passphrase = passphrase.ok_or(IdentityError::PassphraseNeeded)?;
    let mut key = age::scrypt::Identity::new(passphrase.inner());
    key.set_max_work_factor(LARGEST_WORK_FACTOR);
    let plain =
        decryptor.decrypt(std::iter::once(&key as &dyn age::Identity)).map_err(
            |why| match why {
                age::DecryptError::ExcessiveWork { .. } => IdentityError::ExcessiveWork,
                _ => IdentityError::WrongPassphrase,
            },
        )?;
    let plain: Zeroizing<Vec<u8>> = read_secret(plain)
        .map_err(|_| IdentityError::WrongPassphrase)?
        .ok_or(IdentityError::NotIdentity)?;
    let plain = std::str::from_utf8(&plain).map_err(|_| IdentityError::NotIdentity)?;
    parse_age(plain).map(Identity)
}

fn parse_ssh(text: &str, passphrase: Option<&Passphrase>) -> Result<Key, IdentityError> {
    let parsed = ssh::Identity::from_buffer(text.as_bytes(), None);
    let unlocked = match parsed.map_err(|_| IdentityError::NotIdentity)? {
        open @ ssh::Identity::Unencrypted(_) => open,
        ssh::Identity::Encrypted(locked) => {
            let passphrase = passphrase.ok_or(IdentityError::PassphraseNeeded)?;
            locked.decrypt(passphrase.inner()).map_err(|_| IdentityError::WrongPassphrase)?.into()
        }
        ssh::Identity::Unsupported(unsupported) => {
            let kind = match unsupported {
                ssh::UnsupportedKey::EncryptedPem => "PEM with a passphrase".to_owned(),
                ssh::UnsupportedKey::EncryptedSsh(kind)
                | ssh::UnsupportedKey::Hardware(kind)
                | ssh::UnsupportedKey::Type(kind) => kind,
            };
            return Err(IdentityError::Unsupported { kind });
        }
    };
    Ok(Key::Ssh(Box::new(unlocked)))
}

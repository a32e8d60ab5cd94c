//! Sealing CA keys with age, for people's age or SSH keys, so that they can lie in git; and whole streams, for
//! backups.
//!
//! A sealed text is different every time, for the same key too: seal when the key or the recipients
//! change, never on every run.

use std::io::{Read, Write as _};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use zeroize::Zeroizing;

use crate::secret::CaKey;

mod identity;
mod recipient;
mod stream;

pub use identity::{Identity, IdentityError};
pub use recipient::{Recipient, RecipientError};
pub use stream::{Sealer, StreamError, open_stream};

const ARMOR: &str = "-----BEGIN AGE ENCRYPTED FILE-----";

/// More than any key or identity file takes. What is larger is not what it says it is.
const LARGEST_PLAINTEXT: usize = 64 * 1024;

/// Why a key was not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Nobody could open it again.
    #[error("there is no recipient to seal the CA key for")]
    NoRecipients,
    /// A recipient's key cannot be used.
    #[error("the CA key could not be sealed")]
    Recipients(#[source] age::EncryptError),
    /// The encryption failed.
    #[error("the CA key could not be sealed")]
    Write(#[source] std::io::Error),
}

/// Why a sealed key was not opened. Nothing of its content is in the message.
#[derive(Debug, thiserror::Error)]
pub enum UnsealError {
    /// Not what `seal` writes.
    #[error("the CA key is not an armored age file")]
    NotSealed,
    /// No identity was given at all.
    #[error("the CA key is sealed, and no identity was given")]
    NoIdentity,
    /// It is sealed for other people.
    #[error("none of the {identities} given identities opens the CA key")]
    NoneFits {
        /// How many keys were tried.
        identities: usize,
    },
    /// It is sealed with a passphrase, which quorate never does: such a file is somebody else's.
    #[error("the CA key is sealed with a passphrase instead of for recipients")]
    Passphrase,
    /// It is cut short or altered.
    #[error("the sealed CA key is cut short or was altered")]
    Damaged(#[source] age::DecryptError),
    /// It is larger than a key can be.
    #[error("the sealed CA key is larger than {LARGEST_PLAINTEXT} bytes")]
    TooLarge,
}

/// Seals a key for everybody who may open it, as ASCII armor.
pub fn seal(key: &CaKey, recipients: &[Recipient]) -> Result<String, SealError> {
    if recipients.is_empty() {
        return Err(SealError::NoRecipients);
    }
    let encryptor = age::Encryptor::with_recipients(recipients.iter().map(Recipient::as_age))
        .map_err(SealError::Recipients)?;
    let mut text = Vec::new();
    let write = |text: &mut Vec<u8>| {
        let armor = ArmoredWriter::wrap_output(text, Format::AsciiArmor)?;
        let mut writer = encryptor.wrap_output(armor)?;
        writer.write_all(key.expose())?;
        // Both ends must be written, or the text is cut short.
        writer.finish()?.finish().map(|_| ())
    };
    write(&mut text).map_err(SealError::Write)?;
    String::from_utf8(text)
        .map_err(|not_text| SealError::Write(std::io::Error::other(not_text.utf8_error())))
}

/// Opens a sealed key with the first identity that fits.
///
/// A text that was cut short or altered anywhere is refused. Whether the key is the CA's shows when
/// the CA is opened with it.
pub fn unseal(text: &str, identities: &[Identity]) -> Result<CaKey, UnsealError> {
    if !text.trim_start().starts_with(ARMOR) {
        return Err(UnsealError::NotSealed);
    }
    let keys = || identities.iter().flat_map(Identity::keys);
    if keys().next().is_none() {
        return Err(UnsealError::NoIdentity);
    }
    let decryptor = age::Decryptor::new_buffered(ArmoredReader::new(text.trim_start().as_bytes()))
        .map_err(UnsealError::Damaged)?;
    if decryptor.is_scrypt() {
        return Err(UnsealError::Passphrase);
    }
    let reader = decryptor.decrypt(keys()).map_err(|why| match why {
        age::DecryptError::NoMatchingKeys => UnsealError::NoneFits { identities: keys().count() },
        damaged => UnsealError::Damaged(damaged),
    })?;
    let mut plaintext = read_secret(reader)
        .map_err(|why| UnsealError::Damaged(why.into()))?
        .ok_or(UnsealError::TooLarge)?;
    Ok(CaKey::from_pem(std::mem::take(&mut *plaintext)))
}

/// Reads a secret to its end; `None` when it is too large. The buffer has its full size at once:
/// one that grew would leave a copy of the secret in freed memory.
fn read_secret(mut reader: impl Read) -> std::io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut buffer = Zeroizing::new(vec![0; LARGEST_PLAINTEXT]);
    let mut length = 0;
    loop {
        match reader.read(&mut buffer[length..])? {
            0 if length == buffer.len() => return Ok(None),
            0 => break,
            more => length += more,
        }
    }
    buffer.truncate(length);
    Ok(Some(buffer))
}

//! Sealing and opening what is too long to be held in memory, such as a backup. The format is age's own without
//! armor: `age -d -i KEY` opens it.

use std::io::{self, Read, Write};

use super::{Identity, Recipient};

/// Why nothing can be sealed, or something not be opened.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// Nobody could open it again.
    #[error("there is no recipient to seal it for")]
    NoRecipients,
    /// A recipient's key cannot be used.
    #[error("it could not be sealed")]
    Seal(#[source] age::EncryptError),
    /// No identity was given at all.
    #[error("it is sealed, and no identity was given")]
    NoIdentity,
    /// It is sealed for other people.
    #[error("none of the {identities} given identities opens it")]
    NoneFits {
        /// How many keys were tried.
        identities: usize,
    },
    /// It is sealed with a passphrase, which quorate never does.
    #[error("it is sealed with a passphrase instead of for recipients")]
    Passphrase,
    /// Its head is cut short or altered.
    #[error("its head is cut short or was altered")]
    Damaged(#[source] age::DecryptError),
    /// It could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Seals what is written to it into `W`. Without [`Sealer::finish`] the result is cut short, and nothing opens it.
pub struct Sealer<W: Write>(age::stream::StreamWriter<W>);

impl<W: Write> Sealer<W> {
    /// Begins to seal for everybody who may open it.
    ///
    /// # Errors
    /// There are no recipients, or `into` could not be written to.
    pub fn new(recipients: &[Recipient], into: W) -> Result<Self, StreamError> {
        if recipients.is_empty() {
            return Err(StreamError::NoRecipients);
        }
        let encryptor = age::Encryptor::with_recipients(recipients.iter().map(Recipient::as_age))
            .map_err(StreamError::Seal)?;
        Ok(Self(encryptor.wrap_output(into)?))
    }

    /// Writes the end, and gives back what was written to.
    ///
    /// # Errors
    /// It could not be written to.
    pub fn finish(self) -> io::Result<W> {
        self.0.finish()
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Reads the plaintext of what was sealed, with the first identity that fits. A stream that was cut short or altered
/// anywhere ends with an error; what was read before may have come from anybody who knows a recipient.
///
/// # Errors
/// No identity fits, or the head is damaged.
pub fn open_stream<R: Read>(
    sealed: R,
    identities: &[Identity],
) -> Result<impl Read + use<R>, StreamError> {
    let keys = || identities.iter().flat_map(Identity::keys);
    if keys().next().is_none() {
        return Err(StreamError::NoIdentity);
    }
    let decryptor = age::Decryptor::new(sealed).map_err(StreamError::Damaged)?;
    if decryptor.is_scrypt() {
        return Err(StreamError::Passphrase);
    }
    decryptor.decrypt(keys()).map_err(|why| match why {
        age::DecryptError::NoMatchingKeys => StreamError::NoneFits { identities: keys().count() },
        damaged => StreamError::Damaged(damaged),
    })
}

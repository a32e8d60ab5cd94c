//! Private keys and passphrases: cleared when dropped, never printed, never serialized, never cloned.
//!
//! The bytes leave through one door, [`KeyPem::expose`], [`CaKey::expose`] and [`Passphrase::expose`], so that a search for
//! `expose` finds every place where a secret goes somewhere.

use std::fmt;

use age::secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use crate::pem;

const LABEL: &str = "PRIVATE KEY";

/// The private key of a leaf certificate, as PEM (PKCS #8).
pub struct KeyPem(Zeroizing<Vec<u8>>);

impl KeyPem {
    pub(crate) fn from_pkcs8_der(der: &[u8]) -> Self {
        Self(pem::encode(LABEL, der))
    }

    /// The PEM text. What receives it must not print, log or keep it.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for KeyPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPem(..)")
    }
}

/// The private key of a CA, as PEM (PKCS #8). It never goes to a host.
pub struct CaKey(Zeroizing<Vec<u8>>);

/// Why a text is not a private key that can sign. Nothing of the text is in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No single block of PKCS #8 in PEM.
    #[error("is not one unencrypted private key in PEM (PKCS #8, `BEGIN PRIVATE KEY`)")]
    NotPkcs8Pem,
    /// A key of a kind that cannot sign certificates here.
    #[error(
        "is a private key of an unsupported or broken kind; P-256, P-384, Ed25519 and RSA work"
    )]
    Unsupported,
}

impl CaKey {
    pub(crate) fn from_pkcs8_der(der: &[u8]) -> Self {
        Self(pem::encode(LABEL, der))
    }

    /// Takes over the content of a key file. Whether it is a key shows when a CA is opened with it.
    pub fn from_pem(text: Vec<u8>) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The PEM text. What receives it must not print, log or keep it, other than in a key file
    /// that the operator asked to be plain.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn key_pair(&self) -> Result<Zeroizing<rcgen::KeyPair>, KeyError> {
        let der = pem::decode(LABEL, &self.0).ok_or(KeyError::NotPkcs8Pem)?;
        rcgen::KeyPair::try_from(der.as_slice())
            .map(Zeroizing::new)
            // The library's message may quote what it could not read.
            .map_err(|_| KeyError::Unsupported)
    }
}

impl fmt::Debug for CaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CaKey(..)")
    }
}

/// A passphrase that a person typed.
pub struct Passphrase(SecretString);

impl Passphrase {
    /// Keeps a copy of a passphrase; the original is the caller's to wipe.
    pub fn new(text: &str) -> Self {
        Self(SecretString::from(text))
    }

    /// The text. What receives it must not print, log or keep it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub(crate) fn inner(&self) -> SecretString {
        self.0.clone()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_in_the_debug_text() {
        let key = KeyPem::from_pkcs8_der(b"sentinel");
        let ca_key = CaKey::from_pem(b"sentinel".to_vec());
        let passphrase = Passphrase::new("sentinel");
        let text = format!("{key:?} {ca_key:?} {passphrase:?}");
        assert_eq!(text, "KeyPem(..) CaKey(..) Passphrase(..)");
    }

    #[test]
    fn pem_is_what_everybody_else_writes() {
        let pair = rcgen::KeyPair::generate().unwrap();
        let ours = KeyPem::from_pkcs8_der(pair.serialized_der());
        assert_eq!(ours.expose(), pair.serialize_pem().as_bytes());
    }

    #[test]
    fn only_one_plain_pkcs8_block_is_a_key() {
        let good = rcgen::KeyPair::generate().unwrap().serialize_pem();
        assert!(CaKey::from_pem(good.as_bytes().to_vec()).key_pair().is_ok());
        assert!(CaKey::from_pem(good.replace('\n', "\r\n").into_bytes()).key_pair().is_ok());
        for (bad, why) in [
            (String::new(), KeyError::NotPkcs8Pem),
            (good.replace("PRIVATE", "EC PRIVATE"), KeyError::NotPkcs8Pem),
            (good.replace("PRIVATE", "ENCRYPTED PRIVATE"), KeyError::NotPkcs8Pem),
            (format!("{good}{good}"), KeyError::NotPkcs8Pem),
            (good[..good.len() / 2].to_owned(), KeyError::NotPkcs8Pem),
            (good.replace("MIG", "MIH"), KeyError::Unsupported),
        ] {
            assert_eq!(CaKey::from_pem(bad.into_bytes()).key_pair().err(), Some(why));
        }
    }
}

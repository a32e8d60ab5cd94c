//! The files of a cluster's CAs beside the inventory, as texts: the caller reads and writes them.
//!
//! In `pki/<cluster>/` lie, for each CA, its certificate and its key, sealed or plain, and one file
//! that says for whom the keys are sealed, which age files do not tell:
//!
//! ```text
//! peer-ca.crt    peer-ca.key.age     recipients.txt
//! client-ca.crt  client-ca.key.age
//! ```

use std::fmt::Write as _;

use time::OffsetDateTime;

use crate::authority::{CertificateAuthority, OpenError};
use crate::profile::CaKind;
use crate::seal::{Identity, Recipient, SealError, UnsealError, seal, unseal};
use crate::secret::CaKey;

/// The file that names the recipients of the sealed keys beside it.
pub const RECIPIENTS_FILE: &str = "recipients.txt";

/// Permissions of certificates and recipients.
pub const PUBLIC_MODE: u32 = 0o644;

/// Permissions of keys, sealed ones too.
pub const KEY_MODE: u32 = 0o600;

/// The file names of one CA, relative to the cluster's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileNames {
    /// The certificate; public.
    pub certificate: &'static str,
    /// The key, sealed for the recipients.
    pub sealed_key: &'static str,
    /// The key as it is, where the operator asked for that.
    pub plain_key: &'static str,
}

impl FileNames {
    /// The file names of a CA.
    pub fn of(kind: CaKind) -> Self {
        match kind {
            CaKind::Peer => Self {
                certificate: "peer-ca.crt",
                sealed_key: "peer-ca.key.age",
                plain_key: "peer-ca.key",
            },
            CaKind::Client => Self {
                certificate: "client-ca.crt",
                sealed_key: "client-ca.key.age",
                plain_key: "client-ca.key",
            },
        }
    }
}

/// A CA as it lies in its files, not yet opened or believed.
#[derive(Debug)]
pub struct StoredAuthority {
    /// Which CA.
    pub kind: CaKind,
    /// The certificate file's text.
    pub cert_pem: String,
    /// The key file's content.
    pub key: StoredKey,
}

/// A CA key as it lies in its file.
#[derive(Debug)]
pub enum StoredKey {
    /// Armored age.
    Sealed(String),
    /// Plain PEM.
    Plain(CaKey),
    /// Only the certificate is here, which is enough to plan and to look.
    Missing,
}

/// What was found in a CA's three files; `None` where a file is not there.
#[derive(Debug, Default)]
pub struct FoundFiles {
    /// The certificate file's text.
    pub certificate: Option<String>,
    /// The sealed key's text.
    pub sealed_key: Option<String>,
    /// The plain key.
    pub plain_key: Option<CaKey>,
}

/// Why the files of a CA are no CA.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilesError {
    /// A key whose certificate is gone: making another CA now would lose the cluster's.
    #[error("the key of the {kind} CA is there, but {} is missing", FileNames::of(*kind).certificate)]
    NoCertificate {
        /// Which CA.
        kind: CaKind,
    },
    /// Sealed and plain: which one counts, and should the plain one exist at all?
    #[error("{} and {} are both there", FileNames::of(*kind).sealed_key, FileNames::of(*kind).plain_key)]
    TwoKeys {
        /// Which CA.
        kind: CaKind,
    },
}

/// Why a stored CA cannot be used to issue.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no key to open.
    #[error("the key of the {kind} CA is not here, only its certificate")]
    KeyMissing {
        /// Which CA.
        kind: CaKind,
    },
    /// The key cannot be unsealed.
    #[error("the {kind} CA cannot be opened")]
    Unseal {
        /// Which CA.
        kind: CaKind,
        /// Why.
        #[source]
        source: UnsealError,
    },
    /// The files do not make a CA.
    #[error("the {kind} CA cannot be opened")]
    Open {
        /// Which CA.
        kind: CaKind,
        /// Why.
        #[source]
        source: OpenError,
    },
}

impl StoredAuthority {
    /// Makes sense of what was found in the files of a CA; `None` when there is none of them.
    pub fn from_files(kind: CaKind, found: FoundFiles) -> Result<Option<Self>, FilesError> {
        let key = match (found.sealed_key, found.plain_key) {
            (Some(_), Some(_)) => return Err(FilesError::TwoKeys { kind }),
            (Some(text), None) => StoredKey::Sealed(text),
            (None, Some(key)) => StoredKey::Plain(key),
            (None, None) => StoredKey::Missing,
        };
        match (found.certificate, &key) {
            (Some(cert_pem), _) => Ok(Some(Self { kind, cert_pem, key })),
            (None, StoredKey::Missing) => Ok(None),
            (None, StoredKey::Sealed(_) | StoredKey::Plain(_)) => {
                Err(FilesError::NoCertificate { kind })
            }
        }
    }

    /// What to store of a new CA, its key sealed.
    pub fn sealed(
        authority: &CertificateAuthority,
        recipients: &[Recipient],
    ) -> Result<Self, SealError> {
        let key = StoredKey::Sealed(seal(authority.key(), recipients)?);
        Ok(Self { kind: authority.kind(), cert_pem: authority.certificate().pem(), key })
    }

    /// What to store of a new CA, its key as it is: only where the operator asked for that.
    pub fn plain(authority: CertificateAuthority) -> Self {
        let (kind, cert_pem) = (authority.kind(), authority.certificate().pem());
        Self { kind, cert_pem, key: StoredKey::Plain(authority.into_key()) }
    }

    /// Opens the CA, with an identity if its key is sealed.
    pub fn open(
        self,
        identities: &[Identity],
        now: OffsetDateTime,
    ) -> Result<CertificateAuthority, StoreError> {
        let kind = self.kind;
        let key = match self.key {
            StoredKey::Missing => return Err(StoreError::KeyMissing { kind }),
            StoredKey::Plain(key) => key,
            StoredKey::Sealed(text) => {
                unseal(&text, identities).map_err(|source| StoreError::Unseal { kind, source })?
            }
        };
        CertificateAuthority::open(kind, &self.cert_pem, key, now)
            .map_err(|source| StoreError::Open { kind, source })
    }
}

/// The text of [`RECIPIENTS_FILE`]: a recipients file as age's `-R` reads it.
pub fn recipients_file(recipients: &[Recipient]) -> String {
    let mut text = String::from("# The CA keys in this folder are sealed for these keys.\n");
    for recipient in recipients {
        let _ = writeln!(text, "{recipient}");
    }
    text
}

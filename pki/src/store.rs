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
use crate::certificate::{CertError, Certificate};
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
    pub fn for_kind(kind: CaKind) -> Self {
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
    #[error("the key of the {kind} CA is there, but {} is missing", FileNames::for_kind(*kind).certificate)]
    NoCertificate {
        /// Which CA.
        kind: CaKind,
    },
    /// Sealed and plain: which one counts, and should the plain one exist at all?
    #[error("{} and {} are both there", FileNames::for_kind(*kind).sealed_key, FileNames::for_kind(*kind).plain_key)]
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

impl FilesError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            FilesError::NoCertificate { kind } => {
                let name = FileNames::for_kind(*kind).certificate;
                format!(
                    "take {name} from git or from a member; another CA would not fit the cluster"
                )
            }
            FilesError::TwoKeys { kind } => {
                let FileNames { sealed_key, plain_key, .. } = FileNames::for_kind(*kind);
                format!("delete {plain_key} once {sealed_key} is known to open")
            }
        }
    }
}

impl StoreError {
    /// What to do about it, where more can be said than the error says.
    pub fn hint(&self) -> Option<String> {
        match self {
            StoreError::KeyMissing { kind } => {
                let FileNames { sealed_key, plain_key, .. } = FileNames::for_kind(*kind);
                Some(format!("bring {sealed_key} or {plain_key} here from where the CA was made"))
            }
            StoreError::Unseal { source, .. } => match source {
                UnsealError::NoIdentity | UnsealError::NoneFits { .. } => Some(format!(
                    "give the private key of a recipient that {RECIPIENTS_FILE} beside it names\n\
                     if [pki] recipients names your key only since then, one of those runs: quorate pki reseal"
                )),
                UnsealError::NotSealed
                | UnsealError::Passphrase
                | UnsealError::Damaged(_)
                | UnsealError::TooLarge => Some("take the file from git again".to_owned()),
            },
            StoreError::Open { source, .. } => match source {
                OpenError::Key(_) | OpenError::WrongKey { .. } => {
                    Some("take certificate and key from the same commit".to_owned())
                }
                _ => None,
            },
        }
    }
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

    /// Reads the certificate, for which no key is needed.
    pub fn certificate(&self) -> Result<Certificate, CertError> {
        Certificate::from_pem(&self.cert_pem)
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

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: CaKind = CaKind::Peer;

    fn found(certificate: bool, sealed: bool, plain: bool) -> FoundFiles {
        FoundFiles {
            certificate: certificate.then(String::new),
            sealed_key: sealed.then(String::new),
            plain_key: plain.then(|| CaKey::from_pem(Vec::new())),
        }
    }

    #[test]
    fn no_file_at_all_is_no_ca() {
        assert!(matches!(StoredAuthority::from_files(KIND, FoundFiles::default()), Ok(None)));
    }

    #[test]
    fn a_certificate_alone_is_enough_to_plan_but_not_to_issue() {
        let stored = StoredAuthority::from_files(KIND, found(true, false, false)).unwrap().unwrap();
        assert!(matches!(stored.key, StoredKey::Missing));
        let why = stored.open(&[], OffsetDateTime::UNIX_EPOCH).unwrap_err();
        assert!(matches!(why, StoreError::KeyMissing { kind: KIND }));
        let hint = "bring peer-ca.key.age or peer-ca.key here from where the CA was made";
        assert_eq!(why.hint().as_deref(), Some(hint));
    }

    #[test]
    fn a_key_without_its_certificate_stops_everything() {
        for (sealed, plain) in [(true, false), (false, true)] {
            let why = StoredAuthority::from_files(KIND, found(false, sealed, plain)).unwrap_err();
            assert_eq!(why, FilesError::NoCertificate { kind: KIND });
        }
    }

    #[test]
    fn a_sealed_and_a_plain_key_contradict_each_other() {
        for certificate in [true, false] {
            let why =
                StoredAuthority::from_files(KIND, found(certificate, true, true)).unwrap_err();
            assert_eq!(why.to_string(), "peer-ca.key.age and peer-ca.key are both there");
            assert_eq!(why.hint(), "delete peer-ca.key once peer-ca.key.age is known to open");
        }
    }

    #[test]
    fn a_sealed_key_that_nobody_opens_names_the_file_of_its_recipients() {
        let unseal = StoreError::Unseal { kind: KIND, source: UnsealError::NoIdentity };
        assert!(unseal.hint().unwrap().contains(RECIPIENTS_FILE));
        let ours = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
        let text = recipients_file(&[Recipient::parse(ours).unwrap()]);
        assert_eq!(text.lines().last(), Some(ours));
    }
}

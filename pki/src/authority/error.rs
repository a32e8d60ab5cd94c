//! Why a CA is not opened, or issues nothing.

use std::fmt;

use time::OffsetDateTime;

use crate::certificate::CertError;
use crate::lint::Defect;
use crate::profile::{CaKind, LeafKind};
use crate::secret::KeyError;

/// Why a CA cannot be opened: its files do not make a CA that may sign now.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The certificate cannot be read.
    #[error("the CA certificate cannot be read")]
    Certificate(#[source] CertError),
    /// The key cannot be read.
    #[error("the CA key cannot be read")]
    Key(#[source] KeyError),
    /// The certificate is a leaf's.
    #[error("the certificate of {subject} is not a CA's")]
    NotAuthority {
        /// Whose certificate it is.
        subject: String,
    },
    /// The certificate does not allow its key to sign certificates.
    #[error("the CA {subject} may not sign certificates: its key usage lacks keyCertSign")]
    MayNotSign {
        /// Whose certificate it is.
        subject: String,
    },
    /// The key is another certificate's.
    #[error("the key does not belong to the certificate of {subject}")]
    WrongKey {
        /// Whose certificate it is.
        subject: String,
    },
    /// The certificate's signature is not its own key's.
    #[error("the certificate of {subject} is not signed by itself, or was altered")]
    NotSelfSigned {
        /// Whose certificate it is.
        subject: String,
    },
    /// The certificate does not name its key, so that its leaves could not be told from those of
    /// another CA of the same name.
    #[error("the CA {subject} has no subject key identifier")]
    NoKeyId {
        /// Whose certificate it is.
        subject: String,
    },
    /// The CA's time is not now.
    #[error(transparent)]
    OutsideLife(#[from] OutsideLife),
}

/// A CA that is used outside its own life.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutsideLife {
    /// Too late.
    #[error("the CA {subject} expired on {}", at.date())]
    Expired {
        /// Which CA.
        subject: String,
        /// When it ended.
        at: OffsetDateTime,
    },
    /// Too early: the clock of this machine or of the one that made the CA is wrong.
    #[error("the CA {subject} is not valid before {at}; is this machine's clock right?")]
    NotYetValid {
        /// Which CA.
        subject: String,
        /// When it begins.
        at: OffsetDateTime,
    },
}

/// Why nothing was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The other CA signs certificates of this kind.
    #[error("a {leaf} certificate is signed by the {} CA, not by the {authority} CA", leaf.authority())]
    WrongAuthority {
        /// What was asked for.
        leaf: LeafKind,
        /// Which CA was asked.
        authority: CaKind,
    },
    /// The CA's time is not now.
    #[error(transparent)]
    OutsideLife(#[from] OutsideLife),
    /// The CA's key could not be used.
    #[error("the CA key cannot be used")]
    Key(#[source] KeyError),
    /// No randomness, or something that the library cannot encode.
    #[error("a certificate could not be made")]
    Library(#[from] rcgen::Error),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Randomness,
    /// What was made cannot be read back.
    #[error("the certificate that was made cannot be read back")]
    Unreadable(#[source] CertError),
    /// What was made is not what was asked for; it has been thrown away.
    #[error("the certificate that was made is defective: {}", Defects(.0))]
    Defective(Vec<Defect>),
    /// What was made is not signed by the CA; it has been thrown away.
    #[error("the certificate that was made is not signed by its CA")]
    BadSignature,
    /// What was made has another key than its own; it has been thrown away.
    #[error("the certificate that was made does not carry its own key")]
    ForeignKey,
}

struct Defects<'a>(&'a [Defect]);

impl fmt::Display for Defects<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, defect) in self.0.iter().enumerate() {
            write!(f, "{}{defect}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

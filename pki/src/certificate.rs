//! A certificate in memory: its exact bytes and what they say.

use x509_parser::certificate::X509Certificate;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer as _;

use crate::facts::CertFacts;
use crate::pem;

const LABEL: &str = "CERTIFICATE";

/// A certificate that could be read. Whether it is valid, or wanted, is another question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    facts: CertFacts,
}

/// Why a text is not a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertError {
    /// The text has no PEM block, or a broken one.
    #[error("holds no readable PEM block")]
    NotPem,
    /// The text has a block that is not a certificate.
    #[error("holds a {label:?} block where only a CERTIFICATE may be")]
    OtherBlock {
        /// What the block says it is.
        label: String,
    },
    /// The text has several certificates where one is expected.
    #[error("holds {count} certificates instead of one")]
    Several {
        /// How many there are.
        count: usize,
    },
    /// The block's bytes are no X.509 certificate.
    #[error("holds a CERTIFICATE block that is not an X.509 certificate")]
    Malformed,
}

impl Certificate {
    /// Reads the one certificate of a PEM text. Text around the block is skipped, as etcd does.
    pub fn from_pem(text: &str) -> Result<Self, CertError> {
        let mut all = Self::all_from_pem(text)?;
        match (all.pop(), all.len()) {
            (Some(only), 0) => Ok(only),
            (Some(_), others) => Err(CertError::Several { count: others + 1 }),
            (None, _) => Err(CertError::NotPem),
        }
    }

    /// Reads every certificate of a PEM text, at least one.
    pub(crate) fn all_from_pem(text: &str) -> Result<Vec<Self>, CertError> {
        let mut all = Vec::new();
        for block in Pem::iter_from_buffer(text.as_bytes()) {
            let block = block.map_err(|_| CertError::NotPem)?;
            if block.label != LABEL {
                return Err(CertError::OtherBlock { label: block.label });
            }
            all.push(Self::from_der(block.contents)?);
        }
        if all.is_empty() { Err(CertError::NotPem) } else { Ok(all) }
    }

    /// Reads a certificate from DER.
    pub fn from_der(der: Vec<u8>) -> Result<Self, CertError> {
        let facts = match X509Certificate::from_der(&der) {
            // The outer algorithm is not signed; RFC 5280 wants it to repeat the signed one.
            Ok(([], x509)) if x509.signature_algorithm == x509.tbs_certificate.signature => {
                CertFacts::from_x509(&der, &x509)?
            }
            _ => return Err(CertError::Malformed),
        };
        Ok(Self { der, facts })
    }

    /// What the certificate says.
    pub fn facts(&self) -> &CertFacts {
        &self.facts
    }

    /// What the certificate says, without the certificate.
    pub fn into_facts(self) -> CertFacts {
        self.facts
    }

    /// The certificate's exact bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate as one PEM block and nothing else.
    pub fn pem(&self) -> String {
        String::from_utf8_lossy(&pem::encode(LABEL, &self.der)).into_owned()
    }

    /// Whether `authority` signed this certificate: its name is the issuer, and its key verifies
    /// the signature. Whether `authority` may sign is not asked.
    pub fn signed_by(&self, authority: &Certificate) -> bool {
        let parsed =
            (X509Certificate::from_der(&self.der), X509Certificate::from_der(&authority.der));
        let (Ok((_, leaf)), Ok((_, issuer))) = parsed else { return false };
        leaf.issuer().as_raw() == issuer.subject().as_raw()
            && leaf.verify_signature(Some(issuer.public_key())).is_ok()
    }
}

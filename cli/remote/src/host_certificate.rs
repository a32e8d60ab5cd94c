//! Certificates of hosts: a host's public key, signed by an authority that known_hosts names.
//!
//! libssh2 agrees on them and verifies the key exchange with the key inside. It asks nobody who signed
//! it. Everything else is checked here, as OpenSSH's PROTOCOL.certkeys wants it.
//!
//! The crate `ssh-key` (0.6) is not used: it can't read a certificate without an end, and that is what
//! ssh-keygen signs unless told otherwise.

mod signature;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::algorithms::{Algorithms, List};
use super::certificate::certified;
use super::host_key::HostKey;
use super::identity::string;

/// What the kinds of certificates end with.
const SUFFIX: &str = "-cert-v01@openssh.com";

/// The type of a certificate that is for a host.
const HOST: u32 = 2;

/// Whether a host key, or a signature algorithm for one, is a certificate's.
pub(crate) fn is_of_certificate(kind: &str) -> bool {
    kind.ends_with(SUFFIX)
}

/// A certificate that a host presented. Nothing in it is trusted until [`Self::check`] has passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostCertificate<'a> {
    /// The key that the host proved to have.
    pub(crate) key: HostKey,
    /// The key of whom it says to be signed by.
    pub(crate) authority: HostKey,
    kind: u32,
    principals: Vec<&'a str>,
    /// Seconds since 1970.
    begins: u64,
    ends: u64,
    /// Names of options that must be understood.
    critical: Vec<&'a str>,
    signed: &'a [u8],
    signature: &'a [u8],
}

/// Why a certificate of a known authority is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFlaw {
    /// The authority did not sign it.
    #[error("its signature is not the authority's")]
    Forged,
    /// It is signed in a way that is not accepted.
    #[error("it is signed by {0}, which CASignatureAlgorithms leaves out or quorate can't verify")]
    Algorithm(String),
    /// It certifies a user.
    #[error("it is not a host's certificate, but a user's")]
    NotAHosts,
    /// It names no host, so any host of the authority could show it.
    #[error("it names no host (it was signed without -n)")]
    Nameless,
    /// It is another host's.
    #[error("it is for {}, not for {wanted}", names.join(", "))]
    Name {
        /// The name that we connect to.
        wanted: String,
        /// The names in it.
        names: Vec<String>,
    },
    /// It is not valid yet.
    #[error("it is valid from {0}")]
    Early(String),
    /// It is not valid any more.
    #[error("it expired at {0}")]
    Ended(String),
    /// It is for some purpose that is not known here.
    #[error("it has the critical option {0}, which is not known")]
    Critical(String),
}

impl<'a> HostCertificate<'a> {
    /// Reads a certificate; `None` where a part is missing, or something follows.
    pub(crate) fn read(blob: &'a [u8]) -> Option<Self> {
        let (kind, _) = string(blob)?;
        let (key, rest) = certified(std::str::from_utf8(kind).ok()?, blob)?;
        let (_serial, rest) = rest.split_first_chunk::<8>()?;
        let (kind, rest) = rest.split_first_chunk::<4>()?;
        let (_id, rest) = string(rest)?;
        let (principals, rest) = string(rest)?;
        let (begins, rest) = rest.split_first_chunk::<8>()?;
        let (ends, rest) = rest.split_first_chunk::<8>()?;
        let (critical, rest) = string(rest)?;
        let (_extensions, rest) = string(rest)?;
        let (_reserved, rest) = string(rest)?;
        let (authority, rest) = string(rest)?;
        let signed = &blob[..blob.len() - rest.len()];
        let (signature, rest) = string(rest)?;
        rest.is_empty().then_some(())?;
        Some(Self {
            key: HostKey::new(key)?,
            authority: HostKey::new(authority.to_vec())?,
            kind: u32::from_be_bytes(*kind),
            principals: texts(principals)?,
            begins: u64::from_be_bytes(*begins),
            ends: u64::from_be_bytes(*ends),
            // Names and values take turns.
            critical: texts(critical)?.into_iter().step_by(2).collect(),
            signed,
            signature,
        })
    }

    /// Whether its authority, which is trusted, vouches for the host of this name at this time.
    pub(crate) fn check(
        &self,
        name: &str,
        now: SystemTime,
        algorithms: &Algorithms,
    ) -> Result<(), CertificateFlaw> {
        let kind = signature::kind(self.signature).unwrap_or("an unknown algorithm");
        if !algorithms.of(List::Authorities).iter().any(|allowed| allowed == kind) {
            return Err(CertificateFlaw::Algorithm(kind.to_owned()));
        }
        if !signature::is_by(self.authority.blob(), self.signed, self.signature) {
            return Err(CertificateFlaw::Forged);
        }
        if self.kind != HOST {
            return Err(CertificateFlaw::NotAHosts);
        }
        self.check_name(name)?;
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        if now < self.begins {
            return Err(CertificateFlaw::Early(shown(self.begins)));
        }
        if now >= self.ends {
            return Err(CertificateFlaw::Ended(shown(self.ends)));
        }
        match self.critical.first() {
            Some(option) => Err(CertificateFlaw::Critical((*option).to_owned())),
            None => Ok(()),
        }
    }

    /// Principals of hosts are names, not patterns.
    fn check_name(&self, wanted: &str) -> Result<(), CertificateFlaw> {
        if self.principals.is_empty() {
            return Err(CertificateFlaw::Nameless);
        }
        if self.principals.contains(&wanted) {
            return Ok(());
        }
        let names = self.principals.iter().map(|name| (*name).to_owned()).collect();
        Err(CertificateFlaw::Name { wanted: wanted.to_owned(), names })
    }
}

/// The texts that follow each other in `bytes`.
fn texts(bytes: &[u8]) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (text, after) = string(rest)?;
        // A value may be anything; a name that is no text is not ours.
        found.push(std::str::from_utf8(text).unwrap_or("\u{fffd}"));
        rest = after;
    }
    Some(found)
}

fn shown(seconds: u64) -> String {
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    let year_9999 = 253_402_300_799;
    time.filter(|_| seconds <= year_9999)
        .and_then(|time| OffsetDateTime::from(time).format(&Rfc3339).ok())
        .unwrap_or_else(|| "a time that no calendar has".to_owned())
}

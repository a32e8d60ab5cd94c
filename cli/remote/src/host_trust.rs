//! Whether a host's key is one that may be trusted. Decided before anything about the user is sent.

use std::fmt;
use std::io;
use std::time::SystemTime;

use super::algorithms::{Algorithms, List};
use super::host_certificate::{CertificateFlaw, HostCertificate, is_of_certificate};
use super::host_key::{Fingerprint, HostKey};
use super::known_hosts::{Entry, Known};
use super::target::Target;
use crate::bounded;

/// The longest known_hosts file that is read, in bytes: a line for each of 100,000 hosts and more.
const MAX_KNOWN_HOSTS: u64 = 64 * 1024 * 1024;

/// Signature algorithms to ask for one after the other when all keys of a host matter; a server has
/// one ECDSA key, whatever its curve.
pub(crate) fn groups(algorithms: &Algorithms) -> Vec<String> {
    let families = ["ssh-ed25519", "ecdsa-", "rsa-"];
    let group = |family: &str| {
        let of_family = |name: &&String| name.starts_with(family) && !is_of_certificate(name);
        let names: Vec<&str> =
            algorithms.of(List::HostKeys).iter().filter(of_family).map(String::as_str).collect();
        names.join(",")
    };
    families.into_iter().map(group).filter(|group| !group.is_empty()).collect()
}

/// Why a host's key is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostKeyError {
    /// Nothing is known about the host.
    #[error("the host key {} ({}) is not known", offered.fingerprint(), offered.kind())]
    Unknown {
        /// The name and port that were looked up.
        host: String,
        /// The port.
        port: u16,
        /// The key that the host has.
        offered: HostKey,
    },
    /// The host is known by keys of other kinds only.
    #[error(
        "the host is known by {}, but offers only {} ({})",
        list(known.iter().map(|(kind, place)| format!("its {kind} key ({place})"))),
        offered.fingerprint(), offered.kind()
    )]
    OtherKind {
        /// The name that was looked up.
        host: String,
        /// The port.
        port: u16,
        /// The key that the host has.
        offered: HostKey,
        /// Kind and place of the keys that are known.
        known: Vec<(String, String)>,
    },
    /// The host has another key than the one that is known: a new machine, or another one.
    #[error(
        "the host key has changed: it was {}, it is {} ({})",
        list(known.iter().map(|(fingerprint, place)| format!("{fingerprint} ({place})"))),
        offered.fingerprint(), offered.kind()
    )]
    Changed {
        /// The name that was looked up.
        host: String,
        /// The port.
        port: u16,
        /// The key that the host has.
        offered: HostKey,
        /// Fingerprint and place of what it should be.
        known: Vec<(Fingerprint, String)>,
    },
    /// The key is listed as one that must not be trusted.
    #[error("the host key {} is marked as revoked in {place}", offered.fingerprint())]
    Revoked {
        /// The key that the host has.
        offered: HostKey,
        /// Where it is revoked.
        place: String,
    },
    /// It is certified by somebody who is listed as one that must not be trusted.
    #[error("the authority {} of the host's certificate is marked as revoked in {place}", authority.fingerprint())]
    RevokedAuthority {
        /// The authority's key.
        authority: HostKey,
        /// Where it is revoked.
        place: String,
    },
    /// Its certificate is of an authority that is known, and is not accepted.
    #[error("the host's certificate by {} ({place}) is not accepted: {why}", authority.fingerprint())]
    Certificate {
        /// The authority's key.
        authority: HostKey,
        /// Where the authority is listed.
        place: String,
        /// What is wrong with it.
        why: CertificateFlaw,
    },
    /// It is a certificate that cannot be read.
    #[error("the host's certificate ({0}) cannot be read")]
    Garbled(String),
    /// It is an RSA key that is too short.
    #[error("the host key {} has {bits} bits, and RequiredRSASize is {least}", offered.fingerprint())]
    Short {
        /// The key that the host has.
        offered: HostKey,
        /// Its length.
        bits: u32,
        /// The least that counts.
        least: u32,
    },
    /// Only an authority that signs host keys is known, and it did not sign this one.
    #[error("the host is known only by its @cert-authority ({place}), but shows {instead}")]
    Authority {
        /// The name that was looked up.
        host: String,
        /// The port.
        port: u16,
        /// The key that the host has.
        offered: HostKey,
        /// Where the authority is listed.
        place: String,
        /// What it shows in place of a certificate of that authority.
        instead: Instead,
    },
    /// A known_hosts file could not be read, so a revoked key could not be seen.
    #[error("cannot read {file}: {why}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system said.
        why: String,
    },
}

/// What a host shows that should show a certificate of a certain authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instead {
    /// A key without a certificate.
    Key,
    /// A certificate of another authority.
    Other(Fingerprint),
}

impl fmt::Display for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Instead::Key => f.write_str("no certificate"),
            Instead::Other(authority) => write!(f, "a certificate by {authority}"),
        }
    }
}

/// What is known of a host when a connection to it begins.
pub(crate) struct Trust<'a> {
    target: &'a Target,
    known: Known,
}

impl<'a> Trust<'a> {
    /// Reads the known_hosts files of the target.
    pub(crate) fn load(target: &'a Target) -> Result<Self, HostKeyError> {
        let mut known = Known::default();
        let (host, port) = target.known_as();
        for file in &target.host_keys.known_hosts {
            let name = file.display().to_string();
            match bounded::read(file, MAX_KNOWN_HOSTS) {
                Ok(text) => known.read(&name, &text, host, port),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(HostKeyError::Unreadable { file: name, why: error.to_string() });
                }
            }
        }
        Ok(Self { target, known })
    }

    /// The algorithms to offer, those of known keys first: a host with keys of several kinds then
    /// shows the one that can be compared. Certificates come before them, and only where an authority
    /// is known and no pin decides: of others libssh2 would show us one that says nothing.
    pub(crate) fn algorithms(&self) -> String {
        let known = |algorithm: &str| {
            let kind = if algorithm.starts_with("rsa-") { "ssh-rsa" } else { algorithm };
            self.candidates().iter().any(|entry| entry.key.kind() == kind)
        };
        let allowed = self.target.algorithms.of(List::HostKeys).iter().map(String::as_str);
        let (mut first, keys): (Vec<&str>, Vec<&str>) =
            allowed.partition(|kind| is_of_certificate(kind));
        // As in ssh: keys that are listed for the very port come before an authority that is not.
        let Known { keys: exact, authorities, plain_authorities, .. } = &self.known;
        let is_certified =
            !authorities.is_empty() || (exact.is_empty() && !plain_authorities.is_empty());
        if !is_certified || !self.target.host_keys.pins.is_empty() {
            first.clear();
        }
        let (known, rest): (Vec<&str>, Vec<&str>) = keys.into_iter().partition(|kind| known(kind));
        [first, known, rest].concat().join(",")
    }

    /// Whether the host may have another key, of another kind, that would be accepted: a pin does
    /// not say which kind it is of.
    pub(crate) fn may_accept_another(&self, error: &HostKeyError) -> bool {
        !self.target.host_keys.pins.is_empty() && matches!(error, HostKeyError::Changed { .. })
    }

    /// Accepts or refuses the key of the host, or its certificate.
    pub(crate) fn check(&self, offered: &HostKey) -> Result<(), HostKeyError> {
        if !is_of_certificate(offered.kind()) {
            return self.check_key(offered, Instead::Key);
        }
        let certificate = HostCertificate::read(offered.blob())
            .ok_or_else(|| HostKeyError::Garbled(offered.kind().to_owned()))?;
        let HostCertificate { key, authority, .. } = &certificate;
        for revoked in [offered, key] {
            self.check_revoked(revoked)?;
        }
        if let Some(entry) = self.known.revoked.iter().find(|entry| entry.key == *authority) {
            let (authority, place) = (authority.clone(), entry.place.clone());
            return Err(HostKeyError::RevokedAuthority { authority, place });
        }
        let Some(entry) = self.authorities().find(|entry| entry.key == *authority) else {
            // As in ssh: the key in it may be known without the certificate.
            return self.check_key(key, Instead::Other(authority.fingerprint()));
        };
        for key in [key, authority] {
            self.check_length(key)?;
        }
        let (name, _) = self.target.known_as();
        let Err(why) = certificate.check(name, SystemTime::now(), &self.target.algorithms) else {
            return Ok(());
        };
        // As in ssh: a known key needs no certificate.
        self.check_key(key, Instead::Key).map_err(|_| {
            let (authority, place) = (authority.clone(), entry.place.clone());
            HostKeyError::Certificate { authority, place, why }
        })
    }

    fn check_revoked(&self, key: &HostKey) -> Result<(), HostKeyError> {
        match self.known.revoked.iter().find(|entry| entry.key == *key) {
            Some(entry) => {
                Err(HostKeyError::Revoked { offered: key.clone(), place: entry.place.clone() })
            }
            None => Ok(()),
        }
    }

    fn check_length(&self, key: &HostKey) -> Result<(), HostKeyError> {
        let least = self.target.algorithms.rsa_bits;
        match key.rsa_bits().filter(|bits| *bits < least) {
            Some(bits) => Err(HostKeyError::Short { offered: key.clone(), bits, least }),
            None => Ok(()),
        }
    }

    fn check_key(&self, offered: &HostKey, instead: Instead) -> Result<(), HostKeyError> {
        self.check_revoked(offered)?;
        self.check_length(offered)?;
        if !self.target.host_keys.pins.is_empty() {
            return self.check_pins(offered);
        }
        let candidates = self.candidates();
        if candidates.iter().any(|entry| entry.key == *offered) {
            return Ok(());
        }
        Err(self.refuse(offered, candidates, instead))
    }

    fn candidates(&self) -> &[Entry] {
        if self.known.keys.is_empty() { &self.known.plain } else { &self.known.keys }
    }

    fn check_pins(&self, offered: &HostKey) -> Result<(), HostKeyError> {
        let pins = &self.target.host_keys.pins;
        if pins.contains(&offered.fingerprint()) {
            return Ok(());
        }
        let (host, port) = self.target.known_as();
        Err(HostKeyError::Changed {
            host: host.to_owned(),
            port,
            offered: offered.clone(),
            known: pins.iter().map(|pin| (*pin, "the inventory".to_owned())).collect(),
        })
    }

    /// Who may sign the host's certificate, for its port and for any.
    fn authorities(&self) -> impl Iterator<Item = &Entry> {
        self.known.authorities.iter().chain(&self.known.plain_authorities)
    }

    fn refuse(&self, offered: &HostKey, candidates: &[Entry], instead: Instead) -> HostKeyError {
        let (host, port) = self.target.known_as();
        let host = host.to_owned();
        let offered = offered.clone();
        if self.known.keys.is_empty() {
            // A key under the plain name may belong to another machine behind the same name.
            return match self.authorities().next() {
                Some(entry) => {
                    let place = entry.place.clone();
                    HostKeyError::Authority { host, port, offered, place, instead }
                }
                None => HostKeyError::Unknown { host, port, offered },
            };
        }
        let same_kind: Vec<_> = candidates
            .iter()
            .filter(|entry| entry.key.kind() == offered.kind())
            .map(|entry| (entry.key.fingerprint(), entry.place.clone()))
            .collect();
        if same_kind.is_empty() {
            let known = candidates
                .iter()
                .map(|entry| (entry.key.kind().to_owned(), entry.place.clone()))
                .collect();
            HostKeyError::OtherKind { host, port, offered, known }
        } else {
            HostKeyError::Changed { host, port, offered, known: same_kind }
        }
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

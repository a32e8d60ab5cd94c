//! Whether a host's key is one that may be trusted. Decided before anything about the user is sent.

use std::io;

use super::algorithms::{Algorithms, List};
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
        let of_family = |name: &&String| name.starts_with(family);
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
    /// Only an authority that signs host keys is known. libssh2 checks no signature of an authority.
    #[error(
        "the host is known only by its @cert-authority ({place}), and certificates of hosts are not supported: its own key must be known"
    )]
    Authority {
        /// The name that was looked up.
        host: String,
        /// The port.
        port: u16,
        /// The key that the host has.
        offered: HostKey,
        /// Where the authority is listed.
        place: String,
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
    /// shows the one that can be compared.
    pub(crate) fn algorithms(&self) -> String {
        let known = |algorithm: &str| {
            let kind = if algorithm.starts_with("rsa-") { "ssh-rsa" } else { algorithm };
            self.candidates().iter().any(|entry| entry.key.kind() == kind)
        };
        let allowed = self.target.algorithms.of(List::HostKeys).iter().map(String::as_str);
        let (mut first, rest): (Vec<&str>, Vec<&str>) = allowed.partition(|kind| known(kind));
        first.extend(rest);
        first.join(",")
    }

    /// Whether the host may have another key, of another kind, that would be accepted: a pin does
    /// not say which kind it is of.
    pub(crate) fn may_accept_another(&self, error: &HostKeyError) -> bool {
        !self.target.host_keys.pins.is_empty() && matches!(error, HostKeyError::Changed { .. })
    }

    /// Accepts or refuses the key of the host.
    pub(crate) fn check(&self, offered: &HostKey) -> Result<(), HostKeyError> {
        let same = |entry: &&Entry| entry.key == *offered;
        if let Some(entry) = self.known.revoked.iter().find(same) {
            return Err(HostKeyError::Revoked {
                offered: offered.clone(),
                place: entry.place.clone(),
            });
        }
        let least = self.target.algorithms.rsa_bits;
        if let Some(bits) = offered.rsa_bits().filter(|bits| *bits < least) {
            return Err(HostKeyError::Short { offered: offered.clone(), bits, least });
        }
        if !self.target.host_keys.pins.is_empty() {
            return self.check_pins(offered);
        }
        let candidates = self.candidates();
        if candidates.iter().any(|entry| entry.key == *offered) {
            return Ok(());
        }
        Err(self.refuse(offered, candidates))
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

    fn refuse(&self, offered: &HostKey, candidates: &[Entry]) -> HostKeyError {
        let (host, port) = self.target.known_as();
        let host = host.to_owned();
        let offered = offered.clone();
        if self.known.keys.is_empty() {
            // A key under the plain name may belong to another machine behind the same name.
            return match self.known.authorities.first() {
                Some(place) => {
                    HostKeyError::Authority { host, port, offered, place: place.clone() }
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

//! User certificates: a public key, signed by an authority that the host trusts.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::identity::string;
use crate::bounded;

/// What the name of a kind of certificate ends with, behind the kind of its key.
const SUFFIX: &str = "-cert-v01@openssh.com";

/// A certificate file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    pub(super) path: PathBuf,
    /// The certificate in wire format.
    pub(super) blob: Vec<u8>,
    /// The public key that it certifies, in wire format.
    pub(super) key: Vec<u8>,
    /// The end of its life, where it has one.
    ends: Option<SystemTime>,
}

impl Certificate {
    /// Reads a certificate file; why not, where it is none.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = bounded::read(path, bounded::SMALL).map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&text);
        let not = || "is not a certificate of a user's key".to_owned();
        let mut words = text.split_ascii_whitespace();
        let kind = words.next().ok_or_else(not)?;
        let blob = words.next().and_then(|word| STANDARD.decode(word).ok()).ok_or_else(not)?;
        let (key, ends) = parse(kind, &blob).ok_or_else(not)?;
        Ok(Self { path: path.to_owned(), blob, key, ends })
    }

    /// The certificate that ssh finds beside a key file unasked, if there is one.
    pub(super) fn beside(key: &Path) -> Option<Self> {
        let mut neighbour = key.as_os_str().to_owned();
        neighbour.push("-cert.pub");
        Self::read(Path::new(&neighbour)).ok()
    }

    /// When it ended, if that is in the past.
    pub(super) fn ended(&self, now: SystemTime) -> Option<String> {
        let end = self.ends.filter(|end| *end <= now)?;
        OffsetDateTime::from(end).format(&Rfc3339).ok()
    }
}

/// The certified key of a certificate of this kind, and what follows it (PROTOCOL.certkeys of OpenSSH).
pub(super) fn certified<'a>(kind: &str, blob: &'a [u8]) -> Option<(Vec<u8>, &'a [u8])> {
    let plain = kind.strip_suffix(SUFFIX)?;
    let (name, rest) = string(blob)?;
    let (_nonce, fields) = string(rest)?;
    let count = match plain {
        "ssh-ed25519" => 1,
        "ssh-rsa" => 2,
        _ if plain.starts_with("ecdsa-sha2-") => 2,
        _ => return None,
    };
    let mut rest = fields;
    for _ in 0..count {
        rest = string(rest)?.1;
    }
    let mut key = u32::try_from(plain.len()).ok()?.to_be_bytes().to_vec();
    key.extend_from_slice(plain.as_bytes());
    key.extend_from_slice(&fields[..fields.len() - rest.len()]);
    (name == kind.as_bytes()).then_some((key, rest))
}

/// The certified key and the end of the certificate's life.
fn parse(kind: &str, blob: &[u8]) -> Option<(Vec<u8>, Option<SystemTime>)> {
    const USER: u32 = 1;
    let (key, rest) = certified(kind, blob)?;
    let (_serial, rest) = rest.split_first_chunk::<8>()?;
    let (whose, rest) = rest.split_first_chunk::<4>()?;
    let (_id, rest) = string(rest)?;
    let (_principals, rest) = string(rest)?;
    let (_begin, rest) = rest.split_first_chunk::<8>()?;
    let (end, _) = rest.split_first_chunk::<8>()?;
    // All ones is for ever, and what the clock can't hold is as good as that.
    let end = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::from_be_bytes(*end)));
    (u32::from_be_bytes(*whose) == USER).then_some((key, end))
}

//! The record that somebody opened a backup with an identity, and that an etcd started from it. It lies beside the
//! backup under a name of its own, so that nothing of the backup is replaced. Like the sidecar it is not signed.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::sidecar::Sidecar;
use super::trailer::hex;

/// The format that this program writes, and the only one that it reads.
pub const FORMAT: u32 = 1;

/// What was proven of a backup, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The version of this format.
    pub format: u32,
    /// The backup's name.
    pub id: String,
    /// The sha256 of the sealed file that was opened, in hex.
    pub sealed_sha256: String,
    /// When, RFC 3339 in UTC.
    pub time: String,
    /// Who.
    pub by: String,
    /// The host that restored it.
    pub host: String,
    /// The etcd release that restored it and started from it.
    pub etcd_version: String,
    /// The revision of what was restored.
    pub revision: u64,
    /// How many keys it has; `None` where etcd's own authentication lets only root count.
    pub keys: Option<u64>,
    /// How many members had the same keys at the same revision and compact revision; 0 where none could say.
    pub same_members: usize,
    /// The sha256 of this file with an empty text here: it tells a damaged file.
    pub digest: String,
}

impl Opening {
    /// The file, with its digest.
    ///
    /// # Errors
    /// None that is known: every field has a JSON form.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        let undigested =
            serde_json::to_string_pretty(&Self { digest: String::new(), ..self.clone() })?;
        let digest = hex(&Sha256::digest(undigested));
        serde_json::to_string_pretty(&Self { digest, ..self.clone() }).map(|text| text + "\n")
    }

    /// Reads the record of a backup; `None` for whatever is not exactly what quorate wrote of this one.
    pub(super) fn read(bytes: &[u8], known: &Sidecar) -> Option<Self> {
        let read: Self = serde_json::from_slice(bytes).ok()?;
        let is_whole = read.text().is_ok_and(|text| text.as_bytes() == bytes);
        let of_this = read.id == known.id && read.sealed_sha256 == known.sealed_sha256;
        (is_whole && of_this && read.format == FORMAT).then_some(read)
    }
}

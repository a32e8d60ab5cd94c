//! What is known of a backup, in a JSON file beside it. It holds no secret, and it is not signed: it tells a backup
//! that was damaged from a whole one, and not an honest one from a forged one.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::name::BackupId;
use super::trailer::hex;

/// The format that this program writes, and the only one that it reads.
pub const FORMAT: u32 = 1;

/// A sidecar is a kilobyte; a larger one is another file.
pub(super) const LARGEST: u64 = 256 * 1024;

/// What is known of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sidecar {
    /// The version of this format.
    pub format: u32,
    /// The backup's name.
    pub id: String,
    /// The site that it is of.
    pub site: String,
    /// The cluster that it is of, as the inventory calls it.
    pub cluster: String,
    /// The cluster's own id, in hex.
    pub cluster_id: String,
    /// The member that gave it.
    pub member: Member,
    /// All members, as the member list had them; `None` where that was unknown.
    pub members: Option<Vec<Member>>,
    /// Whether the cluster had a quorum. Without one, other members may know of later writes.
    pub quorum: bool,
    /// The member's revision just before: the backup holds it, and may hold later ones.
    pub revision: u64,
    /// The member's applied raft index just before.
    pub raft_index: u64,
    /// Its raft term.
    pub raft_term: u64,
    /// Alarms that were raised; `None` where that was unknown.
    pub alarms: Option<Vec<String>>,
    /// Whether etcd's own authentication was on; `None` where that was unknown.
    pub authentication: Option<bool>,
    /// The etcd release of the member.
    pub etcd_version: String,
    /// The snapshot's size in bytes, with its trailer.
    pub size: u64,
    /// The snapshot's sha256, in hex.
    pub sha256: String,
    /// The sealed file's size in bytes.
    pub sealed_size: u64,
    /// The sealed file's sha256, in hex.
    pub sealed_sha256: String,
    /// When it was started, RFC 3339 in UTC.
    pub time: String,
    /// Who took it.
    pub by: String,
    /// The commit of the inventory, where it lies in git.
    pub commit: Option<String>,
    /// What was proven of it.
    pub grade: Grade,
    /// The sha256 of this file with an empty text here: it tells a damaged file.
    pub digest: String,
}

/// A member, as the member list has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its id, in hex.
    pub id: String,
    /// Its name; empty for one that never started.
    pub name: String,
}

/// What was proven of a backup, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// The snapshot matched its trailer on its way, and the sealed file was read back and is what was written.
    /// Nobody has opened or restored it.
    Stored,
    /// An etcd started from it on its host before it was sealed, and no member that could be compared had other keys.
    Checked,
    /// Somebody opened it with an identity, and an etcd started from it. The record beside it says so, and no sidecar.
    Opened,
}

impl Grade {
    /// As JSON and tables have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Grade::Stored => "stored",
            Grade::Checked => "checked",
            Grade::Opened => "opened",
        }
    }
}

/// Why a file says nothing of a backup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SidecarError {
    /// It is not what quorate wrote.
    #[error("its sidecar is damaged")]
    Damaged,
    /// A later program wrote it.
    #[error("its sidecar has format {format}, which a newer quorate wrote")]
    Newer {
        /// Which one.
        format: u32,
    },
    /// It is of another backup.
    #[error("its sidecar belongs to another backup, {id}")]
    Foreign {
        /// Which one.
        id: String,
    },
}

impl Sidecar {
    /// The file, with its digest.
    ///
    /// # Errors
    /// None that is known: every field has a JSON form.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        let digest = hex(&Sha256::digest(self.undigested()?));
        let sealed = Self { digest, ..self.clone() };
        serde_json::to_string_pretty(&sealed).map(|text| text + "\n")
    }

    /// Reads the sidecar of a backup. Every byte counts: what is not exactly what quorate wrote is damaged.
    ///
    /// # Errors
    /// It is of another format or backup, or damaged.
    pub fn read(bytes: &[u8], id: &BackupId) -> Result<Self, SidecarError> {
        #[derive(Deserialize)]
        struct Versioned {
            format: u32,
        }
        let Versioned { format } =
            serde_json::from_slice(bytes).map_err(|_| SidecarError::Damaged)?;
        if format > FORMAT {
            return Err(SidecarError::Newer { format });
        }
        let read: Self = serde_json::from_slice(bytes).map_err(|_| SidecarError::Damaged)?;
        let written = read.text().map_err(|_| SidecarError::Damaged)?;
        if written.as_bytes() != bytes || format != FORMAT {
            return Err(SidecarError::Damaged);
        }
        let BackupId { site, cluster, .. } = id;
        let fits = read.id == id.to_string()
            && read.site == site.as_str()
            && read.cluster == cluster.as_str()
            && read.taken() == Some(id.time);
        if fits {
            Ok(read)
        } else {
            Err(SidecarError::Foreign { id: remote::clean(read.id.as_bytes()) })
        }
    }

    /// When the backup was started.
    pub fn taken(&self) -> Option<OffsetDateTime> {
        OffsetDateTime::parse(&self.time, &Rfc3339).ok()
    }

    fn undigested(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(&Self { digest: String::new(), ..self.clone() })
    }
}

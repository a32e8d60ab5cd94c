//! `etcdctl endpoint hashkv -w json`: what each member makes of its keys at one revision.

use super::answer::{EtcdctlError, Header, read};

/// What one member made of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeysHash {
    /// Where it was asked.
    pub(crate) endpoint: String,
    /// The hash of its keys.
    pub(crate) hash: u32,
    /// The revision to which it has compacted them: of another one the hash is another one. -1 where it never has.
    pub(crate) compacted: i64,
}

/// Reads them. A member that did not answer is not among them.
///
/// # Errors
/// When there is no answer; the reason is etcdctl's.
pub(crate) fn hashes(said: &str) -> Result<Vec<KeysHash>, EtcdctlError> {
    let rows: Vec<Row> = read(said)?;
    let hash = |row: Row| {
        let HashKv { _header: _, hash, compacted } = row.hash;
        KeysHash { endpoint: row.endpoint, hash, compacted }
    };
    Ok(rows.into_iter().map(hash).collect())
}

#[derive(serde::Deserialize)]
struct Row {
    #[serde(rename = "Endpoint")]
    endpoint: String,
    #[serde(rename = "HashKV")]
    hash: HashKv,
}

#[derive(serde::Deserialize)]
struct HashKv {
    /// An answer without one is damaged.
    #[serde(rename = "header")]
    _header: Header,
    #[serde(default)]
    hash: u32,
    #[serde(default, rename = "compact_revision")]
    compacted: i64,
}

//! What the tests of backups share, and what must never be taken for a backup.

mod damaged;
mod stores;

use inventories::{ClusterName, SiteName};
use pki::{Identity, Recipient};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime, macros::datetime};

use super::catalog::{Copy, State};
use super::name::BackupId;
use super::opening::{self, Opening};
use super::sidecar::{FORMAT, Grade, Member, Sidecar};
use super::trailer::hex;

// Made for the tests of pki; it opens nothing else.
const SECRET: &str = include_str!("../../../../pki/tests/issued/keys/ed25519.key");
const PUBLIC: &str = include_str!("../../../../pki/tests/issued/keys/ed25519.pub");

pub(super) fn recipient() -> Recipient {
    Recipient::parse(PUBLIC.trim()).unwrap()
}

pub(super) fn identity() -> Identity {
    Identity::parse(SECRET, None).unwrap()
}

/// A snapshot of so many pages, as `etcdctl snapshot save` writes one.
pub(super) fn snapshot(pages: usize) -> Vec<u8> {
    let size = u32::try_from(pages * 512).unwrap();
    let mut bytes: Vec<u8> =
        (0..size).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let sum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&sum);
    bytes
}

pub(super) fn at(minute: i64) -> OffsetDateTime {
    datetime!(2026-08-01 00:00 UTC) + Duration::minutes(minute)
}

pub(super) fn id(time: OffsetDateTime) -> BackupId {
    let (site, cluster) = (SiteName::new("prod").unwrap(), ClusterName::new("main").unwrap());
    BackupId::draw(&site, &cluster, time).unwrap()
}

/// The sidecar of a snapshot that was sealed so.
pub(super) fn sidecar(id: &BackupId, plain: &[u8], sealed: &[u8]) -> Sidecar {
    let member = Member { id: "8e9e05c52164694d".to_owned(), name: "etcd-1".to_owned() };
    Sidecar {
        format: FORMAT,
        id: id.to_string(),
        site: id.site.to_string(),
        cluster: id.cluster.to_string(),
        cluster_id: "cdf818194e3a8c32".to_owned(),
        member: member.clone(),
        members: Some(vec![member]),
        quorum: true,
        revision: 12,
        raft_index: 20,
        raft_term: 3,
        alarms: Some(Vec::new()),
        authentication: None,
        etcd_version: "3.6.16".to_owned(),
        size: plain.len() as u64,
        sha256: hex(&Sha256::digest(plain)),
        sealed_size: sealed.len() as u64,
        sealed_sha256: hex(&Sha256::digest(sealed)),
        time: id.time.format(&time::format_description::well_known::Rfc3339).unwrap(),
        by: "ops@laptop".to_owned(),
        commit: Some("5b7a60c90d3a".to_owned()),
        grade: Grade::Stored,
        digest: String::new(),
    }
}

pub(super) fn good(time: OffsetDateTime) -> Copy {
    let id = id(time);
    let sidecar = sidecar(&id, b"", b"");
    Copy { state: State::Good(Box::new(sidecar)), id, opening: None }
}

pub(super) fn unfinished(time: OffsetDateTime) -> Copy {
    Copy { state: State::Unfinished, id: id(time), opening: None }
}

/// The record that somebody opened it.
pub(super) fn opening(known: &Sidecar) -> Opening {
    Opening {
        format: opening::FORMAT,
        id: known.id.clone(),
        sealed_sha256: known.sealed_sha256.clone(),
        time: "2026-11-29T15:00:00Z".to_owned(),
        by: "ops@laptop".to_owned(),
        host: "etcd-2".to_owned(),
        etcd_version: "3.6.16".to_owned(),
        revision: 12,
        keys: Some(9),
        same_members: 3,
        digest: String::new(),
    }
}

//! Whether a snapshot fits: into the quota, and onto the disks beside the data that stays.

use super::Subject;
use crate::decide::{preflight, quota};
use crate::facts::{EtcdFacts, HostFacts, MemberFacts, Observed};
use crate::policy::WAL_BYTES;
use crate::report::{Finding, FindingCode};

/// A database above its quota raises an alarm with the first write.
pub(super) fn above_quota(subject: &Subject<'_>) -> Option<Finding> {
    let bytes = subject.request.snapshot.bytes;
    let members = subject.cluster.members.values();
    let quota = members.map(|member| quota::wanted(&member.member)).min()?;
    (bytes > quota).then(|| {
        let place = subject.cluster.place_of("flags");
        Finding {
            code: FindingCode::SnapshotTooLarge,
            host: None,
            cluster: Some(subject.cluster.name.clone()),
            message: format!(
                "the snapshot is {}, but the quota is {}: the restored cluster would refuse writes",
                preflight::bytes(bytes),
                preflight::bytes(quota)
            ),
            hint: Some(format!("raise quota-backend-bytes in {}:{}", place.file, place.line)),
        }
    })
}

/// The file, the database that is made of it, and its log lie beside the old data for a while.
pub(super) fn too_small(subject: &Subject<'_>) -> Vec<Finding> {
    if subject.stand.is_placed() {
        return Vec::new();
    }
    let needed = subject.request.snapshot.bytes.saturating_mul(2).saturating_add(2 * WAL_BYTES);
    let lacks = |(host, own): (_, &&MemberFacts)| {
        let seen: &HostFacts = subject.facts.hosts.get(host).and_then(Observed::known)?;
        // What lies there counts as free elsewhere, and stays here.
        let database = own.etcd.known().map(|etcd: &EtcdFacts| etcd.db_size);
        let old = database.map_or(0, |database| database + WAL_BYTES);
        let free = seen.machine.data_free.saturating_sub(old);
        (free < needed).then(|| Finding {
            code: FindingCode::DiskTooSmall,
            host: Some(Clone::clone(host)),
            cluster: Some(subject.cluster.name.clone()),
            message: format!(
                "{} free; a restore needs {} beside the old data (the snapshot, the restored database and its log)",
                preflight::bytes(free),
                preflight::bytes(needed)
            ),
            hint: Some("free space on the host; to see old archives: quorate archives list".to_owned()),
        })
    };
    subject.view.members.iter().map(|(host, own)| (*host, own)).filter_map(lacks).collect()
}

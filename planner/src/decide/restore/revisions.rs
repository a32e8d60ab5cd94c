//! Which revisions a restore finds, and above which the restored data begins.

use super::Subject;
use super::former::Former;
use super::stand::At;
use crate::decide::assess::View;
use crate::facts::{EtcdFacts, MemberFacts, RestorePhase};
use crate::policy::RestoreRequest;
use crate::spec::ClusterSpec;

/// What is left between the highest revision that anybody may have seen and the first restored one, for writes that
/// nobody told us of. etcd's own documentation gives this number.
const DISTANCE: u64 = 1_000_000_000;

/// How many revisions are added to those of the snapshot; `None` where the release can't. A restore that is continued has its own.
pub(super) fn bump(subject: &Subject<'_>) -> Option<u64> {
    let Subject { cluster, view, former, request, stand, .. } = subject;
    match stand.resumed {
        Some((_, record)) => record.bump,
        None => needed(cluster, (view, former), request),
    }
}

/// How many are added to a restore that begins.
pub(super) fn needed(
    cluster: &ClusterSpec,
    seen: (&View<'_>, &[Former<'_>]),
    request: &RestoreRequest,
) -> Option<u64> {
    let behind = highest(seen, request).saturating_sub(of_snapshot(request));
    let steps = behind.div_ceil(DISTANCE).saturating_add(1);
    cluster.version.bumps_revisions().then(|| DISTANCE.saturating_mul(steps))
}

/// The revision with which the restored cluster begins.
pub(super) fn floor(subject: &Subject<'_>) -> u64 {
    of_snapshot(subject.request).saturating_add(bump(subject).unwrap_or_default())
}

/// The highest revision of the data that a restore replaces; `None` where no member of it answers.
pub(super) fn of_old_data(subject: &Subject<'_>) -> Option<u64> {
    let of_old =
        subject.members.iter().filter(|member| !is_restored(subject.stand.at(member.name)));
    let of_old = of_old.map(|member| member.facts);
    let former = subject.former.iter().filter_map(|one| Some(one.seen?.1));
    of_old.chain(former).filter_map(answer).map(|etcd| etcd.revision).max()
}

/// The hosts with data of before whose members do not say how new it is.
pub(super) fn silent(subject: &Subject<'_>) -> Vec<String> {
    let has_old_data = |own: &MemberFacts| own.has_log() && answer(own).is_none();
    let members = subject
        .members
        .iter()
        .filter(|member| has_old_data(member.facts) && !is_restored(subject.stand.at(member.name)));
    let former =
        subject.former.iter().filter(|one| one.seen.is_some_and(|(_, own)| has_old_data(own)));
    members
        .map(|member| member.name.to_string())
        .chain(former.map(|one| one.host.to_string()))
        .collect()
}

fn is_restored(at: At) -> bool {
    matches!(at, At::Recorded(RestorePhase::Placed) | At::Ended)
}

fn of_snapshot(request: &RestoreRequest) -> u64 {
    request.snapshot.revision.unwrap_or_default()
}

/// The highest revision that anybody may have seen of this cluster.
fn highest((view, former): (&View<'_>, &[Former<'_>]), request: &RestoreRequest) -> u64 {
    let former = former.iter().filter_map(|one| Some(one.seen?.1));
    let all = view.members.values().copied().chain(former);
    all.filter_map(|own| of_member(own, request))
        .chain([request.highest_known])
        .max()
        .unwrap_or_default()
}

fn of_member(own: &MemberFacts, request: &RestoreRequest) -> Option<u64> {
    let answered = answer(own).map(|etcd| etcd.revision).max(own.revision_floor());
    answered.max(restored_at(own, request))
}

/// The revision above which a member with restored data may have served already, though nobody answers. Its snapshot may
/// have been another one; no backup knows a higher revision.
fn restored_at(own: &MemberFacts, request: &RestoreRequest) -> Option<u64> {
    let record = own.restore.known().filter(|record| record.phase == RestorePhase::Placed)?;
    Some(record.bump?.saturating_add(of_snapshot(request).max(request.highest_known)))
}

/// The source of the highest known revision, for people, and the revision.
pub(super) fn highest_source(subject: &Subject<'_>) -> (String, u64) {
    let members = subject.view.members.iter().map(|(host, own)| (*host, *own));
    let former = subject.former.iter().filter_map(|one| Some((one.host, one.seen?.1)));
    let request = subject.request;
    let of_member = |own| of_member(own, request);
    let hosts =
        members.chain(former).filter_map(|(host, own)| Some((host.to_string(), of_member(own)?)));
    let snapshot = (format!("snapshot {}", request.snapshot.name), of_snapshot(request));
    let backups = ("the newest backup of the cluster".to_owned(), request.highest_known);
    let record = subject.stand.resumed.and_then(|(host, record)| {
        Some((format!("the record of the restore on {host}"), record.bump?))
    });
    let all = hosts.chain([snapshot, backups]).chain(record);
    all.max_by_key(|(_, revision)| *revision).unwrap_or_default()
}

fn answer(own: &MemberFacts) -> Option<&EtcdFacts> {
    own.etcd.known()
}

//! Steps of a roll: each is one script with values that are known before.

use inventories::{EtcdVersion, HostName};
use std::collections::{BTreeMap, BTreeSet};

use super::MemberStep;
use crate::script::{
    self,
    call::{self, Arguments},
    failure::Failure,
    guard,
};
use remote::{Call, Payload};

/// How long a restarted member may take to be back, in seconds: it reads its database, finds the
/// leader and catches up with the log.
const PATIENCE: u64 = 180;

pub(crate) fn note_restart(step: &MemberStep<'_>) -> Result<Call, Failure> {
    let layout = &step.layout;
    let args = Arguments::new().with("unit", layout.unit_name()).with("file", layout.restart_due());
    call::guarded(step, script::NOTE_RESTART, args)
}

pub(crate) fn move_drop_ins(
    step: &MemberStep<'_>,
    moves: &BTreeMap<String, String>,
) -> Result<Call, Failure> {
    let lines = moves.iter().flat_map(|(from, to)| [from, to]);
    call::guarded(step, script::MOVE_DROP_INS, Arguments::new().with_lines("moves", lines))
}

pub(crate) fn move_leader(
    step: &MemberStep<'_>,
    endpoint: &str,
    others: &BTreeMap<HostName, String>,
    version: EtcdVersion,
) -> Result<Call, Failure> {
    let args = Arguments::new()
        .with_etcdctl(&step.layout, version)
        .with("own", endpoint)
        .with_words("others", others.values());
    call::guarded(step, script::MOVE_LEADER, args)
}

pub(crate) fn list_by_address(
    step: &MemberStep<'_>,
    endpoint: &str,
    peer_url: &str,
    version: EtcdVersion,
) -> Result<Call, Failure> {
    let args = Arguments::new()
        .with_etcdctl(&step.layout, version)
        .with("own", endpoint)
        .with("url", peer_url);
    call::guarded(step, script::LIST_BY_ADDRESS, args)
}

pub(crate) fn restart_member(step: &MemberStep<'_>) -> Result<Call, Failure> {
    let layout = &step.layout;
    let args = Arguments::new().with("unit", layout.unit_name()).with("wal", layout.wal_dir());
    call::guarded(step, script::RESTART_MEMBER, args)
}

/// What a member that is back must be.
pub(crate) struct Rejoin<'a> {
    pub(crate) endpoint: &'a str,
    pub(crate) version: EtcdVersion,
    pub(crate) alarms: &'a BTreeSet<String>,
    pub(crate) pod: Option<&'a str>,
}

pub(crate) fn await_rejoin(
    step: &MemberStep<'_>,
    wanted: &Rejoin<'_>,
    others: &BTreeMap<HostName, String>,
) -> Result<Call, Failure> {
    let Rejoin { endpoint, version, alarms, pod } = *wanted;
    let layout = &step.layout;
    let args = guard::arguments(step, None)?
        .with_etcdctl(layout, version)
        .with("own", endpoint)
        .with("version", version)
        .with("seconds", PATIENCE)
        .with_words("alarms", alarms)
        .with("unit", layout.unit_name())
        .with("pod", layout.pod_name())
        .with("data", layout.data_dir())
        .with("identity", pod.unwrap_or_default())
        .with_words("others", others.values());
    Ok(call::patient(call::call(script::AWAIT_REJOIN, args, Payload::new()), PATIENCE))
}

//! Steps of a roll: each is one script with values that are known before.

use inventories::{EtcdVersion, HostName};
use std::collections::{BTreeMap, BTreeSet};

use super::MemberStep;
use crate::etcd::credentials;
use crate::script::{self, call, failure::Failure, guard};
use remote::{Call, Payload};

/// How long a restarted member may take to be back, in seconds: it reads its database, finds the
/// leader and catches up with the log.
const PATIENCE: u64 = 180;

pub(crate) fn note_restart(step: &MemberStep<'_>) -> Result<Call, Failure> {
    let layout = &step.layout;
    call::guarded(step, script::NOTE_RESTART, [layout.unit_name(), layout.restart_due()])
}

pub(crate) fn move_drop_ins(
    step: &MemberStep<'_>,
    moves: &BTreeMap<String, String>,
) -> Result<Call, Failure> {
    let pairs = moves.iter().flat_map(|(from, to)| [from.clone(), to.clone()]);
    call::guarded(step, script::MOVE_DROP_INS, pairs)
}

pub(crate) fn move_leader(
    step: &MemberStep<'_>,
    endpoint: &str,
    others: &BTreeMap<HostName, String>,
    version: EtcdVersion,
) -> Result<Call, Failure> {
    let mut args = credentials(&step.layout, version).to_vec();
    args.push(endpoint.to_owned());
    args.extend(others.values().cloned());
    call::guarded(step, script::MOVE_LEADER, args)
}

pub(crate) fn list_by_address(
    step: &MemberStep<'_>,
    endpoint: &str,
    peer_url: &str,
    version: EtcdVersion,
) -> Result<Call, Failure> {
    let mut args = credentials(&step.layout, version).to_vec();
    args.extend([endpoint.to_owned(), peer_url.to_owned()]);
    call::guarded(step, script::LIST_BY_ADDRESS, args)
}

pub(crate) fn restart_member(step: &MemberStep<'_>) -> Result<Call, Failure> {
    let layout = &step.layout;
    call::guarded(step, script::RESTART_MEMBER, [layout.unit_name(), layout.wal_dir()])
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
    let mut args = guard::arguments(step, None)?;
    args.extend(credentials(layout, version));
    args.extend([
        endpoint.to_owned(),
        version.to_string(),
        PATIENCE.to_string(),
        alarms.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
        layout.unit_name(),
        layout.pod_name(),
        layout.data_dir(),
        pod.unwrap_or_default().to_owned(),
    ]);
    args.extend(others.values().cloned());
    Ok(call::patient(call::call(script::AWAIT_REJOIN, args, Payload::new()), PATIENCE))
}

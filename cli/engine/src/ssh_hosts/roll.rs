//! Steps of a roll: each is one script with values that are known before.

use inventories::{EtcdVersion, HostName};
use planner::Step;
use std::collections::{BTreeMap, BTreeSet};

use super::calls;
use super::failure::Failure;
use super::guard;
use super::prove::credentials;
use super::script;
use remote::{Call, Payload};

/// How long a restarted member may take to be back, in seconds: it reads its database, finds the
/// leader and catches up with the log.
const PATIENCE: u64 = 180;

pub(super) fn note_restart(step: &Step) -> Result<Call, Failure> {
    let layout = guard::layout(step)?;
    calls::guarded(step, script::NOTE_RESTART, [layout.unit_name(), layout.restart_due()])
}

pub(super) fn move_drop_ins(
    step: &Step,
    moves: &BTreeMap<String, String>,
) -> Result<Call, Failure> {
    let pairs = moves.iter().flat_map(|(from, to)| [from.clone(), to.clone()]);
    calls::guarded(step, script::MOVE_DROP_INS, pairs)
}

pub(super) fn move_leader(
    step: &Step,
    endpoint: &str,
    others: &BTreeMap<HostName, String>,
    version: EtcdVersion,
) -> Result<Call, Failure> {
    let mut args = credentials(&guard::layout(step)?, version).to_vec();
    args.push(endpoint.to_owned());
    args.extend(others.values().cloned());
    calls::guarded(step, script::MOVE_LEADER, args)
}

pub(super) fn list_by_address(
    step: &Step,
    endpoint: &str,
    peer_url: &str,
    version: EtcdVersion,
) -> Result<Call, Failure> {
    let mut args = credentials(&guard::layout(step)?, version).to_vec();
    args.extend([endpoint.to_owned(), peer_url.to_owned()]);
    calls::guarded(step, script::LIST_BY_ADDRESS, args)
}

pub(super) fn restart_member(step: &Step) -> Result<Call, Failure> {
    let layout = guard::layout(step)?;
    calls::guarded(step, script::RESTART_MEMBER, [layout.unit_name(), layout.wal_dir()])
}

/// What a member that is back must be.
pub(super) struct Rejoin<'a> {
    pub(super) endpoint: &'a str,
    pub(super) version: EtcdVersion,
    pub(super) alarms: &'a BTreeSet<String>,
    pub(super) pod: Option<&'a str>,
}

pub(super) fn await_rejoin(
    step: &Step,
    wanted: &Rejoin<'_>,
    others: &BTreeMap<HostName, String>,
) -> Result<Call, Failure> {
    let Rejoin { endpoint, version, alarms, pod } = *wanted;
    let layout = guard::layout(step)?;
    let mut args = guard::arguments(step, None)?;
    args.extend(credentials(&layout, version));
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
    Ok(calls::patient(calls::call(script::AWAIT_REJOIN, args, Payload::new()), PATIENCE))
}

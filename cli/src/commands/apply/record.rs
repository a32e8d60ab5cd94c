//! What the hosts are to remember of an apply: that it began, and what it left when it ended.

use std::collections::BTreeMap;

use inventories::HostName;
use planner::facts::Applied;
use planner::{Observed, Plan, SiteFacts, fingerprint, since};

use crate::error::CliError;
use crate::exit::ExitCode;
use crate::provenance::Provenance;
use engine::lock::{Claim, Lock, RECORD_FORMAT};

/// The word for an apply that has not come to its end.
const UNFINISHED: &str = "unfinished";

/// The record of an apply that began.
pub(super) fn of(claim: &Claim, plan: &Plan, provenance: Option<&Provenance>) -> Applied {
    Applied {
        format: RECORD_FORMAT,
        at: claim.since.clone(),
        by: claim.owner.clone(),
        plan: fingerprint::short(&fingerprint::hash(plan)).to_owned(),
        commit: provenance.map(|provenance| provenance.commit.clone()),
        dirty: provenance.is_some_and(Provenance::is_dirty),
        outcome: UNFINISHED.to_owned(),
        left: None,
    }
}

/// Tells every locked host that the apply begins. Nothing is done where one could not be told: the
/// next one would not know which inventory was applied there.
pub(super) async fn begin(lock: &Lock, record: &Applied) -> Result<(), CliError> {
    let told = |host: &HostName| (host.clone(), Some(record.clone()));
    let records = lock.generations.keys().map(told).collect();
    let failed = lock.record(records).await;
    if failed.is_empty() {
        return Ok(());
    }
    let message =
        format!("cannot record the apply, and no step was started: {}", failed.join("; "));
    Err(CliError::failed(message))
}

/// Tells every locked host that was seen what the apply came to, and what it left there; the hosts
/// that could not be told.
pub(super) async fn end(
    lock: &Lock,
    record: &Applied,
    facts: &SiteFacts,
    code: ExitCode,
) -> Vec<String> {
    let of_host = |host: &HostName| {
        let seen = facts.hosts.get(host)?.known()?;
        let left = Some(since::left(host, seen));
        let outcome = code.reason().to_owned();
        Some((host.clone(), Some(Applied { left, outcome, ..record.clone() })))
    };
    let records: BTreeMap<_, _> = lock.generations.keys().filter_map(of_host).collect();
    lock.record(records).await
}

/// Lets every locked host remember what it did before the apply, which changed nothing: its commit does
/// not count as applied. The hosts that could not be told.
pub(super) async fn as_before(lock: &Lock, before: &SiteFacts) -> Vec<String> {
    let of_host = |host: &HostName| match &before.hosts.get(host)?.known()?.applied {
        Observed::Known(applied) => Some((host.clone(), Some(applied.clone()))),
        Observed::Absent => Some((host.clone(), None)),
        Observed::Unknown(_) => None,
    };
    let records: BTreeMap<_, _> = lock.generations.keys().filter_map(of_host).collect();
    lock.record(records).await
}

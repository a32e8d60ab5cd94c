//! What the hosts are to remember of an apply: that it began, and what it left when it ended.

use std::collections::BTreeMap;
use std::time::Instant;

use inventories::HostName;
use planner::facts::Applied;
use planner::{Observed, Plan, SiteFacts, fingerprint, since};

use crate::error::CliError;
use crate::exit::ExitCode;
use crate::provenance::Provenance;
use engine::lock::{Claim, Lock, Moment, RECORD_FORMAT, Work};

/// The word for an apply that has not finished.
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

/// An apply, as the hosts' journals have it.
pub(super) struct Noted {
    /// What it leaves on each host, before it is known what came of it.
    pub(super) record: Applied,
    work: Work,
    began: Instant,
}

impl Noted {
    /// One that begins now.
    pub(super) fn new(record: Applied, work: Work) -> Self {
        Self { record, work, began: Instant::now() }
    }

    async fn note(
        &self,
        lock: &Lock,
        records: BTreeMap<HostName, Option<Applied>>,
        moment: Moment<'_>,
    ) -> Vec<String> {
        lock.record(records, (&self.work, &self.record), moment).await
    }

    fn ended(&self, code: ExitCode) -> Moment<'static> {
        let took = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Moment::Ended { outcome: code.reason(), took }
    }
}

/// Records the start of the apply on every locked host. If one can't be written, nothing is done: the
/// next one would not know which inventory was applied there.
pub(super) async fn begin(lock: &Lock, noted: &Noted) -> Result<(), CliError> {
    let told = |host: &HostName| (host.clone(), Some(noted.record.clone()));
    let records = lock.generations.keys().map(told).collect();
    let failed = noted.note(lock, records, Moment::Begun).await;
    if failed.is_empty() {
        return Ok(());
    }
    let message =
        format!("cannot record the apply, and no step was started: {}", failed.join("; "));
    Err(CliError::failed(message))
}

/// Writes the apply's result, and what it left there, to every locked host that was seen; the hosts
/// that could not be told.
pub(super) async fn end(
    lock: &Lock,
    noted: &Noted,
    facts: &SiteFacts,
    code: ExitCode,
) -> Vec<String> {
    let of_host = |host: &HostName| {
        let seen = facts.hosts.get(host)?.known()?;
        let left = Some(since::left(host, seen));
        let outcome = code.reason().to_owned();
        Some((host.clone(), Some(Applied { left, outcome, ..noted.record.clone() })))
    };
    let records: BTreeMap<_, _> = lock.generations.keys().filter_map(of_host).collect();
    noted.note(lock, records, noted.ended(code)).await
}

/// Restores every locked host's record from before the apply, which changed nothing: its commit does
/// not count as applied. The hosts that could not be told.
pub(super) async fn as_before(
    lock: &Lock,
    noted: &Noted,
    before: &SiteFacts,
    code: ExitCode,
) -> Vec<String> {
    let of_host = |host: &HostName| match &before.hosts.get(host)?.known()?.applied {
        Observed::Known(applied) => Some((host.clone(), Some(applied.clone()))),
        Observed::Absent => Some((host.clone(), None)),
        Observed::Unknown(_) => None,
    };
    let records: BTreeMap<_, _> = lock.generations.keys().filter_map(of_host).collect();
    noted.note(lock, records, noted.ended(code)).await
}

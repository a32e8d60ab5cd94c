//! The lock of an apply: on every host that the plan touches and can be reached, and on a majority of
//! each cluster's members at least. It is a lease: a killed apply blocks others only briefly, and the
//! generation that every step checks keeps its leftovers from doing harm.

pub(crate) mod connections;
mod fence;
pub(crate) mod journal;
mod keeper;
mod run_id;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use inventories::HostName;
use planner::facts::Applied;
use templates::layout::{APPLIED_FILE, JOURNAL_FILE, LOCK_FILE};
use tokio::task::JoinSet;
use tracing::{Instrument as _, debug_span};

use crate::hosts::StepErrorKind;
use crate::pool::Pool;
use crate::script::{self, answer, call::Arguments};
use keeper::Keeper;
use remote::{Call, Payload};

pub(crate) use fence::LockedConnection;
pub use fence::{Fence, Machine};
pub use journal::{Moment, Work};

/// How long a lock lasts without being renewed. A killed apply is forgotten after this; a link that
/// is away for less costs nothing.
pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// How long a lock's script may work, beyond what it waits for.
const WORK: Duration = Duration::from_secs(20);

/// The version of the record of the last apply that this quorate knows.
pub const RECORD_FORMAT: u32 = 1;

/// Who takes the lock, and what for. Shown to a run that finds it taken; each a single line.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Person and machine.
    pub owner: String,
    /// When, as text.
    pub since: String,
    /// What for.
    pub why: String,
}

/// Why the lock was not taken. Nothing stays locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else holds it.
    #[error("{host}: {who}")]
    Held {
        /// Where.
        host: HostName,
        /// Who, since when and what for.
        who: String,
        /// The seconds after which it ends, if its holder does not renew it.
        left: u64,
    },
    /// A host could not be reached, or went away in the middle.
    #[error("{host}: {why}")]
    Away {
        /// Where.
        host: HostName,
        /// Why.
        why: String,
    },
    /// A host failed.
    #[error("{host}: {why}")]
    Failed {
        /// Where.
        host: HostName,
        /// In its own words.
        why: String,
    },
    /// No random number could be drawn.
    #[error("cannot draw a random number: {0}")]
    Random(getrandom::Error),
}

impl LockError {
    pub(crate) fn from_kind(host: &HostName, kind: &StepErrorKind) -> Self {
        let (host, why) = (host.clone(), kind.with_causes());
        match kind {
            StepErrorKind::Unreachable(_)
            | StepErrorKind::Away(_)
            | StepErrorKind::Lost(_)
            | StepErrorKind::Unknown(_) => Self::Away { host, why },
            StepErrorKind::Guard(_) | StepErrorKind::Failed(_) | StepErrorKind::Local(_) => {
                Self::Failed { host, why }
            }
        }
    }
}

/// A lock that is held.
#[derive(Debug)]
pub struct Lock {
    pool: Arc<Pool>,
    keeper: Keeper,
    machines: BTreeMap<HostName, Machine>,
    /// Whose it is.
    pub nonce: String,
    /// The generation on each locked host.
    pub generations: BTreeMap<HostName, u64>,
    /// Locks that had expired and were taken over, by host.
    pub expired: BTreeMap<HostName, String>,
}

/// Takes the lock on all of these hosts, or on none. The first host decides between two who come at
/// the same time: it is asked alone, and the others only by who has it. A host that is no longer the machine of the plan
/// is not touched.
pub async fn take(
    pool: &Arc<Pool>,
    hosts: &BTreeSet<HostName>,
    machines: &BTreeMap<HostName, Machine>,
    claim: &Claim,
) -> Result<Lock, LockError> {
    let mut lock = Lock {
        pool: Arc::clone(pool),
        keeper: Keeper::new(),
        machines: machines.clone(),
        nonce: run_id::of_this_run().map_err(LockError::Random)?,
        generations: BTreeMap::new(),
        expired: BTreeMap::new(),
    };
    let taken = lock.take_all(hosts, claim).await;
    match taken {
        Ok(()) => Ok(lock),
        Err(error) => {
            lock.free().await;
            Err(error)
        }
    }
}

impl Lock {
    async fn take_all(
        &mut self,
        hosts: &BTreeSet<HostName>,
        claim: &Claim,
    ) -> Result<(), LockError> {
        let Some(first) = hosts.first() else { return Ok(()) };
        let body = take_one(&self.pool, first, self.lock_args(first), &self.nonce, claim).await?;
        self.note(first, &body);
        let mut rest = JoinSet::new();
        for host in hosts.iter().skip(1).cloned() {
            let (pool, nonce, claim) = (Arc::clone(&self.pool), self.nonce.clone(), claim.clone());
            let of_host = self.lock_args(&host);
            rest.spawn(async move {
                let taken = take_one(&pool, &host, of_host, &nonce, &claim).await;
                (host, taken)
            });
        }
        let mut refusals = Vec::new();
        while let Some(joined) = rest.join_next().await {
            let (host, taken) = match joined {
                Ok(taken) => taken,
                Err(defect) => std::panic::resume_unwind(defect.into_panic()),
            };
            match taken {
                Ok(body) => self.note(&host, &body),
                Err(error) => refusals.push(error),
            }
        }
        foremost(refusals).map_or(Ok(()), Err)
    }

    /// The lock of a host, for a script: if the host is still the machine of the plan.
    fn lock_args(&self, host: &HostName) -> Arguments {
        let machine = self.machines.get(host).map(Machine::arguments).unwrap_or_default();
        machine.with("lock", LOCK_FILE)
    }

    fn note(&mut self, host: &HostName, body: &str) {
        // An address that is away for a moment ends no apply: a lock that this run does not hold is not renewed anyway.
        self.keeper.keep(&self.pool, lock().with("run", &self.nonce), host);
        for line in body.lines() {
            match line.split_once(' ') {
                Some(("generation", number)) => {
                    self.generations.insert(host.clone(), number.parse().unwrap_or_default());
                }
                Some(("expired", who)) => {
                    self.expired.insert(host.clone(), who.to_owned());
                }
                _ => {}
            }
        }
    }

    /// Waits until a host reports that another run has the lock: then no further step may start. Called
    /// again, it says the same.
    pub fn lost(&self) -> impl Future<Output = String> + use<> {
        self.keeper.lost()
    }

    /// Writes each locked host's record of the apply, or removes it, and notes the apply in its journal;
    /// the hosts that failed, and why.
    pub async fn record(
        &self,
        records: BTreeMap<HostName, Option<Applied>>,
        (work, of): (&Work, &Applied),
        moment: Moment<'_>,
    ) -> Vec<String> {
        let mut all = JoinSet::new();
        let line = work.line(of, &self.nonce, moment);
        for (host, applied) in records {
            let pool = Arc::clone(&self.pool);
            let args = self
                .lock_args(&host)
                .with("run", &self.nonce)
                .with("file", APPLIED_FILE)
                .with("history", JOURNAL_FILE)
                .with("line", &line);
            all.spawn(async move {
                // A record of texts always serializes.
                let text = applied.and_then(|applied| serde_json::to_vec(&applied).ok());
                let text = text.unwrap_or_default();
                let payload = Payload::new().with(text);
                let said = run_with(&pool, &host, script::RECORD_APPLY, args, payload).await;
                said.err().map(|why| format!("{host}: {why}"))
            });
        }
        all.join_all().await.into_iter().flatten().collect()
    }

    /// Gives the lock back. On a host that can't be reached it expires.
    pub async fn free(&mut self) {
        self.keeper.end();
        let mut all = JoinSet::new();
        for host in self.generations.keys() {
            let host = host.clone();
            let pool = Arc::clone(&self.pool);
            let args = self.lock_args(&host).with("seconds", 0).with("run", &self.nonce);
            all.spawn(async move { run(&pool, &host, script::LOCK_KEEP, args).await.is_ok() });
        }
        while all.join_next().await.is_some() {}
    }
}

/// The refusal that is reported, whichever came first: another run's work explains more than a host's silence.
fn foremost(refusals: Vec<LockError>) -> Option<LockError> {
    let rank = |error: &LockError| match error {
        LockError::Held { host, .. } => (0, Some(host.clone())),
        LockError::Away { host, .. } => (1, Some(host.clone())),
        LockError::Failed { host, .. } => (2, Some(host.clone())),
        LockError::Random(_) => (3, None),
    };
    refusals.into_iter().min_by_key(rank)
}

async fn take_one(
    pool: &Pool,
    host: &HostName,
    lock: Arguments,
    nonce: &str,
    claim: &Claim,
) -> Result<String, LockError> {
    let Claim { owner, since, why } = claim;
    let of_holder = |holder| lock.clone().with("of", holder);
    let args = (lock.clone())
        .with("seconds", LEASE.as_secs())
        .with("run", nonce)
        .with("by", owner)
        .with("at", since)
        .with("what", why)
        .with("history", JOURNAL_FILE);
    let failed = |kind: StepErrorKind| LockError::from_kind(host, &kind);
    let refusal = match run(pool, host, script::LOCK_TAKE, args.clone()).await {
        Err(StepErrorKind::Guard(refusal)) => refusal,
        other => return other.map_err(failed),
    };
    let (holder, left, who) = held(&refusal);
    if !run_id::is_over(holder) {
        return Err(LockError::Held { host: host.clone(), who: who.to_owned(), left });
    }
    // A killed run of this very machine: there is no need to wait for its lease to end.
    run(pool, host, script::LOCK_BREAK, of_holder(holder)).await.map_err(failed)?;
    run(pool, host, script::LOCK_TAKE, args)
        .await
        .map(|body| format!("expired {who}\n{body}"))
        .map_err(failed)
}

/// The holder's nonce, the seconds that are left to it, and words.
fn held(refusal: &str) -> (&str, u64, &str) {
    let mut parts = refusal.splitn(3, ' ');
    let mut next = || parts.next().unwrap_or_default();
    let (holder, left, who) = (next(), next(), next());
    match left.parse() {
        Ok(left) => (holder, left, who),
        Err(_) => ("", 0, refusal),
    }
}

/// Says who holds the lock of a host, if anybody does; with `free` it is taken from them.
pub async fn holder(pool: &Pool, host: &HostName, free: bool) -> Result<Option<String>, LockError> {
    let mode = lock().with("of", if free { "free" } else { "look" });
    let said = run(pool, host, script::LOCK_BREAK, mode).await;
    let body = said.map_err(|kind| LockError::from_kind(host, &kind))?;
    Ok(body.lines().find_map(|line| line.strip_prefix("held ")).map(str::to_owned))
}

/// The lock, for a script.
fn lock() -> Arguments {
    Arguments::new().with("lock", LOCK_FILE)
}

/// Runs a script on the lock.
async fn run(
    pool: &Pool,
    host: &HostName,
    script: &'static str,
    args: Arguments,
) -> Result<String, StepErrorKind> {
    run_with(pool, host, script, args, Payload::new()).await
}

async fn run_with(
    pool: &Pool,
    host: &HostName,
    script: &'static str,
    args: Arguments,
    payload: Payload,
) -> Result<String, StepErrorKind> {
    made(pool, host, call(script, args, payload)).await
}

pub(crate) fn call(script: &'static str, args: Arguments, payload: Payload) -> Call {
    let deadline = WORK + script::waits(script);
    Call { script, args: args.into_words(), payload, deadline, max_reply: 64 * 1024 }
}

pub(crate) async fn made(
    pool: &Pool,
    host: &HostName,
    call: Call,
) -> Result<String, StepErrorKind> {
    let span = debug_span!("lock", %host);
    ask(pool, host, call).instrument(span).await
}

async fn ask(pool: &Pool, host: &HostName, call: Call) -> Result<String, StepErrorKind> {
    let unreachable = |error: remote::RemoteError| StepErrorKind::Unreachable(error.to_string());
    let connection = pool.connection(host).await.map_err(unreachable)?;
    let reply = connection.run(call).await.map_err(unreachable)?;
    answer::read(&reply).map(|answer| answer.body).map_err(|failure| failure.kind)
}

#[cfg(test)]
mod tests;

//! The lock of an apply: which hosts, in whose name, and what fences the steps.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use inventories::HostName;
use planner::facts::Applied;
use planner::report::Purpose;
use planner::{Plan, fingerprint};
use templates::layout::{JOURNAL_FILE, LOCK_FILE};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::super::Context;
use super::super::actor::{actor, one_line};
use super::super::planning::Planned;
use crate::error::CliError;
use crate::exit::ExitCode;
use engine::lock::{self, Claim, Fence, Lock, LockError, Machine};
use engine::pool::Pool;

/// How long to wait before the lock is asked for again.
const AGAIN: Duration = Duration::from_secs(2);

/// Takes the lock for a plan, and prints whose lock had expired. Waits this long for its holder.
pub(super) async fn take(
    context: &Context,
    pool: &Arc<Pool>,
    planned: &Planned,
    reason: Option<&str>,
    patience: Duration,
) -> Result<(Lock, Claim), CliError> {
    let hosts = hosts(planned)?;
    let machines = machines(planned, &hosts);
    let until = Instant::now() + patience;
    let mut waits_for = String::new();
    let (lock, claim) = loop {
        let claim = claim(planned, reason);
        match lock::take(pool, &hosts, &machines, &claim).await {
            Ok(lock) => break (lock, claim),
            Err(LockError::Held { host, who, left: _ }) if Instant::now() + AGAIN < until => {
                if waits_for != who {
                    context.terminal.say(&format!("waiting for the lock of {host}: {who}"));
                    waits_for = who;
                }
                tokio::time::sleep(AGAIN).await;
            }
            Err(error) => return Err(refused(error)),
        }
    };
    for (host, who) in &lock.expired {
        context.terminal.say(&format!("{host}: took over the lock of a run that is gone: {who}"));
    }
    Ok((lock, claim))
}

/// The fence of every step.
pub(super) fn fence(lock: &Lock, planned: &Planned, record: &Applied) -> Fence {
    Fence {
        machines: machines(planned, lock.generations.keys()),
        lock: LOCK_FILE.to_owned(),
        journal: JOURNAL_FILE.to_owned(),
        nonce: lock.nonce.clone(),
        generations: lock.generations.clone(),
        who: record.by.clone(),
        plan: record.plan.clone(),
        commit: record.commit.clone(),
    }
}

/// The machines of these hosts, as the plan saw them.
fn machines<'a>(
    planned: &Planned,
    hosts: impl IntoIterator<Item = &'a HostName>,
) -> BTreeMap<HostName, Machine> {
    let machine = |host: &HostName| {
        let facts = planned.facts.hosts.get(host)?.known()?;
        let has = |at: &IpAddr| facts.addresses.known().is_some_and(|own| own.contains(at));
        let of_host = planned.spec.clusters.values().filter_map(|all| all.members.get(host));
        let addresses = of_host.flat_map(|at| at.member.addresses());
        // For a member that leaves, only the inventory's hosts have them.
        let address = addresses.chain(planned.spec.addresses_of(host)).find(has);
        Some(Machine { id: facts.machine.machine_id.known().cloned(), address })
    };
    hosts.into_iter().filter_map(|host| Some((host.clone(), machine(host)?))).collect()
}

/// The hosts that the plan needs for itself.
pub(super) fn hosts(planned: &Planned) -> Result<BTreeSet<HostName>, CliError> {
    planner::hosts_to_lock(&planned.plan, &planned.spec, &planned.facts).map_err(|too_few| {
        CliError::new(ExitCode::Blocked, too_few)
            .hint("another apply could be running on the others: make them reachable")
    })
}

/// The command that carries out a plan.
pub(super) fn command(plan: &Plan) -> &'static str {
    match plan.report.purpose {
        Purpose::Inventory => "apply",
        Purpose::Defragment => "defrag",
        Purpose::Restore => "restore",
        Purpose::Destroy => "destroy",
        Purpose::Remove => "remove",
    }
}

fn claim(planned: &Planned, reason: Option<&str>) -> Claim {
    let hash = fingerprint::hash(&planned.plan);
    let work = command(&planned.plan);
    let reason = reason.map(|reason| format!(", {reason}")).unwrap_or_default();
    let now = OffsetDateTime::now_utc();
    let since = now.replace_nanosecond(0).unwrap_or(now);
    Claim {
        owner: actor(),
        since: since.format(&Rfc3339).unwrap_or_default(),
        why: one_line(&format!("{work} of plan {}{reason}", fingerprint::short(&hash))),
    }
}

fn refused(error: LockError) -> CliError {
    match error {
        LockError::Held { left, .. } => CliError::new(ExitCode::Locked, error).hint(format!(
            "wait until it is done; if it was killed, its lock expires in {left} s; to end \
             it now: quorate unlock"
        )),
        LockError::Away { .. } => CliError::new(ExitCode::Unreachable, error),
        LockError::Failed { .. } | LockError::Random(_) => CliError::failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_miss_the_lock_has_its_exit_code() {
        let host: HostName = "etcd-1".parse().unwrap();
        let why = "no answer".to_owned();
        for (error, code) in [
            (
                LockError::Held { host: host.clone(), who: "ann".to_owned(), left: 7 },
                ExitCode::Locked,
            ),
            (LockError::Away { host: host.clone(), why: why.clone() }, ExitCode::Unreachable),
            (LockError::Failed { host, why }, ExitCode::Failed),
        ] {
            let said = refused(error);
            assert_eq!(said.kind, code, "{said}");
        }
    }
}

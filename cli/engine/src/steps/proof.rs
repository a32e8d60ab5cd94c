//! Proving a cluster healthy: the question to the host, and what its failure means.

mod judge;

use std::collections::BTreeMap;
use std::time::Duration;

use inventories::{EtcdVersion, HostName};

use super::MemberStep;
use crate::hosts::Done;
use crate::lock::LockedConnection;
use crate::script::{self, answer, call, failure::Failure, guard};
use judge::{Expected, Problem};
use remote::{Call, Payload};

/// How long all members may take to become healthy together, in seconds. They started before this:
/// an election takes seconds, a slow disk some more.
const PATIENCE: u64 = 60;
/// A leader may just be changing while the members are asked one after the other.
const ASKS: u32 = 3;

/// What must be proven.
pub(crate) struct Wanted<'a> {
    pub(crate) endpoints: &'a BTreeMap<HostName, String>,
    pub(crate) version: EtcdVersion,
}

/// What is wrong with the cluster.
pub(crate) struct Unproven {
    /// The failure, without the journals of the members.
    pub(crate) failure: Failure,
    /// The members that don't answer: their journals say why.
    pub(crate) silent: Vec<HostName>,
}

impl<F: Into<Failure>> From<F> for Unproven {
    fn from(failure: F) -> Self {
        Self { failure: failure.into(), silent: Vec::new() }
    }
}

/// Asks until the cluster is proven healthy, or the patience is over.
pub(crate) async fn prove(
    step: &MemberStep<'_>,
    wanted: &Wanted<'_>,
    connection: &LockedConnection,
) -> Result<Done, Unproven> {
    let mut problems = Vec::new();
    for _ in 0..ASKS {
        let nonce = nonce()?;
        let reply = connection.run(call(step, wanted, &nonce)?).await?;
        let body = answer::read(&reply)?.body;
        let expected =
            Expected { endpoints: wanted.endpoints, version: wanted.version, nonce: &nonce };
        problems = judge::judge(&body, &expected);
        if problems.is_empty() {
            // Nothing was changed: the test key is gone again.
            return Ok(Done::Changed);
        }
        if !problems.iter().all(Problem::passes) {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Err(unproven(&problems))
}

fn unproven(problems: &[Problem]) -> Unproven {
    let why = problems.first().map(ToString::to_string).unwrap_or_default();
    let all: String = problems.iter().skip(1).map(|problem| format!("{problem}\n")).collect();
    let silent = problems.iter().filter_map(|problem| match problem {
        Problem::Unhealthy { host, .. } => Some(host.clone()),
        _ => None,
    });
    let failure = Failure::failed(format!("the cluster is not proven healthy: {why}"));
    Unproven { failure: failure.with_words(all.as_bytes()), silent: silent.collect() }
}

fn call(step: &MemberStep<'_>, wanted: &Wanted<'_>, nonce: &str) -> Result<Call, Failure> {
    let layout = &step.layout;
    let endpoints: Vec<&str> = wanted.endpoints.values().map(String::as_str).collect();
    let args = guard::arguments(step, None)?
        .with_etcdctl(layout, wanted.version)
        .with("endpoints", endpoints.join(","))
        .with("seconds", PATIENCE)
        .with("test_key", format!("/quorate/proof/{nonce}"))
        .with("nonce", nonce)
        .with("unit", layout.unit_name());
    Ok(call::patient(call::call(script::PROVE_HEALTHY, args, Payload::new()), PATIENCE))
}

fn nonce() -> Result<String, Failure> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| Failure::local(error.to_string()))?;
    Ok(format!("{:032x}", u128::from_be_bytes(random)))
}

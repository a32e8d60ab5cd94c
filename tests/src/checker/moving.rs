//! Rules for members that move to another address or port.

use std::net::SocketAddr;

use planner::plan::Guard;
use planner::{Step, StepKind};

use super::reading::Reading;

/// Every rule about moves that a plan breaks.
pub(super) fn violations(reading: &Reading<'_>) -> Vec<String> {
    let updates = reading.steps(is_update);
    let mut found: Vec<String> = updates.iter().flat_map(|step| of_update(reading, step)).collect();
    for (index, one) in updates.iter().enumerate() {
        let others = updates[index + 1..].iter().filter(|other| other.cluster() == one.cluster());
        for other in others {
            if !is_over(reading, one, other) && !is_over(reading, other, one) {
                found.push(format!("{} and {}: two members move at once", one.id, other.id));
            }
        }
    }
    found
}

/// Whether nobody can reach the member of a step where it listens: its host lost that address.
pub(super) fn is_unreachable(reading: &Reading<'_>, step: &Step) -> bool {
    let listens = reading.seen(step).and_then(|member| {
        let flags = member.running.known()?;
        let url = flags.iter().find_map(|flag| flag.strip_prefix("--listen-peer-urls=https://"))?;
        url.parse::<SocketAddr>().ok()
    });
    let has = reading.host(step.host()).and_then(|host| host.addresses.known());
    listens.zip(has).is_some_and(|(listens, has)| !has.contains(&listens.ip()))
}

fn is_update(kind: &StepKind) -> bool {
    matches!(kind, StepKind::UpdatePeerUrl { .. })
}

/// Whether the turn of one member is over before another one's begins.
fn is_over(reading: &Reading<'_>, one: &Step, other: &Step) -> bool {
    let is_back = |kind: &StepKind| matches!(kind, StepKind::AwaitRejoin { .. });
    reading.makers(one, &is_back).iter().any(|back| reading.is_before(back, other))
}

/// A member is listed elsewhere within its own turn: behind the guard of the turn, when the certificates for the new
/// place are there and tried, and before its process starts there, which is waited for.
fn of_update(reading: &Reading<'_>, update: &Step) -> Vec<String> {
    let StepKind::UpdatePeerUrl { others, peer_url, .. } = &update.kind else { return Vec::new() };
    let cluster = reading.cluster(update);
    let told = |what: &str| format!("{}: {what}", update.id);
    let mut found = Vec::new();
    let voters = cluster.members.len();
    let counts = |guard: &Guard| match guard {
        Guard::OthersHealthy { clusters } => clusters.get(&cluster.name).is_some_and(|others| {
            let all = if reading.runs(update) { voters - 1 } else { voters / 2 + 1 };
            others.needed >= all && !others.members.contains_key(update.host())
        }),
        // The operator gave up the quorum by name.
        Guard::HasLog => reading.runs(update),
        _ => false,
    };
    if !counts(&update.guard) {
        found.push(told("it does not count the others"));
    }
    let wanted = cluster.members.get(update.host()).map(|member| member.member.peer_url());
    if wanted.map(|url| url.to_string()).as_ref() != Some(peer_url) {
        found.push(told("it is not where the member is wanted"));
    }
    if others.contains_key(update.host()) && voters > 1 {
        found.push(told("the member asks itself"));
    }
    let starts = |kind: &StepKind| {
        kind.is_start() || kind.disrupts() || matches!(kind, StepKind::WriteUnit { .. })
    };
    let mut turn = reading.makers(update, &starts);
    turn.retain(|step| !matches!(step.kind, StepKind::StopOldRuntime { .. }));
    if turn.is_empty() || turn.iter().any(|step| !reading.is_before(update, step)) {
        found.push(told("the member starts there before it is listed there, or not at all"));
    }
    let is_back = |kind: &StepKind| matches!(kind, StepKind::AwaitRejoin { .. });
    if reading.makers(update, &is_back).is_empty() {
        found.push(told("nobody waits until the member is back"));
    }
    let first = |kind: &StepKind| {
        matches!(kind, StepKind::InstallCertificates { .. } | StepKind::TryCertificates { .. })
    };
    for step in reading.steps(first).iter().filter(|step| step.cluster() == update.cluster()) {
        if !reading.is_before(step, update) {
            found.push(told(&format!("{} comes later", step.id)));
        }
    }
    found
}

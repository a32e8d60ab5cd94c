//! The proof that the cluster is healthy after what was started or removed, and the markers that wait for it.

use std::collections::BTreeSet;

use inventories::HostName;
use templates::RenderError;

use super::repair::may_start;
use super::{Draft, Ground};
use crate::decide::form;
use crate::decide::leave;
use crate::decide::member_context::MemberContext;
use crate::decide::membership::majority;
use crate::plan::{StepId, StepKind};
use crate::report::PlanReport;
use crate::spec::ClusterSpec;
use crate::stops::Permitted;

/// Proves what this plan starts, and records what the cluster is.
pub(super) fn proven<'g>(
    ground: &Ground<'g>,
    draft: &mut Draft<'g>,
    report: &mut PlanReport,
) -> Result<(), RenderError> {
    let Ground { view, members, scope, .. } = *ground;
    let Draft { steps, joins, moves, unmarked, .. } = draft;
    // Of those that are down. A member that changes its runtime is started too, in its turn, which waits for the proof.
    let starts = steps.iter().filter(|step| step.kind.is_start());
    let starts: BTreeSet<StepId> = starts.map(|step| step.id.clone()).collect();
    let removals = steps.iter().filter(|step| matches!(step.kind, StepKind::RemoveListed { .. }));
    let removals: BTreeSet<StepId> = removals.map(|step| step.id.clone()).collect();
    if starts.is_empty() && unmarked.is_empty() && removals.is_empty() {
        return Ok(());
    }
    let Some(prover) = ground.prover() else { return Ok(()) };
    let quorum = majority(leave::voters_left(view, steps));
    let joins_now =
        |host: &HostName| joins.as_ref().is_some_and(|joins| joins.hosts().any(|one| one == host));
    let will_vote = |host: &HostName| !ground.is_joining(host) || joins_now(host);
    let Some(proven) = provable(prover.cluster, quorum, members, scope, will_vote) else {
        return Ok(());
    };
    let prove = form::prove(prover, moves.moved(), |host| proven.contains(host));
    steps.push(prove.after(starts).after(removals));
    if members.iter().any(|member| member.facts.forbids_us()) {
        report.clients.push(format!(
            "cluster {}: etcd's own authentication refuses quorate's test key; that refusal proves a quorum too",
            prover.cluster.name
        ));
    }
    steps.extend(unmarked.drain(..).map(|member| form::marker(member, members)));
    Ok(())
}

/// The members by which the cluster can be proven healthy once the starts of the plan are done; `None`
/// where they are fewer than are `needed`. A member that something blocked keeps down is not one of them, nor one
/// that runs another version until its restart.
fn provable<'a>(
    cluster: &'a ClusterSpec,
    quorum: usize,
    members: &[MemberContext<'_>],
    scope: &Permitted<'_>,
    will_vote: impl Fn(&HostName) -> bool,
) -> Option<BTreeSet<&'a HostName>> {
    let member = |host: &HostName| members.iter().find(|member| member.name == host);
    // How a member does whose host was not seen, the others know.
    let will_run = |host: &&HostName| match member(host) {
        Some(member) if !member.facts.is_up() => !scope.selects(host) || may_start(member, scope),
        Some(_) | None => true,
    };
    let at_version = |host: &&HostName| match member(host).map(|member| member.facts.etcd.known()) {
        Some(Some(etcd)) => etcd.version == cluster.version.to_string(),
        Some(None) => scope.may_change(host) || !scope.selects(host),
        None => true,
    };
    let voters = cluster.members.keys().filter(|host| will_vote(host));
    let running: BTreeSet<&HostName> = voters.filter(will_run).collect();
    let is_quorum = running.len() >= quorum;
    let proven: BTreeSet<&HostName> = running.into_iter().filter(at_version).collect();
    (is_quorum && !proven.is_empty()).then_some(proven)
}

//! Members that run something else than is wanted: who is due for a restart, what that waits for, and in whose turn.

use std::collections::BTreeSet;

use inventories::HostName;
use templates::RenderError;

use super::{Draft, Ground};
use crate::decide::leaving::Leaving;
use crate::decide::member_context::MemberContext;
use crate::decide::membership;
use crate::decide::moving;
use crate::decide::order;
use crate::decide::roll::{self, Candidate};
use crate::decide::trials;
use crate::decide::upgrade::{self, Hop};
use crate::plan::{Step, StepId, Verb};
use crate::report::PlanReport;
use crate::stops::Changes;

/// The restarts of a cluster.
#[derive(Default)]
pub(super) struct Restarts<'g> {
    /// The members that are due, unless they must wait.
    candidates: Vec<Candidate<'g, 'g>>,
    /// Everybody who is due, whether or not that waits.
    due: BTreeSet<&'g HostName>,
    /// Whether those that are at another address than is wanted can't move yet.
    moves_wait: bool,
    /// The steps of those whose turn comes in this plan.
    turns: Vec<Step>,
    /// What is done around them where they bring the cluster to a neighbouring minor.
    hop: Option<Hop<'g, 'g>>,
    /// What must have ended before a member that was left behind gets its turn.
    pub(super) before_late: BTreeSet<StepId>,
}

impl Restarts<'_> {
    /// What this plan does with a member that is due; `None` where it is not.
    pub(super) fn turn_of(&self, member: &MemberContext<'_>) -> Option<Due<'_>> {
        let step = |verb: Verb| self.turns.iter().find(|step| step.id == member.id(verb.clone()));
        match (step(Verb::Restart), step(Verb::StopOldRuntime)) {
            (Some(restart), _) => Some(Due::Restarts(restart)),
            (None, Some(stop)) => Some(Due::Changes(stop)),
            (None, None) => self.due.contains(member.name).then_some(Due::Waits),
        }
    }

    /// Whether a member that is down has to stay where it is for now.
    pub(super) fn keeps_down(&self, ground: &Ground<'_>, member: &MemberContext<'_>) -> bool {
        let listed = ground.view.leaving.values().any(Leaving::is_listed);
        let stays =
            !listed && ground.view.joining.is_empty() && ground.scope.changes == Changes::Allowed;
        (!stays || self.moves_wait) && member.wanted.moves_from.is_some()
    }
}

/// What a plan does with a member that is due for a restart.
pub(super) enum Due<'s> {
    /// This step restarts it.
    Restarts(&'s Step),
    /// It gets another runtime, and this step takes it away from the one that it has.
    Changes(&'s Step),
    /// It is not safe now.
    Waits,
}

/// The members that are due for a restart, and whether a change of members goes first.
pub(super) fn due<'g>(
    ground: &Ground<'g>,
    draft: &mut Draft<'g>,
    report: &mut PlanReport,
) -> Result<(), RenderError> {
    let mut candidates = roll::candidates(ground.members, ground.scope);
    candidates.retain(|candidate| !ground.is_joining(candidate.host()));
    draft.restarts.due = candidates.iter().map(Candidate::host).collect();
    let names: Vec<&str> = candidates.iter().map(|one| one.host().as_str()).collect();
    let what = format!("a restart is due on {}", names.join(", "));
    if let Some(first) = candidates.first()
        && let Some(waits) = membership::before_restarts(first.cluster(), ground.view, &what)
    {
        report.held.push(waits);
        candidates.clear();
    }
    draft.restarts.candidates = candidates;
    Ok(())
}

/// Plans the restarts, one member after the other.
pub(super) fn turns<'g>(
    ground: &Ground<'g>,
    draft: &mut Draft<'g>,
    report: &mut PlanReport,
) -> Result<(), RenderError> {
    let Ground { view, members, policy, scope, .. } = *ground;
    let restarts = &mut draft.restarts;
    let mut candidates = std::mem::take(&mut restarts.candidates);
    if let Some(waits) = moving::before_moves(members, &draft.steps) {
        report.held.push(waits);
        candidates.retain(|candidate| !candidate.moves());
        restarts.moves_wait = true;
    } else if let Some(waits) = moving::still_listed(view, members) {
        report.held.push(waits);
        candidates.retain(|candidate| !candidate.leaves_clients());
    }
    restarts.before_late = before_restarts(ground);
    restarts.before_late.extend(draft.strays.iter().map(|step| step.id.clone()));
    let mut after = restarts.before_late.clone();
    // One that a stopped bootstrap left behind is started too; as a pod it is restarted once itself.
    after.extend(ground.late().map(|member| member.id(Verb::Rejoin)));
    // And no member is taken down before the certificates of all are seen to work.
    after.extend(trials::all(members));
    let hop = Hop::for_candidates(view, members, &candidates, (policy, scope));
    after.extend(hop.iter().flat_map(Hop::before));
    let mut roll = roll::steps(view, members, candidates, &after, (policy, scope), report)?;
    if let Some(first) = members.first() {
        // What else belongs to a member's turn waits for the same.
        order::complete(&mut roll, first.site);
    }
    restarts.hop = hop.filter(|_| !roll.is_empty());
    restarts.turns = roll;
    Ok(())
}

/// A member that is down is started and the cluster proven before another one is taken down.
fn before_restarts(ground: &Ground<'_>) -> BTreeSet<StepId> {
    let mut before = ground.elsewhere.clone();
    before.extend(ground.prover().map(|prover| prover.id(Verb::Prove)));
    let is_down =
        |member: &&MemberContext<'_>| !member.facts.is_up() && !ground.is_joining(member.name);
    before.extend(ground.members.iter().filter(is_down).flat_map(|member| {
        let moved = member.wanted.moves_from.as_ref().map(|_| member.id(Verb::Rejoin));
        std::iter::once(member.id(Verb::Start)).chain(moved)
    }));
    before
}

/// Puts the turns into the plan, after everything that they rely on was decided.
pub(super) fn take_turns<'g>(
    ground: &Ground<'g>,
    draft: &mut Draft<'g>,
    report: &mut PlanReport,
) -> Result<(), RenderError> {
    let restarts = &draft.restarts;
    match &restarts.hop {
        Some(hop) => draft.steps.extend(hop.steps(report)),
        None => {
            let turns = restarts.turns.iter().map(Step::host).collect();
            draft.steps.extend(upgrade::owed(ground.view, ground.members, &turns, ground.scope));
        }
    }
    draft.steps.append(&mut draft.restarts.turns);
    Ok(())
}

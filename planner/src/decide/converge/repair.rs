//! What each member lacks: its files, its release, its unit or pod, and its start.

use inventories::inventory::Runtime;
use std::collections::BTreeSet;
use templates::RenderError;

use super::restarts::{Due, Restarts};
use super::{Draft, Ground};
use crate::decide::assess::View;
use crate::decide::ensure;
use crate::decide::form;
use crate::decide::leaving::Leaving;
use crate::decide::member_context::MemberContext;
use crate::decide::moving;
use crate::decide::roll;
use crate::decide::runtime;
use crate::facts::{Observed, UnitFacts};
use crate::plan::{Action, FormationState, Guard, Step, StepKind, Swap, Verb, Why};
use crate::report::{Finding, PlanReport};
use crate::stops::{Changes, Permitted};

/// Whether a member is to be restarted in this plan.
enum Turn<'s> {
    /// It needs no restart.
    None,
    /// It does, by this step.
    Restart(&'s Step),
    /// It goes to another runtime, and this step takes it away from the one that it has.
    Move(&'s Step),
    /// It does, and it is not safe now.
    Held,
    /// Its settings stay as they are, and it may be started with them.
    AsIs,
}

/// Repairs every member that took part in the cluster, and starts what is down.
pub(super) fn members<'g>(
    ground: &Ground<'g>,
    draft: &mut Draft<'g>,
    report: &mut PlanReport,
) -> Result<(), RenderError> {
    let Ground { view, members, scope, .. } = *ground;
    let Draft { steps, leaves, joins, restarts, moves, unmarked, .. } = draft;
    let members_wait = (joins.is_none() && !view.joining.is_empty())
        || (leaves.is_none() && view.leaving.values().any(Leaving::is_listed));
    for member in ground.old() {
        let turn = turn(ground, restarts, member, members_wait);
        let mut repaired = repair(member, &turn, scope)?;
        if matches!(turn, Turn::None) && !member.facts.is_up() && member.wanted.moves_from.is_some()
        {
            let rejoin = roll::rejoin(member, roll::known_alarms(members), moves.moved())?;
            moves.take(member, view, &mut repaired, rejoin);
            report.clients.extend(moving::told(member));
        }
        steps.extend(repaired);
        let is_marked = !member.facts.marker.is_absent() || may_be_learner(view, member);
        unmarked.extend((!is_marked).then_some(member));
    }
    Ok(())
}

/// `members_wait` says that members are to leave or join and can't yet.
fn turn<'r>(
    ground: &Ground<'_>,
    restarts: &'r Restarts<'_>,
    member: &MemberContext<'_>,
    members_wait: bool,
) -> Turn<'r> {
    let scope = ground.scope;
    match restarts.turn_of(member) {
        Some(Due::Restarts(restart)) => return Turn::Restart(restart),
        Some(Due::Changes(stop)) => return Turn::Move(stop),
        Some(Due::Waits) => return Turn::Held,
        None => {}
    }
    if restarts.keeps_down(ground, member) {
        return Turn::Held;
    }
    // What runs lists the members that are listed.
    if !scope.may_change(member.name) || members_wait || may_be_learner(ground.view, member) {
        return if may_start(member, scope) { Turn::AsIs } else { Turn::Held };
    }
    if stuck(ground).is_some() && !member.facts.is_up() { Turn::Held } else { Turn::None }
}

/// Starts the members that a stopped bootstrap left behind, one after the other.
pub(super) fn left_behind<'g>(
    ground: &Ground<'g>,
    draft: &mut Draft<'g>,
    _: &mut PlanReport,
) -> Result<(), RenderError> {
    let scope = ground.scope;
    if scope.changes == Changes::Stopped {
        return Ok(());
    }
    let mut before = std::mem::take(&mut draft.restarts.before_late);
    for member in ground.late().filter(|member| scope.may_change(member.name)) {
        draft.steps.extend(form::late(member, ground.members, &before)?);
        before = BTreeSet::from([member.id(Verb::Rejoin)]);
    }
    Ok(())
}

/// Says which members no kubelet would start now.
pub(super) fn stuck_kubelets<'g>(
    ground: &Ground<'g>,
    _: &mut Draft<'g>,
    report: &mut PlanReport,
) -> Result<(), RenderError> {
    report.held.extend(stuck(ground));
    Ok(())
}

/// Members that are down, and that no kubelet would start now.
fn stuck(ground: &Ground<'_>) -> Option<Finding> {
    let Ground { members, scope, .. } = *ground;
    let cluster = members.first()?.cluster;
    let down =
        members.iter().filter(|member| !member.facts.is_up() && scope.may_change(member.name));
    let finding = runtime::waits_for_kubelet(cluster, down)?;
    let message = format!("the members there can't be started: {}", finding.message);
    Some(Finding { message, ..finding })
}

/// Whether the member has the unit or pod of one that joins, and it is unknown whether it is a voter by now.
fn may_be_learner(view: &View<'_>, member: &MemberContext<'_>) -> bool {
    let joins = |text: &str| {
        let list = text.split("--initial-cluster=").nth(1).and_then(|rest| rest.lines().next());
        text.contains("--initial-cluster-state=existing")
            && list.is_some_and(|list| list.contains(','))
    };
    view.listed().is_none() && member.text().is_some_and(joins)
}

/// Whether a member that is down may be started: with the settings that are wanted, or where these are
/// stopped, with the unit that it has. To start a pod is to write it.
pub(crate) fn may_start(member: &MemberContext<'_>, scope: &Permitted<'_>) -> bool {
    let has_unit = || member.text().is_some() && member.facts.unit.known().is_some();
    let as_is = || member.runtime() == Runtime::Systemd && member.facts.has_log() && has_unit();
    scope.may_change(member.name) || (scope.takes_host(member.name) && as_is())
}

fn repair(
    member: &MemberContext<'_>,
    turn: &Turn<'_>,
    scope: &Permitted<'_>,
) -> Result<Vec<Step>, RenderError> {
    let mut steps: Vec<Step> = Vec::new();
    steps.extend(ensure::register_host(member));
    steps.extend(ensure::account(member));
    steps.extend(files(member, turn));
    let mut kubelet = None;
    if scope.may_change(member.name) {
        steps.extend(ensure::release(member));
        kubelet = runtime::kubelet(member);
        steps.extend(kubelet.clone());
        steps.extend(runtime::old_runtime(member));
    }
    // The unit is written just before the restart, and not at all while the restart is held back:
    // a member that crashes earlier comes back with settings that are proven, not with new ones
    // that no member has tried.
    let unit = match turn {
        Turn::None | Turn::Move(_) => unit(member)?,
        Turn::Restart(restart) => {
            let before = restart.after.iter().filter(|id| **id != member.id(Verb::Unit)).cloned();
            unit(member)?.map(|step| step.after(before))
        }
        Turn::Held | Turn::AsIs => None,
    };
    let drop_ins = if matches!(turn, Turn::AsIs) { None } else { ensure::drop_ins(member) };
    let is_looping = member.facts.unit.known().is_some_and(UnitFacts::is_looping);
    // It may come up on its own before its unit is corrected. Then its start leaves it alone.
    if is_looping && roll::needs_note(member) && matches!(turn, Turn::None) {
        steps.push(roll::note(
            member,
            "a later run restarts the member if it comes up before this one is done",
        ));
    }
    steps.extend(unit);
    if matches!(turn, Turn::None) && member.facts.is_up() {
        steps.extend(runtime::manifest(member)?);
    }
    let is_down = !member.facts.is_up() && !matches!(turn, Turn::Held);
    if is_down && !matches!(member.facts.unit, Observed::Unknown(_)) {
        let change =
            if is_looping { "the member is in a crash loop" } else { "the member does not run" };
        let why = Why::Drift { changes: vec![change.to_owned()] };
        let by = runtime::launch(member, FormationState::Existing)?;
        // A kubelet that this plan starts brings up what lies in its folder, before the start.
        let by = if kubelet.is_some() { by } else { by.or_what_runs() };
        let kind = StepKind::StartMember { by };
        let step = member.step(Verb::Start, Action::Run, kind, why);
        steps.extend(drop_ins);
        steps.push(step.guarded(Guard::HasLog).after(runtime::kubelet_for_start(member)));
    }
    Ok(steps)
}

/// Its directories. Changing their owner takes the files, certificates included, from a process that runs under
/// another uid, so this step is part of its member's turn.
fn files(member: &MemberContext<'_>, turn: &Turn<'_>) -> Vec<Step> {
    let directories = ensure::directories_of(member);
    if member.runs_as_another().is_none() {
        // Its restart tries them, and before that no client sees them.
        let unseen = member.is_cut_off().then(|| ensure::certificates(member, Swap::AtOnce));
        return directories.into_iter().chain(unseen.flatten()).collect();
    }
    let steps = directories.into_iter().chain(ensure::certificates(member, Swap::AtOnce));
    match turn {
        Turn::None => steps.collect(),
        Turn::Held | Turn::AsIs => Vec::new(),
        Turn::Restart(down) | Turn::Move(down) => {
            let own = [
                member.id(Verb::Directories),
                member.id(Verb::Certificates),
                member.id(Verb::UpdatePeerUrl),
                member.id(Verb::Unit),
            ];
            let before = down.after.iter().filter(|id| !own.contains(id));
            let guarded =
                |step: Step| step.guarded(down.guard.clone()).after(before.clone().cloned());
            steps.map(guarded).collect()
        }
    }
}

/// The unit of a member whose forming was interrupted still says `new`: settling it is what was
/// left to do, not drift.
fn unit(member: &MemberContext<'_>) -> Result<Option<Step>, RenderError> {
    let step = runtime::prepared(member, FormationState::Existing, None)?;
    let Some(step) = step else { return Ok(None) };
    let unfinished = match (member.text(), member.facts.token.known()) {
        (Some(seen), Some(token)) => {
            seen == member.wanted_text(FormationState::New, Some(token))?
        }
        _ => false,
    };
    // One that joined says so until it is finalized.
    let unfinished = unfinished || (member.facts.marker.is_absent() && member.facts.has_log());
    Ok(Some(if unfinished { Step { why: Why::Unfinished, ..step } } else { step }))
}

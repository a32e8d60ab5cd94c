//! The steps that bring a formed cluster back to what is wanted.

use std::collections::BTreeSet;

use inventories::HostName;
use inventories::inventory::Runtime;
use templates::RenderError;

use crate::decide::assess::View;
use crate::decide::discovery;
use crate::decide::ensure;
use crate::decide::form;
use crate::decide::join;
use crate::decide::leave;
use crate::decide::leaving::Leaving;
use crate::decide::member_context::MemberContext;
use crate::decide::membership::{self, majority};
use crate::decide::moving;
use crate::decide::order;
use crate::decide::readdress;
use crate::decide::roll;
use crate::decide::runtime;
use crate::decide::trials;
use crate::facts::{Observed, UnitFacts};
use crate::plan::{Action, FormationState, Guard, Step, StepId, StepKind, Swap, Verb, Why};
use crate::policy::Policy;
use crate::report::{Finding, PlanReport};
use crate::selection;
use crate::spec::ClusterSpec;
use crate::stops::{Changes, Scope};

/// Plans for the members of a formed cluster whose hosts were seen. `after` are the disruptive
/// steps of clusters on the same hosts: one at a time holds across them too.
pub(crate) fn steps(
    view: &View<'_>,
    members: &[MemberContext<'_>],
    after: &BTreeSet<StepId>,
    (policy, scope): (&Policy, &Scope<'_>),
    report: &mut PlanReport,
) -> Result<Vec<Step>, RenderError> {
    let leave_listed = view.leaving.values().any(Leaving::is_listed);
    let leaves = match moving::before_removals(view, members) {
        None => leave::ready(view, members, scope, report),
        Some(waits) => {
            report.held.push(waits);
            None
        }
    };
    let joins = join::ready(view, members, scope, leaves.as_ref(), report);
    let is_joining = |host: &HostName| view.joining.contains_key(host);
    let mut candidates = roll::candidates(members, scope);
    candidates.retain(|candidate| !is_joining(candidate.host()));
    let restarting: BTreeSet<&HostName> =
        candidates.iter().map(|candidate| candidate.host()).collect();
    let members_wait =
        (joins.is_none() && !view.joining.is_empty()) || (leaves.is_none() && leave_listed);
    let members_stay =
        !leave_listed && view.joining.is_empty() && scope.changes == Changes::Allowed;
    let names: Vec<&str> = candidates.iter().map(|one| one.host().as_str()).collect();
    let what = format!("a restart is due on {}", names.join(", "));
    if let Some(first) = candidates.first()
        && let Some(waits) = membership::before_restarts(first.cluster(), view, &what)
    {
        report.held.push(waits);
        candidates.clear();
    }
    let takes =
        |member: &&MemberContext<'_>| scope.takes_host(member.name) && !is_joining(member.name);
    let taken = || members.iter().filter(takes);
    let old: Vec<&MemberContext<'_>> =
        taken().filter(|member| view.was_member(member.name, member.facts)).collect();
    let mut steps = trials::steps(view, &old, members, scope, report);
    let moves_wait = moving::before_moves(members, &steps);
    if let Some(waits) = &moves_wait {
        report.held.push(waits.clone());
        candidates.retain(|candidate| !candidate.moves());
    }
    // A member that is down is started and the cluster proven before another one is taken down.
    let elsewhere = after;
    let mut after = after.clone();
    let prover = members.iter().find(|member| scope.is_open(member.name));
    after.extend(prover.map(|prover| prover.id(Verb::Prove)));
    let is_down = |member: &&MemberContext<'_>| !member.facts.is_up() && !is_joining(member.name);
    let down = members.iter().filter(is_down);
    after.extend(down.flat_map(|member| {
        let moved = member.wanted.moves_from.as_ref().map(|_| member.id(Verb::Rejoin));
        std::iter::once(member.id(Verb::Start)).chain(moved)
    }));
    // So is one that a stopped bootstrap left behind; as a pod it is restarted once itself.
    let late: Vec<&MemberContext<'_>> =
        taken().filter(|member| !view.was_member(member.name, member.facts)).collect();
    let mut turns = after.clone();
    after.extend(late.iter().map(|member| member.id(Verb::Rejoin)));
    // And no member is taken down before the certificates of all are seen to work.
    after.extend(trials::all(members));
    let mut roll = roll::steps(view, members, candidates, &after, (policy, scope), report)?;
    if let Some(first) = members.first() {
        // What else belongs to a member's turn waits for the same.
        order::complete(&mut roll, first.site);
    }
    let stuck = stuck(members, scope);
    let mut moves = moving::Turns::after(elsewhere, members);
    let mut unmarked = Vec::new();
    for member in taken() {
        if view.was_member(member.name, member.facts) {
            let turn = |verb: Verb| roll.iter().find(|step| step.id == member.id(verb.clone()));
            let turn = match (turn(Verb::Restart), turn(Verb::StopOldRuntime)) {
                (Some(restart), _) => Turn::Restart(restart),
                (None, Some(retire)) => Turn::Move(retire),
                (None, None) if restarting.contains(member.name) => Turn::Held,
                (None, None)
                    if (!members_stay || moves_wait.is_some())
                        && member.wanted.moves_from.is_some() =>
                {
                    Turn::Held
                }
                // What runs lists the members that are listed.
                (None, None)
                    if !scope.may_change(member.name)
                        || members_wait
                        || may_be_learner(view, member) =>
                {
                    match may_start(member, scope) {
                        true => Turn::AsIs,
                        false => Turn::Held,
                    }
                }
                (None, None) if stuck.is_some() && !member.facts.is_up() => Turn::Held,
                (None, None) => Turn::None,
            };
            let mut repaired = repair(member, &turn, scope)?;
            if let (Turn::None, false, Some(_)) =
                (&turn, member.facts.is_up(), &member.wanted.moves_from)
            {
                let rejoin = roll::rejoin(member, roll::known_alarms(members), moves.moved())?;
                moves.take(member, view, &mut repaired, rejoin);
                report.clients.extend(moving::told(member));
            }
            steps.extend(repaired);
            let is_marked = !member.facts.marker.is_absent() || may_be_learner(view, member);
            unmarked.extend((!is_marked).then_some(member));
        } else if scope.changes == Changes::Allowed && scope.may_change(member.name) {
            steps.extend(form::late(member, members, &turns)?);
            turns = BTreeSet::from([member.id(Verb::Rejoin)]);
        }
    }
    if scope.changes == Changes::Allowed {
        steps.extend(readdress::left(view, members, scope, &steps));
    }
    let mut before = elsewhere.clone();
    if let Some(leaves) = &leaves {
        let first = leaves.first(view, elsewhere, report);
        before.extend(first.iter().map(|step| step.id.clone()));
        steps.extend(first);
    }
    if let Some(joins) = &joins {
        steps.extend(joins.steps(view, &before, report)?);
        unmarked
            .extend(members.iter().filter(|member| joins.hosts().any(|host| host == member.name)));
    }
    if let Some(leaves) = &leaves {
        steps.extend(leaves.last(view, joins.as_ref(), &before, report));
        let retired = leaves.retire(&steps, report);
        steps.extend(retired);
    }
    leave::save_first(view, members, scope, &mut steps, report);
    report.held.extend(stuck);
    let starts = steps.iter().any(|step| step.kind.is_start());
    let removals = steps.iter().filter(|step| matches!(step.kind, StepKind::RemoveListed { .. }));
    let removals: BTreeSet<StepId> = removals.map(|step| step.id.clone()).collect();
    let quorum = majority(leave::voters_left(view, &steps));
    if (starts || !unmarked.is_empty() || !removals.is_empty())
        && let Some(prover) = prover
        && let Some(proven) = provable(prover.cluster, quorum, members, scope, |host| {
            !is_joining(host)
                || joins.as_ref().is_some_and(|joins| joins.hosts().any(|one| one == host))
        })
    {
        let prove = form::prove(prover, moves.moved(), |host| proven.contains(host));
        steps.push(prove.after(removals));
        if members.iter().any(|member| member.facts.forbids_us()) {
            report.clients.push(format!(
                "cluster {}: etcd's own authentication refuses quorate's test key; that refusal proves a quorum too",
                prover.cluster.name
            ));
        }
        steps.extend(unmarked.into_iter().map(|member| form::marker(member, members)));
    }
    steps.extend(roll);
    if is_whole(members, &steps) && scope.is_everything() {
        let closing = discovery::closing(members, &steps, report);
        steps.extend(closing);
    }
    let left = |member: &MemberContext<'_>| !member.facts.is_up() && !scope.selects(member.name);
    if let Some(first) = members.first().filter(|_| members.iter().any(left)) {
        order::complete(&mut steps, first.site);
        selection::without_proof(&mut steps);
    }
    Ok(steps)
}

/// The members by which the cluster can be proven healthy once the starts of the plan are done; `None`
/// where they are fewer than are `needed`. A member that something blocked keeps down is not one of them, nor one
/// that runs another version until its restart.
fn provable<'a>(
    cluster: &'a ClusterSpec,
    quorum: usize,
    members: &[MemberContext<'_>],
    scope: &Scope<'_>,
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

/// Whether the member has the unit or pod of one that joins, and nobody says whether it is a voter by now.
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
pub(crate) fn may_start(member: &MemberContext<'_>, scope: &Scope<'_>) -> bool {
    let has_unit = || member.text().is_some() && member.facts.unit.known().is_some();
    let as_is = || member.runtime() == Runtime::Systemd && member.facts.has_log() && has_unit();
    scope.may_change(member.name) || (scope.takes_host(member.name) && as_is())
}

/// Whether every member has found its place in the cluster, or will with these steps.
fn is_whole(members: &[MemberContext<'_>], steps: &[Step]) -> bool {
    let found = |member: &MemberContext<'_>| {
        member.facts.has_log() || steps.iter().any(|step| step.id == member.id(Verb::Start))
    };
    let all = members.first().map_or(0, |first| first.cluster.members.len());
    members.len() == all && members.iter().all(found)
}

/// Members that are down, and that no kubelet would start now.
fn stuck(members: &[MemberContext<'_>], scope: &Scope<'_>) -> Option<Finding> {
    let cluster = members.first()?.cluster;
    let down =
        members.iter().filter(|member| !member.facts.is_up() && scope.may_change(member.name));
    let finding = runtime::waits_for_kubelet(cluster, down)?;
    let message = format!("the members there can't be started: {}", finding.message);
    Some(Finding { message, ..finding })
}

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

fn repair(
    member: &MemberContext<'_>,
    turn: &Turn<'_>,
    scope: &Scope<'_>,
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
    // It may come up by itself before its unit is put right. Then its start leaves it alone.
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
        // Its restart is what tries them, and before that nobody sees them.
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
    let unsettled = match (member.text(), member.facts.token.known()) {
        (Some(seen), Some(token)) => {
            seen == member.wanted_text(FormationState::New, Some(token))?
        }
        _ => false,
    };
    // One that joined says so until it is finalized.
    let unsettled = unsettled || (member.facts.marker.is_absent() && member.facts.has_log());
    Ok(Some(if unsettled { Step { why: Why::Unfinished, ..step } } else { step }))
}

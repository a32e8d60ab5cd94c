//! What must hold of steps that change who is a member.

use std::collections::BTreeMap;

use planner::plan::Leaver;
use planner::{Step, StepKind};

use super::{Broken, broken, voters_away};
use crate::roster::Listed;
use crate::world::World;

/// The list of one cluster before and after a step.
struct Change<'w> {
    id: &'w str,
    before: BTreeMap<&'w str, &'w Listed>,
    after: BTreeMap<&'w str, &'w Listed>,
}

/// The lists that there were before a step.
fn changes<'w>(before: &'w World, after: &'w World) -> impl Iterator<Item = Change<'w>> {
    let by_id = |list: &'w [Listed]| list.iter().map(|listed| (listed.id.as_str(), listed));
    before.lists.iter().filter(|(id, list)| after.lists.get(*id) != Some(*list)).map(
        move |(id, list)| {
            let now = after.lists.get(id).map(Vec::as_slice).unwrap_or_default();
            Change { id, before: by_id(list).collect(), after: by_id(now).collect() }
        },
    )
}

/// Everything that must hold of the member lists around one action.
pub(super) fn of_action(before: &World, step: &Step, after: &World) -> Result<(), Broken> {
    only_some_steps_change_a_list(before, step, after)?;
    new_members_have_no_vote(before, step, after)?;
    removal_comes_before_addition(before, step, after)?;
    a_voter_goes_only_while_all_others_serve(before, step, after)?;
    quorum_outlives_a_change(before, step, after)?;
    one_learner_that_catches_up(before, step, after)?;
    removed_members_stay_down(step, after)
}

/// I3, I4, I5: whether a kind of step changes who is a member. A new kind does not compile until
/// somebody decides.
pub fn changes_membership(kind: &StepKind) -> bool {
    match kind {
        StepKind::RemoveMember { .. }
        | StepKind::RemoveListed { .. }
        | StepKind::DecommissionMember { .. }
        | StepKind::ForgetMember { .. }
        | StepKind::AddLearner { .. }
        | StepKind::PromoteMember { .. } => true,
        StepKind::ApiServer(_)
        | StepKind::RegisterHost { .. }
        | StepKind::CreateAccount { .. }
        | StepKind::InstallRelease { .. }
        | StepKind::PrepareDirectories { .. }
        | StepKind::InstallCertificates { .. }
        | StepKind::TryCertificates { .. }
        | StepKind::StoreToken
        | StepKind::TrustDiscovery { .. }
        | StepKind::OpenDiscovery { .. }
        | StepKind::CloseDiscovery { .. }
        | StepKind::ForgetDiscovery
        | StepKind::DiscardBootstrap
        | StepKind::WriteUnit { .. }
        | StepKind::StandaloneKubelet { .. }
        | StepKind::WriteManifest { .. }
        | StepKind::StartMember { .. }
        | StepKind::StopOldRuntime { .. }
        | StepKind::MoveDropIns { .. }
        | StepKind::SaveSnapshot { .. }
        | StepKind::PrepareLog { .. }
        | StepKind::EnableDowngrade { .. }
        | StepKind::ProveVersion { .. }
        | StepKind::MoveLeader { .. }
        | StepKind::RestartMember { .. }
        | StepKind::Defragment { .. }
        | StepKind::Compact { .. }
        | StepKind::CompareData { .. }
        | StepKind::Disarm { .. }
        | StepKind::AwaitRejoin { .. }
        | StepKind::ListByAddress { .. }
        // The same member, found elsewhere.
        | StepKind::UpdatePeerUrl { .. }
        | StepKind::ProveHealthy { .. }
        // A restore makes another cluster, which has a list of its own.
        | StepKind::StageRestore(_)
        | StepKind::LookForClients
        | StepKind::StopForRestore { .. }
        | StepKind::SetAsideForRestore { .. }
        | StepKind::PlaceRestore { .. }
        | StepKind::EndRestore { .. }
        | StepKind::WriteMarker { .. }
        | StepKind::NoteRestart
        | StepKind::NoteProof { .. } => false,
    }
}

/// Members and voters change only by steps of the kinds for that, one member at a time.
pub fn only_some_steps_change_a_list(
    before: &World,
    step: &Step,
    after: &World,
) -> Result<(), Broken> {
    for Change { id, before, after } in changes(before, after) {
        let role = |listed: &&&Listed| listed.learner;
        let gone = before.keys().filter(|member| !after.contains_key(*member)).count();
        let other = after
            .iter()
            .filter(|(member, now)| before.get(*member).map(|was| role(&was)) != Some(role(now)));
        let moved = gone + other.count();
        if moved > usize::from(changes_membership(&step.kind)) {
            let what = format!("{} changed {moved} rows of the list of {id}", step.id);
            return broken("a list changes only by steps for that", what);
        }
    }
    Ok(())
}

/// I3: no step adds a voter directly. A new member is a learner first, and gets its vote by a promotion.
pub fn new_members_have_no_vote(before: &World, step: &Step, after: &World) -> Result<(), Broken> {
    let promotes = matches!(step.kind, StepKind::PromoteMember { .. });
    for Change { id, before, after } in changes(before, after) {
        for (member, _) in after.iter().filter(|(_, now)| !now.learner) {
            let was = before.get(member);
            if !was.is_some_and(|was| !was.learner || promotes) {
                let what = format!("{} made {member} a voter of {id} at once", step.id);
                return broken("I3 (new members begin as learners)", what);
            }
        }
    }
    Ok(())
}

/// I4: a failed member is removed before another one is added, so that no member counts that can't answer. What is
/// removed is a failed one, no voter that runs; only one that leaves may serve until then.
pub fn removal_comes_before_addition(
    before: &World,
    step: &Step,
    after: &World,
) -> Result<(), Broken> {
    let runs =
        |listed: &Listed| step.cluster().is_some_and(|cluster| before.runs(cluster, &listed.id));
    for Change { id, before, after } in changes(before, after) {
        let mut gone = before.iter().filter(|(member, _)| !after.contains_key(*member));
        // One on a host that nobody here knows may serve too: its removal asks it.
        let serves = matches!(
            step.kind,
            StepKind::RemoveListed { leaver: Leaver::Serves | Leaver::Stray, .. }
        );
        if let Some((member, _)) = gone.find(|(_, was)| !serves && !was.learner && runs(was)) {
            let what = format!("{} removed {member} of {id}, which runs and votes", step.id);
            return broken("I4 (remove before add)", what);
        }
        let adds = after.keys().any(|member| !before.contains_key(member));
        let failed = before.iter().find(|(_, was)| !was.learner && !runs(was));
        if let (true, Some((member, _))) = (adds, failed) {
            let what = format!("{} added to {id} while {member} does not run", step.id);
            return broken("I4 (remove before add)", what);
        }
    }
    Ok(())
}

/// I2: a voter that runs is removed only while every other one serves. Nobody else is to be lost with it.
pub fn a_voter_goes_only_while_all_others_serve(
    before: &World,
    step: &Step,
    after: &World,
) -> Result<(), Broken> {
    let Some(cluster) = step.cluster() else { return Ok(()) };
    for Change { id, before: was, after: now } in changes(before, after) {
        let mut gone =
            was.iter().filter(|(member, row)| !row.learner && !now.contains_key(*member));
        let Some((member, _)) = gone.find(|(member, _)| before.runs(cluster, member)) else {
            continue;
        };
        let away = voters_away(before, cluster, Some(member));
        if !away.is_empty() {
            let away = away.join(", ");
            let what = format!("{} removed {member} of {id} while {away} was away", step.id);
            return broken("I2 (one disruption at a time)", what);
        }
    }
    Ok(())
}

/// I4: a cluster that had a quorum before a change of its list has one by the list that it has then.
pub fn quorum_outlives_a_change(before: &World, step: &Step, after: &World) -> Result<(), Broken> {
    if !changes_membership(&step.kind) {
        return Ok(());
    }
    let now = after.quorate();
    match before.quorate().into_iter().find(|key| !now.contains(key)) {
        Some((cluster, _)) => {
            broken("I4 (a change keeps the quorum)", format!("{} cost {cluster} it", step.id))
        }
        None => Ok(()),
    }
}

/// I5: one learner at most, which is promoted when it runs and has all that the others have.
pub fn one_learner_that_catches_up(
    before: &World,
    step: &Step,
    after: &World,
) -> Result<(), Broken> {
    for (id, list) in &after.lists {
        if list.iter().filter(|listed| listed.learner).count() > 1 {
            return broken("I5 (one learner)", format!("{} left {id} with two", step.id));
        }
    }
    let lags = |member: &str| {
        let all = before.hosts.values().flat_map(|host| host.members.values());
        let mut it =
            all.filter(|one| one.log.as_ref().is_some_and(|log| log.member_id() == member));
        it.all(|one| one.process.is_none() || one.behind > 0)
    };
    for Change { id, before, after } in changes(before, after) {
        let is_new = |(member, now): &(&&str, &&Listed)| {
            !now.learner && before.get(*member).is_some_and(|was| was.learner)
        };
        if let Some((member, _)) = after.iter().filter(is_new).find(|(member, _)| lags(member)) {
            let what = format!("{} promoted {member} of {id}", step.id);
            return broken("I5 (no promotion of a member that lags)", what);
        }
    }
    Ok(())
}

/// I5: a member that was removed never runs again with the data that it had.
pub fn removed_members_stay_down(step: &Step, after: &World) -> Result<(), Broken> {
    for (name, host) in &after.hosts {
        for (cluster, member) in &host.members {
            let removed = member.log.as_ref().is_some_and(|log| after.is_removed(log));
            if member.process.is_some() && removed {
                let what = format!("{cluster} runs on {name} after {}", step.id);
                return broken("I5 (a removed member stays down)", what);
            }
        }
    }
    Ok(())
}

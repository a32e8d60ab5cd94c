//! An independent reading of a plan: it shares types with the planner, and no code. Whatever the
//! planner decides, a plan that breaks one of these rules is a defect.

mod api_servers;
mod defrag;
mod destroying;
mod forming;
mod joining;
mod leaving;
mod moving;
mod reading;
mod restoring;
mod space;
mod stopped;
mod unknown;
mod upgrading;

use std::collections::BTreeSet;

use inventories::ClusterName;
use planner::plan::{ApiServerStep, FormationState, Guard, Launch};
use planner::{Observed, Plan, SiteFacts, SiteSpec, Step, StepKind};

use reading::Reading;

/// Every rule that a plan breaks, in words; empty for a plan that may be executed.
pub fn violations(plan: &Plan, spec: &SiteSpec, facts: &SiteFacts) -> Vec<String> {
    let reading = Reading::new(plan, spec, facts);
    let mut found = reading.disorder();
    if found.is_empty() {
        found.extend(nothing_is_done_unseen(&reading));
        found.extend(guards_stand_where_they_must(&reading));
        found.extend(starts_have_what_they_need(&reading));
        found.extend(restarts_come_one_by_one(&reading));
        found.extend(certificates_are_tried_one_by_one(&reading));
        found.extend(api_servers::violations(&reading));
        found.extend(defrag::violations(&reading));
        found.extend(destroying::violations(&reading));
        found.extend(forming::violations(&reading));
        found.extend(joining::violations(&reading));
        found.extend(leaving::violations(&reading));
        found.extend(moving::violations(&reading));
        found.extend(restoring::violations(&reading));
        found.extend(space::violations(&reading));
        found.extend(unknown::violations(&reading));
        found.extend(upgrading::violations(&reading));
        found.extend(stopped::violations(&reading));
    }
    found
}

fn nothing_is_done_unseen(reading: &Reading<'_>) -> Vec<String> {
    let seen = |step: &&Step| {
        let host = reading.facts.hosts.get(step.host());
        host.and_then(Observed::known).is_none()
    };
    let unseen = reading.plan.steps.iter().filter(seen);
    unseen.map(|step| format!("{}: the host was not seen", step.id)).collect()
}

/// The world may move between plan and action: what can't be taken back checks again.
fn guards_stand_where_they_must(reading: &Reading<'_>) -> Vec<String> {
    let stands = |step: &Step| match &step.kind {
        StepKind::RegisterHost { .. } => step.guard == Guard::HostIsFree,
        StepKind::StoreToken | StepKind::DiscardBootstrap | StepKind::TrustDiscovery { .. } => {
            step.guard == Guard::NeverFormed
        }
        StepKind::OpenDiscovery { .. } => step.guard == Guard::HasLogOrNeverFormed,
        StepKind::StartMember { .. } if joining::joins(reading, step) => {
            step.guard == Guard::HasLogOrNeverFormed
        }
        StepKind::StartMember { .. } => {
            matches!(step.guard, Guard::HasLog | Guard::HasLogOrNeverFormed)
        }
        StepKind::RemoveMember { id, .. } => joining::counts_the_rest(reading, step, id),
        StepKind::RemoveListed { id, .. } => leaving::counts_the_rest(reading, step, id),
        // Its script asks the others itself.
        StepKind::ForgetMember { .. } | StepKind::DecommissionMember { .. } => {
            step.guard == Guard::Nothing
        }
        // Their scripts look for the record, for processes, and for answers of the others.
        StepKind::StageRestore(_)
        | StepKind::LookForClients
        | StepKind::StopForRestore { .. }
        | StepKind::SetAsideForRestore { .. }
        | StepKind::PlaceRestore { .. }
        | StepKind::EndRestore { .. } => step.guard == Guard::Nothing,
        StepKind::WriteMarker { .. }
        | StepKind::ListByAddress { .. }
        | StepKind::CloseDiscovery { .. }
        | StepKind::ForgetDiscovery => step.guard == Guard::HasLog,
        StepKind::WriteUnit { .. } => matches!(step.guard, Guard::FileIs { .. } | Guard::HasLog),
        StepKind::ApiServer(ApiServerStep::Wire { .. }) => {
            matches!(step.guard, Guard::FileIs { .. })
        }
        StepKind::ApiServer(_)
        | StepKind::CreateAccount { .. }
        | StepKind::InstallRelease { .. }
        | StepKind::PrepareDirectories { .. }
        | StepKind::InstallCertificates { .. }
        | StepKind::TryCertificates { .. }
        | StepKind::StandaloneKubelet { .. }
        | StepKind::RestartMember { .. }
        | StepKind::StopOldRuntime { .. }
        | StepKind::WriteManifest { .. }
        | StepKind::MoveDropIns { .. }
        | StepKind::NoteRestart
        | StepKind::NoteProof { .. }
        | StepKind::SaveSnapshot { .. }
        | StepKind::PrepareLog { .. }
        | StepKind::EnableDowngrade { .. }
        | StepKind::ProveVersion { .. }
        | StepKind::MoveLeader { .. }
        | StepKind::Defragment { .. }
        | StepKind::Compact { .. }
        | StepKind::CompareData { .. }
        | StepKind::Disarm { .. }
        | StepKind::AddLearner { .. }
        | StepKind::PromoteMember { .. }
        | StepKind::UpdatePeerUrl { .. }
        | StepKind::AwaitRejoin { .. }
        | StepKind::ProveHealthy { .. } => true,
    };
    let may_take_down = |step: &&Step| {
        let harmless = step.guard == Guard::NeverFormed
            || restoring::stops(&step.kind)
            || step.kind.is_start()
            || leaving::is_off_the_list(reading, step);
        harmless
            || (step.kind.disrupts() && reading.ends_a_bootstrap(step))
            || reading.reaches(step).iter().all(|cluster| reading.keeps_quorum(step, cluster))
    };
    let stands = |step: &&Step| stands(step) && may_take_down(step);
    let loose = reading.plan.steps.iter().filter(|step| !stands(step));
    loose.map(|step| format!("{}: the guard {:?} is too weak", step.id, step.guard)).collect()
}

/// A member starts only on a host that has all it needs: seen there, or put there before.
fn starts_have_what_they_need(reading: &Reading<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for start in reading.steps(StepKind::is_start) {
        let mut need = |what: &str, seen: bool, makes: &dyn Fn(&StepKind) -> bool| {
            let made = reading.makers(start, makes);
            let pending = made.iter().any(|maker| !reading.is_before(maker, start));
            if (made.is_empty() && !seen) || pending {
                found.push(format!("{}: it starts without {what}", start.id));
            }
        };
        let here = reading.here(start);
        need("its directories", here.directories, &|kind| {
            matches!(kind, StepKind::PrepareDirectories { .. })
        });
        need("certificates", here.certificates, &|kind| {
            matches!(kind, StepKind::InstallCertificates { .. })
        });
        // One that starts as it is brings its own.
        need(
            "its release",
            here.release || stopped::starts_as_it_is(reading, start),
            &|kind| matches!(kind, StepKind::InstallRelease { version, .. } if *version == here.version),
        );
        let unit = |kind: &StepKind| matches!(kind, StepKind::WriteUnit { .. });
        let written = reading.makers(start, &unit);
        let unit = matches!(start.kind, StepKind::StartMember { by: Launch::Unit });
        if unit && !here.unit && !written.iter().any(|write| reading.is_before(write, start)) {
            found.push(format!("{}: it starts without a unit", start.id));
        }
        let at_once =
            |write: &&&Step| !reading.is_before(write, start) && !reading.is_before(start, write);
        if written.iter().any(|write| at_once(&write)) {
            found.push(format!("{}: its unit is written while it starts", start.id));
        }
    }
    found
}

/// Two steps that take members of a cluster down: one waits until the other's member is back.
fn restarts_come_one_by_one(reading: &Reading<'_>) -> Vec<String> {
    let turns: Vec<(&Step, BTreeSet<&ClusterName>)> = reading
        .steps(|kind| kind.effect().takes_down() && !kind.is_start())
        .into_iter()
        .filter(|step| step.guard != Guard::NeverFormed && !leaving::is_off_the_list(reading, step))
        // In a restore all stop at once.
        .filter(|step| !restoring::stops(&step.kind))
        .map(|step| (step, reading.reaches(step)))
        .collect();
    let waits = |first: &Step, second: &Step, cluster: &ClusterName| {
        reading.steps(|kind| matches!(kind, StepKind::AwaitRejoin { .. })).iter().any(|back| {
            (back.host(), back.cluster()) == (first.host(), Some(cluster))
                && reading.is_before(first, back)
                && reading.is_before(back, second)
        })
    };
    let mut found = Vec::new();
    for (index, (one, of_one)) in turns.iter().enumerate() {
        for (other, of_other) in &turns[index + 1..] {
            // What is done to one member is one turn.
            for cluster in of_one.intersection(of_other).filter(|_| one.host() != other.host()) {
                if !waits(one, other, cluster) && !waits(other, one, cluster) {
                    found.push(format!("{} and {}: two members restart at once", one.id, other.id));
                }
            }
        }
    }
    found
}

/// Two members that run: one gets new certificates after the other's were tried.
fn certificates_are_tried_one_by_one(reading: &Reading<'_>) -> Vec<String> {
    let installs = reading.steps(|kind| matches!(kind, StepKind::InstallCertificates { .. }));
    let has_log = |step: &Step| {
        reading.seen(step).and_then(|member| member.data.known()).is_some_and(|data| data.wal)
    };
    // A process of another account can't read them, and one whose folder was replaced can't see them; nobody reaches
    // one whose address is gone: its restart, which is awaited, is their trial.
    let cut_off = |step: &Step| {
        reading.seen(step).is_some_and(|member| member.folder_replaced)
            || moving::is_unreachable(reading, step)
    };
    let serves = |step: &&Step| {
        let runs = reading.runs(step)
            && !reading.runs_as_another(step)
            && !cut_off(step)
            && !reading.is_stopped_before(step);
        reading.is_formed(reading.cluster(step)) && runs && has_log(step)
    };
    let installs: Vec<&Step> = installs.into_iter().filter(serves).collect();
    let is_trial = |kind: &StepKind| matches!(kind, StepKind::TryCertificates { .. });
    let tried = |install: &Step| -> Vec<&Step> {
        let mut trials = reading.makers(install, &is_trial);
        trials.retain(|trial| reading.is_before(install, trial));
        trials
    };
    let mut found = Vec::new();
    for (index, one) in installs.iter().enumerate() {
        if tried(one).is_empty() {
            found.push(format!("{}: nobody tries them", one.id));
        }
        let waits = |first: &Step, second: &Step| {
            tried(first).iter().any(|trial| reading.is_before(trial, second))
        };
        for other in installs[index + 1..].iter().filter(|other| other.cluster() == one.cluster()) {
            if !waits(one, other) && !waits(other, one) {
                found.push(format!("{} and {}: certificates change at once", one.id, other.id));
            }
        }
    }
    found
}

/// Whether a step writes a unit or pod of this formation.
fn renders(kind: &StepKind, wanted: FormationState) -> bool {
    match kind {
        StepKind::WriteUnit { formation, .. }
        | StepKind::StartMember { by: Launch::Pod { formation, .. } }
        | StepKind::RestartMember { by: Launch::Pod { formation, .. } } => *formation == wanted,
        StepKind::WriteManifest { .. } => wanted == FormationState::Existing,
        _ => false,
    }
}

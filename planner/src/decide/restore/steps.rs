//! The steps of a restore. Everything that can fail is done before anything stops; then all members stop, the data of
//! all is archived, the restored data of all is put into its place, and all start together.

use std::collections::{BTreeMap, BTreeSet};

use inventories::HostName;

use templates::RenderError;

use super::former::{self, Former};
use super::stand::At;
use super::{Subject, alarms, others, revisions};
use crate::decide::form;
use crate::decide::member_context::MemberContext;
use crate::decide::{ensure, runtime};
use crate::facts::RestorePhase;
use crate::plan::{
    Action, FormationState, Guard, StagedSnapshot, Staging, Step, StepId, StepKind, Swap, Verb, Why,
};
use crate::spec::ClusterSpec;

pub(super) fn steps(subject: &Subject<'_>) -> Result<Vec<Step>, RenderError> {
    let mut steps = Vec::new();
    let is_lost = |host: &HostName| subject.stand.at(host) == At::Lost;
    for member in subject.members {
        if is_lost(member.name) {
            steps.extend((!member.facts.restore.is_absent()).then(|| end(subject, member)));
            continue;
        }
        steps.extend(before(subject, member));
        steps.extend(replace_data(subject, member));
        steps.extend(after(subject, member)?);
    }
    for one in subject.former.iter().filter(|one| one.is_there()) {
        steps.extend(leave(subject, one));
    }
    if let Some(first) = subject.members.iter().find(|member| !is_lost(member.name)) {
        let starts: Vec<StepId> = steps.iter().map(|step| step.id.clone()).filter(starts).collect();
        let disarm = alarms::disarm(subject, &starts);
        let before = disarm.as_ref().map(|step| step.id.clone());
        steps.extend(disarm);
        let prove = form::prove(first, &BTreeSet::new(), |host| !is_lost(host));
        steps.push(prove.after(starts).after(before));
    }
    barriers(subject, &mut steps);
    Ok(steps)
}

fn starts(id: &StepId) -> bool {
    id.verb == Verb::Start
}

/// What continues although members run. One that is down gets all that it needs; of one that runs, nothing is touched
/// that its process has.
fn before(subject: &Subject<'_>, member: &MemberContext<'_>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    steps.extend(ensure::register_host(member));
    steps.extend(ensure::account(member));
    steps.extend(ensure::release(member));
    steps.extend(runtime::kubelet(member));
    if !is_busy(subject, member) {
        steps.extend(ensure::directories_of(member));
        steps.extend(ensure::certificates(member, Swap::AtOnce));
    }
    // What is prepared already may be lost since; where it is not, nothing is done.
    if !has_its_data(subject, member) {
        let ready: Vec<StepId> = steps.iter().map(|step| step.id.clone()).collect();
        steps.push(stage(subject, member).after(ready));
    }
    steps
}

/// Whether the member has its restored data: it is staged no more.
fn has_its_data(subject: &Subject<'_>, member: &MemberContext<'_>) -> bool {
    matches!(subject.stand.at(member.name), At::Recorded(RestorePhase::Placed) | At::Ended)
}

/// Whether a process has what lies on the host of the member, until a step stops it.
fn is_busy(subject: &Subject<'_>, member: &MemberContext<'_>) -> bool {
    match subject.stand.is_placed() {
        true => member.facts.is_up(),
        false => former::runs(member.facts),
    }
}

/// The members of the restored cluster and their peer URLs.
fn peers(cluster: &ClusterSpec) -> BTreeMap<HostName, String> {
    let peers = cluster.members.iter();
    peers.map(|(host, one)| (host.clone(), one.member.peer_url().to_string())).collect()
}

/// The same as etcd writes them.
pub(super) fn listed(cluster: &ClusterSpec) -> String {
    let peers = peers(cluster).into_iter().map(|(host, url)| format!("{host}={url}"));
    peers.collect::<Vec<_>>().join(",")
}

fn stage(subject: &Subject<'_>, member: &MemberContext<'_>) -> Step {
    let snapshot = &subject.request.snapshot;
    let kind = StepKind::StageRestore(Staging {
        snapshot: StagedSnapshot { sha256: snapshot.sha256.clone(), bytes: snapshot.bytes },
        version: subject.cluster.version,
        name: member.name.clone(),
        peer_url: member.wanted.member.peer_url().to_string(),
        initial_cluster: peers(subject.cluster),
        bump: revisions::bump(subject),
        account: member.account().clone(),
    });
    let why = safety("a full disk or a damaged snapshot fails here, before anything stops");
    member.step(Verb::StageRestore, Action::Create, kind, why)
}

fn safety(note: &str) -> Why {
    Why::Safety { note: note.to_owned() }
}

/// Stops the member and exchanges its data. One that has its restored data already is stopped all the same: it must
/// not run before the others have theirs.
fn replace_data(subject: &Subject<'_>, member: &MemberContext<'_>) -> Vec<Step> {
    if subject.stand.is_placed() {
        return Vec::new();
    }
    let sha256 = subject.request.snapshot.sha256.clone();
    let kind = StepKind::StopForRestore {
        staged: Some(sha256.clone()),
        others: others::unstoppable(member.name, subject),
        version: subject.cluster.version,
    };
    let why = safety("no member runs on old data while another one has restored data");
    let stop = member.step(Verb::StopForRestore, Action::Run, kind, why);
    let mut steps = vec![look(member), stop];
    if has_its_data(subject, member) {
        return steps;
    }
    let others = others::others(member.name, subject);
    let version = subject.cluster.version;
    let kind = StepKind::SetAsideForRestore {
        staged: Some(sha256.clone()),
        others: others.clone(),
        version,
    };
    let why = safety("archived data can't start beside the restored cluster");
    steps.push(member.step(Verb::SetAside, Action::Delete, kind, why));
    let kind = StepKind::PlaceRestore { sha256, others, version };
    let why = Why::Drift { changes: vec!["the snapshot replaces its data".to_owned()] };
    steps.push(member.step(Verb::PlaceRestore, Action::Create, kind, why));
    steps
}

/// Asks for clients: one that is found at the last member that stops would have lost its quorum already.
fn look(member: &MemberContext<'_>) -> Step {
    let why = safety("no member stops while a client uses any of them");
    member.step(Verb::LookForClients, Action::Check, StepKind::LookForClients, why)
}

/// What a member needs besides its data, its start, and what tells that it is proven.
fn after(subject: &Subject<'_>, member: &MemberContext<'_>) -> Result<Vec<Step>, RenderError> {
    let stops = !subject.stand.is_placed();
    let is_busy = is_busy(subject, member);
    let mut steps: Vec<Step> = Vec::new();
    if stops && is_busy {
        steps.extend(ensure::directories_of(member));
        steps.extend(ensure::certificates(member, Swap::AtOnce));
    }
    if stops || !is_busy {
        steps.extend(leftover(member));
        steps.extend(runtime::prepared(member, FormationState::Existing, None)?);
        steps.extend(ensure::drop_ins(member));
        let by = runtime::launch(member, FormationState::Existing)?;
        let by = if stops { by.from_nothing() } else { by.or_what_runs() };
        let why = safety("all members start together");
        let start = member.step(Verb::Start, Action::Run, StepKind::StartMember { by }, why);
        steps.push(start.guarded(Guard::HasLog).after(runtime::kubelet_for_start(member)));
    }
    let stop = stops.then(|| member.id(Verb::StopForRestore));
    let mut steps: Vec<Step> = steps.into_iter().map(|step| step.after(stop.clone())).collect();
    if stops || subject.stand.at(member.name) != At::Ended {
        steps.push(marker(subject, member));
        steps.push(end(subject, member));
    }
    Ok(steps)
}

fn end(subject: &Subject<'_>, member: &MemberContext<'_>) -> Step {
    let sha256 = subject.request.snapshot.sha256.clone();
    let token_of = subject.stand.resumed.map(|(host, _)| host.clone());
    let answers = subject.view.members.values().filter_map(|own| own.etcd.known());
    let served: BTreeSet<&str> = answers.map(|etcd| etcd.cluster_id.as_str()).collect();
    let old = member.facts.marker.known().map(|marker| marker.cluster_id.clone());
    let is_lost = subject.stand.at(member.name) == At::Lost;
    let voids = old.filter(|id| is_lost && !served.contains(id.as_str()));
    let kind = StepKind::EndRestore { sha256, token_of, voids };
    member.step(Verb::EndRestore, Action::Update, kind, safety("the restore is complete"))
}

/// The file of the runtime that the member no longer has. Its process ends with the stop.
fn leftover(member: &MemberContext<'_>) -> Option<Step> {
    let kind = StepKind::StopOldRuntime { from: member.leftover()?, image: None };
    let why = Why::Drift { changes: vec!["it would start the member as well".to_owned()] };
    Some(member.step(Verb::StopOldRuntime, Action::Delete, kind, why))
}

/// The marker of the restored cluster, in the place of the old one.
fn marker(subject: &Subject<'_>, member: &MemberContext<'_>) -> Step {
    let step = form::marker(member, subject.members);
    let StepKind::WriteMarker { endpoint, version, formed_by, .. } = step.kind else { return step };
    let replaces = member.facts.marker.known().map(|marker| marker.cluster_id.clone());
    let revision_floor = Some(revisions::floor(subject));
    let kind = StepKind::WriteMarker { endpoint, version, formed_by, revision_floor, replaces };
    Step { kind, ..step }
}

/// Stops a member that is no longer named, archives what it has, and removes it from its host once the others are proven.
fn leave(subject: &Subject<'_>, one: &Former<'_>) -> Vec<Step> {
    let Some(any) = subject.members.first() else { return Vec::new() };
    let step = |verb: Verb, action, kind| {
        let id = StepId::for_member(one.host, &subject.cluster.name, verb.clone());
        let why = Why::Drift { changes: vec![format!("`members` no longer names {}", one.host)] };
        Step { id, ..any.step(verb, action, kind, why) }
    };
    let stop = StepKind::StopForRestore {
        staged: None,
        others: others::unstoppable(one.host, subject),
        version: subject.cluster.version,
    };
    let others = others::others(one.host, subject);
    let version = subject.cluster.version;
    let set_aside = StepKind::SetAsideForRestore { staged: None, others, version };
    let decommission = StepKind::DecommissionMember {
        peer_url: one.wanted.member.peer_url().to_string(),
        others: subject.members.iter().map(restored_url).collect(),
        version,
    };
    let stop = step(Verb::StopForRestore, Action::Run, stop);
    let look = Step {
        id: StepId::for_member(one.host, &subject.cluster.name, Verb::LookForClients),
        ..look(any)
    };
    let before = stop.id.clone();
    let set_aside = step(Verb::SetAside, Action::Delete, set_aside).after([before]);
    let prove = any.id(Verb::Prove);
    vec![
        look,
        stop,
        set_aside,
        step(Verb::Decommission, Action::Delete, decommission).after([prove]),
    ]
}

/// Where a member serves once it has its restored data.
fn restored_url(member: &MemberContext<'_>) -> (HostName, String) {
    (member.name.clone(), member.wanted.member.client_url().to_string())
}

/// The table of the order speaks of the members that the inventory names; here the others have their part too.
fn barriers(subject: &Subject<'_>, steps: &mut [Step]) {
    let cluster = &subject.cluster.name;
    let of_former = |verb: &Verb| -> Vec<StepId> {
        let there = subject.former.iter().filter(|one| one.is_there());
        there.map(|one| StepId::for_member(one.host, cluster, verb.clone())).collect()
    };
    let (stopped, set_aside) = (of_former(&Verb::StopForRestore), of_former(&Verb::SetAside));
    let (looked, decommissioned) =
        (of_former(&Verb::LookForClients), of_former(&Verb::Decommission));
    for step in steps.iter_mut().filter(|step| step.cluster() == Some(cluster)) {
        match step.id.verb {
            Verb::StopForRestore => step.after.extend(looked.iter().cloned()),
            Verb::SetAside => step.after.extend(stopped.iter().cloned()),
            Verb::PlaceRestore | Verb::Start => step.after.extend(set_aside.iter().cloned()),
            Verb::EndRestore => step.after.extend(decommissioned.iter().cloned()),
            _ => {}
        }
    }
}

//! Restarts: which members need one, in which order, and what must hold for each. One member at a
//! time, the leader last, and the next only when the last is back and caught up.

mod held;
mod reasons;

use std::collections::{BTreeMap, BTreeSet};

use inventories::{EtcdVersion, HostName};
use templates::RenderError;

use crate::decide::assess::View;
use crate::decide::converge;
use crate::decide::ensure;
use crate::decide::member_context::MemberContext;
use crate::decide::moving;
use crate::decide::runtime;
use crate::plan::{Action, FormationState, Guard, Others, Step, StepId, StepKind, Verb, Why};
use crate::policy::Policy;
use crate::report::{PlanReport, QuorumNote};
use crate::spec::ClusterSpec;
use crate::stops::Permitted;
use held::held;
pub(crate) use held::waits;
use reasons::{Reason, reasons};

/// A member that needs a restart, and why.
pub(crate) struct Candidate<'p, 'a> {
    member: &'p MemberContext<'a>,
    reasons: Vec<Reason>,
}

impl<'a> Candidate<'_, 'a> {
    /// Its host.
    pub(crate) fn host(&self) -> &'a HostName {
        self.member.name
    }

    /// Whether it moves to another address or port.
    pub(crate) fn moves(&self) -> bool {
        self.member.wanted.moves_from.is_some()
    }

    /// Whether clients find it at a place that it is to leave.
    pub(crate) fn leaves_clients(&self) -> bool {
        moving::leaves_clients(self.member.wanted, self.member.facts)
    }

    /// Its cluster.
    pub(crate) fn cluster(&self) -> &'a ClusterSpec {
        self.member.cluster
    }
}

/// The members that run, and run something else than is wanted. A member that is down needs a
/// start, not a restart.
pub(crate) fn candidates<'p, 'a>(
    members: &'p [MemberContext<'a>],
    scope: &Permitted<'_>,
) -> Vec<Candidate<'p, 'a>> {
    members
        .iter()
        .filter(|member| member.facts.is_up() && scope.may_change(member.name))
        .map(|member| Candidate { member, reasons: reasons(member) })
        .filter(|candidate| !candidate.reasons.is_empty())
        .collect()
}

/// Plans the restarts of a cluster, or says in the report why they are held back. `after` are steps
/// that must have ended before the first restart.
pub(crate) fn steps(
    view: &View<'_>,
    members: &[MemberContext<'_>],
    mut candidates: Vec<Candidate<'_, '_>>,
    after: &BTreeSet<StepId>,
    (policy, scope): (&Policy, &Permitted<'_>),
    report: &mut PlanReport,
) -> Result<Vec<Step>, RenderError> {
    let Some(cluster) = members.first().map(|member| member.cluster) else { return Ok(Vec::new()) };
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(held) = held(view, members, &candidates, (policy, scope)) {
        report.held.push(held);
        return Ok(Vec::new());
    }
    let leader = view.now.leader.clone();
    candidates.sort_by_key(|candidate| {
        let serves = !view.now.down.contains_key(candidate.member.name);
        (serves, Some(candidate.member.name) == leader.as_ref(), candidate.member.name)
    });
    let outage = policy.allow_outage.contains(&cluster.name);
    // Members that are down are started, and the cluster proven, before the first restart.
    let started = members.iter().filter(|member| is_started(member, scope)).count();
    let mut steps = Vec::new();
    let mut before = after.clone();
    // What was down has moved by then.
    let mut moved: BTreeSet<&HostName> =
        members.iter().filter(|member| is_started(member, scope)).map(|one| one.name).collect();
    let mut healthy = view.now.quorum.healthy + started;
    for candidate in &candidates {
        let member = candidate.member;
        let answers = member.facts.etcd.known().is_some();
        let leads = answers && leader.as_ref() == Some(member.name) && cluster.members.len() > 1;
        steps.extend(restart(candidate, view, members, (&before, &moved), leads, outage)?);
        moved.insert(member.name);
        // Starting one that is down costs nothing, and the next one waits until it is back.
        let is_down = view.now.down.contains_key(member.name);
        report.quorum.push(QuorumNote {
            cluster: cluster.name.clone(),
            what: match member.wanted.moves_from {
                Some(_) => format!("move {}", member.name),
                None => format!("restart {}", member.name),
            },
            up: healthy.saturating_sub(usize::from(!is_down)),
            needed: view.now.quorum.size(),
        });
        healthy += usize::from(is_down);
        if leads {
            report.clients.push(handover(member));
        }
        report.clients.extend(moving::told(member));
        before = BTreeSet::from([member.id(Verb::Rejoin)]);
    }
    report.clients.push(format!(
        "cluster {}: clients of a restarting member reconnect to another one",
        cluster.name
    ));
    Ok(steps)
}

fn restart(
    candidate: &Candidate<'_, '_>,
    view: &View<'_>,
    members: &[MemberContext<'_>],
    (before, moved): (&BTreeSet<StepId>, &BTreeSet<&HostName>),
    leads: bool,
    outage: bool,
) -> Result<Vec<Step>, RenderError> {
    let member = candidate.member;
    let mut steps = Vec::new();
    if leaves_no_trace(&candidate.reasons) && !member.facts.restart_due {
        let step = note(member, "a later run restarts the member if this run stops first");
        steps.push(step.after(before.iter().cloned()));
    }
    steps.extend(ensure::drop_ins(member).map(|step| step.after(before.iter().cloned())));
    let files = [member.id(Verb::Directories), member.id(Verb::Certificates)];
    if leads {
        let step = move_leader(member, moved).after(before.iter().cloned());
        // Where its files are about to be taken from it, the leader hands over before.
        let first = member.runs_as_another().is_none().then_some(files.clone());
        steps.push(step.after(first.into_iter().flatten()));
    }
    let changes = candidate.reasons.iter().map(Reason::to_string).collect();
    let why = Why::Drift { changes };
    let guard = if outage {
        Guard::HasLog
    } else {
        others_healthy([(member, view.now.cluster_id.clone())], moved)
    };
    let update = moving::update(member, moved, guard.clone());
    steps.extend(update.map(|step| step.after(before.iter().cloned())));
    match member.leftover().filter(|from| member.facts.runs_by() == Some(*from)) {
        None => {
            let kind = StepKind::RestartMember { by: runtime::launch(member, SETTLED)? };
            steps.push(
                member
                    .step(Verb::Restart, Action::Run, kind, why)
                    .guarded(guard)
                    .after(before.iter().cloned()),
            );
        }
        // To another runtime it goes in two steps, and another run may do the second one.
        Some(from) => {
            let kind = StepKind::StopOldRuntime { from, image: runtime::image(member)? };
            let step = member.step(Verb::StopOldRuntime, Action::Replace, kind, why).guarded(guard);
            // It ends the process, as a restart does; a leftover that nothing runs from needs none of this.
            let needs = [
                member.account_id(),
                member.release_id(),
                member.host_id(Verb::Kubelet),
                member.id(Verb::MoveLeader),
                member.id(Verb::UpdatePeerUrl),
                member.id(Verb::Note),
                member.id(Verb::DropIns),
            ];
            steps.push(step.after(before.iter().cloned()).after(files).after(needs));
            let kind = StepKind::StartMember { by: runtime::launch(member, SETTLED)? };
            let why = Why::Safety { note: "it keeps its data and its member id".to_owned() };
            steps.push(member.step(Verb::Start, Action::Run, kind, why).guarded(Guard::HasLog));
        }
    }
    steps.push(rejoin(member, known_alarms(members), moved)?);
    Ok(steps)
}

/// Whether a process of this member that is up before its settings are written would run with the
/// former ones, and nothing of that could be seen later.
pub(crate) fn needs_note(member: &MemberContext<'_>) -> bool {
    leaves_no_trace(&reasons(member))
}

fn leaves_no_trace(reasons: &[Reason]) -> bool {
    reasons.iter().any(Reason::is_forgotten)
}

/// The note that the start which the member has now is to be followed by another one.
pub(crate) fn note(member: &MemberContext<'_>, why: &str) -> Step {
    let why = Why::Safety { note: why.to_owned() };
    member.step(Verb::Note, Action::Update, StepKind::NoteRestart, why)
}

/// How the others get a leader, as clients notice it.
fn handover(member: &MemberContext<'_>) -> String {
    let (cluster, host) = (&member.cluster.name, member.name);
    if member.facts.forbids_us() {
        format!(
            "cluster {cluster}: etcd's own authentication refuses quorate the handover, so {host} restarts as \
             the leader; writes wait until the others elect another one"
        )
    } else {
        format!("cluster {cluster}: leadership moves off {host}; writes wait for the handover")
    }
}

/// What runs in a formed cluster.
const SETTLED: FormationState = FormationState::Existing;

/// The restart that ends a member's bootstrap: its pod continues as one that never forms a cluster. Who
/// leads is not known when that is planned, so the leader hands over, whichever member it is.
pub(crate) fn finalize(member: &MemberContext<'_>, why: Why) -> Result<Vec<Step>, RenderError> {
    let voters = member.cluster.members.len();
    let mut steps = Vec::new();
    let nobody = BTreeSet::new();
    if voters > 1 {
        steps.push(move_leader(member, &nobody));
    }
    // Nobody relies yet on a cluster that a restart must cost its quorum.
    let guard = if voters > 2 { others_healthy([(member, None)], &nobody) } else { Guard::HasLog };
    let kind = StepKind::RestartMember { by: runtime::settling(member)? };
    let restart = member.step(Verb::Restart, Action::Run, kind, why).guarded(guard);
    steps.push(restart);
    steps.push(rejoin(member, BTreeSet::new(), &nobody)?);
    Ok(steps)
}

/// The other members' names and client URLs, once those have moved that are in `moved`.
fn others(member: &MemberContext<'_>, moved: &BTreeSet<&HostName>) -> BTreeMap<HostName, String> {
    let mut others = moving::client_urls(member.cluster, moved);
    others.remove(member.name);
    others
}

/// All others hold the quorum while this member is down.
pub(crate) fn others_healthy<'p, 'a: 'p>(
    members: impl IntoIterator<Item = (&'p MemberContext<'a>, Option<String>)>,
    moved: &BTreeSet<&HostName>,
) -> Guard {
    let clusters = members.into_iter().map(|(member, cluster_id)| {
        let (members, version) = (others(member, moved), member.cluster.version);
        let others = Others { needed: members.len(), members, version, cluster_id };
        (member.cluster.name.clone(), others)
    });
    Guard::OthersHealthy { clusters: clusters.collect() }
}

pub(crate) fn move_leader(member: &MemberContext<'_>, moved: &BTreeSet<&HostName>) -> Step {
    let note = if member.facts.forbids_us() {
        "etcd's own authentication will refuse it; then the others elect a leader when this one stops"
    } else {
        "the leader restarts last, and hands over first"
    };
    let why = Why::Safety { note: note.to_owned() };
    let kind = StepKind::MoveLeader {
        endpoint: moving::loopback(member.wanted),
        others: others(member, moved),
        version: member.cluster.version,
    };
    member.step(Verb::MoveLeader, Action::Run, kind, why)
}

/// Waits until a member that was restarted, or that moved while it was down, is back.
pub(crate) fn rejoin(
    member: &MemberContext<'_>,
    alarms: BTreeSet<String>,
    moved: &BTreeSet<&HostName>,
) -> Result<Step, RenderError> {
    let wanted = member.wanted.member.loopback_client_url().to_string();
    let (version, pod) = (member.cluster.version, runtime::pod_identity(member)?);
    Ok(await_return(Verb::Rejoin, member, (wanted, others(member, moved)), version, alarms, pod))
}

/// Waits until a member that was down is back, from this version and this pod.
pub(crate) fn await_return(
    verb: Verb,
    member: &MemberContext<'_>,
    (endpoint, others): (String, BTreeMap<HostName, String>),
    version: EtcdVersion,
    alarms: BTreeSet<String>,
    pod: Option<String>,
) -> Step {
    let kind = StepKind::AwaitRejoin { endpoint, others, version, alarms, pod };
    let why = Why::Safety { note: "the next member waits until this one is back".to_owned() };
    member.step(verb, Action::Check, kind, why)
}

/// The alarms that a cluster has already.
pub(crate) fn known_alarms<'p, 'a: 'p>(
    members: impl IntoIterator<Item = &'p MemberContext<'a>>,
) -> BTreeSet<String> {
    let answers = members.into_iter().filter_map(|member| member.facts.etcd.known());
    answers.flat_map(|etcd| etcd.errors.clone()).collect()
}

/// Whether this plan starts the member, which is down.
pub(crate) fn is_started(member: &MemberContext<'_>, scope: &Permitted<'_>) -> bool {
    !member.facts.is_up() && converge::may_start(member, scope)
}

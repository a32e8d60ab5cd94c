//! Restarts: which members need one, in which order, and what must hold for each. One member at a
//! time, the leader last, and the next only when the last is back and caught up.

mod reasons;

use std::collections::{BTreeMap, BTreeSet};

use inventories::{EtcdVersion, HostName};
use templates::RenderError;

use crate::decide::assess::View;
use crate::decide::converge;
use crate::decide::ensure;
use crate::decide::member_context::MemberContext;
use crate::decide::runtime;
use crate::plan::{Action, FormationState, Guard, Others, Step, StepId, StepKind, Verb, Why};
use crate::policy::Policy;
use crate::report::{Finding, FindingCode, PlanReport, QuorumNote};
use crate::spec::ClusterSpec;
use crate::stops::{Changes, Scope};
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

    /// Its cluster.
    pub(crate) fn cluster(&self) -> &'a ClusterSpec {
        self.member.cluster
    }
}

/// The members that run, and run something else than is wanted. A member that is down needs a
/// start, not a restart.
pub(crate) fn candidates<'p, 'a>(
    members: &'p [MemberContext<'a>],
    scope: &Scope<'_>,
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
    (policy, scope): (&Policy, &Scope<'_>),
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
        let answers = candidate.member.facts.etcd.known().is_some();
        (answers, Some(candidate.member.name) == leader.as_ref(), candidate.member.name)
    });
    let outage = policy.allow_outage.contains(&cluster.name);
    // Members that are down are started, and the cluster proven, before the first restart.
    let started = members.iter().filter(|member| is_started(member, scope)).count();
    let mut steps = Vec::new();
    let mut before = after.clone();
    let mut healthy = view.now.quorum.healthy + started;
    for candidate in &candidates {
        let member = candidate.member;
        let answers = member.facts.etcd.known().is_some();
        let leads = answers && leader.as_ref() == Some(member.name) && cluster.members.len() > 1;
        steps.extend(restart(candidate, view, members, &before, leads, outage)?);
        // One that is down takes nobody away, and the next one waits until it is back.
        let is_down = view.now.down.contains_key(member.name);
        report.quorum.push(QuorumNote {
            cluster: cluster.name.clone(),
            what: format!("restart {}", member.name),
            up: healthy.saturating_sub(usize::from(!is_down)),
            needed: view.now.quorum.size(),
        });
        healthy += usize::from(is_down);
        if leads {
            report.clients.push(handover(member));
        }
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
    before: &BTreeSet<StepId>,
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
        let step = move_leader(member).after(before.iter().cloned());
        // Where its files are about to be taken from it, the leader hands over before.
        let first = member.runs_as_another().is_none().then_some(files.clone());
        steps.push(step.after(first.into_iter().flatten()));
    }
    let changes = candidate.reasons.iter().map(Reason::to_string).collect();
    let why = Why::Drift { changes };
    let guard = if outage {
        Guard::HasLog
    } else {
        others_healthy([(member, view.now.cluster_id.clone())])
    };
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
        // To another runtime it goes in two steps, of which the second one may be done by another run.
        Some(from) => {
            let kind = StepKind::StopOldRuntime { from, image: runtime::image(member)? };
            let step = member.step(Verb::StopOldRuntime, Action::Replace, kind, why).guarded(guard);
            // It ends the process, as a restart does; a leftover that nothing runs from needs none of this.
            let needs = [
                member.account_id(),
                member.release_id(),
                member.host_id(Verb::Kubelet),
                member.id(Verb::MoveLeader),
                member.id(Verb::Note),
                member.id(Verb::DropIns),
            ];
            steps.push(step.after(before.iter().cloned()).after(files).after(needs));
            let kind = StepKind::StartMember { by: runtime::launch(member, SETTLED)? };
            let why = Why::Safety { note: "it keeps its data and its member id".to_owned() };
            steps.push(member.step(Verb::Start, Action::Run, kind, why).guarded(Guard::HasLog));
        }
    }
    steps.push(rejoin(member, known_alarms(members))?);
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

/// How the others come to have a leader, as clients notice it.
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

/// The restart that ends a member's bootstrap: its pod goes on as one that never forms a cluster. Who
/// leads is not known when that is planned, so whoever does hands over.
pub(crate) fn settle(member: &MemberContext<'_>, why: Why) -> Result<Vec<Step>, RenderError> {
    let voters = member.cluster.members.len();
    let mut steps = Vec::new();
    if voters > 1 {
        steps.push(move_leader(member));
    }
    // Nobody relies yet on a cluster that a restart must cost its quorum.
    let guard = if voters > 2 { others_healthy([(member, None)]) } else { Guard::HasLog };
    let kind = StepKind::RestartMember { by: runtime::settling(member)? };
    let restart = member.step(Verb::Restart, Action::Run, kind, why).guarded(guard);
    steps.push(restart);
    steps.push(rejoin(member, BTreeSet::new())?);
    Ok(steps)
}

/// The other members' names and client URLs.
fn others(member: &MemberContext<'_>) -> BTreeMap<HostName, String> {
    let members = member.cluster.members.iter().filter(|(name, _)| *name != member.name);
    members.map(|(name, member)| (name.clone(), member.member.client_url().to_string())).collect()
}

/// All others hold the quorum while this member is down.
pub(crate) fn others_healthy<'p, 'a: 'p>(
    members: impl IntoIterator<Item = (&'p MemberContext<'a>, Option<String>)>,
) -> Guard {
    let clusters = members.into_iter().map(|(member, cluster_id)| {
        let (members, version) = (others(member), member.cluster.version);
        let others = Others { needed: members.len(), members, version, cluster_id };
        (member.cluster.name.clone(), others)
    });
    Guard::OthersHealthy { clusters: clusters.collect() }
}

pub(crate) fn move_leader(member: &MemberContext<'_>) -> Step {
    let note = if member.facts.forbids_us() {
        "etcd's own authentication will refuse it; then the others elect a leader when this one stops"
    } else {
        "the leader restarts last, and hands over first"
    };
    let why = Why::Safety { note: note.to_owned() };
    let kind = StepKind::MoveLeader {
        endpoint: member.wanted.member.loopback_client_url().to_string(),
        others: others(member),
        version: member.cluster.version,
    };
    member.step(Verb::MoveLeader, Action::Run, kind, why)
}

pub(crate) fn rejoin(
    member: &MemberContext<'_>,
    alarms: BTreeSet<String>,
) -> Result<Step, RenderError> {
    let (version, pod) = (member.cluster.version, runtime::pod_identity(member)?);
    Ok(await_return(Verb::Rejoin, member, version, alarms, pod))
}

/// Waits until a member that was down is back, from this version and this pod.
pub(crate) fn await_return(
    verb: Verb,
    member: &MemberContext<'_>,
    version: EtcdVersion,
    alarms: BTreeSet<String>,
    pod: Option<String>,
) -> Step {
    let endpoint = member.wanted.member.loopback_client_url().to_string();
    let kind = StepKind::AwaitRejoin { endpoint, others: others(member), version, alarms, pod };
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
pub(crate) fn is_started(member: &MemberContext<'_>, scope: &Scope<'_>) -> bool {
    !member.facts.is_up() && converge::may_start(member, scope)
}

/// Why the restarts of a cluster can't start now.
fn held(
    view: &View<'_>,
    members: &[MemberContext<'_>],
    candidates: &[Candidate<'_, '_>],
    (policy, scope): (&Policy, &Scope<'_>),
) -> Option<Finding> {
    let cluster = members.first()?.cluster;
    let names: Vec<&str> = candidates.iter().map(|c| c.member.name.as_str()).collect();
    let verb = if names.len() == 1 { "needs" } else { "need" };
    let needs = format!("{} {verb} a restart", names.join(", "));
    let out_of_space = view.now.alarms.iter().any(|alarm| alarm.contains("NOSPACE"));
    let raises_quota = |candidate: &Candidate<'_, '_>| {
        candidate.reasons.iter().any(|reason| reason.is_about("quota-backend-bytes"))
    };
    if out_of_space && !candidates.iter().all(raises_quota) {
        return Some(Finding {
            code: FindingCode::RollUnderAlarm,
            host: None,
            cluster: Some(cluster.name.clone()),
            message: format!("{needs}, but the cluster has a NOSPACE alarm"),
            hint: Some(
                "raise quota-backend-bytes, or compact, run quorate defrag, and disarm first"
                    .into(),
            ),
        });
    }
    if let Some(finding) = runtime::waits_for_kubelet(cluster, candidates.iter().map(|c| c.member))
    {
        return Some(Finding { message: format!("{needs}, but {}", finding.message), ..finding });
    }
    let hosts: Vec<&HostName> = candidates.iter().map(Candidate::host).collect();
    // It restarts first, while all others hold the quorum: waiting for itself, it would wait for ever.
    let mut down =
        candidates.iter().map(Candidate::host).filter(|host| view.now.down.contains_key(*host));
    let alone = down.next().filter(|_| view.now.down.len() == 1);
    waits(view, members, (policy, scope), (&hosts, alone), &needs)
}

/// Why the members on these hosts can't be taken down now. `needs` says what would take them down.
pub(crate) fn waits(
    view: &View<'_>,
    members: &[MemberContext<'_>],
    (policy, scope): (&Policy, &Scope<'_>),
    (hosts, alone): (&[&HostName], Option<&HostName>),
    needs: &str,
) -> Option<Finding> {
    let cluster = members.first()?.cluster;
    let hold = |code, message: String, hint: String| {
        Some(Finding {
            code,
            host: None,
            cluster: Some(cluster.name.clone()),
            message,
            hint: Some(hint),
        })
    };
    if scope.changes == Changes::Stopped {
        return hold(
            FindingCode::RollWaits,
            format!("{needs}, but a blocked finding stops restarts in this cluster"),
            format!("resolve what is blocked for {} above", cluster.name),
        );
    }
    if policy.allow_outage.contains(&cluster.name) {
        return None;
    }
    if view.now.quorum.voters <= 2 {
        return hold(
            FindingCode::NeedsOutage,
            format!("{needs}, and a restart costs this cluster its quorum while it lasts"),
            format!("quorate apply --allow-outage {}", cluster.name),
        );
    }
    let started = |host: &HostName| {
        members.iter().any(|member| member.name == host && is_started(member, scope))
    };
    let unseen = view.unseen.iter().map(|host| format!("{host} is unreachable"));
    let unhealthy = view.now.down.keys().filter(|host| !started(host) && Some(*host) != alone);
    // It may itself be taken down, and nobody else meanwhile.
    let late = view.now.late.iter().filter(|(host, _)| hosts.iter().any(|other| other != host));
    let late = late.map(|(host, (applied, of))| {
        format!("{host} has applied {applied} of {of} entries of the log")
    });
    let unhealthy = unhealthy.map(|host| format!("{host} is not healthy"));
    let missing: Vec<String> = unseen.chain(unhealthy).chain(late).collect();
    if !missing.is_empty() {
        return hold(
            FindingCode::RollWaits,
            format!(
                "{needs}, but {}; quorate never takes a second member down",
                missing.join(", ")
            ),
            format!(
                "bring it back first, or accept an outage: quorate apply --allow-outage {}",
                cluster.name
            ),
        );
    }
    None
}

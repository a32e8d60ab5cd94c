//! The steps that form a cluster: everything on every host first, then all members together, then
//! the proof, then the marks that say it is formed.

use std::collections::BTreeSet;

use inventories::HostName;
use inventories::inventory::Runtime;
use templates::member::{Bootstrap, V2Discovery};
use templates::{BootstrapToken, RenderError};

use crate::decide::bootstrap;
use crate::decide::discovery;
use crate::decide::ensure;
use crate::decide::member_context::MemberContext;
use crate::decide::moving;
use crate::decide::order;
use crate::decide::origin;
use crate::decide::readdress;
use crate::decide::roll;
use crate::decide::runtime;
use crate::plan::{Action, FormationState, Guard, Step, StepId, StepKind, Swap, Verb, Why};
use crate::report::{Finding, FindingCode, PlanReport, QuorumNote};
use crate::stops::Stops;

/// Plans the forming of a cluster whose every host was seen, and that never had a quorum.
/// `after` are the disruptive steps of clusters on the same hosts.
pub(crate) fn steps(
    members: &[MemberContext<'_>],
    after: &BTreeSet<StepId>,
    report: &mut PlanReport,
) -> Result<Vec<Step>, RenderError> {
    let token = chosen_token(members);
    let start_over = must_start_over(members, token)?;
    if start_over && let Some(finding) = unwitnessed(members) {
        let stops = finding.cluster.clone().map(Stops::Cluster);
        report.block(finding, stops);
        return Ok(Vec::new());
    }
    let foreign = if start_over { origin::foreign(members) } else { Vec::new() };
    if !foreign.is_empty() {
        for finding in foreign {
            let stops = finding.cluster.clone().map(Stops::Cluster);
            report.block(finding, stops);
        }
        return Ok(Vec::new());
    }
    let mut steps = Vec::new();
    for member in members {
        steps.extend(prepare(member, token, start_over)?);
        steps.extend(start(member, members, token, start_over)?);
    }
    steps.extend(discovery::open(members, start_over));
    note(members, &steps, start_over, report);
    steps.extend(finalize_all(members, after, report)?);
    let closing = discovery::closing(members, &steps, report);
    steps.extend(closing);
    releases_first(&mut steps);
    Ok(steps)
}

/// An archive that is not what was pinned is found before anything of the cluster is on a host: a
/// release beside others changes nothing.
fn releases_first(steps: &mut [Step]) {
    let is_release = |step: &Step| matches!(step.kind, StepKind::InstallRelease { .. });
    let releases: Vec<StepId> =
        steps.iter().filter(|step| is_release(step)).map(|step| step.id.clone()).collect();
    for step in steps.iter_mut().filter(|step| !is_release(step)) {
        step.after.extend(releases.iter().cloned());
    }
}

/// Plans a member that a stopped bootstrap left unstarted, while the others reached a quorum. `before`
/// is what must have ended before it is restarted, if it is.
pub(crate) fn late(
    member: &MemberContext<'_>,
    all: &[MemberContext<'_>],
    before: &BTreeSet<StepId>,
) -> Result<Vec<Step>, RenderError> {
    let token = chosen_token(all);
    let mut steps = prepare(member, token, false)?;
    if !member.facts.is_up() {
        steps.extend(discovery::open(all, false));
    }
    // The others run: it waits for nothing of theirs.
    steps.extend(start(member, std::slice::from_ref(member), token, false)?);
    steps.push(marker(member, all));
    let finalizing = finalize(member)?.into_iter();
    steps.extend(finalizing.map(|step| match member.runtime() {
        Runtime::Systemd => step,
        Runtime::StaticPod => step.after([member.id(Verb::Marker)]).after(before.iter().cloned()),
    }));
    Ok(steps)
}

/// A log that a pod started, and that can't be resumed. systemd witnesses whether a unit was ever in a quorum;
/// nothing witnesses that for a pod.
fn unwitnessed(members: &[MemberContext<'_>]) -> Option<Finding> {
    let started = members.iter().filter(|member| {
        let layout = member.wanted.member.layout();
        let is_there = |path: String| member.facts.files.get(&path).is_some_and(|f| !f.is_absent());
        let by_unit = is_there(layout.unit_file()) && !is_there(layout.pod_manifest());
        member.facts.has_log() && !by_unit
    });
    let started: Vec<&MemberContext<'_>> = started.collect();
    let first = started.first()?;
    let names: Vec<&str> = started.iter().map(|member| member.name.as_str()).collect();
    let layout = first.wanted.member.layout();
    Some(Finding {
        code: FindingCode::BegunOtherwise,
        host: None,
        cluster: Some(first.cluster.name.clone()),
        message: format!(
            "{} started a bootstrap in pods with other settings, and quorate can't tell whether it ever \
             had a quorum",
            names.join(", ")
        ),
        hint: Some(format!(
            "restore those settings\n\
             or, if nobody has written to the cluster, set it aside on each host: rm {}; wait until etcd \
             has ended; mv {} /root/; rm {}",
            layout.pod_manifest(),
            layout.member_dir(),
            layout.token_file()
        )),
    })
}

/// A stopped bootstrap resumes with what is there, unless that can't become the cluster that is wanted: a log was
/// started with another token or another member list, or a process runs with settings of another inventory.
fn must_start_over(
    members: &[MemberContext<'_>],
    token: Option<&BootstrapToken>,
) -> Result<bool, RenderError> {
    let none_has_log = !members.iter().any(|member| member.facts.has_log());
    for member in members {
        let is_up = member.facts.is_up();
        if is_stuck(member, none_has_log) {
            return Ok(true);
        }
        if !member.facts.has_log() && !is_up {
            continue;
        }
        let Some(token) = token.filter(|token| member.facts.token.known() == Some(token)) else {
            return Ok(true);
        };
        let Some(seen) = member.text() else { return Ok(true) };
        let wanted = member.wanted_text(FormationState::New, Some(token))?;
        if (is_up && wanted != seen) || identity(&wanted) != identity(seen) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A member that a discovery service holds up. One that waits there polls less and less often,
/// up to some minutes apart. And a service of v2 takes a member once: whether it has taken one that is
/// down, nobody here knows.
fn is_stuck(member: &MemberContext<'_>, none_has_log: bool) -> bool {
    let waits = member.facts.is_up() && none_has_log;
    match member.wanted.bootstrap {
        Bootstrap::V3(_) => waits,
        Bootstrap::V2(V2Discovery::Service(_)) => {
            let is_started = member.facts.token.known().is_some();
            waits || (is_started && !member.facts.has_log() && !member.facts.is_up())
        }
        Bootstrap::Static | Bootstrap::DnsSrv(_) | Bootstrap::V2(V2Discovery::Url(_)) => false,
    }
}

/// The settings of a unit or pod that etcd writes into a new member's log.
fn identity(text: &str) -> Vec<&str> {
    let flag = |line: &&str| {
        ["--name=", "--initial-", "--discovery"].iter().any(|flag| line.contains(flag))
    };
    text.lines().map(|line| line.trim().trim_end_matches('\\').trim()).filter(flag).collect()
}

/// All that a new member needs on its host, but what starts it.
pub(crate) fn beside_runtime(member: &MemberContext<'_>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    steps.extend(ensure::register_host(member));
    steps.extend(ensure::account(member));
    steps.extend(ensure::release(member));
    steps.extend(runtime::kubelet(member));
    steps.extend(ensure::directories_of(member));
    steps.extend(ensure::certificates(member, Swap::AtOnce));
    steps
}

/// Everything that a member needs before its cluster starts.
fn prepare(
    member: &MemberContext<'_>,
    token: Option<&BootstrapToken>,
    start_over: bool,
) -> Result<Vec<Step>, RenderError> {
    let mut steps = beside_runtime(member);
    steps.extend(discovery::trust(member));
    let token = if start_over { None } else { token };
    steps.extend(runtime::prepared(member, FormationState::New, token)?);
    Ok(steps)
}

/// The token, and the start: when all of `together` have what they need.
fn start(
    member: &MemberContext<'_>,
    together: &[MemberContext<'_>],
    token: Option<&BootstrapToken>,
    start_over: bool,
) -> Result<Vec<Step>, RenderError> {
    let every =
        |verb: Verb| together.iter().map(|other| other.id(verb.clone())).collect::<Vec<StepId>>();
    let mut steps = Vec::new();
    // Data without a token has no known owner, and was refused.
    let started = !member.facts.token.is_absent();
    if start_over && started {
        let why =
            Why::Safety { note: "it cannot be resumed, and it never had a quorum".to_owned() };
        let step = member.step(Verb::Discard, Action::Delete, StepKind::DiscardBootstrap, why);
        steps.push(step.guarded(Guard::NeverFormed));
    }
    if let Some(from) = member.leftover() {
        let why = Why::Safety { note: "another runtime started it".to_owned() };
        let step = member.step(
            Verb::StopOldRuntime,
            Action::Delete,
            StepKind::StopOldRuntime { from, image: None },
            why,
        );
        steps.push(step.guarded(Guard::NeverFormed));
    }
    if start_over || member.facts.token.known() != token || member.facts.token.is_absent() {
        let action = if started { Action::Replace } else { Action::Create };
        let step = member.step(Verb::Token, action, StepKind::StoreToken, member.why_wanted());
        steps.push(step.guarded(Guard::NeverFormed));
    }
    let apart = !start_over && are_apart(member, together);
    if start_over || apart || !member.facts.is_up() {
        let action = if start_over && started { Action::Replace } else { Action::Run };
        let by = runtime::launch(member, FormationState::New)?;
        // Nothing is left to be replaced.
        let by = if start_over && started { by.from_nothing() } else { by };
        let kind = StepKind::StartMember { by };
        let why = if apart {
            let note =
                "all members run and never had a quorum: one that waits for long is restarted";
            Why::Safety { note: note.to_owned() }
        } else {
            member.why_wanted()
        };
        let step = member.step(Verb::Start, action, kind, why);
        steps.extend(ensure::drop_ins(member));
        steps.push(
            step.guarded(Guard::HasLogOrNeverFormed)
                .after(every(Verb::Unit))
                .after(every(Verb::Token))
                .after(order::every(member.cluster, &Verb::OpenDiscovery))
                .after(runtime::kubelet_for_start(member)),
        );
    }
    Ok(steps)
}

/// Whether all members run as units and wait for each other. What kept them apart (a firewall, a drop-in, a name that
/// did not resolve) may be gone from the host and still be in their processes.
fn are_apart(member: &MemberContext<'_>, together: &[MemberContext<'_>]) -> bool {
    let waits = |other: &MemberContext<'_>| {
        other.facts.unit.known().is_some_and(|unit| unit.active == "activating")
    };
    together.len() == member.cluster.members.len() && together.iter().all(waits)
}

/// The token with which a stopped bootstrap resumes: that of the first host that has one.
pub(crate) fn chosen_token<'a>(members: &[MemberContext<'a>]) -> Option<&'a BootstrapToken> {
    members.iter().find_map(|member| member.facts.token.known())
}

/// The proof, and what it allows: the marker, and a unit or pod that never forms a cluster again.
fn finalize_all(
    members: &[MemberContext<'_>],
    after: &BTreeSet<StepId>,
    report: &mut PlanReport,
) -> Result<Vec<Step>, RenderError> {
    let Some(first) = members.first() else { return Ok(Vec::new()) };
    let prove = prove(first, &BTreeSet::new(), |_| true);
    let mut steps = vec![prove.after(order::every(first.cluster, &Verb::Start))];
    steps.extend(readdress::steps(members));
    let mut before: Vec<StepId> = members.iter().map(|member| member.id(Verb::Marker)).collect();
    before.extend(after.iter().cloned());
    for member in members {
        steps.push(marker(member, members));
        match member.runtime() {
            Runtime::Systemd => steps.extend(finalize(member)?),
            // One after the other: what runs is what the manifest says.
            Runtime::StaticPod => {
                let turn = finalize(member)?.into_iter();
                steps.extend(turn.map(|step| step.after(before.iter().cloned())));
                before = vec![member.id(Verb::Rejoin)];
                // Nobody relies on a new cluster of one or two members yet.
                if members.len() > 2 {
                    report.quorum.push(note_of_restart(member, members.len()));
                }
            }
        }
    }
    Ok(steps)
}

/// Proves the cluster healthy, seen from one member's host, as far as its members can be healthy. Those in `moved`
/// have moved by then.
pub(crate) fn prove(
    from: &MemberContext<'_>,
    moved: &BTreeSet<&HostName>,
    can_be: impl Fn(&HostName) -> bool,
) -> Step {
    let mut endpoints = from.cluster.endpoints_from(from.name);
    if !moving::names(from.cluster).is_empty() {
        let own = endpoints.remove(from.name).filter(|_| moved.contains(from.name));
        endpoints = moving::client_urls(from.cluster, moved);
        endpoints.insert(from.name.clone(), own.unwrap_or_else(|| moving::loopback(from.wanted)));
    }
    endpoints.retain(|name, _| can_be(name));
    let kind = StepKind::ProveHealthy { endpoints, version: from.cluster.version };
    let why = Why::Safety { note: "a process that runs is not yet a cluster".to_owned() };
    from.step(Verb::Prove, Action::Check, kind, why)
}

/// Writes what the cluster is, once that is proven.
pub(crate) fn marker(member: &MemberContext<'_>, all: &[MemberContext<'_>]) -> Step {
    let action = if member.facts.marker.is_absent() { Action::Create } else { Action::Update };
    let kind = StepKind::WriteMarker {
        endpoint: member.wanted.member.loopback_client_url().to_string(),
        version: member.cluster.version,
        formed_by: bootstrap::formed_by(all)
            .unwrap_or_else(|| member.wanted.bootstrap.name().into()),
        revision_floor: all.iter().filter_map(|one| one.facts.revision_floor()).max(),
        replaces: None,
    };
    let step = member.step(Verb::Marker, action, kind, member.why_wanted());
    step.guarded(Guard::HasLog)
}

/// The proof, whichever member's host it is made from.
pub(crate) fn proofs(all: &[MemberContext<'_>]) -> impl Iterator<Item = StepId> {
    all.iter().map(|member| member.id(Verb::Prove))
}

/// The unit or pod that says `existing`. etcd reads these settings only on an empty disk, so that a unit
/// restarts nothing. A pod is another one when anything of it is, so its member is restarted.
pub(crate) fn finalize(member: &MemberContext<'_>) -> Result<Vec<Step>, RenderError> {
    let note = "from now on the member does not start without its log";
    let why = Why::Safety { note: note.to_owned() };
    match member.runtime() {
        Runtime::Systemd => {
            let text = member.unit(FormationState::Existing)?.into_owned();
            let kind = StepKind::WriteUnit { text, formation: FormationState::Existing };
            Ok(vec![
                member.step(Verb::FinalizeUnit, Action::Update, kind, why).guarded(Guard::HasLog),
            ])
        }
        Runtime::StaticPod => roll::finalize(member, why),
    }
}

fn note_of_restart(member: &MemberContext<'_>, members: usize) -> QuorumNote {
    let quorum = crate::quorum::Quorum { voters: members, healthy: members };
    QuorumNote {
        cluster: member.cluster.name.clone(),
        what: format!("restart {}", member.name),
        up: members - 1,
        needed: quorum.size(),
    }
}

fn note(members: &[MemberContext<'_>], steps: &[Step], start_over: bool, report: &mut PlanReport) {
    let Some(first) = members.first() else { return };
    let starts = steps.iter().filter(|step| step.kind.is_start());
    let names: Vec<&str> = starts.map(|step| step.host().as_str()).collect();
    let quorum = crate::quorum::Quorum { voters: members.len(), healthy: members.len() };
    report.quorum.push(QuorumNote {
        cluster: first.cluster.name.clone(),
        what: format!("start {}", names.join(", ")),
        up: members.len(),
        needed: quorum.size(),
    });
    report.clients.push(format!("cluster {} begins to serve", first.cluster.name));
    if start_over {
        report.one_way.push(format!(
            "the unfinished bootstrap of cluster {} is discarded; it never had a quorum, so nobody has \
             written to it; its data is kept in {}",
            first.cluster.name,
            first.wanted.member.layout().archive_dir()
        ));
    }
}

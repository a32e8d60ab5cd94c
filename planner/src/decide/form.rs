//! The steps that form a cluster: everything on every host first, then all members together, then
//! the proof, then the marks that say it is formed.

use std::collections::BTreeSet;

use inventories::HostName;
use inventories::inventory::Runtime;
use templates::member::{Bootstrap, V2Discovery};
use templates::{BootstrapToken, RenderError};

use crate::decide::bootstrap;
use crate::decide::discovery;
use crate::decide::ensure::{self, Place};
use crate::decide::order;
use crate::decide::origin;
use crate::decide::readdress;
use crate::decide::roll;
use crate::decide::runtime;
use crate::plan::{Action, FormationState, Guard, Step, StepId, StepKind, Swap, Verb, Why};
use crate::report::{Finding, PlanReport, QuorumNote};
use crate::stops::Stops;

/// Plans the forming of a cluster whose every host was seen, and that never had a quorum.
/// `after` are the disruptive steps of clusters on the same hosts.
pub(crate) fn steps(
    places: &[Place<'_>],
    after: &BTreeSet<StepId>,
    report: &mut PlanReport,
) -> Result<Vec<Step>, RenderError> {
    let token = chosen_token(places);
    let anew = must_begin_anew(places, token)?;
    if anew && let Some(finding) = unwitnessed(places) {
        let stops = finding.cluster.clone().map(Stops::Cluster);
        report.block(finding, stops);
        return Ok(Vec::new());
    }
    let foreign = if anew { origin::foreign(places) } else { Vec::new() };
    if !foreign.is_empty() {
        for finding in foreign {
            let stops = finding.cluster.clone().map(Stops::Cluster);
            report.block(finding, stops);
        }
        return Ok(Vec::new());
    }
    let mut steps = Vec::new();
    for place in places {
        steps.extend(prepare(place, token, anew)?);
        steps.extend(begin(place, places, token, anew)?);
    }
    steps.extend(discovery::open(places, anew));
    note(places, &steps, anew, report);
    steps.extend(settle(places, after, report)?);
    let closing = discovery::closing(places, &steps, report);
    steps.extend(closing);
    releases_first(&mut steps);
    Ok(steps)
}

/// An archive that is not what was pinned is found before anything of the cluster is on a host: a
/// release beside others changes nothing by itself.
fn releases_first(steps: &mut [Step]) {
    let is_release = |step: &Step| matches!(step.kind, StepKind::InstallRelease { .. });
    let releases: Vec<StepId> =
        steps.iter().filter(|step| is_release(step)).map(|step| step.id.clone()).collect();
    for step in steps.iter_mut().filter(|step| !is_release(step)) {
        step.after.extend(releases.iter().cloned());
    }
}

/// Plans a member that a stopped bootstrap left unstarted, while the others went on to a quorum. `before`
/// is what must have ended before it is restarted, if it is.
pub(crate) fn late(
    place: &Place<'_>,
    all: &[Place<'_>],
    before: &BTreeSet<StepId>,
) -> Result<Vec<Step>, RenderError> {
    let token = chosen_token(all);
    let mut steps = prepare(place, token, false)?;
    if !place.facts.is_up() {
        steps.extend(discovery::open(all, false));
    }
    // The others run: it waits for nothing of theirs.
    steps.extend(begin(place, std::slice::from_ref(place), token, false)?);
    steps.push(marker(place, all));
    let settled = settled(place)?.into_iter();
    steps.extend(settled.map(|step| match place.runtime() {
        Runtime::Systemd => step,
        Runtime::StaticPod => step.after([place.id(Verb::Marker)]).after(before.iter().cloned()),
    }));
    Ok(steps)
}

/// A log that was begun in a pod, and that can't be gone on with. Of a unit systemd witnesses whether it
/// ever was in a quorum; of a pod nobody does.
fn unwitnessed(places: &[Place<'_>]) -> Option<Finding> {
    let begun = places.iter().filter(|place| {
        let layout = place.member.member.layout();
        let is_there = |path: String| place.facts.files.get(&path).is_some_and(|f| !f.is_absent());
        let by_unit = is_there(layout.unit_file()) && !is_there(layout.pod_manifest());
        place.facts.has_log() && !by_unit
    });
    let begun: Vec<&Place<'_>> = begun.collect();
    let first = begun.first()?;
    let names: Vec<&str> = begun.iter().map(|place| place.name.as_str()).collect();
    let layout = first.member.member.layout();
    Some(Finding {
        code: "begun-otherwise",
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

/// A begun bootstrap goes on with what is there, unless what is there can't become the cluster
/// that is wanted: a log was begun with another token or another member list, or a process runs
/// with settings of another inventory.
fn must_begin_anew(
    places: &[Place<'_>],
    token: Option<&BootstrapToken>,
) -> Result<bool, RenderError> {
    let none_has_log = !places.iter().any(|place| place.facts.has_log());
    for place in places {
        let is_up = place.facts.is_up();
        if is_stuck(place, none_has_log) {
            return Ok(true);
        }
        if !place.facts.has_log() && !is_up {
            continue;
        }
        let Some(token) = token.filter(|token| place.facts.token.known() == Some(token)) else {
            return Ok(true);
        };
        let Some(seen) = place.text() else { return Ok(true) };
        let wanted = place.wanted_text(FormationState::New, Some(token))?;
        if (is_up && wanted != seen) || identity(&wanted) != identity(seen) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A member that a discovery service keeps from going on. One that waits there asks less and less often,
/// up to some minutes apart. And a service of v2 takes a member once: whether it has taken one that is
/// down, nobody here knows.
fn is_stuck(place: &Place<'_>, none_has_log: bool) -> bool {
    let waits = place.facts.is_up() && none_has_log;
    match place.member.bootstrap {
        Bootstrap::V3(_) => waits,
        Bootstrap::V2(V2Discovery::Service(_)) => {
            let is_begun = place.facts.token.known().is_some();
            waits || (is_begun && !place.facts.has_log() && !place.facts.is_up())
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

/// Everything that a member needs before its cluster starts.
fn prepare(
    place: &Place<'_>,
    token: Option<&BootstrapToken>,
    anew: bool,
) -> Result<Vec<Step>, RenderError> {
    let mut steps: Vec<Step> = Vec::new();
    steps.extend(ensure::claim(place));
    steps.extend(ensure::account(place));
    steps.extend(ensure::release(place));
    steps.extend(runtime::kubelet(place));
    steps.extend(ensure::directories_of(place));
    steps.extend(ensure::certificates(place, Swap::AtOnce));
    steps.extend(discovery::trust(place));
    let token = if anew { None } else { token };
    steps.extend(runtime::prepared(place, FormationState::New, token)?);
    Ok(steps)
}

/// The token, and the start: when all of `together` have what they need.
fn begin(
    place: &Place<'_>,
    together: &[Place<'_>],
    token: Option<&BootstrapToken>,
    anew: bool,
) -> Result<Vec<Step>, RenderError> {
    let every =
        |verb: Verb| together.iter().map(|other| other.id(verb.clone())).collect::<Vec<StepId>>();
    let mut steps = Vec::new();
    // Data without a token is nobody's that we know, and was refused.
    let begun = !place.facts.token.is_absent();
    if anew && begun {
        let why =
            Why::Safety { note: "it can't be gone on with, and never had a quorum".to_owned() };
        let step = place.step(Verb::Discard, Action::Delete, StepKind::DiscardBootstrap, why);
        steps.push(step.guarded(Guard::NeverFormed));
    }
    if let Some(from) = place.leftover() {
        let why = Why::Safety { note: "another runtime began it".to_owned() };
        let step = place.step(
            Verb::StopOldRuntime,
            Action::Delete,
            StepKind::RetireMember { from, image: None },
            why,
        );
        steps.push(step.guarded(Guard::NeverFormed));
    }
    if anew || place.facts.token.known() != token || place.facts.token.is_absent() {
        let action = if begun { Action::Replace } else { Action::Create };
        let step = place.step(Verb::Token, action, StepKind::StoreToken, place.wanted());
        steps.push(step.guarded(Guard::NeverFormed));
    }
    let apart = !anew && are_apart(place, together);
    if anew || apart || !place.facts.is_up() {
        let action = if anew && begun { Action::Replace } else { Action::Run };
        let by = runtime::launch(place, FormationState::New)?;
        // Nothing is left to be replaced.
        let by = if anew && begun { by.from_nothing() } else { by };
        let kind = StepKind::StartMember { by };
        let why = if apart {
            let note =
                "all members run and never had a quorum: one that waits for long is restarted";
            Why::Safety { note: note.to_owned() }
        } else {
            place.wanted()
        };
        let step = place.step(Verb::Start, action, kind, why);
        steps.extend(ensure::drop_ins(place));
        steps.push(
            step.guarded(Guard::HasLogOrNeverFormed)
                .after(every(Verb::Unit))
                .after(every(Verb::Token))
                .after(order::every(place.cluster, &Verb::OpenDiscovery))
                .after(runtime::kubelet_for_start(place)),
        );
    }
    Ok(steps)
}

/// Whether all members run as units and wait for each other. What kept them apart (a firewall, a drop-in, a name that
/// did not resolve) may be gone from the host and still be in their processes.
fn are_apart(place: &Place<'_>, together: &[Place<'_>]) -> bool {
    let waits = |other: &Place<'_>| {
        other.facts.unit.known().is_some_and(|unit| unit.active == "activating")
    };
    together.len() == place.cluster.members.len() && together.iter().all(waits)
}

/// The token that a begun bootstrap goes on with: the first host's that has one.
pub(crate) fn chosen_token<'a>(places: &[Place<'a>]) -> Option<&'a BootstrapToken> {
    places.iter().find_map(|place| place.facts.token.known())
}

/// The proof, and what it allows: the marker, and a unit or pod that never forms a cluster again.
fn settle(
    places: &[Place<'_>],
    after: &BTreeSet<StepId>,
    report: &mut PlanReport,
) -> Result<Vec<Step>, RenderError> {
    let Some(first) = places.first() else { return Ok(Vec::new()) };
    let mut steps = vec![prove(first, |_| true)];
    steps.extend(readdress::steps(places));
    let mut before: Vec<StepId> = places.iter().map(|place| place.id(Verb::Marker)).collect();
    before.extend(after.iter().cloned());
    for place in places {
        steps.push(marker(place, places));
        match place.runtime() {
            Runtime::Systemd => steps.extend(settled(place)?),
            // One after the other: what runs is what the manifest says.
            Runtime::StaticPod => {
                let turn = settled(place)?.into_iter();
                steps.extend(turn.map(|step| step.after(before.iter().cloned())));
                before = vec![place.id(Verb::Rejoin)];
                // Of two or fewer nobody relies on yet.
                if places.len() > 2 {
                    report.quorum.push(note_of_restart(place, places.len()));
                }
            }
        }
    }
    Ok(steps)
}

/// Proves the cluster healthy, seen from one member's host, as far as its members can be healthy.
pub(crate) fn prove(from: &Place<'_>, can_be: impl Fn(&HostName) -> bool) -> Step {
    let mut endpoints = from.cluster.endpoints_from(from.name);
    endpoints.retain(|name, _| can_be(name));
    let kind = StepKind::ProveHealthy { endpoints, version: from.cluster.version };
    let why = Why::Safety { note: "a process that runs is not yet a cluster".to_owned() };
    from.step(Verb::Prove, Action::Check, kind, why)
}

/// Writes what the cluster is, once that is proven.
pub(crate) fn marker(place: &Place<'_>, all: &[Place<'_>]) -> Step {
    let action = if place.facts.marker.is_absent() { Action::Create } else { Action::Update };
    let kind = StepKind::WriteMarker {
        endpoint: place.member.member.loopback_client_url().to_string(),
        version: place.cluster.version,
        formed_by: bootstrap::formed_by(all)
            .unwrap_or_else(|| place.member.bootstrap.name().into()),
    };
    let step = place.step(Verb::Marker, action, kind, place.wanted());
    step.guarded(Guard::HasLog)
}

/// The proof, whichever member's host it is made from.
pub(crate) fn proofs(all: &[Place<'_>]) -> impl Iterator<Item = StepId> {
    all.iter().map(|place| place.id(Verb::Prove))
}

/// The unit or pod that says `existing`. etcd reads these settings only on an empty disk, so that a unit
/// restarts nothing. A pod is another one when anything of it is, so its member is restarted.
fn settled(place: &Place<'_>) -> Result<Vec<Step>, RenderError> {
    let note = "from now on the member does not start without its log";
    let why = Why::Safety { note: note.to_owned() };
    match place.runtime() {
        Runtime::Systemd => {
            let text = place.unit(FormationState::Existing)?.into_owned();
            let kind = StepKind::WriteUnit { text, formation: FormationState::Existing };
            Ok(vec![
                place.step(Verb::FinalizeUnit, Action::Update, kind, why).guarded(Guard::HasLog),
            ])
        }
        Runtime::StaticPod => roll::settle(place, why),
    }
}

fn note_of_restart(place: &Place<'_>, members: usize) -> QuorumNote {
    let quorum = crate::quorum::Quorum { voters: members, healthy: members };
    QuorumNote {
        cluster: place.cluster.name.clone(),
        what: format!("restart {}", place.name),
        up: members - 1,
        needed: quorum.size(),
    }
}

fn note(places: &[Place<'_>], steps: &[Step], anew: bool, report: &mut PlanReport) {
    let Some(first) = places.first() else { return };
    let starts = steps.iter().filter(|step| step.kind.is_start());
    let names: Vec<&str> = starts.map(|step| step.host().as_str()).collect();
    let quorum = crate::quorum::Quorum { voters: places.len(), healthy: places.len() };
    report.quorum.push(QuorumNote {
        cluster: first.cluster.name.clone(),
        what: format!("start {}", names.join(", ")),
        up: places.len(),
        needed: quorum.size(),
    });
    report.clients.push(format!("cluster {} begins to serve", first.cluster.name));
    if anew {
        report.one_way.push(format!(
            "the unfinished bootstrap of cluster {} is discarded; it never had a quorum, so nobody has \
             written to it; its data is kept in {}",
            first.cluster.name,
            first.member.member.layout().archive_dir()
        ));
    }
}

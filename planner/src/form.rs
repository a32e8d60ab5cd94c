//! The steps that form a cluster: everything on every host first, then all members together, then
//! the proof, then the marks that say it is formed.

use templates::BootstrapToken;
use templates::unit::RenderError;

use crate::ensure::{self, Place};
use crate::facts::Observed;
use crate::plan::{Action, FormationState, Guard, Step, StepId, StepKind, Why};
use crate::readdress;
use crate::report::{PlanReport, QuorumNote};

/// Plans the forming of a cluster whose every host was seen, and that never had a quorum.
pub(crate) fn steps(
    places: &[Place<'_>],
    report: &mut PlanReport,
) -> Result<Vec<Step>, RenderError> {
    let token = chosen_token(places);
    let anew = must_begin_anew(places, token)?;
    let mut steps = Vec::new();
    for place in places {
        steps.extend(prepare(place, token, anew)?);
        steps.extend(begin(place, places, token, anew));
    }
    steps.extend(settle(places)?);
    releases_first(&mut steps);
    note(places, &steps, anew, report);
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

/// Plans a member that a stopped bootstrap left unstarted, while the others went on to a quorum.
pub(crate) fn late(place: &Place<'_>, all: &[Place<'_>]) -> Result<Vec<Step>, RenderError> {
    let token = chosen_token(all);
    let mut steps = prepare(place, token, false)?;
    // The others run: it waits for nothing of theirs.
    steps.extend(begin(place, std::slice::from_ref(place), token, false));
    steps.push(marker(place, all));
    steps.push(settled_unit(place)?.after([place.id("marker")]));
    Ok(steps)
}

/// A begun bootstrap goes on with what is there, unless what is there can't become the cluster
/// that is wanted: a log was begun with another token or another member list, or a process runs
/// with settings of another inventory.
fn must_begin_anew(
    places: &[Place<'_>],
    token: Option<&BootstrapToken>,
) -> Result<bool, RenderError> {
    for place in places {
        let has_log = place.facts.data.known().is_some_and(|data| data.wal);
        let is_up = place.facts.is_up();
        if !has_log && !is_up {
            continue;
        }
        let Some(token) = token.filter(|token| place.facts.token.known() == Some(token)) else {
            return Ok(true);
        };
        let path = place.member.member.layout().unit_file();
        let seen = place.facts.files.get(&path).and_then(Observed::known);
        let Some(seen) = seen.and_then(|file| file.text.as_deref()) else { return Ok(true) };
        let wanted = place.member.unit(FormationState::New)?.bind(token);
        if (is_up && wanted != seen) || identity(&wanted) != identity(seen) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The settings of a unit that etcd writes into a new member's log.
fn identity(unit: &str) -> Vec<&str> {
    let flag = |line: &&str| {
        ["--name=", "--initial-", "--discovery-"].iter().any(|flag| line.contains(flag))
    };
    unit.lines().map(|line| line.trim().trim_end_matches('\\').trim()).filter(flag).collect()
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
    steps.extend(ensure::directories_of(place));
    steps.extend(ensure::certificates(place));
    let token = if anew { None } else { token };
    let unit = ensure::unit(place, FormationState::New, token)?;
    let before = [
        place.id("discard"),
        place.id("certificates"),
        place.id("token"),
        place.host_id(&ensure::release_verb(place.cluster.version)),
    ];
    steps.extend(unit.map(|step| step.after(before)));
    Ok(steps)
}

/// The token, and the start: when all of `together` have what they need.
fn begin(
    place: &Place<'_>,
    together: &[Place<'_>],
    token: Option<&BootstrapToken>,
    anew: bool,
) -> Vec<Step> {
    let every = |verb: &str| together.iter().map(|other| other.id(verb)).collect::<Vec<StepId>>();
    let mut steps = Vec::new();
    let begun = !place.facts.token.is_absent() || !place.facts.data.is_absent();
    if anew && begun {
        let why = Why::Safety {
            note: "it was begun with other settings and never had a quorum".to_owned(),
        };
        let step = place.step("discard", Action::Delete, StepKind::DiscardBootstrap, why);
        steps.push(step.guarded(Guard::NeverFormed));
    }
    if anew || place.facts.token.known() != token || place.facts.token.is_absent() {
        let action = if anew && begun { Action::Replace } else { Action::Create };
        let step = place.step("token", action, StepKind::StoreToken, place.wanted());
        let step = step.guarded(Guard::NeverFormed).after([place.id("directories")]);
        steps.push(step.after(every("discard")));
    }
    if !place.facts.is_up()
        || anew
        || steps.iter().any(|step| matches!(step.kind, StepKind::StoreToken))
    {
        let action = if anew && begun { Action::Replace } else { Action::Run };
        let step = place.step("start", action, StepKind::StartMember, place.wanted());
        steps.extend(ensure::drop_ins(place));
        steps.push(
            step.guarded(Guard::HasLogOrNeverFormed)
                .after(every("unit"))
                .after(every("token"))
                .after([
                    place.id("certificates"),
                    place.id("drop-ins"),
                    place.host_id(&ensure::release_verb(place.cluster.version)),
                ]),
        );
    }
    steps
}

/// The token that a begun bootstrap goes on with: the first host's that has one.
pub(crate) fn chosen_token<'a>(places: &[Place<'a>]) -> Option<&'a BootstrapToken> {
    places.iter().find_map(|place| place.facts.token.known())
}

/// The proof, and what it allows: the marker, and a unit that never forms a cluster again.
fn settle(places: &[Place<'_>]) -> Result<Vec<Step>, RenderError> {
    let Some(first) = places.first() else { return Ok(Vec::new()) };
    let mut steps = vec![prove(first, places)];
    let readdress = readdress::steps(places);
    steps.extend(readdress.into_iter().map(|step| step.after(proofs(places))));
    for place in places {
        steps.push(marker(place, places));
        steps.push(settled_unit(place)?.after([place.id("marker")]));
    }
    Ok(steps)
}

/// Proves the cluster healthy, seen from one member's host.
pub(crate) fn prove(from: &Place<'_>, all: &[Place<'_>]) -> Step {
    let endpoints = from
        .cluster
        .members
        .iter()
        .map(|(name, member)| (name.clone(), member.member.client_url().to_string()))
        .collect();
    let kind = StepKind::ProveHealthy { endpoints, version: from.cluster.version };
    let why = Why::Safety { note: "a process that runs is not yet a cluster".to_owned() };
    from.step("prove", Action::Check, kind, why).after(all.iter().map(|place| place.id("start")))
}

/// Writes what the cluster is, once that is proven.
pub(crate) fn marker(place: &Place<'_>, all: &[Place<'_>]) -> Step {
    let action = if place.facts.marker.is_absent() { Action::Create } else { Action::Update };
    let kind = StepKind::WriteMarker {
        endpoint: place.member.member.client_url().to_string(),
        version: place.cluster.version,
    };
    let step = place.step("marker", action, kind, place.wanted());
    let listed = all.iter().map(|place| place.id("list-by-address"));
    step.guarded(Guard::HasLog).after(proofs(all)).after(listed)
}

/// The proof, whichever member's host it is made from.
pub(crate) fn proofs(all: &[Place<'_>]) -> impl Iterator<Item = StepId> {
    all.iter().map(|place| place.id("prove"))
}

/// The unit that says `existing`. It restarts nothing: etcd reads these settings only on an empty disk.
fn settled_unit(place: &Place<'_>) -> Result<Step, RenderError> {
    let text = place.member.unit(FormationState::Existing)?;
    let kind = StepKind::WriteUnit { text, formation: FormationState::Existing };
    let why =
        Why::Safety { note: "from now on the member does not start without its log".to_owned() };
    Ok(place.step("settle", Action::Update, kind, why).guarded(Guard::HasLog))
}

fn note(places: &[Place<'_>], steps: &[Step], anew: bool, report: &mut PlanReport) {
    let Some(first) = places.first() else { return };
    let starts = steps.iter().filter(|step| step.kind == StepKind::StartMember);
    let names: Vec<&str> = starts.map(|step| step.host.as_str()).collect();
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
            "the begun bootstrap of cluster {} is discarded; it never had a quorum, so nobody has \
             written to it",
            first.cluster.name
        ));
    }
}

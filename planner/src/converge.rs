//! The steps that bring a formed cluster back to what is wanted.

use templates::unit::RenderError;

use crate::assess::View;
use crate::ensure::{self, Place};
use crate::facts::Observed;
use crate::form;
use crate::plan::{Action, FormationState, Guard, Step, StepKind, Why};

/// Plans for the members of a formed cluster whose hosts were seen.
pub(crate) fn steps(view: &View<'_>, places: &[Place<'_>]) -> Result<Vec<Step>, RenderError> {
    let mut steps = Vec::new();
    let mut unmarked = Vec::new();
    for place in places {
        if view.was_member(place.name, place.facts) {
            steps.extend(mend(place)?);
            unmarked.extend(place.facts.marker.is_absent().then_some(place));
        } else {
            steps.extend(form::late(place, places)?);
        }
    }
    let starts = steps.iter().any(|step| step.kind == StepKind::StartMember);
    if (starts || !unmarked.is_empty())
        && let Some(first) = places.first()
    {
        steps.push(form::prove(first, places));
        steps.extend(unmarked.into_iter().map(|place| form::marker(place, places)));
    }
    Ok(steps)
}

fn mend(place: &Place<'_>) -> Result<Vec<Step>, RenderError> {
    let mut steps: Vec<Step> = Vec::new();
    steps.extend(ensure::claim(place));
    steps.extend(ensure::account(place));
    steps.extend(ensure::release(place));
    steps.extend(ensure::directories_of(place));
    steps.extend(ensure::certificates(place));
    let needs = [
        place.id("certificates"),
        place.id("directories"),
        place.host_id(&format!("install-etcd-{}", place.cluster.version)),
    ];
    steps.extend(unit(place)?.map(|step| step.after(needs.clone())));
    let is_down = place.facts.unit.known().is_none_or(|unit| !unit.is_up());
    if is_down && !matches!(place.facts.unit, Observed::Unknown(_)) {
        let why = Why::Drift { changes: vec!["the member does not run".to_owned()] };
        let step = place.step("start", Action::Run, StepKind::StartMember, why);
        steps.push(step.guarded(Guard::HasLog).after(needs).after([place.id("unit")]));
    }
    Ok(steps)
}

/// The unit of a member whose forming was interrupted still says `new`: settling it is what was
/// left to do, not drift.
fn unit(place: &Place<'_>) -> Result<Option<Step>, RenderError> {
    let Some(step) = ensure::unit(place, FormationState::Existing, None)? else { return Ok(None) };
    let path = place.member.member.layout().unit_file();
    let seen = place.facts.files.get(&path).and_then(Observed::known);
    let unsettled = match (seen, place.facts.token.known()) {
        (Some(seen), Some(token)) => {
            seen.text == Some(place.member.unit(FormationState::New)?.bind(token))
        }
        _ => false,
    };
    Ok(Some(if unsettled { Step { why: Why::Unfinished, ..step } } else { step }))
}

//! Units and manifests: how steps write them, and how they remove an old runtime.

use engine::hosts::StepErrorKind;
use inventories::inventory::Runtime;
use planner::Step;
use planner::plan::FormationState;
use templates::{BootstrapToken, Manifest, UnitText};

use super::{Act, NO_IMAGE, changed, failed, member};
use crate::look::ids;
use crate::world::{SimHost, SimMember, is_pod};

pub(super) fn bind(
    text: &UnitText,
    formation: FormationState,
    token: Option<&BootstrapToken>,
) -> String {
    match (formation, token) {
        (FormationState::New, Some(token)) => text.bind(token),
        (FormationState::New, None) => panic!("a unit of a new cluster has no token"),
        (FormationState::Joining | FormationState::Existing, _) => text.as_str().to_owned(),
    }
}

pub(super) fn bind_pod(
    manifest: &Manifest,
    formation: FormationState,
    token: Option<&BootstrapToken>,
    account: Option<u32>,
) -> String {
    let ids = account.map(ids);
    match (formation, token) {
        (FormationState::New, None) => panic!("a pod of a new cluster has no token"),
        (FormationState::New, token) => manifest.bind(token, ids),
        (FormationState::Joining | FormationState::Existing, _) => manifest.bind(None, ids),
    }
}

pub(super) fn is_same_pod(one: &str, other: &str) -> bool {
    let said = |text: &'_ str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    };
    said(one) == said(other)
}

pub(super) fn stop_old_runtime(
    host: &mut SimHost,
    step: &Step,
    from: Runtime,
    image: Option<&str>,
) -> Act {
    let (kubelet, images) = (host.kubelet, host.images);
    let member = member(host, step);
    let runs = |pod: bool| member.process.as_deref().is_some_and(|text| is_pod(text) == pod);
    match from {
        Runtime::Systemd if image.is_some() && !images => failed(NO_IMAGE),
        Runtime::Systemd => {
            let anything = member.unit.is_some() || member.loaded.is_some();
            if runs(false) {
                member.process = None;
            }
            (member.unit, member.loaded, member.loops) = (None, None, None);
            Ok(changed(anything))
        }
        Runtime::StaticPod if runs(true) && !kubelet => {
            Err(StepErrorKind::Guard("kubelet.service does not run".to_owned()))
        }
        Runtime::StaticPod => {
            if runs(true) {
                member.process = None;
            }
            Ok(changed(member.manifest.take().is_some()))
        }
    }
}

pub(super) fn write_unit(
    member: &mut SimMember,
    text: &UnitText,
    formation: FormationState,
    token: Option<&BootstrapToken>,
) -> Act {
    let bound = bind(text, formation, token);
    let loaded = Some((bound.clone(), true));
    let same = member.unit.as_ref() == Some(&bound) && member.loaded == loaded;
    member.unit = Some(bound);
    member.loaded = loaded;
    Ok(changed(!same))
}

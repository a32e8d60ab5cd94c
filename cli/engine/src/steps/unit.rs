//! Steps of a member that systemd runs: its unit, and its start.

use pki::Sha256Digest;
use planner::plan::FormationState;
use remote::{Call, Payload};
use templates::UnitText;

use super::MemberStep;
use super::bootstrap::token;
use crate::hosts::Bindings;
use crate::script::{
    self,
    call::{Arguments, call, guarded},
    failure::Failure,
    guard,
};

pub(crate) fn write_unit(
    step: &MemberStep<'_>,
    text: &UnitText,
    formation: FormationState,
    bindings: &Bindings,
) -> Result<Call, Failure> {
    let layout = &step.layout;
    let text = match formation {
        FormationState::New => text.bind(token(step, bindings)?),
        FormationState::Joining | FormationState::Existing => text.as_str().to_owned(),
    };
    let wanted = Sha256Digest::hash(text.as_bytes()).to_string();
    let args = guard::arguments(step, Some(&wanted))?
        .with("unit", layout.unit_name())
        .with("file", layout.unit_file());
    Ok(call(script::WRITE_UNIT, args, Payload::new().with(text.into_bytes())))
}

pub(crate) fn start_member(step: &MemberStep<'_>, bindings: &Bindings) -> Result<Call, Failure> {
    let layout = &step.layout;
    let token = bindings.tokens.get(step.cluster);
    let token = token.map(ToString::to_string).unwrap_or_default();
    let args = Arguments::new()
        .with("unit", layout.unit_name())
        .with("wal", layout.wal_dir())
        .with("token", token)
        .with("marker", layout.marker())
        .with("witness", layout.quorum_witness())
        .with("restart_due", layout.restart_due());
    guarded(step, script::START_MEMBER, args)
}

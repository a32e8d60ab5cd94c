//! Steps of a bootstrap: its token, and discarding one that never had a quorum.

use remote::{Call, Payload};
use templates::BootstrapToken;

use super::MemberStep;
use super::pods;
use crate::hosts::Bindings;
use crate::script::{
    self,
    call::{Arguments, guarded, patient},
    failure::Failure,
};

pub(crate) fn store_token(step: &MemberStep<'_>, bindings: &Bindings) -> Result<Call, Failure> {
    let token = token(step, bindings)?.to_string();
    let mut call = guarded(
        step,
        script::STORE_TOKEN,
        Arguments::new().with("file", step.layout.token_file()),
    )?;
    call.payload = Payload::new().with(token.into_bytes());
    Ok(call)
}

pub(crate) fn discard_bootstrap(step: &MemberStep<'_>) -> Result<Call, Failure> {
    let layout = &step.layout;
    let args = Arguments::new()
        .with("unit", layout.unit_name())
        .with("data", layout.data_dir())
        .with("token", layout.token_file())
        .with("marker", layout.marker())
        .with("witness", layout.quorum_witness())
        .with("manifest", layout.pod_manifest())
        .with("end_seconds", pods::END)
        .with("kept", layout.kept_manifest());
    Ok(patient(guarded(step, script::DISCARD_BOOTSTRAP, args)?, pods::END))
}

pub(crate) fn token<'a>(
    step: &MemberStep<'_>,
    bindings: &'a Bindings,
) -> Result<&'a BootstrapToken, Failure> {
    let bound = bindings.tokens.get(step.cluster);
    bound.ok_or_else(|| Failure::local("no bootstrap token is bound for the cluster"))
}

//! Steps of a bootstrap: its token, and discarding one that never had a quorum.

use remote::{Call, Payload};
use templates::BootstrapToken;

use super::MemberStep;
use super::pods;
use crate::hosts::Bindings;
use crate::script::{
    self,
    call::{guarded, patient},
    failure::Failure,
};

pub(crate) fn store_token(step: &MemberStep<'_>, bindings: &Bindings) -> Result<Call, Failure> {
    let token = token(step, bindings)?.to_string();
    let mut call = guarded(step, script::STORE_TOKEN, [step.layout.token_file()])?;
    call.payload = Payload::new().with(token.into_bytes());
    Ok(call)
}

pub(crate) fn discard_bootstrap(step: &MemberStep<'_>) -> Result<Call, Failure> {
    let layout = &step.layout;
    let args = [
        layout.unit_name(),
        layout.data_dir(),
        layout.token_file(),
        layout.marker(),
        layout.quorum_witness(),
        layout.pod_manifest(),
        pods::END.to_string(),
        layout.kept_manifest(),
    ];
    Ok(patient(guarded(step, script::DISCARD_BOOTSTRAP, args)?, pods::END))
}

pub(crate) fn token<'a>(
    step: &MemberStep<'_>,
    bindings: &'a Bindings,
) -> Result<&'a BootstrapToken, Failure> {
    let bound = bindings.tokens.get(step.cluster);
    bound.ok_or_else(|| Failure::local("no bootstrap token is bound for the cluster"))
}

//! Steps of a bootstrap: its token, and discarding one that never had a quorum.

use planner::Step;
use remote::{Call, Payload};
use templates::BootstrapToken;

use super::pods;
use crate::hosts::Bindings;
use crate::script::{
    self,
    call::{guarded, patient},
    failure::Failure,
    guard,
};

pub(crate) fn store_token(step: &Step, bindings: &Bindings) -> Result<Call, Failure> {
    let token = token(step, bindings)?.to_string();
    let mut call = guarded(step, script::STORE_TOKEN, [guard::layout(step)?.token_file()])?;
    call.payload = Payload::new().with(token.into_bytes());
    Ok(call)
}

pub(crate) fn discard_bootstrap(step: &Step) -> Result<Call, Failure> {
    let layout = guard::layout(step)?;
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
    step: &Step,
    bindings: &'a Bindings,
) -> Result<&'a BootstrapToken, Failure> {
    let bound = step.cluster().and_then(|cluster| bindings.tokens.get(cluster));
    bound.ok_or_else(|| Failure::local("no bootstrap token is bound for the cluster"))
}

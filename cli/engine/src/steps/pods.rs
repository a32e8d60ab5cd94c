//! Steps of members that run as pods, and of those that go from one runtime to another.

use inventories::inventory::Runtime;
use planner::Step;
use planner::plan::{FormationState, Replaced};
use templates::Manifest;
use templates::layout::{KUBELET_CONFIG, KUBELET_DROP_IN, KUBELET_UNIT, MANIFESTS};

use super::MemberStep;
use super::bootstrap::token;
use crate::hosts::Bindings;
use crate::script::{self, call, failure::Failure, guard};
use remote::{Call, Payload};

/// How long a kubelet may take to start a pod, in seconds: it may have to pull the image first.
const PATIENCE: u64 = 300;
/// And to end one: etcd's own minute, and the kubelet's rounds before and after.
pub(crate) const END: u64 = 120;
/// How long the image may take to be pulled while the member still runs.
const PULL: u64 = 300;

/// Puts a manifest where the kubelet looks, be it the first one or another one.
pub(crate) fn run_pod(
    step: &MemberStep<'_>,
    manifest: &Manifest,
    formation: FormationState,
    replaces: &Replaced,
    bindings: &Bindings,
) -> Result<Call, Failure> {
    let layout = &step.layout;
    let token = match formation {
        FormationState::New => Some(token(step, bindings)?),
        FormationState::Existing => None,
    };
    let mut args = guard::arguments(step, None)?;
    args.extend([
        layout.pod_manifest(),
        layout.data_dir(),
        layout.unit_name(),
        layout.pod_name(),
        manifest.identity().to_owned(),
        match replaces {
            Replaced::Nothing => "absent".to_owned(),
            Replaced::File(sha256) => sha256.clone(),
            Replaced::Manifest(identity) => format!("identity:{identity}"),
        },
        manifest.account().to_string(),
        manifest.account().to_string(),
        PATIENCE.to_string(),
        END.to_string(),
        PULL.to_string(),
        layout.kept_manifest(),
        manifest.image().to_owned(),
    ]);
    let payload = Payload::new().with(manifest.bind(token, None).into_bytes());
    Ok(call::patient(call::call(script::RUN_POD, args, payload), PULL + END + PATIENCE))
}

pub(crate) fn write_manifest(step: &MemberStep<'_>, manifest: &Manifest) -> Result<Call, Failure> {
    let layout = &step.layout;
    let account = manifest.account();
    let args = [layout.pod_manifest(), account.to_string(), account.to_string()];
    let mut call = call::guarded(step, script::WRITE_MANIFEST, args)?;
    call.payload = Payload::new().with(manifest.bind(None, None).into_bytes());
    Ok(call)
}

pub(crate) fn retire_member(
    step: &MemberStep<'_>,
    from: Runtime,
    image: Option<&str>,
) -> Result<Call, Failure> {
    let layout = &step.layout;
    let args = [
        from.as_str().to_owned(),
        layout.unit_name(),
        layout.unit_file(),
        layout.pod_manifest(),
        layout.data_dir(),
        layout.pod_name(),
        END.to_string(),
        layout.kept_manifest(),
        PULL.to_string(),
        image.unwrap_or_default().to_owned(),
    ];
    Ok(call::patient(call::guarded(step, script::RETIRE_MEMBER, args)?, PULL + END))
}

pub(crate) fn standalone_kubelet(
    step: &Step,
    drop_in: &str,
    config: &str,
) -> Result<Call, Failure> {
    let args = [KUBELET_UNIT, KUBELET_DROP_IN, KUBELET_CONFIG, MANIFESTS].map(str::to_owned);
    let mut call = call::guarded(step, script::STANDALONE_KUBELET, args)?;
    call.payload =
        Payload::new().with(drop_in.as_bytes().to_vec()).with(config.as_bytes().to_vec());
    Ok(call)
}

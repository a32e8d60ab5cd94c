//! Steps of members that run as pods, and of those that go from one runtime to another.

use inventories::inventory::Runtime;
use planner::Step;
use planner::facts::UnitFacts;
use planner::plan::{FormationState, Replaced, RunningPod};
use templates::Manifest;
use templates::layout::{KUBELET_CONFIG, KUBELET_DROP_IN, KUBELET_UNIT, MANIFESTS};

use super::MemberStep;
use super::bootstrap::token;
use crate::hosts::Bindings;
use crate::script::{
    self,
    call::{self, Arguments},
    failure::Failure,
    guard,
};
use remote::{Call, Payload};

/// How long a kubelet may take to start a pod, in seconds: it may have to pull the image first.
const PATIENCE: u64 = 300;
/// How long a pod that came up since the plan must run, in seconds, to count as one that stays up.
const SETTLED: u64 = UnitFacts::SETTLED.as_secs();
/// And to end one: etcd's own minute, and the kubelet's rounds before and after.
pub(crate) const END: u64 = 120;
/// How long the image may take to be pulled while the member still runs.
const PULL: u64 = 300;

/// Puts a manifest where the kubelet looks, be it the first one or another one.
pub(crate) fn run_pod(
    step: &MemberStep<'_>,
    manifest: &Manifest,
    formation: FormationState,
    (replaces, running): (&Replaced, RunningPod),
    bindings: &Bindings,
) -> Result<Call, Failure> {
    let layout = &step.layout;
    let token = match formation {
        FormationState::New => Some(token(step, bindings)?),
        FormationState::Joining | FormationState::Existing => None,
    };
    let seen = match replaces {
        Replaced::Nothing => "absent".to_owned(),
        Replaced::File(sha256) => sha256.clone(),
        Replaced::Manifest(identity) => format!("identity:{identity}"),
    };
    let running = match running {
        RunningPod::Ends => "ends",
        RunningPod::Stays => "stays",
    };
    let args = guard::arguments(step, None)?
        .with("manifest", layout.pod_manifest())
        .with("data", layout.data_dir())
        .with("unit", layout.unit_name())
        .with("pod", layout.pod_name())
        .with("identity", manifest.identity())
        .with("seen", seen)
        .with("running", running)
        .with(
            "wal",
            if formation == FormationState::Joining { layout.wal_dir() } else { String::new() },
        )
        .with("settled", SETTLED)
        .with("user", manifest.account())
        .with("group", manifest.account())
        .with("seconds", PATIENCE)
        .with("end_seconds", END)
        .with("pull_seconds", PULL)
        .with("kept", layout.kept_manifest())
        .with("image", manifest.image());
    let payload = Payload::new().with(manifest.bind(token, None).into_bytes());
    Ok(call::patient(call::call(script::RUN_POD, args, payload), PULL + END + PATIENCE + SETTLED))
}

pub(crate) fn write_manifest(step: &MemberStep<'_>, manifest: &Manifest) -> Result<Call, Failure> {
    let layout = &step.layout;
    let account = manifest.account();
    let args = Arguments::new()
        .with("manifest", layout.pod_manifest())
        .with("user", account)
        .with("group", account);
    let mut call = call::guarded(step, script::WRITE_MANIFEST, args)?;
    call.payload = Payload::new().with(manifest.bind(None, None).into_bytes());
    Ok(call)
}

pub(crate) fn stop_old_runtime(
    step: &MemberStep<'_>,
    from: Runtime,
    image: Option<&str>,
) -> Result<Call, Failure> {
    let layout = &step.layout;
    let args = Arguments::new()
        .with("runtime", from.as_str())
        .with("unit", layout.unit_name())
        .with("file", layout.unit_file())
        .with("manifest", layout.pod_manifest())
        .with("data", layout.data_dir())
        .with("pod", layout.pod_name())
        .with("end_seconds", END)
        .with("kept", layout.kept_manifest())
        .with("pull_seconds", PULL)
        .with("image", image.unwrap_or_default());
    Ok(call::patient(call::guarded(step, script::STOP_OLD_RUNTIME, args)?, PULL + END))
}

pub(crate) fn standalone_kubelet(
    step: &Step,
    drop_in: &str,
    config: &str,
) -> Result<Call, Failure> {
    let args = Arguments::new()
        .with("unit", KUBELET_UNIT)
        .with("drop_in", KUBELET_DROP_IN)
        .with("config", KUBELET_CONFIG)
        .with("manifests", MANIFESTS);
    let mut call = call::guarded(step, script::STANDALONE_KUBELET, args)?;
    call.payload =
        Payload::new().with(drop_in.as_bytes().to_vec()).with(config.as_bytes().to_vec());
    Ok(call)
}

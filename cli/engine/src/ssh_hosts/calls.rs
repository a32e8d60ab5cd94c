//! Steps for which one script with values that are known before is all.

use std::time::Duration;

use inventories::AccountName;
use pki::Sha256Digest;
use planner::Step;
use planner::layout::Directory;
use planner::plan::FormationState;
use templates::layout::{DATA_ROOT, NO_LOGIN, SITE_FILE};
use templates::{BootstrapToken, Layout, UnitText};

use super::failure::Failure;
use super::guard;
use super::pods;
use super::script;
use crate::hosts::Bindings;
use remote::{Call, Payload};

/// How long a step may take with the host's disk. A disk under load syncs slowly.
const WORK: Duration = Duration::from_secs(60);
/// The longest answer of such a step: a word, or a journal's end.
pub(super) const MAX_REPLY: usize = 256 * 1024;

/// A call of `script` for a step, its guard's arguments first.
pub(super) fn guarded(
    step: &Step,
    script: &'static str,
    args: impl IntoIterator<Item = String>,
) -> Result<Call, Failure> {
    let mut all = guard::arguments(step, None)?;
    all.extend(args);
    Ok(patient(call(script, all, Payload::new()), guard::patience(step)))
}

/// A call that may take as long as its script says that it waits, and works.
pub(super) fn call(script: &'static str, args: Vec<String>, payload: Payload) -> Call {
    Call { script, args, payload, deadline: WORK + script::waits(script), max_reply: MAX_REPLY }
}

/// The same for a script that is also told how long to wait: so many seconds.
pub(super) fn patient(call: Call, seconds: u64) -> Call {
    Call { deadline: call.deadline + Duration::from_secs(seconds), ..call }
}

pub(super) fn claim_host(step: &Step, site: &str) -> Result<Call, Failure> {
    guarded(step, script::CLAIM_HOST, [SITE_FILE.to_owned(), site.to_owned()])
}

pub(super) fn create_account(step: &Step, name: &AccountName) -> Result<Call, Failure> {
    guarded(step, script::CREATE_ACCOUNT, [name.as_str(), DATA_ROOT, NO_LOGIN].map(str::to_owned))
}

pub(super) fn prepare_directories(step: &Step, all: &[Directory]) -> Result<Call, Failure> {
    let args = all.iter().flat_map(|directory| {
        let Directory { path, mode, owner, group, contents } = directory;
        let contents = contents.as_deref().unwrap_or("-");
        [path.clone(), format!("{mode:o}"), format!("{owner}:{group}"), contents.to_owned()]
    });
    guarded(step, script::PREPARE_DIRECTORIES, args)
}

pub(super) fn store_token(step: &Step, bindings: &Bindings) -> Result<Call, Failure> {
    let token = token(step, bindings)?.to_string();
    let mut call = guarded(step, script::STORE_TOKEN, [guard::layout(step)?.token_file()])?;
    call.payload = Payload::new().with(token.into_bytes());
    Ok(call)
}

pub(super) fn discard_bootstrap(step: &Step) -> Result<Call, Failure> {
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

pub(super) fn write_unit(
    step: &Step,
    text: &UnitText,
    formation: FormationState,
    bindings: &Bindings,
) -> Result<Call, Failure> {
    let layout = guard::layout(step)?;
    let text = match formation {
        FormationState::New => text.bind(token(step, bindings)?),
        FormationState::Existing => text.as_str().to_owned(),
    };
    let wanted = Sha256Digest::of(text.as_bytes()).to_string();
    let mut args = guard::arguments(step, Some(&wanted))?;
    args.extend([layout.unit_name(), layout.unit_file()]);
    Ok(call(script::WRITE_UNIT, args, Payload::new().with(text.into_bytes())))
}

pub(super) fn start_member(step: &Step, bindings: &Bindings) -> Result<Call, Failure> {
    let layout = guard::layout(step)?;
    let token = step.cluster.as_ref().and_then(|cluster| bindings.tokens.get(cluster));
    let token = token.map(ToString::to_string).unwrap_or_default();
    let args =
        [layout.unit_name(), layout.wal_dir(), token, layout.marker(), layout.quorum_witness()];
    guarded(step, script::START_MEMBER, args)
}

/// Only looks: what the member said last.
pub(super) fn read_journal(layout: &Layout) -> Call {
    let mut args = guard::nothing().to_vec();
    args.extend([layout.unit_name(), layout.pod_name()]);
    call(script::READ_JOURNAL, args, Payload::new())
}

pub(super) fn token<'a>(
    step: &Step,
    bindings: &'a Bindings,
) -> Result<&'a BootstrapToken, Failure> {
    let bound = step.cluster.as_ref().and_then(|cluster| bindings.tokens.get(cluster));
    bound.ok_or_else(|| Failure::local("no bootstrap token is bound for the cluster"))
}

//! Steps around the restarts that bring a cluster to another minor.

use std::collections::BTreeMap;

use inventories::{EtcdVersion, HostName, Minor};
use remote::Call;
use templates::layout::ReleaseLayout;

use super::MemberStep;
use crate::script::{
    self,
    call::{Arguments, guarded, patient},
    failure::Failure,
};

/// How long etcd may take to reach a snapshot of its log, in seconds: each entry is synced to the disks of a majority.
const WRITING: u64 = 60 * 60;
/// How many entries may be written for that. Four etcdctl at a time write some hundred in a second.
const MOST_ENTRIES: u64 = 20_000;
/// How long a member may take no write meanwhile, in seconds: others are elected, or its disk is busy.
const PATIENCE: u64 = 60;
/// How long a cluster may take to agree on its version, in seconds. Its leader looks every four.
const AGREEING: u64 = 60;

pub(crate) fn prepare_log(
    step: &MemberStep<'_>,
    endpoint: &str,
    from: EtcdVersion,
    entries: u64,
) -> Result<Call, Failure> {
    let args = Arguments::new()
        .with_etcdctl(&step.layout, from)
        .with("own", endpoint)
        .with("etcdutl", ReleaseLayout::new(from).etcdutl())
        .with("data", step.layout.data_dir())
        .with("minor", from.minor())
        .with("entries", entries)
        .with("most", MOST_ENTRIES)
        .with("seconds", WRITING)
        .with("patience", PATIENCE)
        .with("test_key", "/quorate/log");
    Ok(patient(guarded(step, script::PREPARE_LOG, args)?, WRITING + 2 * PATIENCE))
}

pub(crate) fn note_proof(step: &MemberStep<'_>, to: EtcdVersion) -> Result<Call, Failure> {
    let args = Arguments::new().with("file", step.layout.proof_due()).with("version", to);
    guarded(step, script::NOTE_PROOF, args)
}

pub(crate) fn enable_downgrade(
    step: &MemberStep<'_>,
    endpoints: &BTreeMap<HostName, String>,
    from: EtcdVersion,
    to: Minor,
) -> Result<Call, Failure> {
    let args = Arguments::new()
        .with_etcdctl(&step.layout, from)
        .with("target", to)
        .with("seconds", AGREEING)
        .with_words("endpoints", endpoints.values());
    Ok(patient(guarded(step, script::ENABLE_DOWNGRADE, args)?, AGREEING))
}

pub(crate) fn prove_version(
    step: &MemberStep<'_>,
    endpoints: &BTreeMap<HostName, String>,
    version: EtcdVersion,
) -> Result<Call, Failure> {
    let minor = version.minor();
    let storage = if minor >= Minor::V3_6 { minor.to_string() } else { String::new() };
    let args = Arguments::new()
        .with_etcdctl(&step.layout, version)
        .with("version", version)
        .with("storage", storage)
        .with("due", step.layout.proof_due())
        .with("seconds", AGREEING)
        .with_words("endpoints", endpoints.values());
    Ok(patient(guarded(step, script::PROVE_VERSION, args)?, AGREEING))
}

//! Steps that end an alarm: that the space is used up, or that a member has other data than the others.

use std::collections::{BTreeMap, BTreeSet};

use inventories::{EtcdVersion, HostName};
use planner::plan::{CompactTo, MOST_IN_USE_PERCENT, Quota};
use remote::Call;

use super::MemberStep;
use crate::script::{
    self,
    call::{Arguments, guarded, patient},
    failure::Failure,
};

/// Where API servers keep the revision to which they compacted last.
const REVISION_KEY: &str = "compact_rev_key";
/// What is written to prove that a cluster takes writes again.
const TEST_KEY: &str = "/quorate/disarm";
/// How long a member may take to free its pages, in seconds: a large database on a slow disk.
const COMPACTING: u64 = 600;

pub(crate) fn compact(
    step: &MemberStep<'_>,
    members: &BTreeMap<HostName, String>,
    to: CompactTo,
    version: EtcdVersion,
) -> Result<Call, Failure> {
    let to = match to {
        CompactTo::ApiServers => "api-servers",
        CompactTo::Newest => "newest",
    };
    let args = Arguments::new()
        .with_etcdctl(&step.layout, version)
        .with_words("members", members.values())
        .with("to", to)
        .with("revision_key", REVISION_KEY)
        .with("seconds", COMPACTING);
    let longest = COMPACTING * members.len() as u64;
    Ok(patient(guarded(step, script::COMPACT, args)?, longest))
}

pub(crate) fn compare(
    step: &MemberStep<'_>,
    members: &BTreeMap<HostName, String>,
    clears: &BTreeSet<String>,
    version: EtcdVersion,
) -> Result<Call, Failure> {
    let args = Arguments::new()
        .with_etcdctl(&step.layout, version)
        .with_words("members", members.values())
        .with_words("alarms", clears)
        .with("test_key", TEST_KEY);
    guarded(step, script::COMPARE_DATA, args)
}

pub(crate) fn disarm(
    step: &MemberStep<'_>,
    alarms: &BTreeSet<String>,
    quotas: &BTreeMap<HostName, Quota>,
    version: EtcdVersion,
) -> Result<Call, Failure> {
    let args = Arguments::new()
        .with_etcdctl(&step.layout, version)
        .with_words("alarms", alarms)
        .with_words("members", quotas.values().map(|quota| &quota.endpoint))
        .with_words("quotas", quotas.values().map(|quota| quota.bytes.to_string()))
        .with("percent", MOST_IN_USE_PERCENT)
        .with("test_key", TEST_KEY);
    guarded(step, script::DISARM, args)
}

//! Who applied last and who holds a lock, as parts of JSON documents.

use std::collections::BTreeSet;

use inventories::HostName;
use planner::facts::{Commit, Holder};
use planner::report::{LastApply, LockedHosts};
use schemars::JsonSchema;
use serde::Serialize;

/// The last apply of these hosts.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LastApplyDocument<'a> {
    /// Who remembers it.
    hosts: Vec<&'a str>,
    /// When it began, as RFC 3339 in UTC.
    at: &'a str,
    /// Person and machine.
    by: &'a str,
    /// The first characters of the plan's hash.
    plan: &'a str,
    /// The commit of the inventory, where it was in git.
    commit: Option<&'a str>,
    /// Whether the inventory held more than the commit.
    dirty: bool,
    /// Its result, as the word of its exit code; `unfinished` where it did not end.
    outcome: &'a str,
}

/// Hosts whose lock a run holds.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LockDocument<'a> {
    holder: HolderDocument<'a>,
    hosts: Vec<&'a str>,
}

/// Who holds it.
#[derive(Debug, Serialize, JsonSchema)]
struct HolderDocument<'a> {
    /// Person and machine.
    owner: &'a str,
    /// Since when, as RFC 3339 in UTC.
    since: &'a str,
    /// What for.
    why: &'a str,
}

impl<'a> From<&'a LastApply> for LastApplyDocument<'a> {
    fn from(last: &'a LastApply) -> Self {
        let LastApply { hosts, at, by, plan, commit, dirty, outcome } = last;
        let (hosts, commit) = (names(hosts), commit.as_ref().map(Commit::as_str));
        Self { hosts, at, by, plan, commit, dirty: *dirty, outcome }
    }
}

impl<'a> From<&'a LockedHosts> for LockDocument<'a> {
    fn from(locked: &'a LockedHosts) -> Self {
        let LockedHosts { holder: Holder { owner, since, why }, hosts } = locked;
        Self { holder: HolderDocument { owner, since, why }, hosts: names(hosts) }
    }
}

fn names(hosts: &BTreeSet<HostName>) -> Vec<&str> {
    hosts.iter().map(|host| host.as_str()).collect()
}

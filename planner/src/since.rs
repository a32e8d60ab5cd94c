//! What the hosts remember: who applied last, who is at it now, and what moved since. It is shown and
//! decides nothing, so it is in no hash and no fingerprint.

use std::collections::{BTreeMap, BTreeSet};

use inventories::HostName;

use crate::facts::{Applied, Holder, HostFacts, Observed, SiteFacts};
use crate::fingerprint;
use crate::report::{LastApply, LockedHosts};

/// What changes without anybody touching the host.
const RESTLESS: [&str; 1] = ["leader"];

fn seen<'a>(
    facts: &'a SiteFacts,
    judged: &'a BTreeSet<&'a HostName>,
) -> impl Iterator<Item = (&'a HostName, &'a HostFacts)> {
    facts
        .hosts
        .iter()
        .filter(|(name, _)| judged.contains(name))
        .filter_map(|(name, host)| Some((name, host.known()?)))
}

/// The applies that hosts remember as their last, newest first. Mostly it is one.
pub(crate) fn last_applies(facts: &SiteFacts, judged: &BTreeSet<&HostName>) -> Vec<LastApply> {
    let mut all: Vec<LastApply> = Vec::new();
    for (name, host) in seen(facts, judged) {
        let Observed::Known(applied) = &host.applied else { continue };
        let Applied { format: _, at, by, plan, commit, dirty, outcome, left: _ } = applied;
        match all.iter_mut().find(|last| (&last.at, &last.by, &last.plan) == (at, by, plan)) {
            Some(last) => {
                last.hosts.insert(name.clone());
            }
            None => all.push(LastApply {
                hosts: BTreeSet::from([name.clone()]),
                at: at.clone(),
                by: by.clone(),
                plan: plan.clone(),
                commit: commit.clone(),
                dirty: *dirty,
                outcome: outcome.clone(),
            }),
        }
    }
    // RFC 3339 in UTC sorts as time.
    all.sort_by(|a, b| b.at.cmp(&a.at));
    all
}

/// The holders of the hosts' locks.
pub(crate) fn locked(facts: &SiteFacts, judged: &BTreeSet<&HostName>) -> Vec<LockedHosts> {
    let mut all: BTreeMap<&Holder, BTreeSet<HostName>> = BTreeMap::new();
    for (name, host) in seen(facts, judged) {
        if let Some(holder) = &host.holder {
            all.entry(holder).or_default().insert(name.clone());
        }
    }
    all.into_iter().map(|(holder, hosts)| LockedHosts { holder: holder.clone(), hosts }).collect()
}

/// What an apply leaves on a host, for the host to remember.
pub fn left(name: &HostName, host: &HostFacts) -> BTreeMap<String, String> {
    let mut left = fingerprint::of_host(name.as_str(), host, |_| true);
    left.retain(|key, _| !RESTLESS.iter().any(|word| key.ends_with(&format!(": {word}"))));
    left
}

/// What is no longer as the last apply left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// The differences, one line each; none where nothing moved.
    Known(Vec<String>),
    /// It is not known, for this reason.
    Unknown(String),
}

/// Compares each of these hosts with what its last apply left there. What the inventory of today asks
/// for beyond that is no move.
pub fn moved(facts: &SiteFacts, judged: &BTreeSet<&HostName>) -> BTreeMap<HostName, Moved> {
    let of_host = |name: &HostName, host: &HostFacts| match &host.applied {
        Observed::Known(Applied { left: Some(then), .. }) => {
            let now = left(name, host);
            let asked = now.into_iter().filter(|(key, _)| then.contains_key(key)).collect();
            let both = then.iter().filter(|(key, _)| BTreeMap::contains_key(&asked, *key));
            let then = both.map(|(key, value)| (key.clone(), value.clone())).collect();
            Moved::Known(fingerprint::moved(&then, &asked))
        }
        Observed::Known(_) => Moved::Unknown("the last apply did not finish".to_owned()),
        Observed::Absent => Moved::Unknown("it remembers no apply".to_owned()),
        Observed::Unknown(why) => {
            Moved::Unknown(format!("its record of the last apply can't be read: {why}"))
        }
    };
    facts
        .hosts
        .iter()
        .filter(|(name, _)| judged.contains(name))
        .map(|(name, host)| {
            let moved = match host {
                Observed::Known(host) => of_host(name, host),
                Observed::Absent => Moved::Unknown("it was not observed".to_owned()),
                Observed::Unknown(why) => Moved::Unknown(why.clone()),
            };
            (name.clone(), moved)
        })
        .collect()
}

//! The members of a cluster, by everything that its members report or have: what they list, what they were started with,
//! and what was written for people into their units.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{EtcdFacts, ListedMember, MemberFacts};

/// A member that something names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// Where its peers find it.
    pub(crate) peer_urls: BTreeSet<String>,
    /// Where clients find it, if known.
    pub(crate) client_urls: BTreeSet<String>,
    /// Whether it is known to have no vote.
    pub(crate) learner: bool,
}

/// The members by name. A member that knows a leader knows them; without a leader none does for sure, and each that may be one
/// counts. A member that never started has no name, and goes by its peer URLs.
pub(crate) fn named<'a>(seen: impl Iterator<Item = &'a MemberFacts>) -> BTreeMap<String, Named> {
    let seen: Vec<&MemberFacts> = seen.collect();
    let answers = || seen.iter().filter_map(|own| own.etcd.known());
    let list = |etcd: &'a EtcdFacts| etcd.members.known();
    let mut found = BTreeMap::new();
    if let Some(led) = answers().filter(|etcd| etcd.leader.is_some()).find_map(list) {
        led.iter().for_each(|row| add_row(&mut found, row));
        return found;
    }
    answers().filter_map(list).flatten().for_each(|row| add_row(&mut found, row));
    for own in seen {
        add_text(&mut found, started_with(own));
        own.files.values().filter_map(|file| file.known()?.text.as_deref()).for_each(|text| {
            add_text(&mut found, templates::head::members(text));
        });
    }
    found
}

fn add_row(found: &mut BTreeMap<String, Named>, row: &ListedMember) {
    let name = if row.name.is_empty() { row.peer_urls.join(",") } else { row.name.clone() };
    let one = found.entry(name).or_default();
    one.peer_urls.extend(row.peer_urls.iter().cloned());
    one.client_urls.extend(row.client_urls.iter().cloned());
    one.learner = row.learner;
}

/// Takes in what is written as etcd's own flag has it.
fn add_text(found: &mut BTreeMap<String, Named>, text: Option<&str>) {
    for (name, url) in text.into_iter().flat_map(|text| text.split(',')).filter_map(pair) {
        let url = url.to_owned();
        found.entry(name.to_owned()).or_default().peer_urls.insert(url);
    }
}

fn pair(entry: &str) -> Option<(&str, &str)> {
    entry.split_once('=').filter(|(name, _)| !name.is_empty())
}

fn started_with(own: &MemberFacts) -> Option<&str> {
    own.running.known()?.iter().find_map(|argument| argument.strip_prefix("--initial-cluster="))
}

//! Tokens without chance: worlds that differ in nothing else are one.

use std::collections::{BTreeMap, BTreeSet};

use inventories::ClusterName;
use planner::plan::FormationState;
use templates::BootstrapToken;

use super::site::Site;
use crate::registry::{Registry, begin};
use crate::world::{SimHost, World};

impl Site<'_> {
    /// For each cluster a token that occurs nowhere: the first such one of a fixed row, so that
    /// worlds which differ in nothing but chance are one.
    pub(super) fn fresh_tokens(&self, world: &World) -> BTreeMap<ClusterName, BootstrapToken> {
        let used: BTreeSet<String> = world.hosts.values().flat_map(|host| tokens(host)).collect();
        let fresh = |(index, name): (u8, &ClusterName)| {
            let row =
                (0..=u8::MAX).map(|number| BootstrapToken::from_random([16 * index + number; 16]));
            // A cluster that nobody has any more is still one that clients saw.
            let free = |token: &BootstrapToken| {
                let id = self.id_with(name, token);
                let was =
                    |id: &String| world.lists.contains_key(id) || world.revisions.contains_key(id);
                !used.contains(token.as_str()) && !id.as_ref().is_some_and(was)
            };
            (name.clone(), row.into_iter().find(free).unwrap_or_else(|| panic!("a token is free")))
        };
        (0..).zip(self.command(0).spec.clusters.keys()).map(fresh).collect()
    }

    /// The id of the cluster that a bootstrap with this token forms.
    fn id_with(&self, cluster: &ClusterName, token: &BootstrapToken) -> Option<String> {
        let member = self.command(0).spec.clusters[cluster].members.values().next()?;
        let unit = member.unit(FormationState::New, &Default::default()).ok()?;
        let mut none = Registry::default();
        let log = begin(&unit.bind(token), &self.first.zone, &mut none).ok()??;
        Some(log.cluster_id())
    }
}

/// Every bootstrap token that anything on a host still knows.
fn tokens(host: &SimHost) -> BTreeSet<String> {
    const FLAG: &str = "--initial-cluster-token=";
    let mut tokens = BTreeSet::new();
    for member in host.members.values() {
        let loaded = member.loaded.as_ref().map(|(text, _)| text);
        let texts = member.unit.iter().chain(loaded).chain(&member.manifest).chain(&member.process);
        let named = texts.filter_map(|text| text.split(FLAG).nth(1)?.split_whitespace().next());
        tokens.extend(named.map(str::to_owned));
        tokens.extend(member.token.iter().map(|token| token.as_str().to_owned()));
        tokens.extend(member.restore.iter().map(|record| record.token.as_str().to_owned()));
        let logs = member.log.iter().chain(&member.staged).chain(&member.archived);
        tokens.extend(logs.map(|log| log.token.clone()));
    }
    tokens
}

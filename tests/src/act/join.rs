//! How a member joins a cluster that is formed: it asks the others for their list, and finds itself there.

use std::collections::BTreeSet;

use inventories::ClusterName;
use planner::plan::FormationState;

use crate::log::Log;
use crate::registry::Settings;
use crate::world::World;

/// What the unit or manifest of a member says of its cluster.
pub(crate) fn formation(text: &str) -> FormationState {
    let own = Settings::parse(text);
    let lists_others = own.find("initial-cluster").is_some_and(|list| list.contains(','));
    match own.find("initial-cluster-state") {
        Some("new") => FormationState::New,
        _ if lists_others => FormationState::Joining,
        _ => FormationState::Existing,
    }
}

/// The log of a member that joins by this unit or manifest, or why etcd ends.
pub(super) fn join(text: &str, cluster: &ClusterName, world: &World) -> Result<Log, &'static str> {
    let own = Settings::parse(text);
    let Some(theirs) = world.log_of_quorum(cluster) else {
        return Err("cannot fetch cluster info from peer urls");
    };
    let list = world.list_of(theirs);
    let entries = || own.value("initial-cluster").split(',').filter_map(|e| e.split_once('='));
    if entries().count() != list.len() {
        return Err("error validating peerURLs: member count is unequal");
    }
    let said: BTreeSet<&str> = entries().map(|(_, url)| url).collect();
    let listed: BTreeSet<&str> = list.iter().map(|listed| listed.peer_url.as_str()).collect();
    if said != listed {
        return Err("error validating peerURLs: PeerURLs: no match found for existing member");
    }
    let name = own.value("name");
    let mine = entries().find(|(entry, _)| *entry == name);
    let mine = list.iter().find(|listed| mine.is_some_and(|(_, url)| url == listed.peer_url));
    match mine {
        None => Err("cannot find local etcd member"),
        // etcd takes it for the member that it was: it ends by a panic, or, where the leader changed since, votes
        // without its memory. Here it never gets so far; that it is tried at all is the mistake.
        Some(mine) if mine.has_started() => Err("member has already been bootstrapped"),
        Some(mine) => Ok(theirs.joined(name.to_owned(), mine.id.clone())),
    }
}

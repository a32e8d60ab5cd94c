//! What is on the hosts, in few words: the answer to `hosts`.

use inventories::ClusterName;
use planner::facts::RestorePhase;
use planner::plan::FormationState;

use crate::act::join::formation;
use crate::registry::Settings;
use crate::roster::Listed;
use crate::world::{Log, SimHost, SimMember, World};

/// One line a host, and one a member on it.
pub fn describe(world: &World) -> String {
    let mut out = String::new();
    for (name, host) in &world.hosts {
        out += &format!("{name}: {}\n", of_host(host));
        if host.api_server.is_some() {
            let ready = if world.api_server_is_ready(name) { "ready" } else { "not ready" };
            out += &format!("  API server: {ready}\n");
        }
        for (cluster, member) in &host.members {
            out += &format!("  {cluster}: {}\n", of_member(world, cluster, member));
        }
    }
    out
}

fn of_host(host: &SimHost) -> String {
    let mut words = Vec::new();
    words.extend(host.site.as_ref().map(|site| format!("of site {site}")));
    words.extend(host.accounts.keys().map(|name| match name.is_default() {
        true => "account".to_owned(),
        false => format!("account {name}"),
    }));
    words.extend(host.releases.keys().map(|version| format!("etcd {version}")));
    words.extend((!host.reachable).then(|| "unreachable".to_owned()));
    words.extend((!host.kubelet).then(|| "no kubelet runs".to_owned()));
    listed(&words)
}

fn of_member(world: &World, cluster: &ClusterName, member: &SimMember) -> String {
    let mut words = Vec::new();
    let mut have = |is: bool, word: &str| words.extend(is.then(|| word.to_owned()));
    have(member.directories, "directories");
    have(member.generation.is_some(), "certificates");
    have(member.token.is_some(), "token");
    have(member.discovery_ca.is_some(), "the CA of a discovery service");
    have(member.discovery_password, "a password for it");
    have(member.discovery_note.is_some(), "the note of a record");
    match member.unit.as_deref().map(formation) {
        Some(FormationState::New) => have(true, "unit to form"),
        Some(FormationState::Joining) => have(true, "unit to join"),
        Some(FormationState::Existing) => have(true, "unit of a formed cluster"),
        None => {}
    }
    match member.manifest.as_deref().map(formation) {
        Some(FormationState::New) => have(true, "pod to form"),
        Some(FormationState::Joining) => have(true, "pod to join"),
        Some(FormationState::Existing) => have(true, "pod of a formed cluster"),
        None => {}
    }
    have(member.log.is_some(), "log");
    have(member.process.is_some(), "running");
    have(is_learner(world, cluster, member), "learner");
    have(member.quorum_seen, "had a quorum");
    have(member.marker.is_some(), "marker");
    match member.restore.as_ref().map(|record| record.phase) {
        Some(RestorePhase::Staged) => have(true, "a restore prepared"),
        Some(RestorePhase::SetAside) => have(true, "old data archived for a restore"),
        Some(RestorePhase::Placed) => have(true, "restored data"),
        None => {}
    }
    listed(&words)
}

/// Whether its cluster lists the member as one that has no vote. One that has no log yet is found by its peer URL.
fn is_learner(world: &World, cluster: &ClusterName, member: &SimMember) -> bool {
    let list = world.formed.get(cluster).and_then(|id| world.lists.get(id));
    let id = member.log.as_ref().map(Log::member_id);
    let text = member.unit.as_ref().or(member.manifest.as_ref());
    let own = text.map(|text| Settings::parse(text));
    let url = own.as_ref().and_then(|own| own.find("initial-advertise-peer-urls"));
    let is_it = |listed: &Listed| match &id {
        Some(id) => listed.id == *id,
        None => Some(listed.peer_url.as_str()) == url,
    };
    list.into_iter().flatten().any(|listed| listed.learner && is_it(listed))
}

fn listed(words: &[String]) -> String {
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

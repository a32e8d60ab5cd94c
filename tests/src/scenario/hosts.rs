//! What is on the hosts, in few words: the answer to `hosts`.

use planner::plan::FormationState;

use crate::world::{SimHost, SimMember, World};

/// One line a host, and one a member on it.
pub fn describe(world: &World) -> String {
    let mut out = String::new();
    for (name, host) in &world.hosts {
        out += &format!("{name}: {}\n", of_host(host));
        for (cluster, member) in &host.members {
            out += &format!("  {cluster}: {}\n", of_member(member));
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

fn of_member(member: &SimMember) -> String {
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
        Some(FormationState::Existing) => have(true, "unit of a formed cluster"),
        None => {}
    }
    match member.manifest.as_deref().map(formation) {
        Some(FormationState::New) => have(true, "pod to form"),
        Some(FormationState::Existing) => have(true, "pod of a formed cluster"),
        None => {}
    }
    have(member.log.is_some(), "log");
    have(member.process.is_some(), "running");
    have(member.quorum_seen, "had a quorum");
    have(member.marker.is_some(), "marker");
    listed(&words)
}

fn formation(text: &str) -> FormationState {
    if text.contains("--initial-cluster-state=new") {
        FormationState::New
    } else {
        FormationState::Existing
    }
}

fn listed(words: &[String]) -> String {
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

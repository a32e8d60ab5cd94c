//! What etcd's minors demand of each other: which cluster version members agree on, and which binary starts on which
//! data.

use std::collections::BTreeSet;

use inventories::{ClusterName, EtcdVersion, Minor};
use planner::facts::Observed;

use crate::log::Log;
use crate::look::{arguments, version_in};
use crate::roster::Running;
use crate::world::{SimMember, World};

/// The release that a unit or pod starts.
pub fn release_in(text: &str) -> Option<EtcdVersion> {
    version_in(text)?.parse().ok()
}

fn minor_in(text: &str) -> Option<Minor> {
    release_in(text).map(EtcdVersion::minor)
}

/// Whether two minors are neighbours, or the same.
pub fn are_near(one: Minor, other: Minor) -> bool {
    one.number().abs_diff(other.number()) <= 1
}

/// Why etcd of this text does not start on what is there. Pessimistic: every member of a former minor wrote what a
/// later one can't read, until a newer snapshot of its log.
pub(crate) fn refusal(world: &World, member: &SimMember, text: &str) -> Option<&'static str> {
    let release = release_in(text)?;
    if arguments(text).iter().any(|argument| !is_flag(release, argument)) {
        return Some("flag provided but not defined");
    }
    let log = member.log.as_ref()?;
    let minor = release.minor();
    let agreed = world.versions.get(&log.cluster_id()).copied();
    if agreed.is_some_and(|agreed| minor < agreed) {
        return Some("invalid downgrade; server version is lower than determined cluster version");
    }
    if agreed.is_some_and(|agreed| !are_near(minor, agreed)) {
        return Some("incompatible with current running cluster");
    }
    let unreadable = member.oldest.is_some_and(|oldest| minor > oldest && !are_near(minor, oldest));
    unreadable.then_some("panic: unmarshal should never fail")
}

/// Whether an argument is a flag of the release.
pub(crate) fn is_flag(release: EtcdVersion, argument: &str) -> bool {
    let bare = argument.trim_start_matches('-');
    let (name, _) = bare.split_once('=').unwrap_or((bare, ""));
    templates::flags::all(release).any(|(flag, _, _)| flag == name)
}

impl World {
    /// The members of a cluster agree on the lowest of their minors once all that are listed run, and never go back.
    pub(crate) fn agree(&mut self, quorate: &BTreeSet<(ClusterName, String)>, running: &Running) {
        for key in quorate {
            let Some(hosts) = running.get(key) else { continue };
            if self.lists.get(&key.1).is_none_or(|list| list.len() > hosts.len()) {
                continue;
            }
            let minor = |host| {
                let member = &self.hosts[host].members[&key.0];
                member.process.as_deref().and_then(minor_in)
            };
            let all: BTreeSet<Minor> = hosts.iter().filter_map(minor).collect();
            let (Some(&lowest), Some(&highest)) = (all.first(), all.last()) else { continue };
            // Until the last member is there, a downgrade that was enabled keeps the version down.
            match self.downgrades.get(&key.1) {
                Some(target) if *target != lowest || highest != lowest => continue,
                Some(_) => drop(self.downgrades.remove(&key.1)),
                None => {}
            }
            let agreed = self.versions.entry(key.1.clone()).or_insert(lowest);
            *agreed = lowest.max(*agreed);
        }
        self.remember();
    }

    /// A log begins with records of the minor that starts it; one that joined got a snapshot of the cluster's.
    fn remember(&mut self) {
        let oldest = |member: &SimMember, log: &Log| {
            let agreed = self.versions.get(&log.cluster_id()).copied();
            agreed.or_else(|| member.process.as_deref().and_then(minor_in))
        };
        let changed = |member: &SimMember| match (&member.log, member.oldest) {
            (Some(log), None) => oldest(member, log).map(Some),
            (None, Some(_)) => Some(None),
            (Some(_), Some(_)) | (None, None) => None,
        };
        let mut news = Vec::new();
        for (name, host) in &self.hosts {
            for (cluster, member) in &host.members {
                news.extend(changed(member).map(|oldest| (name.clone(), cluster.clone(), oldest)));
            }
        }
        for (name, cluster, oldest) in news {
            let member = self.hosts.get_mut(&name).and_then(|host| host.members.get_mut(&cluster));
            if let Some(member) = member {
                member.oldest = oldest;
            }
        }
    }

    /// The minor of a member's database, as etcd tells it since 3.6.
    pub(crate) fn storage(&self, member: &SimMember, cluster_id: &str) -> Observed<Minor> {
        self.told(member, self.versions.get(cluster_id))
    }

    /// The minor that the cluster is being downgraded to, as etcd reports it since 3.6.
    pub(crate) fn downgrade(&self, member: &SimMember, cluster_id: &str) -> Observed<Minor> {
        self.told(member, self.downgrades.get(cluster_id))
    }

    /// Nobody turns authentication on in the simulated world. Only members of 3.4 are asked.
    pub(crate) fn authentication(&self, member: &SimMember) -> Observed<bool> {
        let is_asked = member.process.as_deref().and_then(minor_in) == Some(Minor::V3_4);
        if is_asked { Observed::Known(false) } else { Observed::Absent }
    }

    fn told(&self, member: &SimMember, minor: Option<&Minor>) -> Observed<Minor> {
        let tells = member.process.as_deref().and_then(minor_in) >= Some(Minor::V3_6);
        minor.filter(|_| tells).map_or(Observed::Absent, |minor| Observed::Known(*minor))
    }

    /// The minors of the members of a cluster that run.
    pub fn minors(&self, cluster: &ClusterName) -> BTreeSet<Minor> {
        let process = |host: &crate::world::SimHost| {
            host.members.get(cluster)?.process.as_deref().and_then(minor_in)
        };
        self.hosts.values().filter_map(|host| process(host)).collect()
    }
}

//! The members of each cluster, which of them vote, and which run.

use std::collections::{BTreeMap, BTreeSet};

use inventories::{ClusterName, HostName};

use crate::log::Log;
use crate::world::World;

/// One row of a cluster's member list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Listed {
    /// etcd's member id.
    pub id: String,
    /// The member's name; empty until it started.
    pub name: String,
    /// Where the others find it.
    pub peer_url: String,
    /// Whether it only listens, and has no vote.
    pub learner: bool,
}

impl Listed {
    /// Whether a member ever ran under this id.
    pub fn has_started(&self) -> bool {
        !self.name.is_empty()
    }
}

/// Hosts whose member of a cluster runs, by the cluster that its log is of.
pub type Running = BTreeMap<(ClusterName, String), BTreeSet<HostName>>;

impl World {
    /// The list of the cluster that a log is of: before its first quorum, what it is born with.
    pub fn list_of(&self, log: &Log) -> Vec<Listed> {
        let born = |(id, name, url): (String, &str, &str)| Listed {
            id,
            name: name.to_owned(),
            peer_url: url.to_owned(),
            learner: false,
        };
        let list = self.lists.get(&log.cluster_id()).cloned();
        list.unwrap_or_else(|| log.first_members().map(born).collect())
    }

    /// Whether the member with this log was removed from its cluster.
    pub fn is_removed(&self, log: &Log) -> bool {
        let list = self.lists.get(&log.cluster_id());
        list.is_some_and(|list| list.iter().all(|listed| listed.id != log.member_id()))
    }

    /// The running members of each cluster, learners among them.
    pub fn running(&self) -> Running {
        self.running_where(|log| !self.is_removed(log))
    }

    /// The running members of each cluster that have a vote in it.
    pub fn voting(&self) -> Running {
        self.running_where(|log| {
            let list = self.lists.get(&log.cluster_id());
            list.is_none_or(|list| {
                list.iter().any(|listed| listed.id == log.member_id() && !listed.learner)
            })
        })
    }

    fn running_where(&self, counts: impl Fn(&Log) -> bool) -> Running {
        let mut running = Running::new();
        for (host, state) in &self.hosts {
            for (cluster, member) in &state.members {
                if let (Some(process), Some(log)) = (&member.process, &member.log)
                    && counts(log)
                    && self.is_found(state, process, log)
                {
                    let key = (cluster.clone(), log.cluster_id());
                    running.entry(key).or_default().insert(host.clone());
                }
            }
        }
        running
    }

    /// Clusters that have a quorum now: more than half of the listed voters run.
    pub fn quorate(&self) -> BTreeSet<(ClusterName, String)> {
        let voters = |cluster: &ClusterName, hosts: &BTreeSet<HostName>| {
            let log = hosts.first().and_then(|host| self.hosts[host].members[cluster].log.as_ref());
            log.map_or(usize::MAX, |log| match self.lists.get(&log.cluster_id()) {
                Some(list) => list.iter().filter(|listed| !listed.learner).count(),
                None => log.first_members().count(),
            })
        };
        self.voting()
            .into_iter()
            .filter(|((cluster, _), hosts)| hosts.len() > voters(cluster, hosts) / 2)
            .map(|(key, _)| key)
            .collect()
    }

    /// A log of the cluster of a name that has a quorum now.
    pub(crate) fn log_of_quorum(&self, cluster: &ClusterName) -> Option<&Log> {
        let key = self.quorate().into_iter().find(|(name, _)| name == cluster)?;
        let up = self.voting();
        self.hosts[up.get(&key)?.first()?].members[cluster].log.as_ref()
    }

    /// From its first quorum on a cluster has a list of its own, and a member that starts tells it its name.
    pub(crate) fn enlist(&mut self, quorate: &BTreeSet<(ClusterName, String)>, voting: &Running) {
        for key in quorate
            .iter()
            .filter(|(_, id)| !self.lists.contains_key(id))
            .cloned()
            .collect::<Vec<_>>()
        {
            let log =
                voting[&key].first().and_then(|host| self.hosts[host].members[&key.0].log.as_ref());
            if let Some(log) = log {
                let list = self.list_of(log);
                self.lists.insert(key.1, list);
            }
        }
        let lists = &mut self.lists;
        for member in self.hosts.values().flat_map(|host| host.members.values()) {
            let (Some(_), Some(log)) = (&member.process, &member.log) else { continue };
            let list = lists.get_mut(&log.cluster_id()).into_iter().flatten();
            for listed in list.filter(|listed| listed.id == log.member_id()) {
                listed.name.clone_from(&log.name);
            }
        }
    }
}

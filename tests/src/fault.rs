//! What goes wrong with hosts without our doing, and how it ends.

use std::fmt;

use inventories::{ClusterName, HostName};
use proptest::prelude::*;

use crate::invariants::Broken;
use crate::world::{SimHost, World};

/// What may go wrong with a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It is switched off, and its processes end.
    Down,
    /// We can't reach it; its peers can.
    Cut,
    /// It answers too late: what we do there happens and we don't hear of it in time, and what we ask
    /// its members stays without an answer.
    Slow,
    /// The disk under its data directories is lost, and with it the logs.
    DiskLost,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Fault; 4] = [Fault::Down, Fault::Cut, Fault::Slow, Fault::DiskLost];

    /// Whether it can begin on a host that is as this one.
    pub fn can_begin(self, host: &SimHost) -> bool {
        match self {
            Fault::Down | Fault::Cut | Fault::Slow => !host.in_trouble(),
            // What a disk held matters only once a member has promised something.
            Fault::DiskLost => host.members.values().any(|member| member.log.is_some()),
        }
    }
}

/// Any fault.
pub fn faults() -> impl Strategy<Value = Fault> {
    prop::sample::select(&Fault::ALL[..])
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Down => "goes down",
            Fault::Cut => "can't be reached by us",
            Fault::Slow => "answers too late",
            Fault::DiskLost => "loses its data disk",
        })
    }
}

impl World {
    /// A fault begins.
    pub fn strike(&mut self, name: &HostName, fault: Fault) -> Result<(), Broken> {
        self.story.push(format!("{name} {fault}"));
        let Some(host) = self.hosts.get_mut(name) else { return Ok(()) };
        match fault {
            Fault::Down => {
                (host.on, host.reachable) = (false, false);
                host.members.values_mut().for_each(|member| member.process = None);
            }
            Fault::Cut => host.reachable = false,
            Fault::Slow => host.slow = true,
            Fault::DiskLost => {
                for member in host.members.values_mut() {
                    (member.process, member.log, member.staged) = (None, None, None);
                }
            }
        }
        self.elect()
    }

    /// Whatever is wrong with a host ends; one that was down boots.
    pub fn mend(&mut self, name: &HostName) -> Result<(), Broken> {
        self.story.push(format!("{name} is well again"));
        if self.hosts.get(name).is_some_and(|host| !host.on) {
            self.boot(name);
        }
        let Some(host) = self.hosts.get_mut(name) else { return Ok(()) };
        (host.reachable, host.slow) = (true, false);
        self.elect()
    }
}

impl SimHost {
    /// Whether something is wrong with it that can end.
    pub fn in_trouble(&self) -> bool {
        !self.on || !self.reachable || self.slow
    }
}

impl World {
    /// Whether more than half of the voters of a formed cluster can never run again: what they had is gone, or their
    /// host is.
    pub fn has_lost_a_majority(&self) -> bool {
        let has = |cluster: &ClusterName, id: &str| {
            let hosts = self.hosts.iter().filter(|(name, _)| !self.gone.contains(*name));
            let logs = hosts.filter_map(|(_, host)| host.members.get(cluster)?.log.as_ref());
            logs.into_iter().any(|log| log.member_id() == id)
        };
        let is_lost = |(cluster, id): (&ClusterName, &String)| {
            let list = self.lists.get(id).into_iter().flatten();
            let voters: Vec<_> = list.filter(|listed| !listed.learner).collect();
            let left = voters.iter().filter(|voter| has(cluster, &voter.id)).count();
            !voters.is_empty() && left <= voters.len() / 2
        };
        self.formed.iter().any(is_lost)
    }

    /// Whether a member on this host lost its log after it was in a quorum: only a replacement makes another one of it.
    /// One that its cluster no longer lists, and of which nothing is left here, is nobody's.
    pub fn has_lost_a_member(&self, name: &HostName) -> bool {
        let published = |cluster: &ClusterName| {
            let id = self.formed.get(cluster);
            let list = id.and_then(|id| self.lists.get(id)).into_iter().flatten();
            let mut mine = list.filter(|listed| listed.name == name.as_str());
            let was_in = |member: &str| {
                id.is_some_and(|id| self.published.contains_key(&(id.clone(), member.to_owned())))
            };
            mine.any(|listed| was_in(&listed.id))
        };
        let host = self.hosts.get(name);
        host.is_some_and(|host| {
            host.members.iter().any(|(cluster, member)| {
                let took_part = member.quorum_seen || member.marker.is_some() || published(cluster);
                member.log.is_none() && took_part
            })
        })
    }
}

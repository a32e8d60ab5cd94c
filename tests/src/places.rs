//! Where the members of a world are: where their processes listen, and which addresses their hosts have.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use inventories::{ClusterName, HostName};

use crate::log::Log;
use crate::roster::Listed;
use crate::world::{SimHost, World};

/// The value of a flag in a unit or pod.
pub(crate) fn flag<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let value = text.split_once(name)?.1;
    value.split(['"', '\'', '\n', ' ']).next()
}

/// Where clients find the process of a unit or pod.
pub(crate) fn advertised(text: &str) -> Option<&str> {
    flag(text, "--advertise-client-urls=")
}

/// Where the process of a unit or pod listens for peers.
pub(crate) fn listens_for_peers(text: &str) -> Option<SocketAddr> {
    socket(flag(text, "--listen-peer-urls=")?)
}

fn socket(url: &str) -> Option<SocketAddr> {
    url.strip_prefix("https://")?.parse().ok()
}

impl SimHost {
    /// Whether it has the address at which the process of a unit or pod listens for peers.
    pub(crate) fn has_address_for(&self, text: &str) -> bool {
        let listens = || listens_for_peers(text).map(|at| at.ip());
        self.addresses.as_ref().is_none_or(|has| listens().is_none_or(|at| has.contains(&at)))
    }
}

impl World {
    /// Gives a host these addresses, and no others. A process that listens on one that is gone stays, and nobody
    /// reaches it.
    ///
    /// # Panics
    /// Where there is no such host, or the world itself breaks an invariant.
    pub fn renumber(&mut self, name: &HostName, addresses: impl IntoIterator<Item = IpAddr>) {
        let addresses: BTreeSet<IpAddr> = addresses.into_iter().collect();
        self.story.push(format!("{name} has the addresses {addresses:?}"));
        let Some(host) = self.hosts.get_mut(name) else { panic!("there is no host {name}") };
        host.addresses = Some(addresses);
        self.settle();
    }

    /// Whether the others find a member where their list has it. By a name of DNS they do; a member that is alone needs
    /// not be found.
    pub(crate) fn is_found(&self, host: &SimHost, process: &str, log: &Log) -> bool {
        if !host.has_address_for(process) {
            return false;
        }
        let Some(list) = self.lists.get(&log.cluster_id()) else { return true };
        let row = list.iter().find(|listed| listed.id == log.member_id());
        row.is_none_or(|Listed { peer_url, .. }| {
            list.len() == 1
                || socket(peer_url).is_none_or(|at| listens_for_peers(process) == Some(at))
                || flag(process, "--initial-advertise-peer-urls=") == Some(peer_url)
        })
    }

    /// Whether a member serves clients at a URL.
    pub(crate) fn serves_at(&self, host: &HostName, cluster: &ClusterName, url: &str) -> bool {
        let member = self.hosts.get(host).and_then(|host| host.members.get(cluster));
        let process = member.and_then(|member| member.process.as_deref()).unwrap_or_default();
        let listens = flag(process, "--listen-client-urls=").unwrap_or_default();
        advertised(process) == Some(url) || listens.split(',').any(|at| at == url)
    }
}

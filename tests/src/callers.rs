//! Who is connected to members in the simulated world.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use inventories::HostName;
use planner::SiteSpec;
use planner::facts::{Caller, Observed};

use crate::look::source;
use crate::world::World;

impl World {
    /// The clients and peers of the members on a host, as `ss` shows them. Running members connect to each other, and an
    /// API server to every server that it lists.
    pub(crate) fn callers(&self, name: &HostName, spec: &SiteSpec) -> Observed<BTreeSet<Caller>> {
        if spec.firewall.is_none() {
            return Observed::Absent;
        }
        let mut found = BTreeSet::new();
        for cluster in spec.clusters.values() {
            let Some(own) = cluster.members.get(name).map(|wanted| &wanted.member) else {
                continue;
            };
            let Some(member) = self.hosts[name].members.get(&cluster.name) else { continue };
            if member.process.is_none() {
                continue;
            }
            let clients = member.clients.iter().filter_map(|client| client.parse().ok());
            found.extend(clients.map(|from| Caller { port: own.ports.client, from }));
            for (other, host) in self.hosts.iter().filter(|(other, host)| *other != name && host.on)
            {
                let Some(at) = spec.addresses.get(other) else { continue };
                let peer = host.members.get(&cluster.name).and_then(|peer| peer.process.as_ref());
                if peer.is_some() {
                    let from = source(host, own.peer_address, at.peer);
                    found.insert(Caller { port: own.ports.peer, from });
                }
                let api_server = host.api_server.as_ref().and_then(|one| one.process.as_ref());
                if api_server.is_some_and(|text| text.contains(&own.client_url().to_string())) {
                    let from = source(host, own.client_address, at.client);
                    found.insert(Caller { port: own.ports.client, from });
                }
            }
        }
        Observed::Known(found)
    }

    /// From which address a host speaks to the members that it has to do with.
    pub(crate) fn sources(
        &self,
        name: &HostName,
        spec: &SiteSpec,
    ) -> BTreeMap<IpAddr, Observed<IpAddr>> {
        let Some(at) = spec.addresses.get(name) else { return BTreeMap::new() };
        let mut to = BTreeSet::new();
        for cluster in spec.clusters.values() {
            let is_member = cluster.members.contains_key(name);
            let mut served = spec.configured().filter(|(_, one)| one.apiservers.contains(name));
            let is_client = served.any(|(_, one)| one.clusters().any(|used| *used == cluster.name));
            for wanted in cluster.members.values().map(|wanted| &wanted.member) {
                to.extend(is_member.then_some(wanted.peer_address));
                let matters = spec.firewall.is_some() && (is_member || is_client);
                to.extend(matters.then_some(wanted.client_address));
            }
        }
        let from = |to| Observed::Known(source(&self.hosts[name], to, at.peer_listen));
        to.into_iter().map(|to| (to, from(to))).collect()
    }
}

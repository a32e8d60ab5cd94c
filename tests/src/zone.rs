//! DNS in the simulated world, and how etcd forms a cluster by it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use planner::SiteSpec;
use planner::facts::{Names, Observed, Offer};
use planner::spec::ClusterSpec;
use templates::Bootstrap;

/// The records that every host sees.
#[derive(Debug, Clone, Default)]
pub struct Zone {
    /// SRV records by their name.
    pub services: BTreeMap<String, BTreeSet<Offer>>,
    /// Addresses by name.
    pub addresses: BTreeMap<String, BTreeSet<IpAddr>>,
}

impl Zone {
    /// What `quorate dns` would have an operator write.
    pub fn for_site(spec: &SiteSpec) -> Self {
        let mut zone = Self::default();
        for cluster in spec.clusters.values() {
            for (host, member) in &cluster.members {
                let Bootstrap::DnsSrv(dns) = &member.bootstrap else { continue };
                let (target, at) = (dns.target(host), member.member.peer_url().socket());
                zone.addresses.insert(target.clone(), BTreeSet::from([at.ip()]));
                let offers = zone.services.entry(dns.peer_service()).or_default();
                offers.insert(Offer { target, port: at.port() });
            }
        }
        zone
    }

    /// What a host finds out for a cluster that is not formed.
    pub fn names(&self, mut names: Names, cluster: &ClusterSpec) -> Names {
        fn found<T: Clone>(records: &BTreeMap<String, T>, name: &str) -> Observed<T> {
            records.get(name).cloned().map_or(Observed::Absent, Observed::Known)
        }
        for (host, member) in &cluster.members {
            let Bootstrap::DnsSrv(dns) = &member.bootstrap else { continue };
            for service in [dns.peer_service(), dns.plain_peer_service()] {
                let offers = found(&self.services, &service);
                names.services.insert(service, offers);
            }
            let target = dns.target(host);
            names.addresses.insert(target.clone(), found(&self.addresses, &target));
        }
        names
    }

    /// Changes records: what the scenario command `dns` says.
    ///
    /// # Errors
    /// Words that say no change.
    pub fn change(&mut self, words: &[&str]) -> Result<(), String> {
        let of = |name: &str| format!("{name}.lab.test");
        let number = |text: &str| text.parse().map_err(|_| format!("{text} is no port"));
        let offers = self.services.values_mut();
        match *words {
            ["nothing"] => *self = Self::default(),
            ["without", host] => {
                offers.for_each(|all| all.retain(|offer| offer.target != of(host)));
            }
            ["port", host, port] => {
                let offer = Offer { target: of(host), port: number(port)? };
                for all in offers {
                    all.retain(|known| known.target != offer.target);
                    all.insert(offer.clone());
                }
            }
            ["stranger", name, port] => {
                let offer = Offer { target: of(name), port: number(port)? };
                for all in offers {
                    all.insert(offer.clone());
                }
            }
            ["address", host, address] => {
                let address = address.parse().map_err(|_| format!("{address} is no address"))?;
                self.addresses.insert(of(host), BTreeSet::from([address]));
            }
            _ => return Err("no such change of DNS".to_owned()),
        }
        Ok(())
    }

    /// The list of members as etcd makes it of SRV records, or what it says where it can't.
    pub(crate) fn initial_cluster(
        &self,
        service: &str,
        name: &str,
        own: SocketAddr,
    ) -> Result<String, &'static str> {
        let none = Err("error querying DNS SRV records for _etcd-server-ssl");
        let Some(offers) = self.services.get(service).filter(|all| !all.is_empty()) else {
            return none;
        };
        let leads_to = |offer: &Offer, wanted: SocketAddr| {
            let addresses = self.addresses.get(&offer.target);
            offer.port == wanted.port()
                && addresses.is_some_and(|all| all.first() == Some(&wanted.ip()))
        };
        let mine =
            |offer: &&Offer| leads_to(offer, own) && offer.target.split('.').next() == Some(name);
        if !offers.iter().any(|offer| mine(&offer)) {
            return Err("cannot find local etcd member in SRV records");
        }
        let entry = |Offer { target, port }: &Offer| {
            let name = target.split('.').next().unwrap_or_default();
            format!("{name}=https://{target}:{port}")
        };
        Ok(offers.iter().map(entry).collect::<Vec<_>>().join(","))
    }
}

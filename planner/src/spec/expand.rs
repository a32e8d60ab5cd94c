//! An inventory and the CAs beside it, expanded into the desired state.

use std::collections::{BTreeMap, BTreeSet};

use inventories::inventory::{self, Cluster, Host, San};
use inventories::{ClusterName, DiscoveryV2, DiscoveryV3, HostName, Inventory};
use pki::LeafRequest;
use pki::profile::SanError;
use templates::member::{Access, Bootstrap, V2Discovery, V3Discovery};
use templates::{Formation, Member, PeerUrl};

use super::{Addresses, Authorities, ClusterSpec, MemberSpec, ReleaseSpec, SiteSpec};
use crate::facts::Observed;

/// A name of a host can't stand in its certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("host {host}: a name in `sans` or of its domain can't stand in a certificate")]
pub struct ExpandError {
    host: HostName,
    source: SanError,
}

/// Expands an inventory and the CAs beside it into the desired state. Records of formed clusters are put
/// into it by their readers.
pub fn expand(
    inventory: &Inventory,
    authorities: &BTreeMap<ClusterName, Authorities>,
) -> Result<SiteSpec, ExpandError> {
    let mut clusters = BTreeMap::new();
    for (name, cluster) in &inventory.clusters {
        let authorities = authorities.get(name).cloned().unwrap_or_default();
        clusters.insert(name.clone(), expand_cluster(inventory, name, cluster, authorities)?);
    }
    let members = inventory.clusters.values().flat_map(|cluster| &cluster.members);
    let configured = inventory.kubernetes.values().filter(|one| one.is_configured());
    let api_servers = configured.flat_map(|one| &one.apiservers);
    let used: BTreeSet<&HostName> = members.chain(api_servers).collect();
    let bystanders = inventory.hosts.keys().filter(|host| !used.contains(host)).cloned().collect();
    let addresses = |host: &Host| Addresses {
        client: host.address,
        peer: host.peer_address,
        client_listen: host.listen_address,
        peer_listen: host.peer_listen_address,
    };
    let addresses =
        inventory.hosts.iter().map(|(name, host)| (name.clone(), addresses(host))).collect();
    Ok(SiteSpec {
        site: inventory.site.name.clone(),
        order: inventory.site.order.clone(),
        clusters,
        kubernetes: inventory.kubernetes.clone(),
        firewall: inventory.firewall.clone(),
        bystanders,
        addresses,
        release: ReleaseSpec {
            source: inventory.release.source.clone(),
            proxy: inventory.release.proxy.clone(),
            sha256: inventory.release.sha256.clone(),
            image: inventory.release.image.clone(),
        },
    })
}

fn expand_cluster(
    inventory: &Inventory,
    name: &ClusterName,
    cluster: &Cluster,
    authorities: Authorities,
) -> Result<ClusterSpec, ExpandError> {
    let hosts: BTreeMap<&HostName, &Host> =
        cluster.members.iter().filter_map(|name| inventory.hosts.get_key_value(name)).collect();
    let initial_cluster: BTreeMap<HostName, PeerUrl> = hosts
        .iter()
        .map(|(name, host)| ((*name).clone(), PeerUrl::new(host.peer_address, cluster.ports.peer)))
        .collect();
    let flags: BTreeMap<_, _> =
        cluster.flags.iter().map(|(flag, given)| (flag.clone(), given.value.clone())).collect();
    let mut members = BTreeMap::new();
    for (host_name, host) in hosts {
        let member = Member {
            cluster: name.clone(),
            name: host_name.clone(),
            version: cluster.version,
            account: cluster.account.clone(),
            image: inventory.release.image.of(cluster.version),
            client_address: host.address,
            peer_address: host.peer_address,
            client_listen_address: host.listen_address,
            peer_listen_address: host.peer_listen_address,
            ports: cluster.ports,
            metrics: cluster.metrics,
            formation: Formation::Existing { initial_cluster: initial_cluster.clone() },
            flags: flags.clone(),
            systemd: cluster.systemd.clone(),
        };
        let leaves = leaves(&member, &host.sans, &cluster.bootstrap)
            .map_err(|source| ExpandError { host: host_name.clone(), source })?;
        members.insert(
            host_name.clone(),
            MemberSpec {
                member,
                bootstrap: bootstrap(&cluster.bootstrap),
                leaves,
                moves_from: None,
            },
        );
    }
    Ok(ClusterSpec {
        name: name.clone(),
        version: cluster.version,
        way: Vec::new(),
        runtime: cluster.runtime,
        kubelet: cluster.kubelet.clone(),
        members,
        former: BTreeMap::new(),
        client_ca: cluster.client_ca.clone(),
        authorities,
        formed: Observed::Absent,
        place: cluster.place.clone(),
        places: cluster.places.clone(),
    })
}

/// How a member finds the others. Where quorate itself runs the service, the port is chosen
/// when a plan is made: see [`crate::decide::discovery`].
fn bootstrap(wanted: &inventory::Bootstrap) -> Bootstrap {
    match wanted {
        inventory::Bootstrap::Static => Bootstrap::Static,
        inventory::Bootstrap::DnsSrv(dns) => Bootstrap::DnsSrv(dns.clone()),
        inventory::Bootstrap::DiscoveryV3(DiscoveryV3::SelfHosted) => {
            Bootstrap::V3(V3Discovery { endpoints: Vec::new(), access: Access::Own })
        }
        inventory::Bootstrap::DiscoveryV3(DiscoveryV3::Given(service)) => {
            let access = if service.has_tls() {
                let user = service.user.as_ref().map(|user| user.name.clone());
                Access::Tls { own_ca: service.ca.is_some(), user }
            } else {
                Access::Open
            };
            Bootstrap::V3(V3Discovery { endpoints: service.endpoints.clone(), access })
        }
        inventory::Bootstrap::DiscoveryV2(DiscoveryV2::Url(url)) => {
            Bootstrap::V2(V2Discovery::Url(url.clone()))
        }
        inventory::Bootstrap::DiscoveryV2(DiscoveryV2::Service(url)) => {
            Bootstrap::V2(V2Discovery::Service(url.clone()))
        }
    }
}

/// The certificates of a member. Peers check the source address of a connection against the
/// addresses of the peer certificate, so it names every address that the host may speak from.
///
/// Clients that find the members by DNS check the certificates for the domain, or for the name in it.
fn leaves(
    member: &Member,
    sans: &[San],
    bootstrap: &inventory::Bootstrap,
) -> Result<Vec<LeafRequest>, SanError> {
    let (name, addresses) = (&member.name, member.addresses());
    let in_dns = match bootstrap {
        inventory::Bootstrap::DnsSrv(dns) => {
            vec![San::Dns(dns.domain.clone()), San::Dns(dns.target(name))]
        }
        inventory::Bootstrap::Static
        | inventory::Bootstrap::DiscoveryV3(_)
        | inventory::Bootstrap::DiscoveryV2(_) => Vec::new(),
    };
    Ok(vec![
        LeafRequest::server(name, addresses.clone(), sans)?.also_for(&in_dns)?,
        LeafRequest::peer(name, addresses).also_for(&in_dns)?,
        LeafRequest::health_check(),
    ])
}

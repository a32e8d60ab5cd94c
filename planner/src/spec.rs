//! The desired state: the inventory expanded, member by member, with nothing left optional.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use inventories::inventory::{
    self, Arch, Cluster, Host, Kubelet, Place, ReleaseSource, Runtime, San,
};
use inventories::{
    ClusterName, DiscoveryV2, DiscoveryV3, EtcdVersion, HostName, Inventory, SiteName,
};
use pki::profile::SanError;
use pki::{CertFacts, LeafRequest};
use templates::member::{Access, Bootstrap, V2Discovery, V3Discovery};
use templates::{Formation, Manifest, Member, PeerUrl, RenderError, UnitText};

use crate::decide::formed::FormedRecord;
use crate::decide::moving::MovesFrom;
use crate::facts::Observed;
use crate::plan::FormationState;

/// Everything that is wanted of one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteSpec {
    /// The site's name.
    pub site: SiteName,
    /// Clusters by name.
    pub clusters: BTreeMap<ClusterName, ClusterSpec>,
    /// Hosts of the inventory that no cluster uses.
    pub bystanders: BTreeSet<HostName>,
    /// Where each host of the inventory is found, whoever uses it.
    pub addresses: BTreeMap<HostName, Addresses>,
    /// Archives: where from, and their pinned digests.
    pub release: ReleaseSpec,
}

impl SiteSpec {
    /// Where a host of the inventory is found, and where it listens.
    pub fn addresses_of(&self, host: &HostName) -> BTreeSet<IpAddr> {
        let all = |at: &Addresses| [at.client, at.peer, at.client_listen, at.peer_listen];
        self.addresses.get(host).map(all).into_iter().flatten().collect()
    }

    /// Every host that a cluster uses.
    pub fn hosts(&self) -> BTreeSet<&HostName> {
        self.clusters.values().flat_map(|cluster| cluster.members.keys()).collect()
    }
}

/// Where a host is found, and where its members listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// Where clients and the other hosts reach its members.
    pub client: IpAddr,
    /// Where the other members reach them.
    pub peer: IpAddr,
    /// Where they listen for clients.
    pub client_listen: IpAddr,
    /// Where they listen for the other members.
    pub peer_listen: IpAddr,
}

/// Where release archives come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseSpec {
    /// URL or path with placeholders.
    pub source: ReleaseSource,
    /// The proxy through which hosts download.
    pub proxy: Option<String>,
    /// Pinned digests.
    pub sha256: BTreeMap<(EtcdVersion, Arch), String>,
}

impl ReleaseSpec {
    /// The source of one archive, placeholders filled in.
    pub fn archive(&self, version: EtcdVersion, arch: Arch) -> ReleaseSource {
        let fill = |text: &str| {
            text.replace("{version}", &version.to_string()).replace("{arch}", arch.as_str())
        };
        match &self.source {
            ReleaseSource::Url(url) => ReleaseSource::Url(fill(url)),
            ReleaseSource::Path(path) => ReleaseSource::Path(fill(path)),
        }
    }
}

/// What is wanted of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSpec {
    /// Its name.
    pub name: ClusterName,
    /// The release that every member runs.
    pub version: EtcdVersion,
    /// What keeps members running.
    pub runtime: Runtime,
    /// The kubelet that is to stand alone on its hosts, where that is quorate's to see to.
    pub kubelet: Option<Kubelet>,
    /// Members by host.
    pub members: BTreeMap<HostName, MemberSpec>,
    /// Members that it no longer names and that are still there, as quorate set them up: see
    /// [`SiteFacts::leaving`](crate::SiteFacts::leaving). An inventory alone has none.
    pub(crate) former: BTreeMap<HostName, MemberSpec>,
    /// The cluster whose client CA signs here.
    pub client_ca: ClusterName,
    /// The public halves of its CAs, as they lie beside the inventory.
    pub authorities: Authorities,
    /// What is recorded beside the inventory of the cluster's forming.
    pub formed: Observed<FormedRecord>,
    /// Where the cluster is declared.
    pub place: Place,
    /// Where its settings are written.
    pub places: BTreeMap<String, Place>,
}

impl ClusterSpec {
    /// The members' client URLs for a program on one of their hosts. Its own member it asks at the loopback
    /// address: where NAT leads others to it, the host itself may not get through.
    pub fn endpoints_from(&self, host: &HostName) -> BTreeMap<HostName, String> {
        let url = |(name, spec): (&HostName, &MemberSpec)| {
            let member = &spec.member;
            let own = name == host;
            let url = if own { member.loopback_client_url() } else { member.client_url() };
            (name.clone(), url.to_string())
        };
        self.members.iter().map(url).collect()
    }

    /// A member of this cluster as it is set up on a host of these addresses.
    pub(crate) fn member_on(&self, host: &HostName, addresses: &Addresses) -> Option<MemberSpec> {
        let any = self.members.values().next()?;
        let member = Member {
            name: host.clone(),
            client_address: addresses.client,
            peer_address: addresses.peer,
            client_listen_address: addresses.client_listen,
            peer_listen_address: addresses.peer_listen,
            ..any.member.clone()
        };
        // It gets no certificate any more.
        let bootstrap = any.bootstrap.clone();
        Some(MemberSpec { member, bootstrap, leaves: Vec::new(), moves_from: None })
    }

    /// Where a setting is written; the cluster's own place where it is a default.
    pub fn place_of(&self, setting: &str) -> &Place {
        self.places.get(setting).unwrap_or(&self.place)
    }
}

/// What is wanted of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberSpec {
    /// What its unit or pod is rendered from, as a member of a formed cluster.
    pub member: Member,
    /// How it finds the others while its cluster is formed; no later unit says so.
    pub bootstrap: Bootstrap,
    /// Its certificates.
    pub leaves: Vec<LeafRequest>,
    /// Where it is until it moves to where it is wanted: see [`crate::decide::moving`]. An inventory alone has nobody
    /// who moves.
    pub(crate) moves_from: Option<MovesFrom>,
}

impl MemberSpec {
    /// The unit that it runs under, for a cluster that is formed already or not yet. `lacks` are the
    /// directives that its host can't have, each with the reason; the operator's own reason goes first.
    pub fn unit(
        &self,
        state: FormationState,
        lacks: &BTreeMap<String, String>,
    ) -> Result<UnitText, RenderError> {
        let mut member = self.in_state(state);
        for (directive, reason) in lacks {
            member.systemd.without.entry(directive.clone()).or_insert_with(|| reason.clone());
        }
        templates::unit::render(&member)
    }

    /// The pod that it runs in, for a cluster that is formed already or not yet.
    pub fn pod(&self, state: FormationState) -> Result<Manifest, RenderError> {
        Manifest::of(&self.in_state(state))
    }

    fn in_state(&self, state: FormationState) -> Member {
        let initial_cluster = self.member.formation.initial_cluster().clone();
        let formation = match state {
            FormationState::New => {
                Formation::New { initial_cluster, bootstrap: self.bootstrap.clone() }
            }
            FormationState::Joining => Formation::Joining { initial_cluster },
            FormationState::Existing => Formation::Existing { initial_cluster },
        };
        Member { formation, ..self.member.clone() }
    }
}

/// The public halves of a cluster's CAs. `None` where the inventory's `pki` folder has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Authorities {
    /// Signs peer certificates.
    pub peer: Option<Authority>,
    /// Signs server and client certificates; another cluster's where `client-ca` says so.
    pub client: Option<Authority>,
    /// The CA of the discovery service by which the cluster is formed, as PEM.
    pub discovery: Option<String>,
}

/// The public half of one CA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Its certificate.
    pub pem: String,
    /// What the certificate says.
    pub facts: CertFacts,
}

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
    let used: BTreeSet<&HostName> =
        inventory.clusters.values().flat_map(|cluster| &cluster.members).collect();
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
        clusters,
        bystanders,
        addresses,
        release: ReleaseSpec {
            source: inventory.release.source.clone(),
            proxy: inventory.release.proxy.clone(),
            sha256: inventory.release.sha256.clone(),
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

/// How a member is told to find the others. Where quorate itself runs the service, the port is chosen
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
/// Who finds the members by DNS checks the certificates for the domain, or for the name in it.
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

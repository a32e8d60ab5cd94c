//! The desired state: the inventory expanded, member by member, with nothing left optional.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use inventories::inventory::{self, Arch, Kubelet, Place, ReleaseSource, Runtime};
use inventories::{
    ClusterName, EtcdVersion, Firewall, HostName, Kubernetes, KubernetesName, SiteName,
};
use pki::{CertFacts, LeafRequest};
use templates::member::Bootstrap;
use templates::{Formation, Manifest, Member, RenderError, UnitText};

use crate::decide::formed::FormedRecord;
use crate::decide::moving::MovesFrom;
use crate::facts::Observed;
use crate::plan::FormationState;

mod expand;

pub use expand::{ExpandError, expand};

/// Everything that is wanted of one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteSpec {
    /// The site's name.
    pub site: SiteName,
    /// Clusters that get a change before those behind them, and before all that are not named here.
    pub order: Vec<ClusterName>,
    /// Clusters by name.
    pub clusters: BTreeMap<ClusterName, ClusterSpec>,
    /// Kubernetes clusters by name.
    pub kubernetes: BTreeMap<KubernetesName, Kubernetes>,
    /// Who may connect to etcd's ports; `None` where the inventory does not say.
    pub firewall: Option<Firewall>,
    /// Hosts of the inventory that no cluster and no API server uses.
    pub bystanders: BTreeSet<HostName>,
    /// Where each host of the inventory is found, whichever cluster uses it.
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

    /// The releases that a cluster may run: what it wants, and on its way there the newest that is pinned of each
    /// other minor.
    pub fn releases(&self) -> BTreeSet<EtcdVersion> {
        let wanted: BTreeSet<_> = self.clusters.values().map(|cluster| cluster.version).collect();
        let pinned = self.release.sha256.keys().map(|(version, _)| *version);
        let newest: BTreeMap<_, _> = pinned.map(|version| (version.minor(), version)).collect();
        let is_other =
            |version: &EtcdVersion| wanted.iter().any(|one| one.minor() != version.minor());
        let stops: BTreeSet<_> = newest.into_values().filter(is_other).collect();
        &wanted | &stops
    }

    /// Which cluster's turn comes when: those of the same number have theirs together.
    pub fn turn_of(&self, cluster: &ClusterName) -> usize {
        self.order.iter().position(|name| name == cluster).unwrap_or(self.order.len())
    }

    /// Every host that a cluster uses, or an API server that quorate configures.
    pub fn hosts(&self) -> BTreeSet<&HostName> {
        let members = self.clusters.values().flat_map(|cluster| cluster.members.keys());
        members.chain(self.api_servers()).collect()
    }

    /// The hosts of the API servers that quorate configures.
    pub fn api_servers(&self) -> impl Iterator<Item = &HostName> {
        self.configured().flat_map(|(_, one)| &one.apiservers)
    }

    /// The Kubernetes clusters whose API servers quorate configures.
    pub fn configured(&self) -> impl Iterator<Item = (&KubernetesName, &Kubernetes)> {
        self.kubernetes.iter().filter(|(_, one)| one.is_configured())
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
    /// What pods are made of.
    pub image: inventory::Image,
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
    /// The farthest release that a member runs now, and those to go through, `version` the first of them; empty where all
    /// run its minor. An inventory alone has none: see [`crate::decide::upgrade`].
    pub(crate) way: Vec<EtcdVersion>,
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
    /// How it finds the others while its cluster is formed; no later unit has it.
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
        Manifest::for_member(&self.in_state(state))
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
    /// Signs server and client certificates; another cluster's where `client-ca` names one.
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

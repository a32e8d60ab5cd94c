//! Inventories: a plain one, and generated ones.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use inventories::discovery::{V3Service, V3User};
use inventories::inventory::{
    Arch, Bootstrap, CgroupDriver, Cluster, Flag, FlagValue, Host, Image, Kubelet, MetricsListener,
    PkiSettings, Place, Ports, Release, ReleaseSource, Runtime, Site, Ssh, SshConfig,
};
use inventories::{
    AccountName, ClusterName, DiscoveryV2, DiscoveryV3, DnsSrv, EtcdVersion, Firewall, HostName,
    Inventory, Minor, SiteName,
};
use pki::{CaKind, CertificateAuthority};
use planner::policy::{RestoreRequest, RestoreSource};
use planner::spec::{Authorities, Authority};
use planner::{SiteSpec, expand};
use proptest::prelude::*;
use time::OffsetDateTime;
use time::macros::datetime;

use crate::world::{AuthorityPair, World};
use crate::zone::Zone;

/// The operator's clock in every story.
pub const NOW: OffsetDateTime = datetime!(2026-11-23 03:00 UTC);

/// What a generated site looks like.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Names of hosts, in the order of their addresses.
    pub hosts: Vec<String>,
    /// For each cluster, how many of the hosts it uses.
    pub clusters: Vec<usize>,
    /// The release that all of them run.
    pub version: EtcdVersion,
    /// Whether the hosts have IPv6 addresses.
    pub ipv6: bool,
    /// The operator's flag, where there is one.
    pub quota: Option<i64>,
    /// How the members of the clusters find each other.
    pub way: Way,
    /// What runs the members.
    pub runtime: Runtime,
    /// How the kubelets stand alone, where quorate sees to them.
    pub kubelet: Option<CgroupDriver>,
}

/// How members find each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By the list.
    Static,
    /// By SRV records.
    Dns,
    /// By an etcd that lets everybody in.
    V3,
    /// By an etcd that asks for a user, and has a CA of its own.
    V3User,
    /// By an etcd that quorate runs.
    SelfHosted,
    /// By a service of the old protocol, which makes the URL.
    V2,
}

impl Way {
    /// Every way.
    pub const ALL: [Way; 6] =
        [Way::Static, Way::Dns, Way::V3, Way::V3User, Way::SelfHosted, Way::V2];

    /// Whether an inventory may ask for it.
    fn fits(self, version: EtcdVersion, runtime: Runtime) -> bool {
        match self {
            Way::Static | Way::Dns => true,
            Way::V3 | Way::SelfHosted => version.minor() >= DiscoveryV3::SINCE,
            Way::V3User => version.minor() >= DiscoveryV3::SINCE && runtime == Runtime::Systemd,
            Way::V2 => version.minor() <= DiscoveryV2::UNTIL,
        }
    }

    fn bootstrap(self, number: usize) -> Bootstrap {
        let service = |scheme: &str| V3Service {
            endpoints: vec![format!("{scheme}://10.77.0.1:8079")],
            ca: None,
            user: None,
        };
        match self {
            Way::Static => Bootstrap::Static,
            Way::Dns => Bootstrap::DnsSrv(DnsSrv {
                domain: "lab.test".to_owned(),
                service_name: Some(cluster(number).to_string()),
            }),
            Way::V3 => Bootstrap::DiscoveryV3(DiscoveryV3::Given(service("http"))),
            Way::V3User => Bootstrap::DiscoveryV3(DiscoveryV3::Given(V3Service {
                ca: Some("discovery-ca.pem".into()),
                user: Some(V3User {
                    name: "quorate".to_owned(),
                    password_file: "discovery-password".into(),
                }),
                ..service("https")
            })),
            Way::SelfHosted => Bootstrap::DiscoveryV3(DiscoveryV3::SelfHosted),
            Way::V2 => {
                Bootstrap::DiscoveryV2(DiscoveryV2::Service("http://10.77.0.1:8087".to_owned()))
            }
        }
    }
}

/// Shapes of one or two clusters of 1, 3 or 5 members on up to five hosts.
pub fn shapes() -> impl Strategy<Value = Shape> {
    let version = prop_oneof![
        Just(EtcdVersion::new(Minor::V3_4, 23)),
        Just(EtcdVersion::new(Minor::V3_5, 35)),
        Just(EtcdVersion::new(Minor::V3_6, 16)),
        Just(EtcdVersion::new(Minor::V3_7, 3)),
    ];
    let sizes = prop::collection::vec(prop_oneof![Just(1_usize), Just(3), Just(5)], 1..=2);
    let names = prop::collection::btree_set("[a-z][a-z0-9]{0,5}", 5).prop_map(Vec::from_iter);
    (
        names.prop_shuffle(),
        sizes,
        version,
        any::<bool>(),
        prop::option::of(1_i64..1 << 33),
        prop::sample::select(&Way::ALL[..]),
        prop_oneof![
            Just((Runtime::Systemd, None)),
            Just((Runtime::StaticPod, None)),
            Just((Runtime::StaticPod, Some(CgroupDriver::Cgroupfs))),
        ],
    )
        .prop_map(|(hosts, clusters, version, ipv6, quota, way, (runtime, kubelet))| Shape {
            hosts,
            clusters,
            version,
            ipv6,
            quota,
            way: if way.fits(version, runtime) { way } else { Way::Static },
            runtime,
            kubelet,
        })
}

/// A site of one cluster of so many members, as most stories want it.
pub fn plain(members: usize) -> Shape {
    Shape {
        hosts: (1..=members).map(|number| format!("etcd-{number}")).collect(),
        clusters: vec![members],
        version: EtcdVersion::new(Minor::V3_6, 16),
        ipv6: false,
        quota: None,
        way: Way::Static,
        runtime: Runtime::Systemd,
        kubelet: None,
    }
}

/// A name that is known to be one.
pub fn host(name: &str) -> HostName {
    HostName::new(name).unwrap_or_else(|error| panic!("{name} {error}"))
}

/// The name of the cluster with this number.
pub fn cluster(number: usize) -> ClusterName {
    ClusterName::new(&format!("c{number}")).unwrap_or_else(|error| panic!("c{number} {error}"))
}

impl Shape {
    /// The inventory of this shape.
    pub fn inventory(&self) -> Inventory {
        let address = |index: usize| {
            let last = u16::try_from(index + 11).unwrap_or(u16::MAX);
            if self.ipv6 {
                IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, last))
            } else {
                IpAddr::V4(Ipv4Addr::new(10, 77, 0, u8::try_from(last).unwrap_or(u8::MAX)))
            }
        };
        let hosts = self
            .hosts
            .iter()
            .enumerate()
            .map(|(index, name)| (host(name), plain_host(address(index))));
        let clusters = self
            .clusters
            .iter()
            .enumerate()
            .map(|(number, size)| (cluster(number), self.plain_cluster(number, *size)));
        let sha256 = Minor::ALL.map(|_| ((self.version, Arch::Amd64), "ab".repeat(32)));
        Inventory {
            site: Site {
                name: SiteName::new("lab").unwrap_or_else(|error| panic!("lab {error}")),
                confirm: false,
                order: Vec::new(),
            },
            hosts: hosts.collect(),
            clusters: clusters.collect(),
            kubernetes: BTreeMap::new(),
            firewall: Some(Firewall {
                admin: Vec::new(),
                clients: Vec::new(),
                monitoring: Vec::new(),
            }),
            pki: PkiSettings::default(),
            release: Release {
                source: ReleaseSource::Url(
                    "http://10.77.0.1/v{version}/etcd-{arch}.tar.gz".to_owned(),
                ),
                proxy: None,
                sha256: BTreeMap::from(sha256),
                image: Image {
                    name: "quay.io/coreos/etcd:v{version}".to_owned(),
                    digests: BTreeMap::new(),
                },
            },
            hooks: Default::default(),
        }
    }

    fn plain_cluster(&self, number: usize, size: usize) -> Cluster {
        let offset = u16::try_from(number * 10).unwrap_or_default();
        let flags = self.quota.map(|quota| {
            let flag = Flag { value: FlagValue::Int(quota), place: Place::default() };
            ("quota-backend-bytes".to_owned(), flag)
        });
        Cluster {
            version: self.version,
            members: self.hosts.iter().take(size).map(|name| host(name)).collect(),
            runtime: self.runtime,
            account: self.account(number),
            kubelet: self.kubelet.map(|cgroup_driver| Kubelet {
                cgroup_driver,
                container_runtime: "unix:///run/containerd/containerd.sock".to_owned(),
            }),
            systemd: Default::default(),
            bootstrap: self.way.bootstrap(number),
            ports: Ports { client: 2379 + offset, peer: 2380 + offset, metrics: 2381 + offset },
            metrics: MetricsListener::Loopback,
            client_ca: cluster(0),
            backups: None,
            flags: flags.into_iter().collect(),
            place: Place { file: "quorate.toml".to_owned(), line: 20 },
            places: BTreeMap::new(),
        }
    }

    /// The first cluster's account is the one of clusters that name none.
    fn account(&self, number: usize) -> AccountName {
        if number == 0 {
            return AccountName::default();
        }
        AccountName::new(&format!("etcd-{number}")).unwrap_or_default()
    }

    /// The desired state of this shape, with CAs that were made for it.
    pub fn spec(&self, authorities: &BTreeMap<ClusterName, AuthorityPair>) -> SiteSpec {
        spec_of(&self.inventory(), authorities)
    }

    /// Empty hosts for this shape, and its desired state.
    pub fn world(&self) -> (World, SiteSpec) {
        let authorities = authorities(self.clusters.len());
        let spec = self.spec(&authorities);
        let mut world = World::of_hosts(self.hosts.iter().map(|name| host(name)), authorities, NOW);
        world.zone = Zone::for_site(&spec);
        // One that runs and that quorate did not set up is somebody's.
        world.hosts.values_mut().for_each(|host| host.kubelet = self.kubelet.is_none());
        (world, spec)
    }
}

fn plain_host(address: IpAddr) -> Host {
    Host {
        address,
        peer_address: address,
        listen_address: address,
        peer_listen_address: address,
        sans: Vec::new(),
        ssh: Ssh {
            host: address.to_string(),
            port: None,
            user: None,
            identity_files: Vec::new(),
            host_keys: Vec::new(),
            connect_timeout: None,
            config: SshConfig::Usual,
        },
        place: Place { file: "quorate.toml".to_owned(), line: 10 },
    }
}

/// The desired state of an inventory that these CAs lie beside.
pub fn spec_of(
    inventory: &Inventory,
    authorities: &BTreeMap<ClusterName, AuthorityPair>,
) -> SiteSpec {
    let public = |authority: &CertificateAuthority| Authority {
        pem: authority.certificate().pem(),
        facts: authority.certificate().facts().clone(),
    };
    let authorities = inventory.clusters.iter().map(|(name, settings)| {
        let peer = Some(public(&authorities[name].peer));
        let client = Some(public(&authorities[&settings.client_ca].client));
        let discovery = match &settings.bootstrap {
            Bootstrap::DiscoveryV3(DiscoveryV3::Given(service)) if service.ca.is_some() => {
                Some("the CA of a discovery service\n".to_owned())
            }
            _ => None,
        };
        (name.clone(), Authorities { peer, client, discovery })
    });
    expand(inventory, &authorities.collect())
        .unwrap_or_else(|error| panic!("the inventory expands: {error}"))
}

/// CAs for so many clusters.
pub fn authorities(clusters: usize) -> Arc<BTreeMap<ClusterName, AuthorityPair>> {
    let site = SiteName::new("lab").unwrap_or_else(|error| panic!("lab {error}"));
    let make = |kind, name: &ClusterName| {
        CertificateAuthority::generate(kind, &site, name, NOW)
            .unwrap_or_else(|error| panic!("a CA can be made: {error}"))
    };
    let pair = |number| {
        let name = cluster(number);
        let pair =
            AuthorityPair { peer: make(CaKind::Peer, &name), client: make(CaKind::Client, &name) };
        (name, pair)
    };
    Arc::new((0..clusters).map(pair).collect())
}

/// What an operator asks for who restores the first cluster: an older snapshot, and all that may have to be allowed.
pub fn restore_request() -> RestoreRequest {
    RestoreRequest {
        cluster: cluster(0),
        snapshot: RestoreSource {
            name: "20261122T030000Z-c0".to_owned(),
            sha256: "ab".repeat(32),
            bytes: 16_801_792,
            revision: Some(3_000),
            etcd_version: None,
            alarms: BTreeSet::new(),
            taken: None,
        },
        highest_known: 0,
        unread: BTreeSet::new(),
        members: BTreeSet::new(),
        clients_stopped: BTreeSet::from([cluster(0)]),
        old_members_stopped: BTreeSet::from([cluster(0)]),
        allow_data_loss: BTreeSet::from([cluster(0)]),
        gone: BTreeSet::new(),
    }
}

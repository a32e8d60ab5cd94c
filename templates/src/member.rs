//! The specification of one etcd member: one value. A unit or a pod is only a rendering of it.

mod arguments;
mod bootstrap;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use inventories::inventory::{FlagValue, MetricsListener, Ports};
use inventories::{AccountName, ClusterName, EtcdVersion, HostName, Systemd};

use crate::layout::Layout;
use crate::url::{ClientUrl, PeerUrl};
use arguments::argument;

pub use bootstrap::{Access, Bootstrap, V2Discovery, V3Discovery};

/// One etcd member, fully determined but for the token of a bootstrap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The cluster it belongs to; decides every path.
    pub cluster: ClusterName,
    /// Its name, which is its host's.
    pub name: HostName,
    /// The release it runs.
    pub version: EtcdVersion,
    /// The system account and group that it runs as.
    pub account: AccountName,
    /// The image that its pod is made of, where it runs in one.
    pub image: String,
    /// Where clients and the other hosts reach it.
    pub client_address: IpAddr,
    /// Where the other members reach it.
    pub peer_address: IpAddr,
    /// Where it listens for clients: another address where `client_address` is translated (NAT).
    pub client_listen_address: IpAddr,
    /// Where it listens for the other members: another address where `peer_address` is translated.
    pub peer_listen_address: IpAddr,
    /// The cluster's ports.
    pub ports: Ports,
    /// Where it serves metrics and health.
    pub metrics: MetricsListener,
    /// How it gets into the cluster.
    pub formation: Formation,
    /// The operator's flags, checked against the version. They win over quorate's own defaults.
    pub flags: BTreeMap<String, FlagValue>,
    /// What the operator, or the host, changes of its unit. A pod has nothing of it.
    pub systemd: Systemd,
}

/// How a member gets into its cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Formation {
    /// The cluster is not formed yet: every member starts with the bootstrap's token, and with the
    /// whole list or the place where it finds one.
    New {
        /// Every member's name and peer URL, its own among them.
        initial_cluster: BTreeMap<HostName, PeerUrl>,
        /// How the members find each other.
        bootstrap: Bootstrap,
    },
    /// The cluster is formed and lists the member, which has no log yet: it finds the others by this list.
    Joining {
        /// The name and peer URL of every member that the cluster lists, its own among them.
        initial_cluster: BTreeMap<HostName, PeerUrl>,
    },
    /// The cluster is formed: the member starts from its write-ahead log, and not without it.
    Existing {
        /// Every member's name and peer URL, its own among them.
        initial_cluster: BTreeMap<HostName, PeerUrl>,
    },
}

impl Formation {
    /// Every member's name and peer URL.
    pub fn initial_cluster(&self) -> &BTreeMap<HostName, PeerUrl> {
        match self {
            Formation::New { initial_cluster, .. }
            | Formation::Joining { initial_cluster }
            | Formation::Existing { initial_cluster } => initial_cluster,
        }
    }
}

impl Member {
    /// The paths of its cluster.
    pub fn layout(&self) -> Layout {
        Layout::new(&self.cluster)
    }

    /// The URL that clients and the other hosts use.
    pub fn client_url(&self) -> ClientUrl {
        ClientUrl::new(self.client_address, self.ports.client)
    }

    /// The URL for clients on the same host.
    ///
    /// Always 127.0.0.1, also where the member has an IPv6 address: every Linux host has it, while
    /// `::1` is absent where IPv6 is turned off.
    pub fn loopback_client_url(&self) -> ClientUrl {
        ClientUrl::new(Ipv4Addr::LOCALHOST.into(), self.ports.client)
    }

    /// The URL at which it listens for clients, beside the loopback interface.
    pub fn client_listen_url(&self) -> ClientUrl {
        ClientUrl::new(self.client_listen_address, self.ports.client)
    }

    /// The URL at which it listens for the other members.
    pub fn peer_listen_url(&self) -> PeerUrl {
        PeerUrl::new(self.peer_listen_address, self.ports.peer)
    }

    /// All its addresses: where it listens, and where it is reached.
    pub fn addresses(&self) -> BTreeSet<IpAddr> {
        let reached = [self.client_address, self.peer_address];
        reached.into_iter().chain(self.listen_addresses()).collect()
    }

    /// The addresses that its host must have.
    pub fn listen_addresses(&self) -> BTreeSet<IpAddr> {
        [self.client_listen_address, self.peer_listen_address].into()
    }

    /// The URL that the other members use.
    pub fn peer_url(&self) -> PeerUrl {
        PeerUrl::new(self.peer_address, self.ports.peer)
    }

    /// Where it serves metrics and health to programs on the same host.
    pub fn loopback_metrics_socket(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.metrics))
    }

    /// Where metrics are read over the network, if they are.
    pub fn metrics_socket(&self) -> Option<SocketAddr> {
        self.metrics_at(self.client_address, self.peer_address)
    }

    /// Where it listens for that.
    pub fn metrics_listen_socket(&self) -> Option<SocketAddr> {
        self.metrics_at(self.client_listen_address, self.peer_listen_address)
    }

    /// Everywhere it listens for requests for metrics.
    pub fn metrics_listeners(&self) -> impl Iterator<Item = SocketAddr> {
        [self.loopback_metrics_socket()].into_iter().chain(self.metrics_listen_socket())
    }

    fn metrics_at(&self, client: IpAddr, peer: IpAddr) -> Option<SocketAddr> {
        let address = match self.metrics {
            MetricsListener::Loopback => return None,
            MetricsListener::Client => client,
            MetricsListener::Peer => peer,
        };
        Some(SocketAddr::new(address, self.ports.metrics))
    }
}

//! The specification of one etcd member: one value, of which a unit or a pod is only the rendering.

mod arguments;
mod bootstrap;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use inventories::inventory::{FlagValue, Ports};
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
    /// How it comes to be in the cluster.
    pub formation: Formation,
    /// The operator's flags, checked against the version. They win over quorate's own defaults.
    pub flags: BTreeMap<String, FlagValue>,
    /// What the operator, or the host, changes of its unit. A pod has nothing of it.
    pub systemd: Systemd,
}

/// How a member comes to be in its cluster.
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
        Layout::of(&self.cluster)
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

    /// Metrics and health: plain HTTP, so on 127.0.0.1 only.
    pub fn metrics_url(&self) -> String {
        format!("http://{}:{}", Ipv4Addr::LOCALHOST, self.ports.metrics)
    }
}

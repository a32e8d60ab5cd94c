//! Members for tests.

use std::collections::BTreeMap;

use inventories::inventory::{Bootstrap, Ports};
use inventories::{ClusterName, DnsSrv, HostName};

use crate::member::{Formation, Member};
use crate::url::PeerUrl;

/// The second of three members of a cluster that is not formed.
pub(crate) fn member(version: &str) -> Member {
    let hosts = ["etcd-1", "etcd-2", "etcd-3"].into_iter().zip(11_u8..);
    let initial_cluster = hosts
        .map(|(name, last)| (host(name), PeerUrl::new([10, 30, 0, last].into(), 2380)))
        .collect::<BTreeMap<_, _>>();
    Member {
        cluster: ClusterName::new("main").unwrap(),
        name: host("etcd-2"),
        version: version.parse().unwrap(),
        image: format!("quay.io/coreos/etcd:v{version}"),
        client_address: [10, 20, 0, 12].into(),
        peer_address: [10, 30, 0, 12].into(),
        ports: Ports { client: 2379, peer: 2380, metrics: 2381 },
        formation: Formation::New { initial_cluster, bootstrap: Bootstrap::Static },
        flags: BTreeMap::new(),
    }
}

/// The same member, in a cluster that is formed by DNS.
pub(crate) fn by_dns(version: &str) -> Member {
    let member = member(version);
    let initial_cluster = member.formation.initial_cluster().clone();
    let bootstrap = Bootstrap::DnsSrv(DnsSrv {
        domain: "etcd.example.net".to_owned(),
        service_name: Some("main".to_owned()),
    });
    Member { formation: Formation::New { initial_cluster, bootstrap }, ..member }
}

/// The same member once its cluster is formed.
pub(crate) fn formed(version: &str) -> Member {
    let member = member(version);
    let initial_cluster = member.formation.initial_cluster().clone();
    Member { formation: Formation::Existing { initial_cluster }, ..member }
}

fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

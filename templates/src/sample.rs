//! Members for tests.

use std::collections::BTreeMap;

use inventories::inventory::{MetricsListener, Ports};
use inventories::{AccountName, ClusterName, DiscoveryV2, DiscoveryV3, DnsSrv, HostName, Systemd};

use crate::member::{Access, Bootstrap, Formation, Member, V2Discovery, V3Discovery};
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
        account: AccountName::default(),
        image: format!("quay.io/coreos/etcd:v{version}"),
        client_address: [10, 20, 0, 12].into(),
        peer_address: [10, 30, 0, 12].into(),
        client_listen_address: [10, 20, 0, 12].into(),
        peer_listen_address: [10, 30, 0, 12].into(),
        ports: Ports { client: 2379, peer: 2380, metrics: 2381 },
        metrics: MetricsListener::Loopback,
        formation: Formation::New { initial_cluster, bootstrap: Bootstrap::Static },
        flags: BTreeMap::new(),
        systemd: Systemd::default(),
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

/// The same member, in clusters that are formed by each of the discovery services that its version
/// knows, by the name of the way.
pub(crate) fn by_discovery(version: &str) -> Vec<(&'static str, Member)> {
    let known = member(version).version.minor();
    let given = |endpoint: &str, access| {
        Bootstrap::V3(V3Discovery { endpoints: vec![endpoint.to_owned()], access })
    };
    let user = Access::Tls { own_ca: true, user: Some("quorate".to_owned()) };
    let v3 = [
        ("new-by-v3", given("http://10.20.0.5:2379", Access::Open)),
        ("new-by-v3-user", given("https://10.20.0.5:2379", user)),
        ("new-by-v3-self-hosted", given("https://10.20.0.11:2382", Access::Own)),
    ];
    let v2 = [
        ("new-by-v2", V2Discovery::Service("http://discovery.example.net".to_owned())),
        ("new-by-v2-url", V2Discovery::Url("http://discovery.example.net/0123abc".to_owned())),
    ];
    let v3 = v3.into_iter().filter(|_| known >= DiscoveryV3::SINCE);
    let v2 = v2.into_iter().filter(|_| known <= DiscoveryV2::UNTIL);
    v3.chain(v2.map(|(name, service)| (name, Bootstrap::V2(service))))
        .map(|(name, bootstrap)| {
            let member = member(version);
            let initial_cluster = member.formation.initial_cluster().clone();
            (name, Member { formation: Formation::New { initial_cluster, bootstrap }, ..member })
        })
        .collect()
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

//! Ports: a number each, and on one host each number once.

use std::collections::{BTreeMap, BTreeSet};

use super::cluster::Lowered;
use crate::defaults;
use crate::inventory::Ports;
use crate::names::HostName;
use crate::report::{At, Finding, Report};
use crate::schema;

/// Stands for a port that has been reported; it collides with nothing.
const REFUSED: u16 = 0;

/// How far apart the ports are that are proposed for clusters on one host.
const STRIDE: u16 = 100;

/// A port number. `key` names it.
pub(super) fn port(key: &str, number: i64, at: &At, report: &mut Report<'_>) -> Option<u16> {
    let port = u16::try_from(number).ok().filter(|port| *port > 0);
    if port.is_none() {
        let message = format!("`{key}` is not a port: {number}");
        report.add(Finding::error("port", at, message).hint("a port is a number from 1 to 65535"));
    }
    port
}

/// The ports of one cluster, each with the place that a complaint about it points to.
pub(super) struct Placed {
    pub(super) ports: Ports,
    places: [At; 3],
}

impl Placed {
    fn each(&self) -> [(&'static str, u16, &At); 3] {
        let Ports { client, peer, metrics } = self.ports;
        let [client_at, peer_at, metrics_at] = &self.places;
        [("client", client, client_at), ("peer", peer, peer_at), ("metrics", metrics, metrics_at)]
    }
}

/// Reads a cluster's ports; `cluster` is where the cluster is declared.
pub(super) fn read(raw: Option<&schema::Ports>, cluster: &At, report: &mut Report<'_>) -> Placed {
    let mut one = |key, written: Option<&schema::Loc<i64>>, default: u16| match written {
        Some(number) => {
            let at = At::new(0, number.span());
            (port(key, *number.value(), &at, report).unwrap_or(REFUSED), at)
        }
        None => (default, cluster.clone()),
    };
    let client =
        one("ports.client", raw.and_then(|raw| raw.client.as_ref()), defaults::PORTS.client);
    let peer = one("ports.peer", raw.and_then(|raw| raw.peer.as_ref()), defaults::PORTS.peer);
    let metrics =
        one("ports.metrics", raw.and_then(|raw| raw.metrics.as_ref()), defaults::PORTS.metrics);
    Placed {
        ports: Ports { client: client.0, peer: peer.0, metrics: metrics.0 },
        places: [client.1, peer.1, metrics.1],
    }
}

/// Reports ports that two listeners on one host would share. `clusters` are in the file's order.
pub(super) fn overlaps(clusters: &[Lowered], report: &mut Report<'_>) {
    let mut taken: BTreeMap<(&HostName, u16), (usize, &str, &At)> = BTreeMap::new();
    let mut told = BTreeSet::new();
    for (index, cluster) in clusters.iter().enumerate() {
        for host in &cluster.members {
            for (use_, port, at) in
                cluster.ports.each().into_iter().filter(|port| port.1 != REFUSED)
            {
                let (other, other_use, other_at) =
                    *taken.entry((host, port)).or_insert((index, use_, at));
                if (other, other_use) == (index, use_) || !told.insert((index, other)) {
                    continue;
                }
                let owner = if other == index {
                    format!("the {other_use} port of the same cluster")
                } else {
                    format!("the {other_use} port of the cluster \"{}\"", clusters[other].written)
                };
                let message = format!(
                    "the {use_} port {port} of the cluster \"{}\" is also {owner}, on the host \"{host}\"",
                    cluster.written,
                );
                let finding = Finding::error("port-overlap", at, message).label("again here");
                let finding =
                    if at == other_at { finding } else { finding.related(other_at, "first here") };
                report.add(finding.maybe_hint(free_ports(cluster, clusters).map(|ports| {
                    let Ports { client, peer, metrics } = ports;
                    format!(
                        "write: ports = {{ client = {client}, peer = {peer}, metrics = {metrics} }}"
                    )
                })));
            }
        }
    }
}

/// Ports that no cluster uses on this cluster's hosts, and that differ from its own.
fn free_ports(cluster: &Lowered, clusters: &[Lowered]) -> Option<Ports> {
    let hosts: BTreeSet<_> = cluster.members.iter().collect();
    let neighbours =
        clusters.iter().filter(|other| other.members.iter().any(|host| hosts.contains(host)));
    let used: BTreeSet<u16> =
        neighbours.flat_map(|other| other.ports.each().map(|(_, port, _)| port)).collect();
    let candidates = (1..).map_while(|step: u16| {
        let base = step.checked_mul(STRIDE)?;
        Some(Ports {
            client: defaults::PORTS.client.checked_add(base)?,
            peer: defaults::PORTS.peer.checked_add(base)?,
            metrics: defaults::PORTS.metrics.checked_add(base)?,
        })
    });
    let is_free = |ports: &Ports| {
        ![ports.client, ports.peer, ports.metrics].iter().any(|port| used.contains(port))
    };
    candidates.into_iter().find(is_free)
}

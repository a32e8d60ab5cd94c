//! Which members of a cluster that is not formed reach each other's peer ports.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use inventories::HostName;
use planner::SiteSpec;
use planner::facts::{HostFacts, MemberFacts, Observed, Reach};
use planner::spec::ClusterSpec;
use tokio::task::JoinSet;

use crate::engine::pool::Pool;
use crate::engine::remote;

/// An answer takes one round trip; silence takes this long.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks every host that was seen for the peers of its clusters that are not formed.
pub(super) async fn ask(
    pool: &Arc<Pool>,
    spec: &SiteSpec,
    hosts: &BTreeMap<HostName, Observed<HostFacts>>,
) -> BTreeMap<HostName, BTreeMap<SocketAddr, Reach>> {
    let mut asking = JoinSet::new();
    for (host, peers) in questions(spec, hosts) {
        let pool = Arc::clone(pool);
        asking.spawn(async move {
            let mut answers = BTreeMap::new();
            for peer in peers {
                answers.insert(peer, reach(&pool, &host, peer).await);
            }
            (host, answers)
        });
    }
    asking.join_all().await.into_iter().collect()
}

fn questions(
    spec: &SiteSpec,
    hosts: &BTreeMap<HostName, Observed<HostFacts>>,
) -> BTreeMap<HostName, BTreeSet<SocketAddr>> {
    let mut questions: BTreeMap<HostName, BTreeSet<SocketAddr>> = BTreeMap::new();
    for cluster in spec.clusters.values().filter(|cluster| !is_formed(cluster, hosts)) {
        for host in cluster.members.keys() {
            if hosts.get(host).and_then(Observed::known).is_some() {
                let others = cluster.members.iter().filter(|(other, _)| *other != host);
                let peers = others.map(|(_, peer)| peer.member.peer_url().socket());
                questions.entry(host.clone()).or_default().extend(peers);
            }
        }
    }
    questions
}

/// Members of a formed cluster talk, or etcd says that they don't.
fn is_formed(cluster: &ClusterSpec, hosts: &BTreeMap<HostName, Observed<HostFacts>>) -> bool {
    cluster
        .members
        .keys()
        .filter_map(|host| hosts.get(host)?.known()?.clusters.get(&cluster.name))
        .any(MemberFacts::shows_formed)
}

async fn reach(pool: &Pool, host: &HostName, peer: SocketAddr) -> Reach {
    let Ok(connection) = pool.connection(host).await else { return Reach::Untried };
    match connection.can_reach(peer, PATIENCE).await {
        Ok(remote::Reach::Connected) => Reach::Connected,
        Ok(remote::Reach::Refused) => Reach::Refused,
        Ok(remote::Reach::Silent) => Reach::Silent,
        Ok(remote::Reach::Forbidden) | Err(_) => Reach::Untried,
    }
}

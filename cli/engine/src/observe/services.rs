//! What DNS says of the members, asked from each host that will form a cluster by it.
//!
//! No program that every host has asks for SRV records. So the question is ours, in DNS over TCP,
//! and goes through the host's SSH server to the name servers of its `resolv.conf`: those are the
//! ones that etcd asks: it resolves names itself and not through the C library.

mod message;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use inventories::HostName;
use planner::SiteSpec;
use planner::facts::{HostFacts, Observed, Offer};
use templates::Bootstrap;
use tokio::task::JoinSet;

use super::reach::is_formed;
use crate::pool::Pool;
use remote::Connection;

/// How long a name server may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Where name servers listen.
const PORT: u16 = 53;
/// As many as etcd asks.
const MOST_SERVERS: usize = 3;

type Services = BTreeMap<String, Observed<BTreeSet<Offer>>>;

/// Asks every host that was seen for the services of its clusters that are not formed.
pub(super) async fn ask(
    pool: &Arc<Pool>,
    spec: &SiteSpec,
    hosts: &BTreeMap<HostName, Observed<HostFacts>>,
) -> BTreeMap<HostName, Services> {
    let mut questions: BTreeMap<&HostName, BTreeSet<String>> = BTreeMap::new();
    for cluster in spec.clusters.values().filter(|cluster| !is_formed(cluster, hosts)) {
        for (host, member) in &cluster.members {
            if let Bootstrap::DnsSrv(dns) = &member.bootstrap {
                let asked = [dns.peer_service(), dns.plain_peer_service()];
                questions.entry(host).or_default().extend(asked);
            }
        }
    }
    let mut asking = JoinSet::new();
    for (host, services) in questions {
        let Some(facts) = hosts.get(host).and_then(Observed::known) else { continue };
        let (pool, host) = (Arc::clone(pool), host.clone());
        let servers: Vec<SocketAddr> = facts
            .names
            .servers
            .iter()
            .take(MOST_SERVERS)
            .map(|ip| SocketAddr::new(*ip, PORT))
            .collect();
        asking.spawn(async move {
            let answers = answers(&pool, &host, &servers, services).await;
            (host, answers)
        });
    }
    asking.join_all().await.into_iter().collect()
}

async fn answers(
    pool: &Pool,
    host: &HostName,
    servers: &[SocketAddr],
    services: BTreeSet<String>,
) -> Services {
    let connection = pool.connection(host).await;
    let mut answers = Services::new();
    for service in services {
        let answer = match &connection {
            Ok(connection) => look_up(connection, servers, &service).await,
            Err(error) => Observed::Unknown(error.to_string()),
        };
        answers.insert(service, answer);
    }
    answers
}

/// The first server that answers is believed.
async fn look_up(
    connection: &Connection,
    servers: &[SocketAddr],
    service: &str,
) -> Observed<BTreeSet<Offer>> {
    let mut why = "/etc/resolv.conf of the host names no server".to_owned();
    for server in servers {
        let Some(question) = message::question(service) else {
            return Observed::Unknown("it is not a name".to_owned());
        };
        why = match connection.exchange(*server, question, PATIENCE).await {
            Ok(answer) => match message::offers(&answer) {
                Ok(offers) if offers.is_empty() => return Observed::Absent,
                Ok(offers) => return Observed::Known(offers),
                Err(error) => format!("{server}: {error}"),
            },
            Err(error) => format!("{server}, over TCP: {error}"),
        };
    }
    Observed::Unknown(why)
}

//! Which members of a cluster that is not formed reach each other's peer ports, and how far apart
//! they are.
//!
//! A host is asked to open connections, through its own SSH server: to its own peer port, and to those
//! of the others. Each answer takes our way to the host and back, so the difference of the two is the
//! way between the hosts. A refusal measures as well as a connection does.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use inventories::HostName;
use planner::SiteSpec;
use planner::facts::{Clock, HostFacts, MemberFacts, Observed, Reach, RoundTrip};
use planner::spec::ClusterSpec;
use tokio::task::JoinSet;

use crate::hosts::Timed;
use crate::pool::Pool;
use remote::{self, Connection};

/// An answer takes one round trip; silence takes this long.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often a way is tried. The quickest counts: all that disturbs a packet makes it late.
const TRIES: usize = 3;

/// What a host found out about a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) reach: Reach,
    pub(super) round_trip: Option<RoundTrip>,
}

/// Asks every host that was seen for the peers of its clusters that are not formed.
pub(super) async fn ask(
    pool: &Arc<Pool>,
    spec: &SiteSpec,
    hosts: &BTreeMap<HostName, Observed<HostFacts>>,
    timed: Timed,
) -> BTreeMap<HostName, BTreeMap<SocketAddr, Found>> {
    let mut asking = JoinSet::new();
    for (host, question) in questions(spec, hosts) {
        let pool = Arc::clone(pool);
        asking.spawn(async move {
            let answers = answers(&pool, &host, &question, timed).await;
            (host, answers)
        });
    }
    asking.join_all().await.into_iter().collect()
}

/// What one host is asked.
struct Question {
    /// Its own peer port.
    own: SocketAddr,
    peers: BTreeSet<SocketAddr>,
}

fn questions(
    spec: &SiteSpec,
    hosts: &BTreeMap<HostName, Observed<HostFacts>>,
) -> BTreeMap<HostName, Question> {
    let mut questions: BTreeMap<HostName, Question> = BTreeMap::new();
    for cluster in spec.clusters.values().filter(|cluster| !is_formed(cluster, hosts)) {
        for (host, member) in &cluster.members {
            if hosts.get(host).and_then(Observed::known).is_some() {
                let others = cluster.members.iter().filter(|(other, _)| *other != host);
                let peers = others.map(|(_, peer)| peer.member.peer_url().socket());
                let own = member.member.peer_listen_url().socket();
                let question = Question { own, peers: BTreeSet::new() };
                questions.entry(host.clone()).or_insert(question).peers.extend(peers);
            }
        }
    }
    questions
}

/// Members of a formed cluster talk, or etcd says that they don't.
pub(super) fn is_formed(
    cluster: &ClusterSpec,
    hosts: &BTreeMap<HostName, Observed<HostFacts>>,
) -> bool {
    cluster
        .members
        .keys()
        .filter_map(|host| hosts.get(host)?.known()?.clusters.get(&cluster.name))
        .any(MemberFacts::shows_formed)
}

async fn answers(
    pool: &Pool,
    host: &HostName,
    question: &Question,
    timed: Timed,
) -> BTreeMap<SocketAddr, Found> {
    let untried = Found { reach: Reach::Untried, round_trip: None };
    let Ok(connection) = pool.connection(host).await else {
        return question.peers.iter().map(|peer| (*peer, untried)).collect();
    };
    let (tries, floor) = match timed {
        Timed::Nothing => (1, None),
        Timed::Forming | Timed::All => (TRIES, quickest(&connection, question.own, TRIES).await.1),
    };
    let mut answers = BTreeMap::new();
    for peer in &question.peers {
        let (reach, took) = quickest(&connection, *peer, tries).await;
        let time = floor.zip(took).map(|(floor, took)| took.saturating_sub(floor));
        let round_trip = time.map(|time| RoundTrip { time, by: Clock::Connecting });
        answers.insert(*peer, Found { reach, round_trip });
    }
    answers
}

/// What the host finds, and the shortest time until an answer, where it gets one.
async fn quickest(
    connection: &Connection,
    to: SocketAddr,
    tries: usize,
) -> (Reach, Option<Duration>) {
    let (mut reach, mut least) = (Reach::Untried, None::<Duration>);
    for attempt in 0..tries {
        let Ok(probed) = connection.probe(to, PATIENCE).await else { break };
        let found = match probed.reach {
            remote::Reach::Connected => Reach::Connected,
            remote::Reach::Refused => Reach::Refused,
            remote::Reach::Silent => Reach::Silent,
            remote::Reach::Forbidden => Reach::Untried,
        };
        if attempt == 0 {
            reach = found;
        }
        if !matches!(found, Reach::Connected | Reach::Refused) {
            break;
        }
        least = Some(least.map_or(probed.took, |least| least.min(probed.took)));
    }
    (reach, least)
}

//! How quick the disks of members are, and how far apart members are that talk to each other.
//!
//! Asked where a cluster is about to be formed, and by name; `script/sh/cost.sh` is run on the hosts
//! that this is about, and on no other.

mod connections;
mod fsyncs;
#[cfg(test)]
mod tests;
mod writes;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use inventories::{ClusterName, HostName};
use planner::SiteSpec;
use planner::facts::{Clock, DiskTime, HostFacts, Observed, RoundTrip};
use tokio::task::JoinSet;

use super::reach::is_formed;
use super::records::Records;
use super::request::Request;
use crate::hosts::Timed;
use crate::pool::Pool;
use remote::{Call, Payload, Progress, RemoteError, clean};

/// The script that measures.
pub(super) const SCRIPT: &str = include_str!("../script/sh/cost.sh");

/// One write in a hundred may be arbitrarily slow; twice as many writes reduce the effect of chance.
const WRITES: u32 = 200;
/// What etcd writes for a small entry, in bytes.
const WRITE_BYTES: u32 = 2048;
/// After this time fewer writes are enough: a disk that needs longer is slow, however many there are.
const WRITING_TIME: Duration = Duration::from_secs(5);
/// A write that started in time and has not ended by now is stuck.
const DEADLINE: Duration = Duration::from_secs(20);
/// The longest reply: what `dd` says of every write, and the connections of seven members.
const MAX_REPLY: usize = 1024 * 1024;

/// What was measured on a host.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Costs {
    pub(super) disks: BTreeMap<ClusterName, DiskTime>,
    pub(super) round_trips: BTreeMap<SocketAddr, RoundTrip>,
}

/// What one host is asked.
#[derive(Debug, Default)]
struct Question {
    /// Clusters whose disk is timed.
    disks: BTreeSet<ClusterName>,
    /// Peers of running members; the port is the same for all of a cluster.
    peers: BTreeSet<SocketAddr>,
}

/// Measures on every host that was seen what is asked for.
pub(super) async fn ask(
    pool: &Arc<Pool>,
    spec: &SiteSpec,
    hosts: &BTreeMap<HostName, Observed<HostFacts>>,
    timed: Timed,
) -> BTreeMap<HostName, Costs> {
    let mut requests = Request::all(spec);
    let mut asking = JoinSet::new();
    for (host, question) in questions(spec, hosts, timed) {
        let Some(request) = requests.remove(&host) else { continue };
        let pool = Arc::clone(pool);
        asking.spawn(async move {
            let costs = measure(&pool, &host, &request, &question).await;
            (host, costs)
        });
    }
    asking.join_all().await.into_iter().collect()
}

fn questions(
    spec: &SiteSpec,
    hosts: &BTreeMap<HostName, Observed<HostFacts>>,
    timed: Timed,
) -> BTreeMap<HostName, Question> {
    let seen = |host: &HostName| hosts.get(host).and_then(Observed::known);
    let mut questions: BTreeMap<HostName, Question> = BTreeMap::new();
    for cluster in spec.clusters.values() {
        let formed = is_formed(cluster, hosts);
        // It is not formed while a host is not seen, so there is nothing to know yet.
        let forming = !formed && cluster.members.keys().all(|host| seen(host).is_some());
        match timed {
            Timed::Forming if forming => {}
            Timed::All => {}
            Timed::Nothing | Timed::Forming => continue,
        }
        for host in cluster.members.keys() {
            let Some(facts) = seen(host) else { continue };
            let question = questions.entry(host.clone()).or_default();
            question.disks.insert(cluster.name.clone());
            // Before they are formed, members have no connections whose time would be known.
            if formed && facts.clusters.get(&cluster.name).is_some_and(|member| member.is_up()) {
                let others = cluster.members.iter().filter(|(other, _)| *other != host);
                question.peers.extend(others.map(|(_, peer)| peer.member.peer_url().socket()));
            }
        }
    }
    questions
}

fn arguments(request: &Request, question: &Question) -> Vec<String> {
    let mut words = vec![
        "format=1".to_owned(),
        format!("writes={WRITES}"),
        format!("bytes={WRITE_BYTES}"),
        format!("seconds={}", WRITING_TIME.as_secs()),
    ];
    words.extend(request.members.iter().map(|member| {
        let data = member.layout().data_dir();
        format!("member={},{data},http://{}", member.cluster, member.loopback_metrics_socket())
    }));
    words.extend(question.disks.iter().map(|cluster| format!("disk={cluster}")));
    let ports: BTreeSet<u16> = question.peers.iter().map(SocketAddr::port).collect();
    words.extend(ports.iter().map(|port| format!("peers={port}")));
    words
}

async fn measure(pool: &Pool, host: &HostName, request: &Request, question: &Question) -> Costs {
    let call = Call {
        script: SCRIPT,
        args: arguments(request, question),
        payload: Payload::new(),
        deadline: DEADLINE,
        max_reply: MAX_REPLY,
    };
    let run = async { pool.connection(host).await?.run(call).await };
    let records = match run.await {
        Ok(reply) if reply.status == 0 => {
            Records::parse(&reply.stdout).map_err(|error| error.to_string())
        }
        Ok(reply) => Err(format!("the measurement ended with status {}", reply.status)),
        Err(RemoteError::Deadline { progress: Progress::Unknown, .. }) => {
            return every(question, &DiskTime::Stuck(DEADLINE.saturating_sub(WRITING_TIME)));
        }
        Err(error) => Err(clean(error.to_string().as_bytes())),
    };
    match records {
        Ok(records) => read(question, &records),
        Err(why) => every(question, &DiskTime::Unmeasured(why)),
    }
}

fn every(question: &Question, time: &DiskTime) -> Costs {
    let disks = question.disks.iter().map(|cluster| (cluster.clone(), time.clone())).collect();
    Costs { disks, round_trips: BTreeMap::new() }
}

fn read(question: &Question, records: &Records) -> Costs {
    let disks = question.disks.iter();
    let disks = disks.map(|cluster| (cluster.clone(), disk(records, cluster.as_str()))).collect();
    let mut round_trips = BTreeMap::new();
    for peer in &question.peers {
        let said = records.text(&format!("peers:{}", peer.port())).unwrap_or_default();
        if let Some(time) = connections::round_trips(said).get(&peer.ip()) {
            round_trips.insert(*peer, RoundTrip { time: *time, by: Clock::Kernel });
        }
    }
    Costs { disks, round_trips }
}

fn disk(records: &Records, cluster: &str) -> DiskTime {
    let said = |cluster: &str| records.text(&format!("disk:{cluster}"));
    let own = said(cluster);
    let other = own.and_then(|own| said(own.strip_prefix("as ")?));
    let Some(said) = other.or(own) else {
        return DiskTime::Unmeasured("the host did not report it".to_owned());
    };
    let (head, rest) = said.split_once('\n').unwrap_or((said, ""));
    match head.split_once(' ').unwrap_or((head, "")) {
        ("written", _) => writes::read(rest),
        ("member", owner) => match ClusterName::new(owner) {
            Ok(owner) => fsyncs::read(owner, rest),
            Err(error) => DiskTime::Unmeasured(format!("the disk's member {error}")),
        },
        ("busy", _) => DiskTime::Unmeasured(
            "an etcd that quorate does not know uses this disk, so nothing was written".to_owned(),
        ),
        ("failed", why) => DiskTime::Unmeasured(clean(why.as_bytes())),
        _ => DiskTime::Unmeasured("the host's report of it can't be read".to_owned()),
    }
}

//! Whether what etcdctl said proves a cluster healthy. A pure judgement of one script's answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use inventories::{EtcdVersion, HostName};
use serde::Deserialize;

use crate::etcd::{self, KeysHash};

/// What stands for the leader where a member knows none.
const NO_LEADER: &str = "none";

/// What etcd says where its authentication is on and our client may not touch the test key. It looks at that
/// when it applies a write, which is after a quorum has committed it: a refusal proves as much as the key.
const FORBIDDEN: &str = "etcdserver: permission denied";

/// What must be true of the cluster.
#[derive(Debug)]
pub(crate) struct Expected<'a> {
    /// Every member's client URL.
    pub(crate) endpoints: &'a BTreeMap<HostName, String>,
    /// The version that all run.
    pub(crate) version: EtcdVersion,
    /// What was written to the test key.
    pub(crate) nonce: &'a str,
}

/// What is wrong with the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// A member does not answer, or does not call itself healthy.
    Unhealthy { host: HostName, why: String },
    /// Members belong to different clusters.
    SeveralClusters(BTreeMap<HostName, String>),
    /// Members follow different leaders, or none.
    NoCommonLeader(BTreeMap<HostName, String>),
    /// A member runs another version.
    OtherVersion { host: HostName, version: String },
    /// An alarm is raised.
    Alarm(String),
    /// Members have other keys or values than most of the others.
    OtherData { hosts: BTreeSet<HostName>, of: usize },
    /// Nobody knows whether the members have the same keys and values.
    NotCompared(String),
    /// The test key could not be written or was not read back.
    NotServing(String),
    /// An answer could not be understood.
    Unreadable { question: &'static str, said: String },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |by_host: &BTreeMap<HostName, String>| {
            by_host
                .iter()
                .map(|(host, id)| format!("{host} says {id}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        match self {
            Problem::Unhealthy { host, why } => write!(f, "member {host} is not healthy: {why}"),
            Problem::SeveralClusters(ids) => {
                write!(f, "the members are not of one cluster: {}", listed(ids))
            }
            Problem::NoCommonLeader(leaders) => {
                write!(f, "the members have no leader in common: {}", listed(leaders))
            }
            Problem::OtherVersion { host, version } => {
                write!(f, "member {host} runs etcd {version}")
            }
            Problem::Alarm(alarm) => write!(f, "an alarm is raised: {alarm}"),
            Problem::OtherData { hosts, of } if hosts.len() * 2 < *of => {
                let hosts: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
                write!(f, "the data of {} differs from that of the other members", hosts.join(", "))
            }
            Problem::OtherData { .. } => {
                f.write_str("the members have different data, and no majority has the same")
            }
            Problem::NotCompared(why) => {
                write!(f, "the members' data could not be compared: {why}")
            }
            Problem::NotServing(why) => {
                write!(f, "a test key could not be written and read back: {why}")
            }
            Problem::Unreadable { question, said } => {
                write!(f, "can't understand the answer about {question}: {said}")
            }
        }
    }
}

/// Judges what `prove_healthy.sh` printed: empty when the cluster is proven healthy. The nearest to
/// a root cause comes first.
pub(crate) fn judge(text: &str, expected: &Expected<'_>) -> Vec<Problem> {
    let sections = Sections::read(text);
    let mut problems = health(&sections, expected);
    // A member that does not answer one question does not answer the others either.
    if !problems.is_empty() {
        return problems;
    }
    problems.extend(status(&sections, expected));
    problems.extend(alarms(&sections));
    problems.extend(serving(&sections, expected));
    problems.extend(data(&sections, expected));
    problems
}

/// The answers by question, each with the exit status of etcdctl.
struct Sections<'a>(BTreeMap<&'a str, (bool, &'a str)>);

impl<'a> Sections<'a> {
    fn read(text: &'a str) -> Self {
        let mut sections = BTreeMap::new();
        for section in split(text) {
            let (head, body) = section.split_once('\n').unwrap_or((section, ""));
            if let Some((question, status)) = head.split_once(' ') {
                sections.insert(question, (status == "0", body.trim_end()));
            }
        }
        Self(sections)
    }

    /// Whether etcdctl succeeded, and what it said.
    fn get(&self, question: &str) -> (bool, &'a str) {
        self.0.get(question).copied().unwrap_or((false, ""))
    }
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n= ").map(|section| section.strip_prefix("= ").unwrap_or(section))
}

#[derive(Deserialize)]
struct Health {
    endpoint: String,
    health: bool,
    #[serde(default)]
    error: String,
}

fn health(sections: &Sections<'_>, expected: &Expected<'_>) -> Vec<Problem> {
    let (_, said) = sections.get("health");
    let read = |line: &str| serde_json::from_str::<Vec<Health>>(line).ok();
    let Some(answers) = said.lines().rev().find_map(read) else {
        return vec![unreadable("health", &last_line(said))];
    };
    let mut problems = Vec::new();
    for (host, url) in expected.endpoints {
        let why = match answers.iter().find(|answer| answer.endpoint == *url) {
            Some(Health { health: true, .. }) => continue,
            Some(Health { error, .. }) if !error.is_empty() => error.clone(),
            Some(_) => "it says so itself".to_owned(),
            None => format!("no answer from {url}"),
        };
        problems.push(Problem::Unhealthy { host: host.clone(), why });
    }
    problems
}

fn status(sections: &Sections<'_>, expected: &Expected<'_>) -> Vec<Problem> {
    let (_, said) = sections.get("status");
    let answers = match etcd::statuses(said) {
        Ok(answers) => answers,
        Err(error) => return vec![unreadable("status", &error)],
    };
    let mut problems = Vec::new();
    let (mut clusters, mut leaders) = (BTreeMap::new(), BTreeMap::new());
    for (host, url) in expected.endpoints {
        let Some(answer) = answers.iter().find(|answer| answer.endpoint == *url) else {
            let why = format!("{url} gave no status");
            problems.push(Problem::Unhealthy { host: host.clone(), why });
            continue;
        };
        let facts = &answer.facts;
        clusters.insert(host.clone(), facts.cluster_id.clone());
        leaders.insert(host.clone(), facts.leader.clone().unwrap_or_else(|| NO_LEADER.to_owned()));
        if facts.version != expected.version.to_string() {
            let version = facts.version.clone();
            problems.push(Problem::OtherVersion { host: host.clone(), version });
        }
    }
    let distinct = |ids: &BTreeMap<HostName, String>| ids.values().collect::<BTreeSet<_>>().len();
    if distinct(&clusters) > 1 {
        problems.push(Problem::SeveralClusters(clusters));
    } else if distinct(&leaders) > 1 || leaders.values().any(|leader| leader == NO_LEADER) {
        problems.push(Problem::NoCommonLeader(leaders));
    }
    problems
}

fn alarms(sections: &Sections<'_>) -> Vec<Problem> {
    let (_, said) = sections.get("alarms");
    match etcd::alarms(said) {
        Ok(alarms) => alarms.iter().map(|alarm| Problem::Alarm(alarm.to_string())).collect(),
        Err(error) => vec![unreadable("alarms", &error)],
    }
}

fn serving(sections: &Sections<'_>, expected: &Expected<'_>) -> Option<Problem> {
    for question in ["put", "get", "del"] {
        let (succeeded, said) = sections.get(question);
        if !succeeded && last_line(said).ends_with(FORBIDDEN) {
            return None;
        }
        if !succeeded {
            return Some(Problem::NotServing(last_line(said)));
        }
    }
    let (_, read) = sections.get("get");
    (read.lines().next_back() != Some(expected.nonce))
        .then(|| Problem::NotServing(format!("read back {read:?}")))
}

/// Whether all members have the same data: the script compares (`same_data` of `hashes.sh`), and where the data differs
/// the hashes say whose is odd.
fn data(sections: &Sections<'_>, expected: &Expected<'_>) -> Option<Problem> {
    let (same, said) = sections.get("data");
    let (verdict, why) = said.split_once(": ").unwrap_or((said, "no answer"));
    match verdict {
        "same" if same => return None,
        // Only root may ask, where etcd's authentication is on.
        "forbidden" => return None,
        "differ" => {}
        _ => return Some(Problem::NotCompared(why.to_owned())),
    }
    let (_, said) = sections.get("hashes");
    let hashes = match etcd::hashes(said) {
        Ok(hashes) => hashes,
        Err(error) => return Some(Problem::NotCompared(error.to_string())),
    };
    let mut by_hash: BTreeMap<u32, BTreeSet<HostName>> = BTreeMap::new();
    for KeysHash { endpoint, hash, compacted: _ } in hashes {
        let host = expected.endpoints.iter().find(|(_, url)| **url == endpoint);
        by_hash.entry(hash).or_default().extend(host.map(|(host, _)| host.clone()));
    }
    let most = by_hash.values().max_by_key(|hosts| hosts.len())?.clone();
    let hosts = by_hash.into_values().flatten().filter(|host| !most.contains(host)).collect();
    Some(Problem::OtherData { hosts, of: expected.endpoints.len() })
}

impl Problem {
    /// Whether the same question may have another answer a moment later: a leader was changing.
    pub(crate) fn passes(&self) -> bool {
        matches!(self, Problem::NoCommonLeader(_))
    }
}

fn unreadable(question: &'static str, why: &dyn fmt::Display) -> Problem {
    Problem::Unreadable { question, said: why.to_string() }
}

fn last_line(said: &str) -> String {
    said.lines().next_back().unwrap_or("nothing").to_owned()
}

#[cfg(test)]
mod tests;

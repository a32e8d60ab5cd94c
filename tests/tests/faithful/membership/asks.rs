//! Changes of the member list asked of a real member through its gateway, and what it shows.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use quorate_tests::membership::{Refusal, Role, Urls};
use serde_json::{Value, json};

use crate::answers;

/// How long a member may take to answer what needs no other.
const SHORT: Duration = Duration::from_secs(2);

/// How a change of the list begins.
const CHANGE: &str = "/v3/cluster/member/";

/// What a member of a list is, by its number in etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: Option<String>,
    pub(super) peer_urls: Urls,
    pub(super) role: Role,
}

/// The list as a member has it. `None` if it gives none, as a learner does not.
pub(super) fn list(member: Ipv4Addr) -> Option<BTreeMap<u64, Entry>> {
    let said = accepted(ask(member, "list", &json!({}), SHORT))?;
    said["members"].as_array()?.iter().map(|member| Some((id(member)?, entry(member)))).collect()
}

/// Adds a member. Its id is etcd's.
pub(super) fn add(
    member: Ipv4Addr,
    role: Role,
    urls: &Urls,
    patience: Duration,
) -> Result<Option<u64>, String> {
    let request = json!({ "peerURLs": urls, "isLearner": role == Role::Learner });
    ask(member, "add", &request, patience).map(|said| id(&said["member"]))
}

/// Promotes, removes or updates a member.
pub(super) fn change(
    member: Ipv4Addr,
    what: &str,
    id: u64,
    urls: Option<&Urls>,
    patience: Duration,
) -> Result<(), String> {
    let mut request = json!({ "ID": id.to_string() });
    if let Some(urls) = urls {
        request["peerURLs"] = json!(urls);
    }
    ask(member, what, &request, patience).map(|_| ())
}

/// Writes until the log of a member that gets none of it reaches to less than 90 %.
pub(super) fn write(member: Ipv4Addr) {
    let said = accepted(post(member, "/v3/maintenance/status", &json!({}), SHORT));
    let length: u64 = said.and_then(|said| said["raftIndex"].as_str()?.parse().ok()).unwrap_or(0);
    for _ in 0..length / 8 + 5 {
        let request = json!({ "key": "Zm9v", "value": "YmFy" });
        let _ = post(member, "/v3/kv/put", &request, SHORT);
    }
}

/// Whether a member knows a leader.
pub(super) fn is_led(member: Ipv4Addr) -> bool {
    answers::status(member, SHORT).is_some_and(|status| status.leader.is_some())
}

/// The members to which a member is connected, by its own metrics.
pub(super) fn connected(member: Ipv4Addr) -> Option<BTreeSet<u64>> {
    let (_, said) = answers::call(member, "GET", "/metrics", &Value::Null, SHORT)?;
    let active = |line: &str| {
        let line = line.strip_prefix("etcd_network_active_peers{")?.strip_suffix("} 1")?;
        let (_, remote) = line.split_once("Remote=\"")?;
        u64::from_str_radix(remote.split('"').next()?, 16).ok()
    };
    Some(said.lines().filter_map(active).collect())
}

fn ask(member: Ipv4Addr, what: &str, body: &Value, patience: Duration) -> Result<Value, String> {
    post(member, &format!("{CHANGE}{what}"), body, patience)
}

/// What is answered, or the error's text. No answer in time is one of etcd's ways to say so too.
fn post(member: Ipv4Addr, path: &str, body: &Value, patience: Duration) -> Result<Value, String> {
    let given_up = || "no answer: request timed out".to_owned();
    let (head, said) = answers::call(member, "POST", path, body, patience).ok_or_else(given_up)?;
    if head.contains(" 200 ") { serde_json::from_str(&said).map_err(|_| said) } else { Err(said) }
}

fn accepted(said: Result<Value, String>) -> Option<Value> {
    said.ok()
}

/// The refusal that an error stands for.
pub(super) fn refusal(error: &str) -> Refusal {
    Refusal::answered(error).unwrap_or_else(|| panic!("an answer that is not known: {error}"))
}

fn id(member: &Value) -> Option<u64> {
    member["ID"].as_str()?.parse().ok()
}

fn entry(member: &Value) -> Entry {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let urls = member["peerURLs"].as_array().into_iter().flatten();
    Entry {
        name: text(&member["name"]).filter(|name| !name.is_empty()),
        peer_urls: urls.filter_map(text).collect(),
        role: if member["isLearner"] == json!(true) { Role::Learner } else { Role::Voter },
    }
}

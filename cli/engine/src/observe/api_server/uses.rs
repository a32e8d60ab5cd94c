//! What the etcd holds that an API server uses, as it tells the API server's own certificate.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use inventories::HostName;
use planner::facts::{Observed, UsedEtcd};

use super::{records, run};
use crate::observe::records::Records;
use crate::pool::Pool;
use remote::clean;

/// The script that asks.
pub(crate) const SCRIPT: &str = include_str!("../../script/sh/api_server_etcd.sh");
/// The most servers that are asked.
const MOST_SERVERS: usize = 9;

/// Asks the servers that an API server with these flags uses.
pub(super) async fn ask(
    pool: &Pool,
    host: &HostName,
    flags: &BTreeMap<String, String>,
) -> Observed<UsedEtcd> {
    let flag = |name: &str| flags.get(name).cloned().unwrap_or_default();
    let servers = flag("etcd-servers");
    let servers = servers.split(',').filter(|server| server.starts_with("https://"));
    let servers: Vec<String> = servers.take(MOST_SERVERS).map(ToOwned::to_owned).collect();
    if servers.is_empty() {
        return Observed::Unknown("it has no server with TLS".to_owned());
    }
    let prefix = flags.get("etcd-prefix").map_or("/registry", String::as_str);
    let files = ["etcd-cafile", "etcd-certfile", "etcd-keyfile"].map(flag);
    let args = files.into_iter().chain([question(prefix)]).chain(servers).collect();
    match run(pool, host, SCRIPT, args).await {
        Ok(reply) => match records(&reply) {
            Ok(records) => read(&records),
            Err(why) => Observed::Unknown(why.to_string()),
        },
        Err(why) => Observed::Unknown(why),
    }
}

/// All keys below a prefix, and of them the number only.
fn question(prefix: &str) -> String {
    let first = format!("/{}/", prefix.trim_matches('/'));
    // The first key that is not below: the slash's successor is a zero.
    let end = format!("/{}0", prefix.trim_matches('/'));
    let [first, end] = [first, end].map(|key| STANDARD.encode(key));
    format!("{{\"key\":\"{first}\",\"range_end\":\"{end}\",\"count_only\":true}}")
}

/// Every server that answered, and why the others did not, where none did.
fn read(records: &Records) -> Observed<UsedEtcd> {
    let mut used = UsedEtcd { cluster_ids: BTreeSet::new(), keys: 0 };
    let mut why = "curl is missing there".to_owned();
    for number in 0..MOST_SERVERS {
        let Some(said) = records.text(&format!("answer:{number}")) else { break };
        match answer(said) {
            Some((id, keys)) => {
                used.cluster_ids.insert(id);
                used.keys = used.keys.max(keys);
            }
            None => why = clean(said.lines().next().unwrap_or("no answer").as_bytes()),
        }
    }
    if used.cluster_ids.is_empty() { Observed::Unknown(why) } else { Observed::Known(used) }
}

/// The cluster's id in hex, and the number of keys. The gateway writes numbers as texts, and none where it is zero.
fn answer(said: &str) -> Option<(String, u64)> {
    let said: serde_json::Value = serde_json::from_str(said).ok()?;
    let id: u64 = said.get("header")?.get("cluster_id")?.as_str()?.parse().ok()?;
    let count = match said.get("count") {
        Some(count) => count.as_str()?.parse().ok()?,
        None => 0,
    };
    Some((format!("{id:x}"), count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_s_answers_are_read_and_nothing_else() {
        let said = r#"{"header":{"cluster_id":"14841639068965178418","member_id":"1","revision":"9","raft_term":"2"},"count":"188"}"#;
        assert_eq!(answer(said), Some(("cdf818194e3a8c32".to_owned(), 188)));
        let empty = r#"{"header":{"cluster_id":"255"}}"#;
        assert_eq!(answer(empty), Some(("ff".to_owned(), 0)));
        for odd in [
            "",
            "curl: (7) refused",
            "{}",
            r#"{"error":"etcdserver: user name is empty","code":3}"#,
        ] {
            assert_eq!(answer(odd), None, "{odd}");
        }
    }

    #[test]
    fn all_keys_below_a_prefix_are_counted_and_those_beside_it_are_not() {
        let asked = question("/registry");
        let encoded = |key: &str| STANDARD.encode(key);
        assert!(asked.contains(&encoded("/registry/")) && asked.contains(&encoded("/registry0")));
    }
}

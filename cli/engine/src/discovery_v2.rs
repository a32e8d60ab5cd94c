//! Discovery by the protocol of old: URLs that a service makes over HTTP, each for one cluster.

use std::time::Duration;

use serde::Deserialize;
use templates::BootstrapToken;

use super::http::{self, HttpError};

/// A service that works answers at once.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest answer, in bytes: a URL, or the record of a cluster.
const MAX_ANSWER: u64 = 64 * 1024;

/// Why members can't find each other at a URL.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// Nobody is there.
    #[error("the discovery service does not answer: {0}")]
    Silent(HttpError),
    /// What was asked for is not there.
    #[error("there is no record at {0}: the token was never created, or has expired")]
    Missing(String),
    /// It is something else that answers.
    #[error("{url} does not answer as a discovery service does: {said:?}")]
    Strange {
        /// What was asked.
        url: String,
        /// The beginning of the answer.
        said: String,
    },
    /// The record is for another size.
    #[error("the record at {url} is for {found} members, and the cluster has {wanted}")]
    Size {
        /// Where the record is.
        url: String,
        /// How many it is for.
        found: String,
        /// How many the cluster has.
        wanted: usize,
    },
    /// Somebody is registered there already.
    #[error("the token is used: at {url} {who} registered already")]
    Used {
        /// Where the record is.
        url: String,
        /// Who is registered.
        who: String,
    },
}

impl DiscoveryError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            DiscoveryError::Silent(_) | DiscoveryError::Strange { .. } => {
                "the public service, discovery.etcd.io, has not answered since June 2026: name another \
                 one, or form the cluster from its list with bootstrap = { static = {} }"
            }
            DiscoveryError::Missing(_)
            | DiscoveryError::Size { .. }
            | DiscoveryError::Used { .. } => {
                "have the service make a new URL, at its /new?size=N, and write it into the inventory"
            }
        }
    }
}

/// Has a service make a URL for so many members, and gives the token at its end. Blocks.
pub fn make(service: &str, members: usize) -> Result<BootstrapToken, DiscoveryError> {
    let url = format!("{service}/new?size={members}");
    let said = ask(&url)?;
    let token = said.trim().rsplit('/').next().and_then(|token| token.parse().ok());
    token.ok_or_else(|| strange(&url, &said))
}

/// Whether a URL is for this many members, and no member is registered there. Blocks.
pub fn check(url: &str, members: usize) -> Result<(), DiscoveryError> {
    let size = format!("{url}/_config/size");
    let node = record(&size)?;
    let found = node.value.unwrap_or_default();
    if found.trim().parse() != Ok(members) {
        let (url, wanted) = (url.to_owned(), members);
        return Err(DiscoveryError::Size { url, found, wanted });
    }
    let registered = record(url)?.nodes;
    let who: Vec<String> = registered
        .into_iter()
        .filter(|node| !node.key.rsplit('/').next().is_some_and(|name| name.starts_with('_')))
        .filter_map(|node| node.value)
        .collect();
    if who.is_empty() {
        return Ok(());
    }
    Err(DiscoveryError::Used { url: url.to_owned(), who: who.join(", ") })
}

#[derive(Debug, Deserialize)]
struct Answer {
    node: Node,
}

/// A key of etcd's version 2 store.
#[derive(Debug, Deserialize)]
struct Node {
    key: String,
    value: Option<String>,
    #[serde(default)]
    nodes: Vec<Node>,
}

fn record(url: &str) -> Result<Node, DiscoveryError> {
    let said = ask(url)?;
    let answer: Result<Answer, _> = serde_json::from_str(&said);
    answer.map(|answer| answer.node).map_err(|_| strange(url, &said))
}

fn ask(url: &str) -> Result<String, DiscoveryError> {
    match http::get(url, MAX_ANSWER, PATIENCE) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(HttpError::Status { url, status: 404 }) => Err(DiscoveryError::Missing(url)),
        Err(error) => Err(DiscoveryError::Silent(error)),
    }
}

fn strange(url: &str, said: &str) -> DiscoveryError {
    let said = said.chars().filter(|c| !c.is_control()).take(80).collect();
    DiscoveryError::Strange { url: url.to_owned(), said }
}

#[cfg(test)]
mod tests;

//! What the members are asked before a snapshot: each its own status, and the one that gives the snapshot what it
//! knows of the cluster.

use std::sync::Arc;

use inventories::{EtcdVersion, HostName};
use planner::spec::ClusterSpec;
use remote::{RemoteError, clean};
use tokio::task::JoinSet;

use super::sidecar::Member;
use super::source::{Answer, NoStatus, Source};
use crate::etcd::{KeysHash, alarms, authentication, hashes, is_forbidden, member_list, statuses};
use crate::pool::Pool;
use crate::sessions::etcdctl::{self, NoAnswer, Question};

/// What a member knows of its cluster; `None` where it could not say, such as without a quorum.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// All members.
    pub members: Option<Vec<Member>>,
    /// Alarms that are raised.
    pub alarms: Option<Vec<String>>,
    /// Whether etcd's own authentication is on.
    pub authentication: Option<bool>,
}

/// Asks every member of a cluster how it is, on its own host.
pub async fn every_status(pool: &Arc<Pool>, cluster: &ClusterSpec) -> Vec<Answer> {
    let mut all = JoinSet::new();
    for host in cluster.members.keys() {
        let (pool, cluster, host) = (Arc::clone(pool), cluster.clone(), host.clone());
        all.spawn(async move { status(&pool, &cluster, &host).await });
    }
    let mut answers = all.join_all().await;
    answers.sort_by(|a, b| a.host.cmp(&b.host));
    answers
}

/// With the wanted release's etcdctl, or with another one where that is not installed: between a new version in the
/// inventory and its apply, the host has only the earlier one.
async fn status(pool: &Pool, cluster: &ClusterSpec, host: &HostName) -> Answer {
    let wanted = cluster.version;
    let mut etcdctl = wanted;
    let mut said = said(pool, cluster, host, wanted, STATUS).await;
    if let Err(NoStatus::NotInstalled(_)) = said
        && let Some(other) = another(pool, host, wanted).await
    {
        etcdctl = other;
        said = self::said(pool, cluster, host, other, STATUS).await;
    }
    let status = said.and_then(|said| {
        let mut found = statuses(&said)?;
        match (found.pop(), found.is_empty()) {
            (Some(status), true) => Ok(status),
            _ => Err(NoStatus::NotOne),
        }
    });
    Answer { host: host.clone(), etcdctl, status }
}

const STATUS: &[&str] = &["endpoint", "status"];

async fn another(pool: &Pool, host: &HostName, wanted: EtcdVersion) -> Option<EtcdVersion> {
    let connection = pool.connection(host).await.ok()?;
    instead_of(wanted, &etcdctl::installed(&connection).await.ok()?)
}

/// The nearest release below, which is what runs until an upgrade, or else the nearest above.
fn instead_of(wanted: EtcdVersion, installed: &[EtcdVersion]) -> Option<EtcdVersion> {
    let below = installed.iter().filter(|version| **version < wanted).max();
    below.or(installed.iter().filter(|version| **version > wanted).min()).copied()
}

/// Asks a member what it knows of its cluster.
pub async fn about(pool: &Pool, cluster: &ClusterSpec, source: &Source) -> About {
    let (host, version) = (&source.host, source.etcdctl);
    let members = said(pool, cluster, host, version, &["member", "list"]).await.ok();
    let raised = said(pool, cluster, host, version, &["alarm", "list"]).await.ok();
    let status = said(pool, cluster, host, version, &["auth", "status"]).await.ok();
    let member = |listed: planner::facts::ListedMember| Member { id: listed.id, name: listed.name };
    let members = members.and_then(|said| member_list(&said).ok());
    let raised = raised.and_then(|said| alarms(&said).ok());
    About {
        members: members.map(|all| all.into_iter().map(member).collect()),
        alarms: raised.map(|all| all.iter().map(ToString::to_string).collect()),
        authentication: status.and_then(|said| {
            if is_forbidden(&said) { Some(true) } else { authentication(&said).ok() }
        }),
    }
}

/// What etcdctl on a member's host says of that member, log lines and all.
async fn said(
    pool: &Pool,
    cluster: &ClusterSpec,
    host: &HostName,
    version: EtcdVersion,
    question: &[&str],
) -> Result<String, NoStatus> {
    said_within(pool, cluster, (host, version), question, "--command-timeout=5s").await
}

/// What a member makes of its keys at one revision.
pub(super) async fn keys_hash(
    pool: &Pool,
    cluster: &ClusterSpec,
    (host, version): (&HostName, EtcdVersion),
    revision: u64,
) -> Option<KeysHash> {
    let revision = format!("--rev={revision}");
    let question = ["endpoint", "hashkv", &revision];
    // It reads all of its keys.
    let limit = "--command-timeout=60s";
    let said = said_within(pool, cluster, (host, version), &question, limit).await;
    hashes(&said.ok()?).ok()?.pop()
}

async fn said_within(
    pool: &Pool,
    cluster: &ClusterSpec,
    (host, version): (&HostName, EtcdVersion),
    question: &[&str],
    limit: &str,
) -> Result<String, NoStatus> {
    let limits = ["--dial-timeout=2s", limit, "-w", "json"];
    let arguments: Vec<String> =
        question.iter().chain(&limits).map(|word| (*word).to_owned()).collect();
    let endpoints = cluster.endpoints_from(host).remove(host).into_iter().collect();
    let question = Question { cluster: &cluster.name, version, endpoints, arguments: &arguments };
    let other = |error: RemoteError| NoStatus::NotRun(error.to_string());
    let connection = pool.connection(host).await.map_err(other)?;
    let answer = etcdctl::ask(&connection, &question).await.map_err(|error| match error {
        NoAnswer::Remote(error) => other(error),
        NoAnswer::NotRun(why) => NoStatus::NotRun(clean(why.as_bytes())),
    })?;
    // As `timeout` ends where there is no such program.
    if matches!(answer.status, 126 | 127) {
        return Err(NoStatus::NotInstalled(version));
    }
    let all = [answer.stderr, b"\n".to_vec(), answer.stdout].concat();
    Ok(String::from_utf8_lossy(&all).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_an_upgrade_the_release_that_runs_asks() {
        let version = |text: &str| text.parse::<EtcdVersion>().unwrap();
        let chosen = |wanted: &str, installed: &[&str]| {
            let installed: Vec<EtcdVersion> = installed.iter().map(|text| version(text)).collect();
            instead_of(version(wanted), &installed).map(|version| version.to_string())
        };
        let both = ["3.5.30", "3.5.35"];
        assert_eq!(chosen("3.6.16", &both).as_deref(), Some("3.5.35"));
        assert_eq!(chosen("3.5.31", &both).as_deref(), Some("3.5.30"));
        assert_eq!(chosen("3.5.29", &both).as_deref(), Some("3.5.30"));
        assert_eq!(chosen("3.6.16", &[]), None);
    }
}

//! What the members are asked before a snapshot: each its own status, and the one that gives the snapshot what it
//! knows of the cluster.

use std::sync::Arc;

use inventories::HostName;
use planner::spec::ClusterSpec;
use remote::clean;
use templates::layout::ReleaseLayout;
use tokio::task::JoinSet;

use super::sidecar::Member;
use super::source::Answer;
use crate::etcd::{EndpointStatus, alarms, authentication, is_forbidden, member_list, statuses};
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
        all.spawn(async move {
            let status = status(&pool, &cluster, &host).await;
            Answer { host, status }
        });
    }
    let mut answers = all.join_all().await;
    answers.sort_by(|a, b| a.host.cmp(&b.host));
    answers
}

async fn status(
    pool: &Pool,
    cluster: &ClusterSpec,
    host: &HostName,
) -> Result<EndpointStatus, String> {
    let said = said(pool, cluster, host, &["endpoint", "status"]).await?;
    let mut found = statuses(&said).map_err(|error| error.to_string())?;
    match (found.pop(), found.is_empty()) {
        (Some(status), true) => Ok(status),
        _ => Err("it did not report on one member alone".to_owned()),
    }
}

/// Asks a member what it knows of its cluster.
pub async fn about(pool: &Pool, cluster: &ClusterSpec, host: &HostName) -> About {
    let members = said(pool, cluster, host, &["member", "list"]).await.ok();
    let raised = said(pool, cluster, host, &["alarm", "list"]).await.ok();
    let status = said(pool, cluster, host, &["auth", "status"]).await.ok();
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
    question: &[&str],
) -> Result<String, String> {
    let limits = ["--dial-timeout=2s", "--command-timeout=5s", "-w", "json"];
    let arguments: Vec<String> =
        question.iter().chain(&limits).map(|word| (*word).to_owned()).collect();
    let endpoints = cluster.endpoints_from(host).remove(host).into_iter().collect();
    let question = Question {
        cluster: &cluster.name,
        version: cluster.version,
        endpoints,
        arguments: &arguments,
    };
    let connection = pool.connection(host).await.map_err(|error| error.to_string())?;
    let answer = etcdctl::ask(&connection, &question).await.map_err(|error| match error {
        NoAnswer::Remote(error) => error.to_string(),
        NoAnswer::NotRun(why) => clean(why.as_bytes()),
    })?;
    // As `timeout` ends where there is no such program.
    if matches!(answer.status, 126 | 127) {
        let release = ReleaseLayout::of(cluster.version);
        return Err(format!(
            "etcdctl of etcd {}, which the inventory wants, is not installed there ({})",
            cluster.version,
            release.etcdctl()
        ));
    }
    let all = [answer.stderr, b"\n".to_vec(), answer.stdout].concat();
    Ok(String::from_utf8_lossy(&all).into_owned())
}

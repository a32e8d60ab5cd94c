//! Whether an etcd starts from a backup, and what it holds then: restored and started on a member's host, apart from the
//! members, in a network of its own.

use std::io;
use std::sync::Arc;

use inventories::{ClusterName, EtcdVersion, HostName, Minor};
use remote::{Call, Payload, RemoteError};
use templates::Layout;
use templates::layout::ReleaseLayout;

use super::open::OpenError;
use super::restorable::Restorable;
use super::source::Answer;
use crate::etcd::{KeysHash, hashes};
use crate::hosts::StepErrorKind;
use crate::pool::Pool;
use crate::script::call::{Arguments, call, patient};
use crate::script::{self, answer, failure::Failure};
use crate::sessions::etcdctl;

mod compare;

pub use compare::{Comparison, compare};

/// How long a snapshot may take to arrive, in seconds: the largest database over a slow line.
const ARRIVING: u64 = 4 * 60 * 60;
/// How long etcd may take to restore it, to start from it and to read all of it, in seconds.
pub(super) const LONGEST: u64 = 2 * 60 * 60;

/// What an etcd that started from a backup said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Where it ran.
    pub host: HostName,
    /// The release that restored it and started.
    pub version: EtcdVersion,
    /// Its revision.
    pub revision: u64,
    /// How many keys it has; `None` where etcd's own authentication lets only root count.
    pub keys: Option<u64>,
    hash: Option<KeysHash>,
}

/// Why a host could not say whether an etcd starts from a backup.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The connection failed.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// It has no release of the snapshot's minor.
    #[error("no etcd {0} is installed there")]
    NotInstalled(Minor),
    /// It can't now, such as for want of room; nothing was tried.
    #[error("{0}")]
    Refused(String),
    /// The backup could not be sent.
    #[error("the backup could not be sent")]
    Unsent(#[source] OpenError),
    /// It tried, and it failed; in the host's own words.
    #[error("{0}")]
    Failed(String),
}

impl TrialError {
    /// Whether another host may do better.
    pub fn is_of_the_host(&self) -> bool {
        match self {
            TrialError::Remote(_) | TrialError::NotInstalled(_) | TrialError::Refused(_) => true,
            TrialError::Unsent(_) | TrialError::Failed(_) => false,
        }
    }
}

/// The hosts that are asked, one after the other: the leader's last, so that nothing there competes with it while
/// another has room.
pub fn order(answers: &[Answer]) -> Vec<&HostName> {
    let leads = |answer: &Answer| {
        let facts = answer.status.as_ref().ok().map(|status| &status.facts);
        facts.is_some_and(|facts| facts.leader.as_ref() == Some(&facts.member_id))
    };
    let mut all: Vec<&Answer> = answers.iter().collect();
    all.sort_by_key(|answer| (leads(answer), answer.status.is_err()));
    all.into_iter().map(|answer| &answer.host).collect()
}

/// Restores a backup that `taken_by` gave on one host, and starts an etcd from it. Nothing of it stays there.
///
/// # Errors
/// The host could not, or no etcd starts from it.
pub async fn try_on(
    pool: &Pool,
    host: &HostName,
    cluster: &ClusterName,
    taken_by: EtcdVersion,
    source: &Arc<Restorable>,
) -> Result<Tried, TrialError> {
    let connection = pool.connection(host).await?;
    let installed = etcdctl::installed(&connection).await?;
    let version = fitting(taken_by, &installed);
    let version = version.ok_or(TrialError::NotInstalled(taken_by.minor()))?;
    let (pipe, mut feed) = io::pipe().map_err(unsent)?;
    let payload = Payload::new().with_streamed(pipe, source.size()).map_err(unsent)?;
    let call = trying(&Layout::new(cluster), version, source, payload);
    let source = Arc::clone(source);
    let pouring = tokio::task::spawn_blocking(move || source.pour(&mut feed));
    let reply = connection.run(call).await;
    // Once the run is over nobody reads from the pipe, and so the pouring ends.
    let poured = pouring.await.map_err(|error| unsent(io::Error::other(error)))?;
    let said = match (answer::read(&reply?), poured) {
        (Ok(said), _) => said,
        // The host says only that it did not get all.
        (Err(_), Err(error)) if !matches!(error, OpenError::Write(_)) => {
            return Err(TrialError::Unsent(error));
        }
        (Err(failure), _) => return Err(why(failure)),
    };
    read(&said.body, host, version)
        .ok_or_else(|| TrialError::Failed("its answer makes no sense".to_owned()))
}

/// The release that took it, or else the newest of its minor.
pub(super) fn fitting(taken_by: EtcdVersion, installed: &[EtcdVersion]) -> Option<EtcdVersion> {
    let alike = installed.iter().copied().filter(|one| one.minor() == taken_by.minor());
    alike.max_by_key(|one| (*one == taken_by, *one))
}

fn unsent(error: io::Error) -> TrialError {
    TrialError::Unsent(OpenError::Write(error))
}

fn why(failure: Failure) -> TrialError {
    match failure.kind {
        StepErrorKind::Guard(why) => TrialError::Refused(why),
        kind => TrialError::Failed(kind.with_causes()),
    }
}

fn trying(layout: &Layout, version: EtcdVersion, source: &Restorable, payload: Payload) -> Call {
    let args = apart(layout, version)
        .with("etcdctl", ReleaseLayout::new(version).etcdctl())
        .with("sha256", source.sha256())
        .with("bytes", source.size());
    patient(call(script::TRY_SNAPSHOT, args, payload), ARRIVING + LONGEST)
}

/// What an etcd needs that is started apart from the members.
pub(super) fn apart(layout: &Layout, version: EtcdVersion) -> Arguments {
    let release = ReleaseLayout::new(version);
    Arguments::new()
        .with("tool", release.restorer())
        .with("etcd", release.etcd())
        .with("folder", layout.trial_dir())
        .with("unit", layout.trial_unit())
        .with("most", LONGEST)
}

pub(super) fn read(said: &str, host: &HostName, version: EtcdVersion) -> Option<Tried> {
    let line = |name: &str| said.lines().find_map(|line| line.strip_prefix(name));
    let keys = line("keys ").map(str::parse).transpose().ok()?;
    let hash = match line("hash ") {
        Some(said) => hashes(said).ok()?.pop(),
        None => None,
    };
    Some(Tried {
        host: host.clone(),
        version,
        revision: line("revision ")?.parse().ok()?,
        keys,
        hash,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backups::source::tests::{member, silent};

    #[test]
    fn the_leader_s_host_is_asked_last() {
        let answers = [member(1, 1, 5), silent(2), member(3, 1, 5)];
        let hosts: Vec<&str> = order(&answers).into_iter().map(HostName::as_str).collect();
        assert_eq!(hosts, ["etcd-3", "etcd-2", "etcd-1"]);
    }

    fn version(text: &str) -> EtcdVersion {
        text.parse().unwrap()
    }

    #[test]
    fn only_a_release_of_its_minor_restores_a_snapshot() {
        let installed = ["3.5.30", "3.5.35", "3.6.16"].map(version);
        let chosen = |taken_by| fitting(version(taken_by), &installed).map(|one| one.to_string());
        assert_eq!(chosen("3.5.30").as_deref(), Some("3.5.30"));
        assert_eq!(chosen("3.5.31").as_deref(), Some("3.5.35"));
        assert_eq!(chosen("3.6.20").as_deref(), Some("3.6.16"));
        assert_eq!(chosen("3.7.3"), None);
    }

    #[test]
    fn an_answer_without_a_revision_is_none() {
        let host = HostName::new("etcd-1").unwrap();
        let read = |said| read(said, &host, version("3.6.16"));
        let tried = read("revision 12\nkeys 3\nwhole").unwrap();
        assert_eq!((tried.revision, tried.keys, tried.hash), (12, Some(3), None));
        for bad in ["", "keys 3", "revision x", "revision 12\nkeys many", "revision 12\nhash {}"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}

//! One connection a host, made when it is first needed and shared by everything that a run does.

mod hops;
mod login;

use std::collections::BTreeMap;

use inventories::HostName;
use tokio::sync::{Mutex, Semaphore};

use super::remote::{Connection, Counters, RemoteError, Target, connect};

pub use login::{LoginError, Operator, target};

/// The hosts that a run may log in to.
#[derive(Debug)]
pub struct Pool {
    hosts: BTreeMap<HostName, Entry>,
    logins: Semaphore,
}

#[derive(Debug)]
struct Entry {
    target: Target,
    /// Held while logging in, so that two steps of a host log in once.
    connection: Mutex<Option<Connection>>,
}

impl Pool {
    /// A pool that logs in to at most `parallelism` hosts at the same time.
    pub fn new(targets: BTreeMap<HostName, Target>, parallelism: usize) -> Self {
        let entry = |target| Entry { target, connection: Mutex::new(None) };
        Self {
            hosts: targets.into_iter().map(|(name, target)| (name, entry(target))).collect(),
            logins: Semaphore::new(parallelism.max(1)),
        }
    }

    /// The connection to a host: the one that stands, or a new one where there is none or it was lost. A failed login is not kept, so
    /// the next one who asks tries again.
    ///
    /// # Errors
    /// Every stage of [`connect`].
    pub async fn connection(&self, host: &HostName) -> Result<Connection, RemoteError> {
        let entry = self.entry(host)?;
        let mut kept = entry.connection.lock().await;
        if let Some(connection) = kept.as_ref().filter(|connection| !connection.is_over()) {
            return Ok(connection.clone());
        }
        // The pool never closes its semaphore, and without a permit it would only be less patient.
        let _permit = self.logins.acquire().await.ok();
        let connection = connect(entry.target.clone()).await?;
        *kept = Some(connection.clone());
        Ok(connection)
    }

    /// What each connection that stands cost so far.
    pub async fn counters(&self) -> BTreeMap<HostName, Counters> {
        let mut counters = BTreeMap::new();
        for (name, entry) in &self.hosts {
            if let Some(connection) = &*entry.connection.lock().await {
                counters.insert(name.clone(), connection.counters());
            }
        }
        counters
    }

    fn entry(&self, host: &HostName) -> Result<&Entry, RemoteError> {
        self.hosts.get(host).ok_or_else(|| RemoteError::Resolve {
            host: host.to_string(),
            why: "the inventory has no such host".to_owned(),
        })
    }
}

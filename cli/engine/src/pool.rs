//! One connection a host, made when it is first needed and shared by everything that a run does.

mod hops;
mod login;

use std::collections::BTreeMap;
use std::sync::Arc;

use inventories::HostName;
use tokio::sync::{Mutex, Semaphore};
use tracing::{Instrument as _, debug, debug_span};

use remote::{Connection, Counters, RemoteError, Target, connect};

pub use login::many::targets;
pub use login::{LoginError, Operator, target};

/// The hosts that a run may log in to.
#[derive(Debug)]
pub struct Pool {
    hosts: BTreeMap<HostName, Entry>,
    logins: Semaphore,
}

/// How many logins a jump host is asked for at once: sshd drops some of those above ten that have not
/// proven who they are yet (`MaxStartups`).
const LOGINS_AT_A_JUMP_HOST: usize = 8;

#[derive(Debug)]
struct Entry {
    /// Its turns are shared by all that go through the same first hop.
    target: Target,
    /// Held while logging in, so that two steps of a host log in once.
    connection: Mutex<Option<Connection>>,
}

impl Pool {
    /// A pool that makes at most so many logins at the same time.
    pub fn new(targets: BTreeMap<HostName, Target>, logins: usize) -> Self {
        let mut jumps: BTreeMap<(String, u16), Arc<Semaphore>> = BTreeMap::new();
        let mut entry = |mut target: Target| {
            let first = target.first_hop();
            let hop = match &first.proxy_command {
                // Where a command leads is not known: most lead to one and the same jump host.
                Some(_) => Some((String::new(), 0)),
                None if target.jump.is_some() => Some((first.host.clone(), first.port)),
                None => None,
            };
            target.turns = hop.map(|hop| {
                let few = || Arc::new(Semaphore::new(LOGINS_AT_A_JUMP_HOST));
                Arc::clone(jumps.entry(hop).or_insert_with(few))
            });
            Entry { target, connection: Mutex::new(None) }
        };
        Self {
            hosts: targets.into_iter().map(|(name, target)| (name, entry(target))).collect(),
            logins: Semaphore::new(logins.max(1)),
        }
    }

    /// The connection to a host: the one that stands, or a new one where there is none or it was lost. A failed login is not kept, so
    /// the next one who asks tries again.
    ///
    /// # Errors
    /// Every stage of [`connect`].
    pub async fn connection(&self, host: &HostName) -> Result<Connection, RemoteError> {
        self.connected(host).instrument(debug_span!("connection", %host)).await
    }

    async fn connected(&self, host: &HostName) -> Result<Connection, RemoteError> {
        let entry = self.entry(host)?;
        let mut kept = entry.connection.lock().await;
        if let Some(connection) = kept.as_ref().filter(|connection| !connection.is_over()) {
            return Ok(connection.clone());
        }
        debug!("awaiting a turn to log in");
        // The pool never closes its semaphores, and without a permit it would only be less patient.
        let _turn = match &entry.target.turns {
            Some(turns) => turns.acquire().await.ok(),
            None => None,
        };
        let _permit = self.logins.acquire().await.ok();
        let connection = connect(entry.target.clone()).await?;
        *kept = Some(connection.clone());
        Ok(connection)
    }

    /// Whether scripts on a host are run by sudo.
    pub fn uses_sudo(&self, host: &HostName) -> bool {
        self.entry(host).is_ok_and(|entry| entry.target.sudo)
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

#[cfg(test)]
mod full_servers;
#[cfg(test)]
mod tests;

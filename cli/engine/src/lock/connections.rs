//! Locked connections: to each host of an apply its connection, and the generation of the lock that belongs to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use inventories::HostName;
use planner::Step;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::LEASE;
use super::fence::{Fence, LockedConnection};
use crate::pool::Pool;
use crate::script::failure::Failure;
use remote::Connection;

/// How long a host that went away is waited for: as long as our lock on it lasts without it.
const PATIENCE: Duration = LEASE;
/// The first pause between two attempts to connect; each is twice the last, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The hosts that an apply may change, each behind its lock.
#[derive(Debug)]
pub(crate) struct LockedHosts {
    pool: Arc<Pool>,
    fence: Fence,
    hosts: BTreeMap<HostName, Mutex<LockedHost>>,
}

/// What is known of a locked host.
#[derive(Debug)]
struct LockedHost {
    /// The generation of the lock there.
    generation: u64,
    /// The connection that it belongs to; `None` before the first step.
    connection: Option<Connection>,
    /// Whether the host was waited for in vain.
    given_up: bool,
}

impl LockedHosts {
    pub(crate) fn new(pool: Arc<Pool>, fence: Fence) -> Self {
        let locked = |generation: &u64| {
            Mutex::new(LockedHost { generation: *generation, connection: None, given_up: false })
        };
        let hosts = fence.generations.iter();
        let hosts = hosts.map(|(host, generation)| (host.clone(), locked(generation))).collect();
        Self { pool, fence, hosts }
    }

    /// The connection to a step's host, with the step's fence.
    pub(crate) async fn connection(&self, step: &Step) -> Result<LockedConnection, Failure> {
        let mut locked = self.locked(step.host())?.lock().await;
        let connection = self.connect(step.host(), &mut locked).await?;
        let fence = self.fence.arguments(step, locked.generation)?;
        Ok(LockedConnection::new(connection, fence))
    }

    /// Waits until a host is back, and nothing of what was sent there before can do anything.
    pub(crate) async fn reconnect(&self, host: &HostName) -> Result<(), Failure> {
        let until = Instant::now() + PATIENCE;
        let mut pause = FIRST_PAUSE;
        loop {
            let mut locked = self.locked(host)?.lock().await;
            let failure = match self.connect(host, &mut locked).await {
                Ok(_) => return Ok(()),
                Err(failure) => failure,
            };
            locked.given_up |= Instant::now() + pause >= until;
            if failure.kind.lost().is_none() || locked.given_up {
                return Err(failure);
            }
            drop(locked);
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn connect(
        &self,
        host: &HostName,
        locked: &mut LockedHost,
    ) -> Result<Connection, Failure> {
        let connection = self.pool.connection(host).await?;
        if let Some(before) = &locked.connection
            && !before.is_same(&connection)
        {
            locked.generation = self.fence.renew(host, &connection).await?;
        }
        locked.connection = Some(connection.clone());
        locked.given_up = false;
        Ok(connection)
    }

    fn locked(&self, host: &HostName) -> Result<&Mutex<LockedHost>, Failure> {
        let locked = self.hosts.get(host);
        locked.ok_or_else(|| Failure::local("this host is not locked, so nothing is done on it"))
    }
}

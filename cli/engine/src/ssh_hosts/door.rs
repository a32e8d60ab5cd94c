//! The way to a step's host: its connection, and the generation of the lock that belongs to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use inventories::HostName;
use planner::Step;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::failure::Failure;
use super::fence::{Fence, Fenced};
use crate::lock::LEASE;
use crate::pool::Pool;
use remote::Connection;

/// How long a host that went away is waited for: as long as our lock on it lasts without it.
const PATIENCE: Duration = LEASE;
/// The first pause between two attempts to connect; each is twice the last, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The ways to the hosts that an apply may change.
#[derive(Debug)]
pub(super) struct Doors {
    pool: Arc<Pool>,
    fence: Fence,
    hosts: BTreeMap<HostName, Mutex<Claimed>>,
}

/// What is known of a locked host.
#[derive(Debug)]
struct Claimed {
    /// The generation of the lock there.
    generation: u64,
    /// The connection that it belongs to; `None` before the first step.
    connection: Option<Connection>,
    /// Whether the host was waited for in vain.
    given_up: bool,
}

impl Doors {
    pub(super) fn new(pool: Arc<Pool>, fence: Fence) -> Self {
        let claimed = |generation: &u64| {
            Mutex::new(Claimed { generation: *generation, connection: None, given_up: false })
        };
        let hosts = fence.generations.iter();
        let hosts = hosts.map(|(host, generation)| (host.clone(), claimed(generation))).collect();
        Self { pool, fence, hosts }
    }

    /// The connection to a step's host, with the step's fence.
    pub(super) async fn open(&self, step: &Step) -> Result<Fenced, Failure> {
        let mut claimed = self.claimed(&step.host)?.lock().await;
        let connection = self.connect(&step.host, &mut claimed).await?;
        let words = self.fence.words(step, claimed.generation)?;
        Ok(Fenced::new(connection, Some(words)))
    }

    /// Waits until a host is back, and nothing of what was sent there before can do anything.
    pub(super) async fn reopen(&self, host: &HostName) -> Result<(), Failure> {
        let until = Instant::now() + PATIENCE;
        let mut pause = FIRST_PAUSE;
        loop {
            let mut claimed = self.claimed(host)?.lock().await;
            let failure = match self.connect(host, &mut claimed).await {
                Ok(_) => return Ok(()),
                Err(failure) => failure,
            };
            claimed.given_up |= Instant::now() + pause >= until;
            if failure.kind.lost().is_none() || claimed.given_up {
                return Err(failure);
            }
            drop(claimed);
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn connect(&self, host: &HostName, claimed: &mut Claimed) -> Result<Connection, Failure> {
        let connection = self.pool.connection(host).await?;
        if let Some(before) = &claimed.connection
            && !before.is_same(&connection)
        {
            claimed.generation = self.fence.renew(host, &connection).await?;
        }
        claimed.connection = Some(connection.clone());
        claimed.given_up = false;
        Ok(connection)
    }

    fn claimed(&self, host: &HostName) -> Result<&Mutex<Claimed>, Failure> {
        let locked = self.hosts.get(host);
        locked.ok_or_else(|| Failure::local("this host is not locked, so nothing is done on it"))
    }
}

//! What stands in front of every step's arguments: the lock that it is fenced by, and its line for
//! the host's journal. `script/sh/fence.sh` reads it.
//!
//! A generation of the lock belongs to one connection. After a lost one the next begins with a new
//! generation, so that nothing of what was sent over the lost one can still do anything.

use std::collections::BTreeMap;
use std::net::IpAddr;

use inventories::HostName;
use planner::Step;
use planner::facts::Commit;

use super::{LEASE, journal};
use crate::script::{
    self, answer,
    call::{self, Arguments},
    failure::Failure,
};
use remote::{Call, Connection, Payload, RemoteError, Reply};

/// The lock that an apply holds, and who it is in the journals.
#[derive(Debug, Clone)]
pub struct Fence {
    /// The lock's file on each host.
    pub lock: String,
    /// The journal's file on each host.
    pub journal: String,
    /// Whose lock it is.
    pub nonce: String,
    /// The generation of the lock on each host that is locked, as it was taken.
    pub generations: BTreeMap<HostName, u64>,
    /// The machine of each locked host, as it was when the plan was made.
    pub machines: BTreeMap<HostName, Machine>,
    /// Who applies.
    pub who: String,
    /// The hash of the plan.
    pub plan: String,
    /// The commit of the inventory, where it is in git.
    pub commit: Option<Commit>,
}

/// What a machine is known by. What was not known when the plan was made is not asked for later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its machine-id.
    pub id: Option<String>,
    /// An address that it has.
    pub address: Option<IpAddr>,
}

impl Machine {
    pub(super) fn arguments(&self) -> Arguments {
        let Self { id, address } = self;
        let id = id.iter().fold(Arguments::new(), |all, id| all.with("machine", id));
        address.iter().fold(id, |all, address| all.with("address", address))
    }
}

impl Fence {
    /// What comes before a step's own arguments.
    pub(crate) fn arguments(&self, step: &Step, generation: u64) -> Result<Arguments, Failure> {
        let entry = journal::entry_of_step(self, step.id.to_string())?;
        let lock = self.machine(step.host()).with("fence", &self.lock).with("turn", generation);
        Ok(lock.and(entry))
    }

    fn machine(&self, host: &HostName) -> Arguments {
        self.machines.get(host).map(Machine::arguments).unwrap_or_default()
    }

    /// Resumes the lock over a new connection: the generation from here on. What was sent over
    /// the one before is over by then, or does nothing.
    pub(crate) async fn renew(
        &self,
        host: &HostName,
        connection: &Connection,
    ) -> Result<u64, Failure> {
        let lock = self.machine(host).with("lock", &self.lock);
        let args = lock.with("seconds", LEASE.as_secs()).with("run", &self.nonce);
        let call = call::call(script::LOCK_AGAIN, args, Payload::new());
        let reply = connection.run(call).await?;
        let body = answer::read(&reply)?.body;
        let generation = body.strip_prefix("generation ").and_then(|number| number.parse().ok());
        generation.ok_or_else(|| Failure::failed("the lock has no generation"))
    }
}

/// A connection that puts a step's fence in front of whatever it runs.
pub(crate) struct LockedConnection {
    connection: Connection,
    fence: Arguments,
}

impl LockedConnection {
    pub(crate) fn new(connection: Connection, fence: Arguments) -> Self {
        Self { connection, fence }
    }

    pub(crate) async fn run(&self, mut call: Call) -> Result<Reply, RemoteError> {
        call.args.splice(0..0, self.fence.clone().into_words());
        self.connection.run(call).await
    }
}

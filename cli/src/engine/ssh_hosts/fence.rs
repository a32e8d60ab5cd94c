//! What stands in front of every step's arguments: the lock that it is fenced by, and its line for
//! the host's journal. `scripts/fence.sh` reads it.

use std::collections::BTreeMap;

use inventories::HostName;
use planner::Step;
use serde::Serialize;
use templates::layout::{JOURNAL_FILE, LOCK_FILE};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::failure::Failure;
use crate::engine::remote::{Call, Connection, RemoteError, Reply};

/// The words of a script that nobody fences and no journal notes.
pub(in crate::engine) const UNFENCED: [&str; 4] = ["-"; 4];

/// The lock that an apply holds, and who it is in the journals.
#[derive(Debug, Clone)]
pub struct Fence {
    /// The generation of the lock on each host that is locked.
    pub generations: BTreeMap<HostName, u64>,
    /// Who applies.
    pub who: String,
    /// The hash of the plan.
    pub plan: String,
    /// The commit of the inventory, where it is in git.
    pub commit: Option<String>,
}

/// A line of the journal, before its outcome.
#[derive(Serialize)]
struct Entry<'a> {
    at: String,
    who: &'a str,
    plan: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'a str>,
    step: &'a str,
}

impl Fence {
    pub(super) fn words(&self, step: &Step) -> Result<[String; 4], Failure> {
        let Some(generation) = self.generations.get(&step.host) else {
            return Err(Failure::local("this host is not locked, so nothing is done on it"));
        };
        let entry = Entry {
            at: OffsetDateTime::now_utc().format(&Rfc3339).map_err(Failure::local)?,
            who: &self.who,
            plan: &self.plan,
            commit: self.commit.as_deref(),
            step: &step.id.0,
        };
        let line = serde_json::to_string(&entry).map_err(Failure::local)?;
        // The script closes the object behind the outcome.
        let open = line.strip_suffix('}').unwrap_or(&line).to_owned();
        Ok([LOCK_FILE.to_owned(), generation.to_string(), JOURNAL_FILE.to_owned(), open])
    }
}

/// A connection that puts a step's fence in front of whatever it runs.
pub(super) struct Fenced {
    connection: Connection,
    words: [String; 4],
}

impl Fenced {
    pub(super) fn new(connection: Connection, words: Option<[String; 4]>) -> Self {
        let words = words.unwrap_or_else(|| UNFENCED.map(str::to_owned));
        Self { connection, words }
    }

    /// For scripts that only look.
    pub(super) fn unfenced(connection: Connection) -> Self {
        Self::new(connection, None)
    }

    pub(super) async fn run(&self, mut call: Call) -> Result<Reply, RemoteError> {
        call.args.splice(0..0, self.words.clone());
        self.connection.run(call).await
    }
}

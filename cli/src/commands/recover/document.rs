//! What `quorate recover --json` prints.

use engine::backups::Sidecar;
use inventories::ClusterName;
use planner::recovery::{Left, Recovery, State, Way};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::restore::known::Known;
use super::{advice, reached, why};
use crate::exit::ExitCode;
use crate::report::plan_document::FORMAT_VERSION;

/// What is left of a cluster, and what leads out.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::commands) struct RecoverDocument {
    format_version: &'static str,
    quorate_version: &'static str,
    exit_code: u8,
    reason: &'static str,
    cluster: String,
    /// How many members a quorum takes.
    needed: usize,
    /// How many members have a vote.
    voters: usize,
    /// The newest data first.
    members: Vec<Member>,
    /// The newest good backup in the targets that were read.
    newest_backup: Option<Backup>,
    /// What could not be read, or is not relied on.
    doubts: Vec<String>,
    /// What leads out, the way that loses least first.
    ways: Vec<Step>,
    /// With `--check`: what a restore would lack; empty if it could begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Vec<String>>,
}

/// What is left of a member. The numbers are `null` unless it answers.
#[derive(Debug, Serialize, JsonSchema)]
struct Member {
    host: String,
    state: Word,
    /// The same for people.
    why: String,
    revision: Option<u64>,
    applied: Option<u64>,
    term: Option<u64>,
}

/// A state as a word.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Serves,
    Alone,
    Learner,
    Silent,
    Unseen,
    Empty,
}

/// A backup.
#[derive(Debug, Serialize, JsonSchema)]
struct Backup {
    id: String,
    /// When it was started, RFC 3339 in UTC.
    time: String,
    revision: u64,
    etcd_version: String,
}

/// A way out.
#[derive(Debug, Serialize, JsonSchema)]
struct Step {
    way: WayWord,
    /// What to do, and the commands, for people.
    advice: String,
}

/// A way as a word.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum WayWord {
    Quorum,
    Led,
    Finish,
    Start,
    Reach,
    Survivor,
    Revive,
    Backup,
}

pub(super) fn document(
    cluster: &ClusterName,
    found: &Recovery,
    known: &Known,
    (missing, code): (Option<Vec<String>>, ExitCode),
) -> RecoverDocument {
    let newest = known.newest();
    let step = |way: &Way| Step { way: way_word(way), advice: advice(cluster, found, way, newest) };
    RecoverDocument {
        format_version: FORMAT_VERSION,
        quorate_version: env!("CARGO_PKG_VERSION"),
        exit_code: code.number(),
        reason: code.reason(),
        cluster: cluster.to_string(),
        needed: found.needed,
        voters: found.voters,
        members: found.members.iter().map(member).collect(),
        newest_backup: newest.map(backup),
        doubts: known.doubts.clone(),
        ways: found.ways.iter().map(step).collect(),
        missing,
    }
}

fn member(left: &Left) -> Member {
    let state = match &left.state {
        State::Serves(_) => Word::Serves,
        State::Alone(_) => Word::Alone,
        State::Learner => Word::Learner,
        State::Silent => Word::Silent,
        State::Unseen(_) => Word::Unseen,
        State::Empty => Word::Empty,
    };
    let at = reached(&left.state);
    Member {
        host: left.host.to_string(),
        state,
        why: why(&left.state),
        revision: at.map(|at| at.revision),
        applied: at.map(|at| at.applied),
        term: at.map(|at| at.term),
    }
}

fn backup(newest: &Sidecar) -> Backup {
    Backup {
        id: newest.id.clone(),
        time: newest.time.clone(),
        revision: newest.revision,
        etcd_version: newest.etcd_version.clone(),
    }
}

fn way_word(way: &Way) -> WayWord {
    match way {
        Way::Quorum => WayWord::Quorum,
        Way::Led(_) => WayWord::Led,
        Way::Finish(_) => WayWord::Finish,
        Way::Start(_) => WayWord::Start,
        Way::Reach(_) => WayWord::Reach,
        Way::Survivor(_) => WayWord::Survivor,
        Way::Revive(_) => WayWord::Revive,
        Way::Backup => WayWord::Backup,
    }
}

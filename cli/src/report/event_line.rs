//! One line of `apply --json`. The format is an interface, so it has structs of its own.

use std::collections::BTreeMap;

use inventories::diagnostic::JsonDiagnostic;
use planner::Step;
use schemars::JsonSchema;
use serde::Serialize;

use super::plan_document::{ClusterDocument, FindingDocument, PlanDocument, StepDocument, Summary};
use super::words::OutcomeWord;

/// Version of the event stream. A new minor only adds keys and types; a reader refuses a major that
/// it does not know.
pub const UI: &str = "1.0";

/// One line of `apply --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EventLine<'a> {
    /// How much it matters.
    #[serde(rename = "@level")]
    pub level: Level,
    /// A text for people that says it all.
    #[serde(rename = "@message")]
    pub message: &'a str,
    /// `quorate`.
    #[serde(rename = "@module")]
    pub module: &'static str,
    /// When it was printed, as RFC 3339 in UTC.
    #[serde(rename = "@timestamp")]
    pub timestamp: String,
    /// What it tells, and what belongs to that.
    #[serde(flatten)]
    pub kind: EventKind<'a>,
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Info,
    /// Somebody should look.
    Warn,
    /// Something failed, or is refused.
    Error,
}

/// What a line tells.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventKind<'a> {
    /// The first line: what follows.
    Version {
        /// Version of the program.
        quorate: &'static str,
        /// Version of the stream.
        ui: &'static str,
    },
    /// Something is wrong or worth a look: in the inventory, on a host, with a step, or with the run.
    Diagnostic {
        /// What is wrong, where, and what to do.
        diagnostic: DiagnosticDocument<'a>,
    },
    /// A step of the plan.
    PlannedChange {
        /// As in the plan's `steps`.
        change: StepDocument<'a>,
    },
    /// Totals: of the plan before it is applied, and of what was done at the end.
    ChangeSummary {
        /// How many things, and the operation.
        changes: Changes,
    },
    /// The whole plan, as `plan --json` prints it.
    Plan {
        /// The document.
        plan: Box<PlanDocument<'a>>,
    },
    /// A text for people and nothing more.
    Log,
    /// A step begins.
    ApplyStart {
        /// The step.
        hook: Hook,
    },
    /// A step still runs; told for each running step after a silence.
    ApplyProgress {
        /// The step.
        hook: RunningHook,
    },
    /// The connection to a step's host is lost; the host is waited for.
    ConnectionLost {
        /// The step.
        hook: Hook,
        /// What happened to the connection.
        why: &'a str,
    },
    /// The host is back, and the step continues.
    Reconnected {
        /// The step.
        hook: WaitedHook,
    },
    /// A step is done, or was already.
    ApplyComplete {
        /// The step.
        hook: EndedHook,
    },
    /// A step failed; a `diagnostic` says why.
    ApplyErrored {
        /// The step.
        hook: EndedHook,
    },
    /// A step not started.
    ApplySkipped {
        /// The step.
        hook: EndedHook,
    },
    /// The operator interrupted: finishing the running steps, starting no others.
    Stopping {
        /// Steps that are being finished.
        running: Vec<String>,
    },
    /// Where the clusters are, and how they are now.
    Outputs {
        /// What their users need.
        outputs: Outputs<'a>,
    },
    /// The last line.
    End {
        /// What the process ends with.
        exit_code: u8,
        /// The same as a word.
        reason: &'static str,
    },
}

/// What is wrong; its keys tell which of these it is.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum DiagnosticDocument<'a> {
    /// With the inventory.
    Inventory(Box<JsonDiagnostic<'a>>),
    /// On a host or with a cluster.
    Finding(FindingDocument<'a>),
    /// With a step.
    Step(StepDiagnostic<'a>),
    /// With the run.
    Run(RunDiagnostic<'a>),
}

/// Why a step failed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StepDiagnostic<'a> {
    /// Always `error`.
    pub severity: Level,
    /// What failed, on which host.
    pub summary: &'a str,
    /// The step's name.
    pub step: String,
    /// The host that it was to be done on.
    pub host: &'a str,
    /// The host's own words: a unit's journal, etcd's log line.
    pub words: &'a [String],
    /// What to do.
    pub hint: Option<&'a str>,
}

/// Why a run ended before its end.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunDiagnostic<'a> {
    /// Always `error`.
    pub severity: Level,
    /// What stopped the run.
    pub summary: &'a str,
    /// What to do, one sentence each.
    pub hints: &'a [String],
}

/// Totals, and of what.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Changes {
    /// How many things are created, changed and destroyed.
    #[serde(flatten)]
    pub total: Summary,
    /// What was counted.
    pub operation: Operation,
}

/// What totals are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// What is to be done.
    Plan,
    /// What was done.
    Apply,
}

/// Where the clusters are, and how they are now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Outputs<'a> {
    /// The client URLs of each cluster's members.
    pub endpoints: BTreeMap<&'a str, Vec<String>>,
    /// How the clusters that were worked on were found after the last step.
    pub clusters: BTreeMap<&'a str, ClusterDocument<'a>>,
}

/// The step that a line is about.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Hook {
    /// Its name.
    pub step: String,
    /// The host that it is done on.
    pub host: String,
    /// `null` for what serves every cluster of a host.
    pub cluster: Option<String>,
    /// `create`, `update`, `replace`, `destroy`, `run` or `check`.
    pub action: &'static str,
}

/// A step that still runs.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunningHook {
    /// Which.
    #[serde(flatten)]
    pub step: Hook,
    /// How long it has been running, in whole seconds.
    pub elapsed_seconds: u64,
}

/// A step whose host is back.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WaitedHook {
    /// Which.
    #[serde(flatten)]
    pub step: Hook,
    /// How long the host was waited for, in whole seconds.
    pub waited_seconds: u64,
}

/// A step that ended, or will never begin.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EndedHook {
    /// Which.
    #[serde(flatten)]
    pub step: Hook,
    /// How long it took, in whole seconds; 0 where it not started.
    pub elapsed_seconds: u64,
    /// How it ended, or why it not started.
    pub result: OutcomeWord,
}

impl From<&Step> for Hook {
    fn from(step: &Step) -> Self {
        Self {
            step: step.id.to_string(),
            host: step.host().to_string(),
            cluster: step.cluster().map(ToString::to_string),
            action: step.action.word(),
        }
    }
}

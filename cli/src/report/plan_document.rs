//! A plan as one JSON document. The format is an interface, so it has structs of its own.

use std::collections::BTreeMap;

use planner::plan::{Count, Plan, Step, Why};
use planner::report::{Blocked, ClusterNow, Finding, Hop, LeftOut, PlanReport, QuorumNote};
use planner::stops::Stops;
use planner::text::describe;
use planner::{Selection, fingerprint};
use schemars::JsonSchema;
use serde::Serialize;

use super::since_document::{LastApplyDocument, LockDocument};
use super::words::FormationWord;
use crate::exit::ExitCode;

/// Version of the documents that `--json` prints. A new minor only adds keys; a reader refuses a
/// major that it does not know.
pub const FORMAT_VERSION: &str = "1.4";

/// A plan.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlanDocument<'a> {
    format_version: &'static str,
    quorate_version: &'static str,
    site: &'a str,
    /// What `apply --expect` takes; also its first twelve characters.
    hash: String,
    selection: SelectionDocument<'a>,
    exit_code: u8,
    reason: &'static str,
    summary: Summary,
    /// Whether an apply has to open the CA keys.
    needs_ca_keys: bool,
    clusters: BTreeMap<&'a str, ClusterDocument<'a>>,
    /// The applies that hosts remember as their last, newest first.
    last_applies: Vec<LastApplyDocument<'a>>,
    /// Hosts whose lock a run holds at this moment.
    locked: Vec<LockDocument<'a>>,
    /// Hosts that could not be seen, and why.
    unseen: BTreeMap<&'a str, &'a str>,
    steps: Vec<StepDocument<'a>>,
    quorum: Vec<QuorumDocument<'a>>,
    /// The hops to another minor of etcd. The first of each cluster is in this plan; an apply does the later ones after it.
    hops: Vec<HopDocument<'a>>,
    one_way: &'a [String],
    /// What `--confirm` must name besides `--yes`, each by a flag of its own: hosts whose serving members are replaced, and
    /// a cluster that is destroyed.
    confirm: Vec<&'a str>,
    clients: &'a [String],
    warnings: Vec<FindingDocument<'a>>,
    /// What is wrong or not supported, and what each leaves out of the plan; the rest is in it.
    blocked: Vec<BlockedDocument<'a>>,
    /// Changes that are wanted but not safe now; the rest of the plan runs without them.
    held: Vec<FindingDocument<'a>>,
    waiting: Vec<FindingDocument<'a>>,
    /// What a narrowed plan leaves out; empty where nothing was selected.
    left_out: Vec<LeftOutDocument<'a>>,
    unmanaged: Vec<FindingDocument<'a>>,
}

/// Totals: things created, changed in place and destroyed.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct Summary {
    add: usize,
    change: usize,
    destroy: usize,
}

/// What the plan was narrowed to; an empty list takes all.
#[derive(Debug, Serialize, JsonSchema)]
struct SelectionDocument<'a> {
    clusters: Vec<&'a str>,
    hosts: Vec<&'a str>,
}

/// What a narrowed plan leaves out of a cluster; of what serves whole hosts where there is none.
#[derive(Debug, Serialize, JsonSchema)]
struct LeftOutDocument<'a> {
    cluster: Option<&'a str>,
    hosts: Vec<&'a str>,
    steps: usize,
    /// Findings that block or hold back something of the whole plan.
    problems: usize,
}

/// How a cluster is now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ClusterDocument<'a> {
    formation: FormationWord,
    cluster_id: Option<&'a str>,
    voters: usize,
    healthy: usize,
    needed: usize,
    margin: usize,
    leader: Option<&'a str>,
    down: BTreeMap<&'a str, &'a str>,
    alarms: &'a [String],
}

/// A step.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StepDocument<'a> {
    id: String,
    host: &'a str,
    cluster: Option<&'a str>,
    action: &'static str,
    description: String,
    after: Vec<String>,
    why: WhyDocument<'a>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "because", rename_all = "kebab-case")]
enum WhyDocument<'a> {
    Wanted { file: Option<&'a str>, line: Option<u32> },
    Drift { changes: &'a [String] },
    Unfinished,
    Safety { note: &'a str },
}

/// Something found on a host or of a cluster.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FindingDocument<'a> {
    code: &'a str,
    host: Option<&'a str>,
    cluster: Option<&'a str>,
    message: &'a str,
    hint: Option<&'a str>,
}

/// A finding that keeps steps out of the plan.
#[derive(Debug, Serialize, JsonSchema)]
struct BlockedDocument<'a> {
    #[serde(flatten)]
    finding: FindingDocument<'a>,
    /// What it stops; never empty.
    stops: Vec<StopDocument<'a>>,
}

/// What a finding stops.
#[derive(Debug, Serialize, JsonSchema)]
struct StopDocument<'a> {
    what: StopWord,
    host: Option<&'a str>,
    cluster: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum StopWord {
    /// Everything that is done for the cluster.
    Cluster,
    /// Restarts of the cluster's members, and other members; repairs continue.
    Changes,
    /// Everything on the host.
    Host,
    /// What is done to the host's API server.
    ApiServer,
    /// Everything of the host's member of the cluster.
    Member,
    /// Other settings of the host's member of the cluster, and its restart.
    Settings,
}

#[derive(Debug, Serialize, JsonSchema)]
struct QuorumDocument<'a> {
    cluster: &'a str,
    what: &'a str,
    up: usize,
    needed: usize,
    margin: usize,
}

/// A release on a cluster's way to another minor.
#[derive(Debug, Serialize, JsonSchema)]
struct HopDocument<'a> {
    cluster: &'a str,
    /// Its place among the cluster's hops, from 1.
    number: usize,
    of: usize,
    /// The farthest from it that a member runs before.
    from: String,
    to: String,
    /// Flags and defaults that change.
    changes: &'a [String],
    /// What clients notice.
    clients: &'a str,
    /// Until when it can be undone, and how.
    undo: &'a str,
}

impl<'a> PlanDocument<'a> {
    /// The document of a plan that a command ends with `code` for.
    pub fn new(plan: &'a Plan, code: ExitCode) -> Self {
        let Plan { site, selection, steps, report } = plan;
        let PlanReport {
            purpose: _,
            clusters,
            last_applies,
            locked,
            unseen,
            warnings,
            blocked,
            held,
            waiting,
            left_out,
            unmanaged,
            quorum,
            hops,
            one_way,
            clients,
            confirm,
        } = report;
        Self {
            format_version: FORMAT_VERSION,
            quorate_version: env!("CARGO_PKG_VERSION"),
            site: site.as_str(),
            hash: fingerprint::hash(plan),
            selection: SelectionDocument::from(selection),
            exit_code: code.number(),
            reason: code.reason(),
            summary: Summary::from(plan.count()),
            needs_ca_keys: plan.needs_ca_keys(),
            clusters: clusters
                .iter()
                .map(|(name, now)| (name.as_str(), ClusterDocument::from(now)))
                .collect(),
            last_applies: last_applies.iter().map(LastApplyDocument::from).collect(),
            locked: locked.iter().map(LockDocument::from).collect(),
            unseen: unseen.iter().map(|(host, why)| (host.as_str(), why.as_str())).collect(),
            steps: steps.iter().map(StepDocument::from).collect(),
            quorum: quorum.iter().map(QuorumDocument::from).collect(),
            hops: hops.iter().map(HopDocument::from).collect(),
            one_way,
            confirm: confirm.iter().map(String::as_str).collect(),
            clients,
            warnings: findings(warnings),
            blocked: blocked.iter().map(BlockedDocument::from).collect(),
            held: findings(held),
            waiting: findings(waiting),
            left_out: left_out.iter().map(LeftOutDocument::from).collect(),
            unmanaged: findings(unmanaged),
        }
    }
}

fn findings(found: &[Finding]) -> Vec<FindingDocument<'_>> {
    found.iter().map(FindingDocument::from).collect()
}

impl From<Count> for Summary {
    fn from(count: Count) -> Self {
        let Count { add, change, destroy } = count;
        Self { add, change, destroy }
    }
}

impl<'a> From<&'a ClusterNow> for ClusterDocument<'a> {
    fn from(now: &'a ClusterNow) -> Self {
        let ClusterNow {
            formation,
            cluster_id,
            quorum,
            unseen: _,
            leader,
            led: _,
            down,
            late: _,
            alarms,
        } = now;
        Self {
            formation: FormationWord::from(*formation),
            cluster_id: cluster_id.as_deref(),
            voters: quorum.voters,
            healthy: quorum.healthy,
            needed: quorum.size(),
            margin: quorum.margin(),
            leader: leader.as_ref().map(|host| host.as_str()),
            down: down.iter().map(|(host, state)| (host.as_str(), state.as_str())).collect(),
            alarms,
        }
    }
}

impl<'a> From<&'a Step> for StepDocument<'a> {
    fn from(step: &'a Step) -> Self {
        let Step { id, action, kind, guard: _, after, why } = step;
        Self {
            id: id.to_string(),
            host: id.host.as_str(),
            cluster: id.scope.cluster().map(|cluster| cluster.as_str()),
            action: action.word(),
            description: describe(kind),
            after: after.iter().map(ToString::to_string).collect(),
            why: match why {
                Why::Wanted { place } => WhyDocument::Wanted {
                    file: place.as_ref().map(|place| place.file.as_str()),
                    line: place.as_ref().map(|place| place.line),
                },
                Why::Drift { changes } => WhyDocument::Drift { changes },
                Why::Unfinished => WhyDocument::Unfinished,
                Why::Safety { note } => WhyDocument::Safety { note },
            },
        }
    }
}

impl<'a> From<&'a Finding> for FindingDocument<'a> {
    fn from(finding: &'a Finding) -> Self {
        let Finding { code, host, cluster, message, hint } = finding;
        Self {
            code: code.as_str(),
            host: host.as_ref().map(|host| host.as_str()),
            cluster: cluster.as_ref().map(|cluster| cluster.as_str()),
            message,
            hint: hint.as_deref(),
        }
    }
}

impl<'a> From<&'a Blocked> for BlockedDocument<'a> {
    fn from(blocked: &'a Blocked) -> Self {
        let Blocked { finding, stops } = blocked;
        let stops = stops.iter().map(StopDocument::from).collect();
        Self { finding: FindingDocument::from(finding), stops }
    }
}

impl<'a> From<&'a Stops> for StopDocument<'a> {
    fn from(stops: &'a Stops) -> Self {
        Self {
            what: match stops {
                Stops::Cluster(_) => StopWord::Cluster,
                Stops::Changes(_) => StopWord::Changes,
                Stops::Host(_) => StopWord::Host,
                Stops::ApiServer(_) => StopWord::ApiServer,
                Stops::Member(..) => StopWord::Member,
                Stops::Settings(..) => StopWord::Settings,
            },
            host: stops.host().map(|host| host.as_str()),
            cluster: stops.cluster().map(|cluster| cluster.as_str()),
        }
    }
}

impl<'a> From<&'a QuorumNote> for QuorumDocument<'a> {
    fn from(note: &'a QuorumNote) -> Self {
        let QuorumNote { cluster, what, up, needed } = note;
        let margin = up.saturating_sub(*needed);
        Self { cluster: cluster.as_str(), what, up: *up, needed: *needed, margin }
    }
}

impl<'a> From<&'a Hop> for HopDocument<'a> {
    fn from(hop: &'a Hop) -> Self {
        let Hop { cluster, number, of, from, to, changes, clients, undo } = hop;
        Self {
            cluster: cluster.as_str(),
            number: *number,
            of: *of,
            from: from.to_string(),
            to: to.to_string(),
            changes,
            clients,
            undo,
        }
    }
}

impl<'a> From<&'a Selection> for SelectionDocument<'a> {
    fn from(selection: &'a Selection) -> Self {
        let Selection { clusters, hosts } = selection;
        Self {
            clusters: clusters.iter().map(|cluster| cluster.as_str()).collect(),
            hosts: hosts.iter().map(|host| host.as_str()).collect(),
        }
    }
}

impl<'a> From<&'a LeftOut> for LeftOutDocument<'a> {
    fn from(left: &'a LeftOut) -> Self {
        let LeftOut { cluster, hosts, steps, problems } = left;
        Self {
            cluster: cluster.as_ref().map(|cluster| cluster.as_str()),
            hosts: hosts.iter().map(|host| host.as_str()).collect(),
            steps: *steps,
            problems: *problems,
        }
    }
}

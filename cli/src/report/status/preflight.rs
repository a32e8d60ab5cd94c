//! What was timed for `status --preflight`: disks, round trips, and what the planner says of them.

use std::collections::BTreeMap;

use planner::cost::{self, Farthest, Speed, Timers, millis};
use planner::facts::{Clock, DiskTime, Observed};
use planner::report::{Finding, PlanReport};
use planner::spec::ClusterSpec;
use planner::text::{Paint, Style, findings};
use planner::{Policy, SiteFacts};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::plan_document::FindingDocument;
use super::super::words::ClockWord;
use crate::report::columns::table;

/// What was timed of one cluster.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Preflight {
    disks: BTreeMap<String, DiskStatus>,
    round_trips: Vec<RoundTripStatus>,
    heartbeat_interval_ms: u32,
    election_timeout_ms: u32,
    /// What stops nothing.
    #[schemars(with = "Vec<FindingDocument<'static>>")]
    warnings: Vec<Finding>,
    /// What keeps the cluster from being formed.
    #[schemars(with = "Vec<FindingDocument<'static>>")]
    blocked: Vec<Finding>,
    #[serde(skip)]
    farthest: Option<String>,
}

/// How quick a member's disk is.
#[derive(Debug, Serialize, JsonSchema)]
struct DiskStatus {
    /// 99 of 100 synced writes take at most this long; `None` where that is not known.
    p99_ms: Option<f64>,
    timed_by: TimedBy,
    /// How many writes were timed.
    writes: Option<u64>,
    /// Why it is not known.
    why: Option<String>,
    #[serde(skip)]
    time: DiskTime,
    #[serde(skip)]
    speed: Option<Speed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum TimedBy {
    /// Writes of our own.
    Writes,
    /// The member that runs there, which counts its own.
    Member,
    /// Nobody could.
    Nobody,
}

/// The time from one member to another and back.
#[derive(Debug, Serialize, JsonSchema)]
struct RoundTripStatus {
    from: String,
    to: String,
    ms: f64,
    timed_by: ClockWord,
}

impl Preflight {
    /// Puts together what was seen, and what the planner made of it.
    pub(super) fn new(cluster: &ClusterSpec, facts: &SiteFacts, report: &PlanReport) -> Self {
        let seen = |host| facts.hosts.get(host).and_then(Observed::known);
        let timed = |finding: &&Finding| {
            cost::is_timed(finding.code) && finding.cluster.as_ref() == Some(&cluster.name)
        };
        let blocked = report.blocked.iter().map(|blocked| &blocked.finding);
        let disks = cluster.members.keys().filter_map(|host| {
            let time = seen(host)?.disks.get(&cluster.name)?;
            Some((host.to_string(), DiskStatus::new(time)))
        });
        let round_trips = cluster.members.keys().flat_map(|from| {
            let others = cluster.members.iter().filter(move |(to, _)| *to != from);
            others.filter_map(move |(to, peer)| {
                let known = *seen(from)?.round_trips.get(&peer.member.peer_url().socket())?;
                Some(RoundTripStatus {
                    from: from.to_string(),
                    to: to.to_string(),
                    ms: rounded(known.time),
                    timed_by: known.by.into(),
                })
            })
        });
        let timers = Timers::for_cluster(cluster);
        Self {
            disks: disks.collect(),
            round_trips: round_trips.collect(),
            heartbeat_interval_ms: timers.heartbeat,
            election_timeout_ms: timers.election,
            warnings: report.warnings.iter().filter(timed).cloned().collect(),
            blocked: blocked.filter(timed).cloned().collect(),
            farthest: cost::farthest(cluster, facts).map(|pair| farthest(pair, timers)),
        }
    }

    /// Findings that make the cluster count as unhealthy.
    pub(super) fn problems(&self) -> impl Iterator<Item = String> + '_ {
        let too_slow = self.disks.iter().filter(|(_, disk)| disk.speed == Some(Speed::TooSlow));
        too_slow.map(|(host, disk)| {
            format!("{host}: a synced write takes up to {}", disk.shown().unwrap_or_default())
        })
    }

    pub(super) fn text(&self, style: Style) -> Vec<String> {
        let mut rows = vec![["MEMBER", "SYNCED WRITE", "TIMED BY"].map(str::to_owned)];
        rows.extend(self.disks.iter().map(|(host, disk)| {
            [host.clone(), disk.shown().unwrap_or_else(|| "-".to_owned()), disk.by()]
        }));
        let mut lines = table(&rows);
        let apart = self.farthest.clone();
        lines.push(apart.unwrap_or_else(|| "  farthest apart: not known".to_owned()));
        lines.extend(findings(&self.warnings, "warning", Paint::Yellow, style));
        lines.extend(findings(&self.blocked, "blocked", Paint::Red, style));
        lines
    }
}

fn farthest(pair: Farthest<'_>, timers: Timers) -> String {
    let by = match pair.round_trip.by {
        Clock::Connecting => "by connecting",
        Clock::Kernel => "by the kernel",
    };
    format!(
        "  farthest apart: {} and {}, {} there and back, timed {by}; heartbeat {} ms, election {} ms",
        pair.from,
        pair.to,
        millis(pair.round_trip.time),
        timers.heartbeat,
        timers.election
    )
}

impl DiskStatus {
    fn new(time: &DiskTime) -> Self {
        let (timed_by, writes, why) = match time {
            DiskTime::Written { writes, .. } => (TimedBy::Writes, Some((*writes).into()), None),
            DiskTime::Member { fsyncs, .. } => (TimedBy::Member, Some(*fsyncs), None),
            DiskTime::Stuck(_) => {
                (TimedBy::Writes, Some(0), Some("no synced write finished".to_owned()))
            }
            DiskTime::Unmeasured(why) => (TimedBy::Nobody, None, Some(why.clone())),
        };
        Self {
            p99_ms: time.p99().map(rounded),
            timed_by,
            writes,
            why,
            time: time.clone(),
            speed: time.p99().map(|p99| Policy::default().speed(p99)),
        }
    }

    fn shown(&self) -> Option<String> {
        Some(match &self.time {
            DiskTime::Written { p99, .. } => millis(*p99),
            DiskTime::Member { p99, .. } => format!("about {}", millis(*p99)),
            DiskTime::Stuck(after) => format!("over {}", millis(*after)),
            DiskTime::Unmeasured(_) => return None,
        })
    }

    fn by(&self) -> String {
        match &self.time {
            DiskTime::Written { writes, .. } => format!("{writes} writes"),
            DiskTime::Member { cluster, fsyncs, .. } => {
                format!("the member of {cluster}, which counted {fsyncs} fsyncs since its start")
            }
            DiskTime::Stuck(_) => "a write that did not finish".to_owned(),
            DiskTime::Unmeasured(why) => format!("not timed: {why}"),
        }
    }
}

/// Milliseconds with two decimals: a clock of the network knows no more.
fn rounded(time: std::time::Duration) -> f64 {
    (time.as_secs_f64() * 100_000.0).round() / 100.0
}

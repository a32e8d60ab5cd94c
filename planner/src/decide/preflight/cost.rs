//! What disks and distances cost, as verdicts. Measurements come in, with the thresholds of the
//! policy; what goes out are findings, and the settings that would suit.

use std::time::Duration;

use inventories::inventory::FlagValue;
use inventories::{ClusterName, HostName};
use templates::Member;

use super::Subject;
use crate::facts::{DiskTime, Observed, RoundTrip, SiteFacts};
use crate::policy::{
    DEFAULT_ELECTION_MS, DEFAULT_HEARTBEAT_MS, MAX_ELECTION_MS, Policy, ROUND_TRIPS_AN_ELECTION,
};
use crate::report::{Finding, FindingCode, Formation, PlanReport};
use crate::spec::ClusterSpec;

/// Whether a finding of this code follows from timing something again in each look.
pub fn is_timed(code: FindingCode) -> bool {
    [FindingCode::SlowDisk, FindingCode::DiskUntimed, FindingCode::FarApart].contains(&code)
}

/// What a disk's time means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Speed {
    /// Quick enough.
    Suits,
    /// Slower than etcd wants it.
    Slow,
    /// So slow that leaders will be lost.
    TooSlow,
}

impl Policy {
    /// What this time of a synced write means.
    pub fn speed(&self, p99: Duration) -> Speed {
        if p99 > self.disk_refuse {
            Speed::TooSlow
        } else if p99 > self.disk_warn {
            Speed::Slow
        } else {
            Speed::Suits
        }
    }
}

pub(super) fn disk(subject: &Subject<'_>, policy: &Policy, report: &mut PlanReport) {
    let Some(disk) = subject.facts.disks.get(&subject.cluster.name) else { return };
    let cluster = &subject.cluster.name;
    let Some(p99) = disk.p99() else {
        let DiskTime::Unmeasured(why) = disk else { return };
        report.warnings.push(subject.finding(
            FindingCode::DiskUntimed,
            format!("can't time a synced write on this disk: {why}"),
            "check the disk for faults; its speed will show once the cluster is formed",
        ));
        return;
    };
    let speed = policy.speed(p99);
    let allowed = policy.allow_slow_disk.contains(cluster);
    // A cluster that runs must not lose its care because its disk became slow.
    let refused = speed == Speed::TooSlow && !allowed && subject.formation != Formation::Formed;
    let message = slow(disk, speed, policy);
    if refused {
        let hint = format!(
            "give the host a faster disk; to form the cluster on this one: --allow-slow-disk {cluster}"
        );
        report.block(subject.finding(FindingCode::SlowDisk, message, &hint), [subject.forming()]);
    } else if speed != Speed::Suits {
        report.warnings.push(subject.finding(
            FindingCode::SlowDisk,
            message,
            "etcd wants a disk of its own, best an SSD",
        ));
    }
}

fn slow(disk: &DiskTime, speed: Speed, policy: &Policy) -> String {
    let limit = match speed {
        Speed::Suits | Speed::Slow => format!("etcd wants at most {}", millis(policy.disk_warn)),
        Speed::TooSlow => format!("above {} leaders are lost", millis(policy.disk_refuse)),
    };
    match disk {
        DiskTime::Written { p99, writes } => format!(
            "the disk is slow: p99 of {writes} synced 2 kB writes is {}; {limit}",
            millis(*p99)
        ),
        DiskTime::Stuck(after) => {
            format!(
                "the disk is slow: a synced 2 kB write did not finish within {}; {limit}",
                millis(*after)
            )
        }
        DiskTime::Member { cluster, p99, fsyncs } => format!(
            "the disk is slow: p99 fsync of the member of {cluster} here is about {} ({fsyncs} since it \
             started); {limit}",
            millis(*p99)
        ),
        DiskTime::Unmeasured(why) => why.clone(),
    }
}

/// A time for people: one decimal below ten milliseconds and from a second on.
pub fn millis(time: Duration) -> String {
    let (us, ms) = (time.as_micros(), time.as_secs_f64() * 1000.0);
    if us < 9_950 {
        format!("{ms:.1} ms")
    } else if us < 999_500 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.1} s", ms / 1000.0)
    }
}

/// The two members of a cluster that are the farthest apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Farthest<'a> {
    /// From this member …
    pub from: &'a HostName,
    /// … to this one and back.
    pub to: &'a HostName,
    /// How far.
    pub round_trip: RoundTrip,
}

/// The pair of members with the longest measured round trip.
pub fn farthest<'a>(cluster: &'a ClusterSpec, facts: &SiteFacts) -> Option<Farthest<'a>> {
    let pairs = cluster.members.keys().flat_map(|from| {
        let seen = facts.hosts.get(from).and_then(Observed::known);
        let others = cluster.members.iter().filter(move |(to, _)| *to != from);
        others.filter_map(move |(to, peer)| {
            let round_trip = *seen?.round_trips.get(&peer.member.peer_url().socket())?;
            Some(Farthest { from, to, round_trip })
        })
    });
    pairs.max_by_key(|pair| pair.round_trip.time)
}

/// The two timers of a cluster, in milliseconds. They are the same on every member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// Between two heartbeats of the leader.
    pub heartbeat: u32,
    /// Without one for this long, a member stands for election.
    pub election: u32,
}

impl Timers {
    /// As the inventory sets them, etcd's own defaults where it does not.
    pub fn for_cluster(cluster: &ClusterSpec) -> Self {
        let member = cluster.members.values().next().map(|member| &member.member);
        let read =
            |name, default| member.and_then(|member| number(member, name)).unwrap_or(default);
        Self {
            heartbeat: read("heartbeat-interval", DEFAULT_HEARTBEAT_MS),
            election: read("election-timeout", DEFAULT_ELECTION_MS),
        }
    }

    /// Whether they suit members that are this far apart: a heartbeat is answered before the next
    /// one is due, and an election has room for ten round trips, or is as long as etcd takes it.
    pub fn suit(self, round_trip: Duration) -> bool {
        let election = (round_trip * ROUND_TRIPS_AN_ELECTION).min(ms(MAX_ELECTION_MS));
        round_trip <= ms(self.heartbeat) && election <= ms(self.election)
    }

    /// Timers that suit this distance, and never shorter ones than these.
    ///
    /// A quarter is added and the sum rounded up to 50 ms, so that the next measurement, which is a
    /// little different, still fits: what stands in git changes with the site, not with the weather.
    #[must_use]
    pub fn suited(self, round_trip: Duration) -> Self {
        const STEP: u32 = 50;
        let wanted = u32::try_from((round_trip * 5 / 4).as_micros().div_ceil(1000));
        let wanted = wanted.unwrap_or(MAX_ELECTION_MS).next_multiple_of(STEP);
        let heartbeat = wanted.max(self.heartbeat).min(MAX_ELECTION_MS / 5);
        let election = (heartbeat * ROUND_TRIPS_AN_ELECTION).min(MAX_ELECTION_MS);
        Self { heartbeat, election: election.max(self.election) }
    }

    /// The lines of the inventory that say so.
    pub fn lines(self) -> [String; 2] {
        let Self { heartbeat, election } = self;
        [format!("heartbeat-interval = {heartbeat}"), format!("election-timeout = {election}")]
    }
}

fn number(member: &Member, flag: &str) -> Option<u32> {
    match member.flags.get(flag)? {
        FlagValue::Int(number) => u32::try_from(*number).ok(),
        FlagValue::Text(text) => text.parse().ok(),
        FlagValue::Bool(_) => None,
    }
}

fn ms(milliseconds: u32) -> Duration {
    Duration::from_millis(milliseconds.into())
}

pub(super) fn distance(cluster: &ClusterSpec, facts: &SiteFacts, report: &mut PlanReport) {
    let Some(pair) = farthest(cluster, facts) else { return };
    let (time, timers) = (pair.round_trip.time, Timers::for_cluster(cluster));
    if timers.suit(time) {
        return;
    }
    report.warnings.push(Finding {
        code: FindingCode::FarApart,
        host: None,
        cluster: Some(cluster.name.clone()),
        message: format!(
            "a round trip from {} to {} takes {}; the heartbeat interval of {} ms and the election \
             timeout of {} ms are too short for that",
            pair.from,
            pair.to,
            millis(time),
            timers.heartbeat,
            timers.election
        ),
        hint: Some(advice(&cluster.name, timers.suited(time))),
    });
}

fn advice(cluster: &ClusterName, timers: Timers) -> String {
    let [heartbeat, election] = timers.lines();
    format!("set in the inventory:\n[clusters.{cluster}.etcd]\n{heartbeat}\n{election}")
}

#[cfg(test)]
mod tests;

//! What a cluster's disks and paths cost in time. Measurements: they lead to verdicts and decide
//! nothing on their own.

use std::time::Duration;

use inventories::ClusterName;

use super::{Observed, SiteFacts};

impl SiteFacts {
    /// The same facts with what an earlier look measured. To measure takes longer than to look, and
    /// between two looks of one run disks and paths stay what they are.
    #[must_use]
    pub fn measured_by(mut self, earlier: &SiteFacts) -> Self {
        for (name, host) in &mut self.hosts {
            let measured = earlier.hosts.get(name).and_then(Observed::known);
            if let (Observed::Known(facts), Some(measured)) = (host, measured) {
                facts.disks.clone_from(&measured.disks);
                facts.round_trips.clone_from(&measured.round_trips);
            }
        }
        self
    }
}

/// How long a synced write takes where a member's data is or will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskTime {
    /// Single synced writes of 2 kB were timed.
    Written {
        /// 99 of 100 took at most this long; of fewer, the longest.
        p99: Duration,
        /// How many there were.
        writes: u32,
    },
    /// Not one synced write ended within this time.
    Stuck(Duration),
    /// A member runs on this disk, so nothing was written. It counts its own fsyncs, by steps of
    /// two, since it started.
    Member {
        /// The member's cluster, which need not be the one that was asked for.
        cluster: ClusterName,
        /// About 99 of 100 took at most this long.
        p99: Duration,
        /// How many it counted.
        fsyncs: u64,
    },
    /// It could not be measured, for this reason.
    Unmeasured(String),
}

impl DiskTime {
    /// What 99 of 100 synced writes take at most, where it is known.
    pub fn p99(&self) -> Option<Duration> {
        match self {
            DiskTime::Written { p99, .. } | DiskTime::Member { p99, .. } => Some(*p99),
            DiskTime::Stuck(after) => Some(*after),
            DiskTime::Unmeasured(_) => None,
        }
    }
}

/// The time to another member and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundTrip {
    /// The time.
    pub time: Duration,
    /// Who measured it.
    pub by: Clock,
}

/// Who measured a round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// We did, by opening connections from host to host: the quickest of a few.
    Connecting,
    /// The host's kernel did, on the connections between the members: the quickest of the last
    /// minutes.
    Kernel,
}

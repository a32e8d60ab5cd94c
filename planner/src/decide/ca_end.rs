//! The expiry of a cluster's CAs. They are valid for ten years, and no certificate outlasts the CA that signed it.

use inventories::ClusterName;
use pki::CaKind;
use time::{Duration, OffsetDateTime};

use crate::report::{Finding, FindingCode, Formation, PlanReport};
use crate::spec::{Authority, ClusterSpec};
use crate::stops::Stops;

/// How long before its end a CA is named: time enough to move a cluster, which takes more than a week.
pub(crate) const NOTICE: Duration = Duration::days(180);

/// A CA that expires soon, or has expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaEnd {
    /// The cluster beside whose inventory it lies.
    pub cluster: ClusterName,
    /// Which of its CAs.
    pub kind: CaKind,
    /// When it ends.
    pub at: OffsetDateTime,
    /// Whether that is over.
    pub has: HasEnded,
}

/// Whether a CA has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HasEnded {
    /// Not yet, but in so many days.
    NotYet(i64),
    /// TLS then refuses every certificate that it signed.
    Already,
}

impl CaEnd {
    /// The CAs of a cluster that end within 180 days, as of `now`.
    pub fn for_cluster(cluster: &ClusterSpec, now: OffsetDateTime) -> Vec<Self> {
        let authorities = &cluster.authorities;
        let both = [
            (CaKind::Peer, &cluster.name, &authorities.peer),
            (CaKind::Client, &cluster.client_ca, &authorities.client),
        ];
        let end = |(kind, of, authority): (CaKind, &ClusterName, &Option<Authority>)| {
            let at = authority.as_ref()?.facts.not_after;
            let has = match at - now {
                left if left > NOTICE => return None,
                left if left.is_negative() => HasEnded::Already,
                left => HasEnded::NotYet(left.whole_days()),
            };
            Some(Self { cluster: of.clone(), kind, at, has })
        };
        both.into_iter().filter_map(end).collect()
    }

    /// One sentence.
    pub fn message(&self) -> String {
        let Self { cluster, kind, at, has } = self;
        let day = at.date();
        match has {
            HasEnded::NotYet(days) => format!(
                "the {kind} CA of {cluster} expires on {day}, in {days} days; no certificate outlasts it"
            ),
            HasEnded::Already => format!(
                "the {kind} CA of {cluster} expired on {day}: every certificate that it signed is refused, and it \
                 can't sign another"
            ),
        }
    }

    /// What to do. On a formed cluster quorate can't do it, so it says where to.
    pub fn hint(&self, formation: Formation) -> String {
        match formation {
            Formation::Absent | Formation::Started => format!(
                "the cluster is not formed, so it can have new CAs: move pki/{0} away, then: quorate pki init",
                self.cluster
            ),
            Formation::Formed | Formation::Elsewhere | Formation::Unknown => {
                "quorate can't replace the CA of a formed cluster yet: see \"A CA that expires\" in docs/operations.md"
                    .to_owned()
            }
        }
    }
}

/// Reports the CAs of a cluster that expire soon or have expired.
pub(crate) fn check(
    cluster: &ClusterSpec,
    formation: Formation,
    now: OffsetDateTime,
    report: &mut PlanReport,
) {
    for end in CaEnd::for_cluster(cluster, now) {
        let code = match end.has {
            HasEnded::NotYet(_) => FindingCode::CaEnds,
            HasEnded::Already => FindingCode::CaEnded,
        };
        let finding = Finding {
            code,
            host: None,
            cluster: Some(cluster.name.clone()),
            message: end.message(),
            hint: Some(end.hint(formation)),
        };
        match end.has {
            HasEnded::NotYet(_) => report.warnings.push(finding),
            HasEnded::Already => report.block(finding, [Stops::Cluster(cluster.name.clone())]),
        }
    }
}

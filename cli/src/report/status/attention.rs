//! What needs attention before it becomes a problem: by thresholds that the operator sets.

use planner::facts::Observed;
use planner::policy::DEFAULT_QUOTA_BYTES;
use planner::report::{FindingCode, PlanReport};
use planner::spec::ClusterSpec;
use planner::{HostFacts, SiteFacts};
use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{CertificateState, ClusterStatus};
use crate::report::columns::bytes;

/// From when on something needs attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// A certificate or a CA expires within so many days.
    pub days: u32,
    /// A member is so many entries of the log behind.
    pub lag: u64,
    /// So many percent of the quota are used.
    pub quota_percent: u8,
    /// Fewer megabytes than this are free for the data.
    pub free_megabytes: u64,
    /// So many percent of a database are free pages, and at least 100 MB.
    pub fragmented_percent: u8,
    /// The last apply is so many days ago.
    pub apply_days: Option<u32>,
}

/// Free pages below this are no matter, whatever part of a small database they are.
const FEW_FREE_BYTES: u64 = 100_000_000;

/// When a CA expires.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AuthorityStatus {
    /// `peer` or `client`.
    pub(super) kind: &'static str,
    not_after: String,
    /// Whole days that are left; negative once ended.
    pub(super) days_left: i64,
    #[serde(skip)]
    pub(super) ends: OffsetDateTime,
}

impl AuthorityStatus {
    /// The CAs of a cluster that lie beside the inventory.
    pub(super) fn all(cluster: &ClusterSpec, now: OffsetDateTime) -> Vec<Self> {
        let of = &cluster.authorities;
        let both = [("peer", &of.peer), ("client", &of.client)];
        let one = |(kind, authority): (&'static str, &Option<_>)| {
            let authority: &planner::spec::Authority = authority.as_ref()?;
            let ends = authority.facts.not_after;
            let not_after = ends.format(&Rfc3339).unwrap_or_default();
            Some(Self { kind, not_after, days_left: (ends - now).whole_days(), ends })
        };
        both.into_iter().filter_map(one).collect()
    }
}

/// The bytes that a member's database may take.
pub(super) fn quota(cluster: &ClusterSpec, host: &inventories::HostName) -> u64 {
    let flags = cluster.members.get(host).map(|wanted| &wanted.member.flags);
    match flags.and_then(|flags| flags.get("quota-backend-bytes")) {
        Some(inventories::inventory::FlagValue::Int(quota)) if *quota > 0 => quota.unsigned_abs(),
        _ => DEFAULT_QUOTA_BYTES,
    }
}

impl ClusterStatus {
    /// What of a cluster needs attention.
    pub(super) fn needs(
        &self,
        cluster: &ClusterSpec,
        facts: &SiteFacts,
        report: &PlanReport,
        limits: &Thresholds,
    ) -> Vec<String> {
        let days = i64::from(limits.days);
        let mut needs = Vec::new();
        for (name, member) in &self.members {
            for certificate in &member.certificates {
                let ends = certificate.days_left < days && certificate.days_left >= 0;
                let left = certificate.days_left;
                if ends && certificate.state != CertificateState::NotYetValid {
                    needs.push(format!("{name}: {} expires in {left} days", certificate.file));
                }
            }
            if let Some(lag) = member.raft_lag.filter(|lag| *lag >= limits.lag) {
                needs.push(format!("{name}: is {lag} entries of the log behind"));
            }
            let (Some(size), Some(quota)) = (member.db_size_bytes, member.quota_bytes) else {
                continue;
            };
            let percent = percent(size, quota);
            if percent >= u64::from(limits.quota_percent) {
                let quota = bytes(quota);
                needs
                    .push(format!("{name}: the database uses {percent} % of its quota of {quota}"));
            }
            let free = size.saturating_sub(member.db_in_use_bytes.unwrap_or(size));
            let part = self::percent(free, size);
            if free >= FEW_FREE_BYTES && part >= u64::from(limits.fragmented_percent) {
                let free = bytes(free);
                needs.push(format!(
                    "{name}: {part} % of the database is free pages, {free}: quorate defrag"
                ));
            }
        }
        for (host, seen) in &facts.hosts {
            let Observed::Known(seen) = seen else { continue };
            if !cluster.members.contains_key(host) {
                continue;
            }
            let free = seen.machine.data_free;
            if free < limits.free_megabytes.saturating_mul(1_000_000) {
                needs.push(format!("{host}: {} free for data", bytes(free)));
            }
            needs.extend(limits.apply(host, seen, facts.observed_at));
        }
        for authority in self.authorities.iter().filter(|ca| (0..days).contains(&ca.days_left)) {
            needs
                .push(format!("the {} CA expires in {} days", authority.kind, authority.days_left));
        }
        let old = report.warnings.iter().filter(|found| {
            matches!(found.code, FindingCode::OldBackup | FindingCode::OldOpening)
                && found.cluster.as_ref() == Some(&cluster.name)
        });
        needs.extend(old.map(|found| found.message.clone()));
        needs
    }
}

impl Thresholds {
    /// What the last apply of a host is too long ago for.
    fn apply(
        &self,
        host: &inventories::HostName,
        seen: &HostFacts,
        now: OffsetDateTime,
    ) -> Option<String> {
        let most = i64::from(self.apply_days?);
        let Observed::Known(applied) = &seen.applied else {
            return Some(format!("{host}: no apply is recorded"));
        };
        let at = OffsetDateTime::parse(&applied.at, &Rfc3339).ok()?;
        let days = (now - at).whole_days();
        (days >= most).then(|| format!("{host}: the last apply was {days} days ago"))
    }
}

/// Whole percents, rounded down.
fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100).checked_div(whole).unwrap_or_default()
}

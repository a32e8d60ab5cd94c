//! Data that quorate set aside stays until an operator deletes it. It holds every Secret of its time, so it is reported,
//! and what has been there for long is a warning.

use inventories::{ClusterName, HostName};
use templates::Layout;
use time::{Duration, OffsetDateTime};

use crate::facts::{HostFacts, MemberFacts, Observed, set_aside};
use crate::report::{Finding, FindingCode, PlanReport};
use crate::text::counted;

/// By then an archive has served its purpose, and its Secrets are a risk without a use.
const LONG: Duration = Duration::days(30);

/// Reports the archives on one host, and warns about old ones.
pub(crate) fn check(
    host: &HostName,
    facts: &HostFacts,
    now: OffsetDateTime,
    report: &mut PlanReport,
) {
    for (cluster, member) in &facts.clusters {
        report.unmanaged.extend(all(host, cluster, member));
        report.warnings.extend(old(host, cluster, member, now));
    }
}

fn all(host: &HostName, cluster: &ClusterName, member: &MemberFacts) -> Option<Finding> {
    let data = member.data.known().filter(|data| !data.archives.is_empty())?;
    let bytes: u64 = data.archives.values().sum();
    Some(Finding {
        code: FindingCode::Archived,
        host: Some(host.clone()),
        cluster: Some(cluster.clone()),
        message: format!(
            "{} of earlier data, {} MiB, in {}",
            counted(data.archives.len(), "archive"),
            bytes.div_ceil(1024 * 1024),
            Layout::new(cluster).archive_dir()
        ),
        hint: Some(match member.restore {
            Observed::Absent => {
                format!("once nobody needs it: quorate archives purge --host {host}")
            }
            Observed::Known(_) | Observed::Unknown(_) => {
                "keep it: a restore is not finished, and this may be the only copy".to_owned()
            }
        }),
    })
}

/// An archive whose name does not say how old it is, is never old.
fn old(
    host: &HostName,
    cluster: &ClusterName,
    member: &MemberFacts,
    now: OffsetDateTime,
) -> Option<Finding> {
    // What an unfinished restore set aside must not be deleted.
    if !member.restore.is_absent() {
        return None;
    }
    let names = member.data.known()?.archives.keys();
    let ages = names.filter_map(|name| Some(now - set_aside(name)?));
    let old: Vec<Duration> = ages.filter(|age| *age > LONG).collect();
    let oldest = old.iter().max()?.whole_days();
    Some(Finding {
        code: FindingCode::OldArchive,
        host: Some(host.clone()),
        cluster: Some(cluster.clone()),
        message: format!(
            "{} of earlier data, up to {oldest} days old, with every Secret that Kubernetes kept in it",
            counted(old.len(), "archive")
        ),
        hint: Some(format!(
            "once nobody needs it: quorate archives purge --host {host} --cluster {cluster} --older-than {}",
            LONG.whole_days()
        )),
    })
}

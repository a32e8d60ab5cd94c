//! Whether a backup was opened lately: only that finds a lost key. One target is enough, because all have the same
//! backups.

use std::io;

use engine::backups::catalog::Copy;
use inventories::{Backups, ClusterName};
use planner::report::{Finding, FindingCode};
use time::{Duration, OffsetDateTime};

use super::list::age;

/// `max-age-opened`.
pub(super) fn most(backups: &Backups) -> Option<Duration> {
    Duration::try_from(backups.max_age_opened?).ok()
}

/// The finding about a cluster whose targets said this.
pub(super) fn check(
    cluster: &ClusterName,
    most: Duration,
    looked: Vec<(String, io::Result<Option<Copy>>)>,
    now: OffsetDateTime,
) -> Option<Finding> {
    let (mut newest, mut unread) = (None, Vec::new());
    for (place, copy) in looked {
        match copy {
            Ok(copy) => newest = newest.max(copy.map(|copy| copy.id.time)),
            Err(error) => unread.push(format!("; cannot read {place}: {error}")),
        }
    }
    let message = match newest.map(|time| now - time) {
        Some(old) if old <= most => return None,
        Some(old) => {
            format!("the newest opened backup is {} old; max-age-opened is {}", age(old), age(most))
        }
        None => "no backup of this cluster was ever opened".to_owned(),
    };
    Some(Finding {
        code: FindingCode::OldOpening,
        host: None,
        cluster: Some(cluster.clone()),
        message: message + &unread.concat(),
        hint: Some(format!(
            "open the newest one, with the key that you would use in a disaster: quorate snapshot list --cluster {cluster}\n\
             then: quorate snapshot verify ID --identity FILE"
        )),
    })
}

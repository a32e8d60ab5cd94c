//! Whether a backup was opened lately: only that finds a lost key. One target is enough, because all have the same
//! backups.

use std::io;

use engine::backups::catalog::{self, Copy};
use inventories::ClusterName;
use planner::report::{Finding, FindingCode};
use time::{Duration, OffsetDateTime};

use super::freshness::{PATIENCE, within};
use super::list::age;
use super::stores;
use crate::commands::Context;
use crate::site::Site;

/// Findings about the clusters that `takes` names and that have a `max-age-opened`.
pub(super) async fn findings(
    context: &Context,
    site: &Site,
    takes: impl Fn(&ClusterName) -> bool,
    now: OffsetDateTime,
) -> Vec<Finding> {
    let mut clusters = Vec::new();
    for (cluster, settings) in site.inventory.clusters.iter().filter(|(name, _)| takes(name)) {
        let Some(backups) = &settings.backups else { continue };
        let most = backups.max_age_opened.and_then(|age| Duration::try_from(age).ok());
        let Some(most) = most else { continue };
        let look = |store: engine::backups::Store| {
            let place = store.name().to_owned();
            let (site, name) = (site.inventory.site.name.clone(), cluster.clone());
            let look = within(PATIENCE, move || {
                store.is_there()?;
                catalog::newest_opened(&store, &site, &name, now)
            });
            (place, look)
        };
        let looks: Vec<_> = stores(context, site, backups).into_iter().map(look).collect();
        clusters.push((cluster, most, looks));
    }
    let mut found = Vec::new();
    for (cluster, most, looks) in clusters {
        let mut looked = Vec::new();
        for (place, look) in looks {
            looked.push((place, look.await));
        }
        found.extend(check(cluster, most, looked, now));
    }
    found
}

fn check(
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

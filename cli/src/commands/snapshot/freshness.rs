//! Whether each target has a good backup that is young enough. It is looked at on this machine, after planning: it
//! decides nothing on the hosts, and so makes no plan stale.

use engine::backups::{Store, catalog};
use inventories::{ClusterName, SiteName};
use planner::report::{Finding, FindingCode};
use time::{Duration, OffsetDateTime};

use super::list::age;
use super::stores;
use crate::site::Site;

/// Findings about the clusters that `takes` names and that have a `max-age`.
pub(in crate::commands) fn findings(
    site: &Site,
    takes: impl Fn(&ClusterName) -> bool,
    now: OffsetDateTime,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for (cluster, settings) in site.inventory.clusters.iter().filter(|(name, _)| takes(name)) {
        let Some(backups) = &settings.backups else { continue };
        let Some(most) = backups.max_age.and_then(|age| Duration::try_from(age).ok()) else {
            continue;
        };
        for store in stores(site, backups) {
            found.extend(check(&store, &site.inventory.site.name, cluster, most, now));
        }
    }
    found
}

fn check(
    store: &Store,
    site: &SiteName,
    cluster: &ClusterName,
    most: Duration,
    now: OffsetDateTime,
) -> Option<Finding> {
    let place = store.name();
    let message = match catalog::copies(store, site, cluster) {
        Err(error) => format!("cannot read the backups in {place}: {error}"),
        Ok(copies) => {
            let newest = copies.iter().rfind(|copy| copy.sidecar().is_some());
            match newest.map(|copy| now - copy.id.time) {
                None => format!("{place} has no good backup"),
                Some(old) if old > most => format!(
                    "the newest good backup in {place} is {} old; max-age is {}",
                    age(old),
                    age(most)
                ),
                Some(_) => return None,
            }
        }
    };
    Some(Finding {
        code: FindingCode::OldBackup,
        host: None,
        cluster: Some(cluster.clone()),
        message,
        hint: Some(format!("take one: quorate snapshot take --cluster {cluster}")),
    })
}

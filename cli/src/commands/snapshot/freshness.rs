//! Whether each target has a good backup that is young enough. It is looked at on this machine, after planning: it
//! decides nothing on the hosts, and so makes no plan stale.

use std::io;

use engine::backups::catalog::Copy;
use inventories::{Backups, ClusterName};
use planner::report::{Finding, FindingCode};
use time::{Duration, OffsetDateTime};

use super::list::age;
use super::looks::{Looked, look};
use super::opened_age;
use crate::commands::Context;
use crate::site::Site;

/// A target of a cluster, and how old its newest backup may be.
struct Target {
    cluster: ClusterName,
    place: String,
    advice: String,
    most: Duration,
}

/// Findings about the clusters that `takes` names and that have a `max-age` or a `max-age-opened`.
pub(in crate::commands) async fn findings(
    context: &Context,
    site: &Site,
    takes: impl Fn(&ClusterName) -> bool,
    now: OffsetDateTime,
) -> Vec<Finding> {
    let aged = |(name, backups): &(&ClusterName, &Backups)| {
        takes(name) && (most(backups).is_some() || opened_age::most(backups).is_some())
    };
    let clusters: Vec<_> = backed_up(site).filter(aged).collect();
    let mut looked = look(context, site, clusters.iter().copied(), now).await;
    let (mut found, mut opened) = (Vec::new(), Vec::new());
    for (cluster, backups) in clusters {
        let mut of_cluster = Vec::new();
        for Looked { place, advice, seen, .. } in
            looked.extract_if(.., |one| one.cluster == *cluster)
        {
            of_cluster.push((place.clone(), seen.opened));
            if let Some(most) = most(backups) {
                let target = Target { cluster: cluster.clone(), place, advice, most };
                found.extend(target.check(seen.newest, now));
            }
        }
        if let Some(most) = opened_age::most(backups) {
            opened.extend(opened_age::check(cluster, most, of_cluster, now));
        }
    }
    found.extend(opened);
    found
}

/// The clusters that have targets for backups.
pub(super) fn backed_up(site: &Site) -> impl Iterator<Item = (&ClusterName, &Backups)> {
    let clusters = site.inventory.clusters.iter();
    clusters.filter_map(|(name, settings)| Some((name, settings.backups.as_ref()?)))
}

/// `max-age`.
fn most(backups: &Backups) -> Option<Duration> {
    Duration::try_from(backups.max_age?).ok()
}

impl Target {
    fn check(&self, looked: io::Result<Vec<Copy>>, now: OffsetDateTime) -> Vec<Finding> {
        let Self { cluster, place, advice, most } = self;
        let take = format!("take one: quorate snapshot take --cluster {cluster}");
        let unread = |why: String| {
            let message = format!("cannot read the backups in {place}: {why}");
            self.finding(message, advice.clone())
        };
        let copies = match looked {
            Ok(copies) => copies,
            Err(error) => {
                let may_be_new = error.kind() == io::ErrorKind::NotFound;
                let mut found = unread(error.to_string());
                if let Some(hint) = found.hint.as_mut().filter(|_| may_be_new) {
                    *hint += &format!("\nif no backup was ever taken there, {take}");
                }
                return vec![found];
            }
        };
        let good = copies.iter().filter(|copy| copy.sidecar().is_some());
        let (ahead, good): (Vec<_>, Vec<_>) = good.partition(|copy| copy.id.is_ahead(now));
        let newest = good.last().map(|copy| now - copy.id.time);
        if newest.is_none_or(|old| old > *most)
            && let Some((id, why)) = copies.iter().rev().find_map(Copy::unread)
        {
            return vec![unread(format!("{id}: {why}"))];
        }
        let old = match newest {
            None => Some(format!("{place} has no good backup")),
            Some(old) if old > *most => Some(format!(
                "the newest good backup in {place} is {} old; max-age is {}",
                age(old),
                age(*most)
            )),
            Some(_) => None,
        };
        let ahead = ahead.last().map(|copy| {
            let text = format!("{} in {place} is dated in the future and does not count", copy.id);
            let hint = "compare the clock of this machine with that of the one that took it";
            self.finding(text, hint.to_owned())
        });
        old.map(|text| self.finding(text, take)).into_iter().chain(ahead).collect()
    }

    fn finding(&self, message: String, hint: String) -> Finding {
        Finding {
            code: FindingCode::OldBackup,
            host: None,
            cluster: Some(self.cluster.clone()),
            message,
            hint: Some(hint),
        }
    }
}

//! Whether each target has a good backup that is young enough. It is looked at on this machine, after planning: it
//! decides nothing on the hosts, and so makes no plan stale.

use std::io;
use std::time::Duration as StdDuration;

use engine::backups::catalog::{self, Copy};
use inventories::ClusterName;
use planner::report::{Finding, FindingCode};
use time::{Duration, OffsetDateTime};
use tokio::time::Instant;

use super::list::age;
use super::{opened_age, stores};
use crate::commands::Context;
use crate::site::Site;

/// How long a target may take to be read: a mount whose server is gone never answers.
pub(super) const PATIENCE: StdDuration = StdDuration::from_secs(5);

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
    let mut looks = Vec::new();
    for (cluster, settings) in site.inventory.clusters.iter().filter(|(name, _)| takes(name)) {
        let Some(backups) = &settings.backups else { continue };
        let Some(most) = backups.max_age.and_then(|age| Duration::try_from(age).ok()) else {
            continue;
        };
        for store in stores(context, site, backups) {
            let (place, advice) = (store.name().to_owned(), store.advice());
            let (site, name) = (site.inventory.site.name.clone(), cluster.clone());
            let look = within(PATIENCE, move || {
                store.is_there()?;
                catalog::newest_copies(&store, &site, &name, now)
            });
            looks.push((Target { cluster: cluster.clone(), place, advice, most }, look));
        }
    }
    let mut found = Vec::new();
    let opened = opened_age::findings(context, site, takes, now);
    for (target, look) in looks {
        found.extend(target.check(look.await, now));
    }
    found.extend(opened.await);
    found
}

/// Begins what may never end, and waits so long for it. It blocks nothing but a thread of its own.
pub(super) fn within<T: Send + 'static>(
    patience: StdDuration,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> impl Future<Output = io::Result<T>> {
    let (started, until) = (tokio::task::spawn_blocking(work), Instant::now() + patience);
    async move {
        match tokio::time::timeout_at(until, started).await {
            Ok(Ok(done)) => done,
            Ok(Err(error)) => Err(io::Error::other(error)),
            Err(_) => {
                let text = format!("it did not answer within {} s", patience.as_secs());
                Err(io::Error::new(io::ErrorKind::TimedOut, text))
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_target_that_never_answers_is_not_waited_for() {
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let dead = within(StdDuration::from_millis(50), move || {
            let _ = held.recv();
            Ok(())
        });
        let error = tokio::time::timeout(StdDuration::from_secs(60), dead).await.unwrap();
        assert_eq!(error.unwrap_err().to_string(), "it did not answer within 0 s");
        drop(hold);
        assert_eq!(within(PATIENCE, || Ok(1)).await.unwrap(), 1);
    }
}

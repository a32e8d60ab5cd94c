//! Looking into backup targets, each once: a login costs seconds, and what a target does not say in time is not waited for.

use std::io;
use std::time::Duration;

use engine::backups::catalog::{Copy, Listing};
use inventories::{Backups, ClusterName};
use time::OffsetDateTime;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::stores;
use crate::commands::Context;
use crate::site::Site;

/// How long a target may take to be read: a mount whose server is gone never answers.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a target of a cluster said.
pub(super) struct Looked {
    pub(super) cluster: ClusterName,
    /// The target, as the inventory names it.
    pub(super) place: String,
    /// What to do if it can't be read.
    pub(super) advice: String,
    pub(super) seen: Seen,
}

/// The backups of a cluster in one target.
pub(super) struct Seen {
    /// The newest ones, down to the newest good one.
    pub(super) newest: io::Result<Vec<Copy>>,
    /// The newest one that somebody opened.
    pub(super) opened: io::Result<Option<Copy>>,
}

/// Looks into all targets of these clusters, side by side.
pub(super) async fn look<'a>(
    context: &Context,
    site: &Site,
    clusters: impl Iterator<Item = (&'a ClusterName, &'a Backups)>,
    now: OffsetDateTime,
) -> Vec<Looked> {
    let mut looks = Vec::new();
    for (cluster, backups) in clusters {
        for store in stores(context, site, backups) {
            let (place, advice) = (store.name().to_owned(), store.advice());
            let (site, name) = (site.inventory.site.name.clone(), cluster.clone());
            let listed = move |tell: Telling| {
                let listing = store.is_there().and_then(|()| Listing::read(&store, &site, &name));
                tell.all_of(&listing, now);
            };
            looks.push((cluster.clone(), place, advice, within(PATIENCE, listed)));
        }
    }
    let mut all = Vec::new();
    for (cluster, place, advice, seen) in looks {
        all.push(Looked { cluster, place, advice, seen: seen.await });
    }
    all
}

/// Sends each answer as soon as the look has it.
struct Telling {
    newest: oneshot::Sender<io::Result<Vec<Copy>>>,
    opened: oneshot::Sender<io::Result<Option<Copy>>>,
}

impl Telling {
    /// Sends both answers. One that comes too late has no receiver left.
    fn all_of(self, listing: &io::Result<Listing<'_>>, now: OffsetDateTime) {
        let again = |error: &io::Error| io::Error::new(error.kind(), error.to_string());
        let listing = listing.as_ref();
        let newest = listing.map_err(again).and_then(|listing| listing.newest_copies(now));
        let _ = self.newest.send(newest);
        let opened = listing.map_err(again).and_then(|listing| listing.newest_opened(now));
        let _ = self.opened.send(opened);
    }
}

/// Starts work that may never end, on a thread of its own, and waits this long for it.
fn within(
    patience: Duration,
    work: impl FnOnce(Telling) + Send + 'static,
) -> impl Future<Output = Seen> {
    let (tell_newest, newest) = oneshot::channel();
    let (tell_opened, opened) = oneshot::channel();
    let until = Instant::now() + patience;
    tokio::task::spawn_blocking(move || work(Telling { newest: tell_newest, opened: tell_opened }));
    async move {
        Seen {
            newest: answer(until, patience, newest).await,
            opened: answer(until, patience, opened).await,
        }
    }
}

async fn answer<T>(
    until: Instant,
    patience: Duration,
    told: oneshot::Receiver<io::Result<T>>,
) -> io::Result<T> {
    match timeout_at(until, told).await {
        Ok(Ok(seen)) => seen,
        Ok(Err(error)) => Err(io::Error::other(error)),
        Err(_) => {
            let text = format!("it did not answer within {} s", patience.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_target_that_never_answers_is_not_waited_for() {
        let (hold, held) = mpsc::channel::<()>();
        let dead = within(Duration::from_millis(50), move |_tell| {
            let _ = held.recv();
        });
        let seen = tokio::time::timeout(Duration::from_secs(60), dead).await.unwrap();
        let said = "it did not answer within 0 s";
        assert_eq!(seen.newest.unwrap_err().to_string(), said);
        assert_eq!(seen.opened.unwrap_err().to_string(), said);
        drop(hold);
    }

    #[tokio::test]
    async fn what_a_slow_target_said_in_time_counts() {
        let (hold, held) = mpsc::channel::<()>();
        let slow = within(Duration::from_secs(2), move |tell| {
            let _ = tell.newest.send(Ok(Vec::new()));
            let _ = held.recv();
        });
        let seen = slow.await;
        assert_eq!(seen.newest.unwrap(), []);
        assert_eq!(seen.opened.unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(hold);
    }

    #[tokio::test]
    async fn a_target_that_cannot_be_read_says_so_for_both() {
        let gone = within(PATIENCE, |tell| {
            let error = io::Error::new(io::ErrorKind::NotFound, "no such folder");
            tell.all_of(&Err(error), OffsetDateTime::UNIX_EPOCH);
        });
        let seen = gone.await;
        for error in [seen.newest.unwrap_err(), seen.opened.unwrap_err()] {
            assert_eq!(
                (error.kind(), error.to_string().as_str()),
                (io::ErrorKind::NotFound, "no such folder")
            );
        }
    }
}

//! Keeping leases: each host's is renewed independently, from the moment its lock is taken. A host that
//! hangs or is unreachable does not hold up the others.

use std::sync::Arc;
use std::time::Duration;

use inventories::HostName;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::{LEASE, run};
use crate::hosts::StepErrorKind;
use crate::pool::Pool;
use crate::script::{self, call::Arguments};

/// How often the lease is renewed, and how long one try may take: two may fail before it ends.
const RENEW: Duration = Duration::from_secs(15);

/// What renews the leases of a lock. Dropped, it ends.
#[derive(Debug)]
pub(super) struct Keeper {
    hosts: JoinSet<()>,
    lost: watch::Sender<Option<String>>,
    pace: Duration,
}

impl Keeper {
    pub(super) fn new() -> Self {
        Self { hosts: JoinSet::new(), lost: watch::Sender::new(None), pace: RENEW }
    }

    /// Renews the lease of one more host; `lock` says of which lock, and whose.
    pub(super) fn keep(&mut self, pool: &Arc<Pool>, lock: Arguments, host: &HostName) {
        let (pool, host) = (Arc::clone(pool), host.clone());
        let args = lock.with("seconds", LEASE.as_secs());
        self.keep_by(host.clone(), move || {
            let (pool, host, args) = (Arc::clone(&pool), host.clone(), args.clone());
            async move { run(&pool, &host, script::LOCK_KEEP, args).await.map(|_| ()) }
        });
    }

    fn keep_by<F>(&mut self, host: HostName, mut renew: impl FnMut() -> F + Send + 'static)
    where
        F: Future<Output = Result<(), StepErrorKind>> + Send,
    {
        let (lost, pace) = (self.lost.clone(), self.pace);
        self.hosts.spawn(async move {
            let mut turns = interval_at(Instant::now() + pace, pace);
            turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                turns.tick().await;
                // A host that can't be reached now may be there at the next turn.
                if let Ok(Err(StepErrorKind::Guard(why))) = timeout(pace, renew()).await {
                    lost.send_if_modified(|first| {
                        let is_first = first.is_none();
                        first.get_or_insert_with(|| format!("{host}: {why}"));
                        is_first
                    });
                    return;
                }
            }
        });
    }

    /// Waits until a host reports that another run has the lock, and returns its words.
    pub(super) fn lost(&self) -> impl Future<Output = String> + use<> {
        let mut lost = self.lost.subscribe();
        async move {
            loop {
                if let Some(why) = lost.borrow_and_update().clone() {
                    return why;
                }
                if lost.changed().await.is_err() {
                    // It is no longer renewed, so its loss would go unnoticed.
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    /// No lease is renewed from here on.
    pub(super) fn end(&mut self) {
        self.hosts.abort_all();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;

    fn keeper() -> Keeper {
        Keeper { pace: Duration::from_millis(1), ..Keeper::new() }
    }

    /// A host that is kept by `renew`, and hears of each time that it is asked.
    fn kept<F>(keeper: &mut Keeper, renew: impl Fn() -> F + Send + 'static) -> UnboundedReceiver<()>
    where
        F: Future<Output = Result<(), StepErrorKind>> + Send,
    {
        let (asked, asks) = unbounded_channel();
        keeper.keep_by("a".parse().unwrap(), move || {
            let _ = asked.send(());
            renew()
        });
        asks
    }

    fn failing(kind: fn(String) -> StepErrorKind) -> std::future::Ready<Result<(), StepErrorKind>> {
        std::future::ready(Err(kind("bob took the lock over".to_owned())))
    }

    #[test]
    fn a_lease_outlives_two_renewals_that_fail() {
        // The third is tried, and has its time, before the lease of the last good one ends.
        assert!(LEASE >= RENEW * 4);
    }

    #[tokio::test]
    async fn a_host_that_hangs_holds_up_no_other_and_is_asked_again() {
        let mut keeper = keeper();
        let mut hanging = kept(&mut keeper, std::future::pending);
        let mut well = kept(&mut keeper, || std::future::ready(Ok(())));
        hanging.recv().await.unwrap();
        for _ in 0..5 {
            well.recv().await.unwrap();
        }
        // A thousand times as long as a renewal may take.
        timeout(Duration::from_secs(1), hanging.recv()).await.unwrap().unwrap();
        assert_eq!(*keeper.lost.borrow(), None);
    }

    #[tokio::test]
    async fn a_late_caller_also_hears_that_the_lock_is_lost() {
        let mut keeper = keeper();
        let _asks = kept(&mut keeper, || failing(StepErrorKind::Guard));
        for _ in 0..2 {
            assert_eq!(keeper.lost().await, "a: bob took the lock over");
        }
    }

    #[tokio::test]
    async fn a_host_that_is_away_has_not_lost_the_lock() {
        let mut keeper = keeper();
        let mut asks = kept(&mut keeper, || failing(StepErrorKind::Unreachable));
        for _ in 0..5 {
            asks.recv().await.unwrap();
        }
        assert_eq!(*keeper.lost.borrow(), None);
    }

    #[tokio::test]
    async fn a_lock_that_is_given_back_is_kept_no_longer() {
        let mut keeper = keeper();
        let mut asks = kept(&mut keeper, || std::future::ready(Ok(())));
        asks.recv().await.unwrap();
        keeper.end();
        // The channel is closed: no caller is left.
        while asks.recv().await.is_some() {}
    }
}

//! Gives members time to settle, after another run changed them or after a hop to another minor.

use std::time::Duration;

use planner::Plan;
use tokio::time::{Instant, sleep};

use super::super::planning::Planned;
use super::Run;
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::report::verdict::verdict;

/// How long members may take. The lock of a run that was killed lasts as long.
pub(super) const SETTLING: Duration = Duration::from_secs(60);
/// How long until the hosts are observed again.
const AGAIN: Duration = Duration::from_secs(3);

/// Whether a plan can do nothing, though there is something to do.
pub(super) fn is_stopped(plan: &Plan) -> bool {
    plan.steps.is_empty() && verdict(plan) == ExitCode::Blocked
}

impl Run<'_, '_> {
    /// Plans again until something can be done. A script of a killed run may still be removing a member; a look in
    /// between sees that member stop, and takes it for one that failed.
    pub(super) async fn after_another(&self, planned: Planned) -> Result<Planned, CliError> {
        self.context.terminal.say(
            "Another run was changing these hosts a moment ago; waiting up to a minute for the members to settle.",
        );
        let hosts = self.access.hosts();
        settled(SETTLING, async || {
            let planned = planned.again(self.context, &hosts).await?;
            Ok((!is_stopped(&planned.plan), planned))
        })
        .await
    }
}

/// Looks until everything has settled, or for this long. Returns what was seen last.
pub(super) async fn settled<T>(
    settling: Duration,
    look: impl AsyncFn() -> Result<(bool, T), CliError>,
) -> Result<T, CliError> {
    let until = Instant::now() + settling;
    loop {
        let (is_settled, seen) = look().await?;
        if is_settled || Instant::now() >= until {
            return Ok(seen);
        }
        sleep(AGAIN.min(settling / 10)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// How many looks it takes, and whether it settled, if that many looks see a difference.
    async fn looks(different: u32) -> (u32, bool) {
        let looks = Cell::new(0);
        let look = async || {
            looks.set(looks.get() + 1);
            let is_settled = looks.get() > different;
            Ok((is_settled, is_settled))
        };
        let settling = Duration::from_millis(if different > 10 { 20 } else { 10_000 });
        let settled = settled(settling, look).await.unwrap();
        (looks.get(), settled)
    }

    #[tokio::test]
    async fn a_difference_counts_once_it_stays() {
        assert_eq!(looks(0).await, (1, true));
        assert_eq!(looks(2).await, (3, true));
        let (looked, settled) = looks(u32::MAX).await;
        assert!(looked > 1 && !settled, "{looked} {settled}");
    }
}

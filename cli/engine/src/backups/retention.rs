//! Which backups are kept: the newest of each of the last so many hours, days and weeks that have one. The newest good
//! one is always among them.

use std::collections::BTreeSet;

use inventories::Keep;
use time::{Duration, OffsetDateTime};

use super::catalog::{Copy, State};
use super::name::BackupId;

/// After this time a backup without a sidecar is not being taken any more.
const ABANDONED: Duration = Duration::days(1);

/// What becomes of the backups of a cluster in one store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pruning {
    /// Kept, oldest first. The last one is the newest good one.
    pub kept: Vec<BackupId>,
    /// Good ones that `keep` has no place for.
    pub surplus: Vec<BackupId>,
    /// What is left of runs that were stopped long ago.
    pub abandoned: Vec<BackupId>,
}

/// Decides by name and state alone. Broken ones are left to a person.
pub fn pruning(copies: &[Copy], keep: Keep, now: OffsetDateTime) -> Pruning {
    let mut good: Vec<&BackupId> =
        copies.iter().filter(|copy| copy.sidecar().is_some()).map(|copy| &copy.id).collect();
    good.sort_by_key(|id| id.time);
    let mut kept: BTreeSet<&BackupId> = good.last().copied().into_iter().collect();
    let Keep { hourly, daily, weekly } = keep;
    for (count, length) in [(hourly, 1), (daily, 24), (weekly, 7 * 24)] {
        kept.extend(newest_of_each(&good, count, Duration::hours(length)));
    }
    let is_abandoned =
        |copy: &&Copy| copy.state == State::Unfinished && now - copy.id.time > ABANDONED;
    let (kept, surplus) = good.into_iter().cloned().partition(|id| kept.contains(id));
    let abandoned = copies.iter().filter(is_abandoned).map(|copy| copy.id.clone()).collect();
    Pruning { kept, surplus, abandoned }
}

/// The newest backup of each of the last `count` periods that have one.
fn newest_of_each<'a>(good: &[&'a BackupId], count: u32, length: Duration) -> Vec<&'a BackupId> {
    let mut newest = Vec::new();
    let mut last = None;
    for id in good.iter().rev() {
        // The epoch was a Thursday; weeks start on Monday.
        let since = id.time - OffsetDateTime::UNIX_EPOCH + Duration::days(3);
        let period = since.whole_seconds().div_euclid(length.whole_seconds());
        if last == Some(period) {
            continue;
        }
        if newest.len() >= count as usize {
            break;
        }
        last = Some(period);
        newest.push(*id);
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backups::tests::{at, good, unfinished};
    use proptest::prelude::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-29 14:30 UTC);

    fn kept(copies: &[Copy], keep: Keep) -> Vec<String> {
        let times = pruning(copies, keep, NOW).kept.into_iter().map(|id| id.time);
        times
            .map(|time| format!("{} {:02}:{:02}", time.date(), time.hour(), time.minute()))
            .collect()
    }

    #[test]
    fn the_newest_of_each_period_is_kept() {
        let copies: Vec<Copy> = [
            datetime!(2026-11-15 23:00 UTC), // Sunday
            datetime!(2026-11-22 23:59 UTC), // Sunday
            datetime!(2026-11-23 00:00 UTC), // Monday
            datetime!(2026-11-28 12:00 UTC),
            datetime!(2026-11-29 13:10 UTC),
            datetime!(2026-11-29 14:05 UTC),
            datetime!(2026-11-29 14:20 UTC),
        ]
        .map(good)
        .to_vec();
        let keep = |hourly, daily, weekly| Keep { hourly, daily, weekly };
        assert_eq!(kept(&copies, keep(2, 0, 0)), ["2026-11-29 13:10", "2026-11-29 14:20"]);
        assert_eq!(kept(&copies, keep(0, 2, 0)), ["2026-11-28 12:00", "2026-11-29 14:20"]);
        let weeks = ["2026-11-15 23:00", "2026-11-22 23:59", "2026-11-29 14:20"];
        assert_eq!(kept(&copies, keep(0, 0, 9)), weeks);
        assert_eq!(kept(&copies, keep(1, 1, 1)), ["2026-11-29 14:20"]);
        assert_eq!(kept(&copies, keep(0, 0, 0)), ["2026-11-29 14:20"], "the newest always stays");
    }

    #[test]
    fn only_good_ones_count_and_only_old_rubbish_is_rubbish() {
        let fresh = unfinished(datetime!(2026-11-29 14:29 UTC));
        let old = unfinished(datetime!(2026-11-27 14:29 UTC));
        let only = good(datetime!(2026-11-01 00:00 UTC));
        let found = pruning(
            &[only.clone(), old.clone(), fresh],
            Keep { hourly: 1, ..Keep::default() },
            NOW,
        );
        let expected = Pruning { kept: vec![only.id], surplus: vec![], abandoned: vec![old.id] };
        assert_eq!(found, expected);
    }

    proptest! {
        #[test]
        fn the_newest_good_one_is_never_surplus(
            minutes in proptest::collection::btree_set(0_i64..100_000, 1..60),
            (hourly, daily, weekly) in (0_u32..30, 0_u32..20, 0_u32..10),
        ) {
            let copies: Vec<Copy> = minutes.iter().map(|minute| good(at(*minute))).collect();
            let keep = Keep { hourly, daily, weekly };
            let Pruning { kept, surplus, abandoned } = pruning(&copies, keep, NOW);
            prop_assert_eq!(kept.last(), copies.last().map(|copy| &copy.id));
            prop_assert_eq!(kept.len() + surplus.len(), copies.len());
            prop_assert!(kept.len() <= (hourly + daily + weekly).max(1) as usize);
            prop_assert!(abandoned.is_empty());
            // Pruned again, nothing more goes.
            let left: Vec<Copy> =
                copies.into_iter().filter(|copy| kept.contains(&copy.id)).collect();
            prop_assert_eq!(pruning(&left, keep, NOW).surplus, vec![]);
        }
    }
}

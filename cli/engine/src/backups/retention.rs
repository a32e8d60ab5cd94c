//! Which backups are kept: the newest of each of the last so many hours, days and weeks that have one. That is decided
//! for each cluster id separately, and for backups without a quorum apart from the others, so that none takes the place
//! of a better one.

use std::collections::{BTreeMap, BTreeSet};

use inventories::Keep;
use time::{Duration, OffsetDateTime};

use super::catalog::{Copy, State};
use super::name::BackupId;
use super::sidecar::{Grade, Sidecar};

/// After this time an unfinished backup is no longer being taken.
const ABANDONED: Duration = Duration::days(1);

/// What becomes of the backups of a cluster in one store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pruning {
    /// Good ones that stay, oldest first.
    pub kept: Vec<BackupId>,
    /// Good ones that `keep` has no place for.
    pub surplus: Vec<BackupId>,
    /// What is left of runs that were stopped long ago.
    pub abandoned: Vec<BackupId>,
    /// Those that must prove whole before anything goes: the newest of each cluster id that loses any.
    pub proofs: Vec<BackupId>,
}

/// A backup that counts.
type Good<'a> = (&'a BackupId, &'a Sidecar, Grade);

/// Decides by name and sidecar alone. Broken ones are left to a person, and so is one that is dated in the future. A
/// store without a good backup loses nothing.
pub fn pruning(copies: &[Copy], keep: Keep, now: OffsetDateTime) -> Pruning {
    let good = copies.iter().filter_map(|copy| Some((&copy.id, copy.sidecar()?, copy.grade()?)));
    let mut good: Vec<Good<'_>> = good.collect();
    good.sort_by_key(|(id, ..)| id.time);
    let mut clusters: BTreeMap<&str, Vec<Good<'_>>> = BTreeMap::new();
    for backup in good.iter().filter(|(id, ..)| !id.is_ahead(now)) {
        clusters.entry(&backup.1.cluster_id).or_default().push(*backup);
    }
    let mut pruning = Pruning::default();
    let mut surplus = BTreeSet::new();
    for all in clusters.values() {
        let kept = kept(all, keep);
        let before = surplus.len();
        surplus.extend(all.iter().map(|(id, ..)| *id).filter(|id| !kept.contains(id)));
        if surplus.len() > before {
            pruning.proofs.extend(newest(all).cloned());
        }
    }
    let ids = good.iter().map(|(id, ..)| (*id).clone());
    (pruning.surplus, pruning.kept) = ids.partition(|id| surplus.contains(id));
    if !clusters.is_empty() {
        let is_abandoned =
            |copy: &&Copy| copy.state == State::Unfinished && now - copy.id.time > ABANDONED;
        pruning.abandoned =
            copies.iter().filter(is_abandoned).map(|copy| copy.id.clone()).collect();
    }
    pruning
}

/// The backups of one cluster id that stay, oldest first.
fn kept<'a>(all: &[Good<'a>], keep: Keep) -> BTreeSet<&'a BackupId> {
    let mut kept: BTreeSet<&BackupId> = newest(all).into_iter().collect();
    kept.extend(
        all.iter().max_by_key(|(_, known, _)| (known.revision, known.quorum)).map(|(id, ..)| *id),
    );
    // Of no later one anybody knows that it opens.
    kept.extend(all.iter().rfind(|(.., grade)| *grade == Grade::Opened).map(|(id, ..)| *id));
    let Keep { hourly, daily, weekly } = keep;
    for quorum in [true, false] {
        let alike: Vec<&BackupId> =
            all.iter().filter(|(_, known, _)| known.quorum == quorum).map(|(id, ..)| *id).collect();
        for (count, length) in [(hourly, 1), (daily, 24), (weekly, 7 * 24)] {
            kept.extend(newest_of_each(&alike, count, Duration::hours(length)));
        }
    }
    kept
}

/// The newest one that was taken with a quorum, or else the newest.
fn newest<'a>(all: &[Good<'a>]) -> Option<&'a BackupId> {
    all.iter().rfind(|(_, known, _)| known.quorum).or(all.last()).map(|(id, ..)| *id)
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
    use crate::backups::catalog::Flaw;
    use crate::backups::tests::{at, good, opening, unfinished};
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
        let expected =
            Pruning { kept: vec![only.id], abandoned: vec![old.id], ..Pruning::default() };
        assert_eq!(found, expected);
    }

    fn with(time: OffsetDateTime, change: impl Fn(&mut Sidecar)) -> Copy {
        let mut copy = good(time);
        if let State::Good(known) = &mut copy.state {
            change(known);
        }
        copy
    }

    const HOURLY: Keep = Keep { hourly: 1, daily: 0, weekly: 0 };

    #[test]
    fn a_backup_without_a_quorum_takes_no_place_of_one_with_it() {
        let copies = [
            good(datetime!(2026-11-29 14:05 UTC)),
            with(datetime!(2026-11-29 14:10 UTC), |known| known.quorum = false),
            with(datetime!(2026-11-29 14:20 UTC), |known| known.quorum = false),
        ];
        let found = pruning(&copies, HOURLY, NOW);
        assert_eq!(found.kept, [copies[0].id.clone(), copies[2].id.clone()]);
        assert_eq!(found.surplus, [copies[1].id.clone()]);
        assert_eq!(found.proofs, [copies[0].id.clone()]);
        let none = Keep::default();
        assert_eq!(pruning(&copies, none, NOW).kept, [copies[0].id.clone()]);
        assert_eq!(pruning(&copies[1..], none, NOW).kept, [copies[2].id.clone()]);
        let earlier = [
            good(datetime!(2026-11-29 13:05 UTC)),
            with(datetime!(2026-11-29 13:10 UTC), |known| known.quorum = false),
        ];
        let both = [&earlier[..], &copies].concat();
        let kept = pruning(&both, Keep { hourly: 2, ..none }, NOW).kept;
        assert!(kept.contains(&earlier[0].id), "{kept:?}");
    }

    #[test]
    fn backups_of_another_cluster_id_take_no_place_of_the_lost_one_s() {
        let new = |known: &mut Sidecar| known.cluster_id = "77aa0b3d52f19e40".to_owned();
        let copies = [
            good(datetime!(2026-11-29 14:00 UTC)),
            good(datetime!(2026-11-29 14:05 UTC)),
            with(datetime!(2026-11-29 14:10 UTC), new),
            with(datetime!(2026-11-29 14:20 UTC), new),
        ];
        let found = pruning(&copies, HOURLY, NOW);
        assert_eq!(found.kept, [copies[1].id.clone(), copies[3].id.clone()]);
        let mut proofs = found.proofs;
        proofs.sort();
        assert_eq!(proofs, found.kept, "each that loses some proves its newest first");
    }

    #[test]
    fn the_highest_revision_of_a_cluster_always_stays() {
        let copies = [
            with(datetime!(2026-11-27 14:00 UTC), |known| known.revision = 900),
            good(datetime!(2026-11-28 14:05 UTC)),
            good(datetime!(2026-11-29 14:10 UTC)),
        ];
        let found = pruning(&copies, HOURLY, NOW);
        assert_eq!(found.kept, [copies[0].id.clone(), copies[2].id.clone()]);
        assert_eq!(found.surplus, [copies[1].id.clone()]);
    }

    #[test]
    fn the_newest_one_that_was_opened_always_stays() {
        let mut copies = [
            good(datetime!(2026-11-26 14:00 UTC)),
            good(datetime!(2026-11-27 14:00 UTC)),
            good(datetime!(2026-11-28 14:05 UTC)),
            good(datetime!(2026-11-29 14:10 UTC)),
        ];
        for copy in &mut copies[..2] {
            copy.opening = copy.sidecar().map(opening);
        }
        let found = pruning(&copies, HOURLY, NOW);
        assert_eq!(found.kept, [copies[1].id.clone(), copies[3].id.clone()]);
        assert_eq!(found.surplus, [copies[0].id.clone(), copies[2].id.clone()]);
    }

    #[test]
    fn one_that_is_dated_in_the_future_is_no_newest_one_and_is_not_deleted() {
        let copies = [
            good(datetime!(2026-11-28 14:05 UTC)),
            good(datetime!(2026-11-29 14:39 UTC)),
            good(datetime!(2026-11-29 14:41 UTC)),
            good(datetime!(2027-11-29 14:41 UTC)),
        ];
        let found = pruning(&copies, Keep::default(), NOW);
        assert_eq!(found.surplus, [copies[0].id.clone()]);
        assert_eq!(found.proofs, [copies[1].id.clone()], "ten minutes are clocks that differ");
        assert_eq!(found.kept.len(), 3);
    }

    #[test]
    fn nothing_goes_where_nothing_is_good() {
        let old = unfinished(datetime!(2026-11-01 14:29 UTC));
        let ahead = good(datetime!(2027-11-29 14:41 UTC));
        let broken = Copy { state: State::Broken(Flaw::NoSidecar), ..good(at(0)) };
        let found = pruning(&[broken.clone(), old.clone(), ahead.clone()], HOURLY, NOW);
        assert_eq!(found, Pruning { kept: vec![ahead.id], ..Pruning::default() });
        let found = pruning(&[broken, old.clone(), good(at(1))], HOURLY, NOW);
        assert_eq!(found.abandoned, [old.id], "a file without its sidecar is no rubbish");
    }

    proptest! {
        #[test]
        fn the_newest_good_one_is_never_surplus(
            minutes in proptest::collection::btree_set(0_i64..100_000, 1..60),
            (hourly, daily, weekly) in (0_u32..30, 0_u32..20, 0_u32..10),
        ) {
            let copies: Vec<Copy> = minutes.iter().map(|minute| good(at(*minute))).collect();
            let keep = Keep { hourly, daily, weekly };
            let Pruning { kept, surplus, abandoned, proofs } = pruning(&copies, keep, NOW);
            prop_assert_eq!(kept.last(), copies.last().map(|copy| &copy.id));
            prop_assert_eq!(kept.len() + surplus.len(), copies.len());
            prop_assert!(kept.len() <= (hourly + daily + weekly).max(1) as usize);
            prop_assert!(abandoned.is_empty());
            prop_assert!(proofs.iter().all(|id| kept.last() == Some(id)));
            prop_assert_eq!(proofs.is_empty(), surplus.is_empty());
            // Pruned again, nothing more goes.
            let left: Vec<Copy> =
                copies.into_iter().filter(|copy| kept.contains(&copy.id)).collect();
            prop_assert_eq!(pruning(&left, keep, NOW).surplus, vec![]);
        }
    }
}

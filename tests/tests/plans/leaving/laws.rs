//! The laws of plans, over generated changes of `members`: how many there are, who is wanted, what runs them.

use planner::facts::{HostFacts, MemberFacts};
use planner::{Observed, SiteFacts};
use proptest::prelude::*;
use proptest::sample::Index;
use quorate_tests::cases::cases;

use super::*;

/// How many members a cluster has, which ones are wanted, and whether they are pods.
type Change = (usize, BTreeSet<usize>, bool);

/// An odd number is wanted, of which one at least is there already.
fn changes_of_members() -> impl Strategy<Value = Change> {
    let wanted = prop::collection::btree_set(1_usize..=6, 1..=5);
    let members = prop::sample::select(&[1_usize, 3, 5][..]);
    (members, wanted, any::<bool>()).prop_filter("an odd number, one of them there", |change| {
        let (members, wanted, _) = change;
        wanted.len() % 2 == 1 && wanted.iter().any(|number| number <= members)
    })
}

fn site_of((members, wanted, pods): Change) -> Site {
    let runtime = if pods { Runtime::StaticPod } else { Runtime::Systemd };
    Site::new(runtime, members, &wanted.into_iter().collect::<Vec<_>>())
}

/// A fact of a host that could not be looked at.
fn blind(facts: &mut SiteFacts, at: Index, what: usize) {
    fn unknown<T>(fact: &mut Observed<T>) {
        *fact = Observed::Unknown("permission denied".to_owned());
    }
    let number = at.index(facts.hosts.len());
    let Some(Observed::Known(host)) = facts.hosts.values_mut().nth(number) else { return };
    let HostFacts { site, releases, clusters, .. } = host;
    match what {
        0 => return unknown(site),
        1 => return releases.values_mut().for_each(unknown),
        _ => {}
    }
    for MemberFacts { marker, data, unit, running, etcd, .. } in clusters.values_mut() {
        match what {
            2 => unknown(marker),
            3 => unknown(data),
            4 => unknown(unit),
            5 => unknown(running),
            _ => unknown(etcd),
        }
    }
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn a_change_of_members_that_is_killed_anywhere_is_finished_or_undone(
        change in changes_of_members(),
        at in any::<Index>(),
        after in any::<bool>(),
        back in any::<bool>(),
    ) {
        let site = site_of(change);
        let steps = site.plan().steps.len();
        prop_assume!(steps > 0);
        let number = at.index(steps);
        let crash = if after { Crash::After(number) } else { Crash::Before(number) };
        let stopped = applied(site.world.clone(), &site.wanted, Some(crash));
        // At least one of the former members must still be there.
        let spec = if back { &site.before } else { &site.wanted };
        let done = finished(stopped, spec);
        is_reached(&done, spec);
        nobody_else_is_left(&done, spec);
    }

    /// Rules that are loaded before the change let in everybody until it is done, and so do rules that are made in the
    /// middle of it.
    #[test]
    fn the_firewall_cuts_off_no_member_while_members_change(
        change in changes_of_members(),
        at in any::<Index>(),
    ) {
        let site = site_of(change);
        let nobody = BTreeSet::new();
        let firewalls = |world: &World| {
            planner::firewalls(&site.wanted, &world.observe(&site.wanted), &nobody)
        };
        let before = firewalls(&site.world);
        prop_assert!(!before.is_empty());
        let steps = site.plan().steps.len();
        prop_assume!(steps > 0);
        let stopped = applied(site.world.clone(), &site.wanted, Some(Crash::After(at.index(steps))));
        let done = finished(stopped.clone(), &site.wanted);
        for world in [&site.world, &stopped, &done] {
            for (host, now) in firewalls(world) {
                prop_assert_eq!(&now.against, &[], "{} {}", host, world.story.join("\n"));
            }
            for (host, seen) in world.observe(&site.wanted).hosts {
                let callers = seen.known().and_then(|seen| seen.callers.known()).into_iter().flatten();
                for caller in callers {
                    let rules = before.get(&host).map(|host| &host.rules);
                    let open = rules.is_none_or(|rules| rules.let_in(caller.port, caller.from));
                    prop_assert!(open, "{} {:?} {}", host, caller, world.story.join("\n"));
                }
            }
        }
        // Afterwards the rules are narrow again.
        let narrow = firewalls(&done);
        let left: BTreeSet<_> = narrow.into_keys().collect();
        prop_assert_eq!(left, site.members(&site.wanted));
    }

    #[test]
    fn a_change_of_members_of_which_each_step_is_done_twice_ends_as_one(change in changes_of_members()) {
        let site = site_of(change);
        let run = |repeat| {
            let policy = Policy::default();
            apply_with(site.world.clone(), &site.wanted, &policy, 1, None, repeat)
        };
        prop_assume!(!site.plan().steps.is_empty());
        let ((once, _), (twice, report)) = (run(Repeat::Once), run(Repeat::Twice));
        prop_assert_eq!(report.failed().count(), 0, "{}", twice.story.join("\n"));
        prop_assert_eq!(once.digest(), twice.digest());
        prop_assert!(sound(&once, &site.wanted).is_empty());
    }

    #[test]
    fn a_fact_that_is_unknown_removes_nobody_and_adds_nobody_wrongly(
        change in changes_of_members(),
        at in any::<Index>(),
        blinds in prop::collection::vec((any::<Index>(), 0_usize..7), 1..4),
    ) {
        let site = site_of(change);
        let steps = site.plan().steps.len();
        let stopped = match at.index(steps + 1) {
            0 => site.world.clone(),
            number => applied(site.world.clone(), &site.wanted, Some(Crash::Before(number))),
        };
        let mut facts = stopped.observe(&site.wanted);
        for (at, what) in blinds {
            blind(&mut facts, at, what);
        }
        let plan = plan(&site.wanted, &facts, &Policy::default()).unwrap();
        prop_assert_eq!(violations(&plan, &site.wanted, &facts), [""; 0]);
    }
}

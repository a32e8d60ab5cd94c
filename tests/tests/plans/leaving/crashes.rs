//! An apply that is killed anywhere while members leave.

use super::*;

const RUNTIMES: [Runtime; 2] = [Runtime::Systemd, Runtime::StaticPod];

/// The worlds that an apply leaves that is killed after each of its steps, which is before the next one. The list never
/// has more members than the old ones and those that join.
fn crashed(site: &Site) -> impl Iterator<Item = (Crash, World)> + '_ {
    let (before, wanted) = (site.members(&site.before), site.members(&site.wanted));
    let most = before.union(&wanted).count();
    let plan = site.plan();
    assert!(changes(&plan) > 0, "{plan:#?}");
    let crashes = (0..plan.steps.len()).map(Crash::After);
    let worlds =
        crashes.map(|crash| (crash, applied(site.world.clone(), &site.wanted, Some(crash))));
    worlds.inspect(move |(crash, world)| {
        let list = world.lists.values().next().unwrap().len();
        let least = before.len().min(wanted.len()) - 1;
        assert!((least..=most).contains(&list), "{crash:?}: {list}");
    })
}

/// Kills an apply after each of its steps. Then the operator stays with what was wanted, or puts `members` back.
fn after_every_crash(site: &Site, gone: &[&str]) {
    for (_, stopped) in crashed(site) {
        let back = finished(stopped.clone(), &site.before);
        is_reached(&back, &site.before);
        nobody_else_is_left(&back, &site.before);
        let done = finished(stopped, &site.wanted);
        is_reached(&done, &site.wanted);
        nobody_else_is_left(&done, &site.wanted);
        gone.iter().for_each(|name| is_cleared(&done, name));
    }
}

#[test]
fn a_swap_that_is_killed_anywhere_is_finished_by_the_next_applies() {
    for runtime in RUNTIMES {
        after_every_crash(&Site::swap(runtime), &["etcd-3"]);
    }
}

#[test]
fn so_is_a_swap_of_the_leader() {
    for runtime in RUNTIMES {
        let site = Site::new(runtime, 3, &[2, 3, 4]);
        assert_eq!(site.world.leaders[&cluster(0)], host("etcd-1"));
        after_every_crash(&site, &["etcd-1"]);
    }
}

#[test]
fn so_is_a_swap_of_a_failed_member_whose_host_is_there() {
    for runtime in RUNTIMES {
        after_every_crash(&Site::swap(runtime).stop("etcd-3"), &["etcd-3"]);
    }
}

/// What it left there is found when the host is back.
#[test]
fn so_is_a_swap_of_a_member_whose_host_is_gone() {
    for runtime in RUNTIMES {
        let site = Site::swap(runtime).strike("etcd-3", Fault::Down);
        for (_, stopped) in crashed(&site) {
            let mut done = finished(stopped, &site.wanted);
            is_reached(&done, &site.wanted);
            done.mend(&host("etcd-3")).unwrap();
            let done = finished(done, &site.wanted);
            is_reached(&done, &site.wanted);
            is_cleared(&done, "etcd-3");
        }
    }
}

#[test]
fn so_is_a_cluster_that_shrinks() {
    for runtime in RUNTIMES {
        after_every_crash(&Site::new(runtime, 5, &[1, 3, 5]), &["etcd-2", "etcd-4"]);
        after_every_crash(&Site::new(runtime, 3, &[2]), &["etcd-1", "etcd-3"]);
    }
}

/// One that failed, two that serve, and one that comes.
#[test]
fn so_is_a_cluster_that_shrinks_by_a_failed_one_and_is_swapped() {
    let site = Site::new(Runtime::Systemd, 5, &[1, 2, 6]).stop("etcd-5");
    after_every_crash(&site, &["etcd-3", "etcd-4", "etcd-5"]);
}

/// The host of the one that leaves can't be reached when the apply is killed, and comes back later.
#[test]
fn a_host_that_is_away_meanwhile_is_cleared_when_it_is_back() {
    for runtime in RUNTIMES {
        let site = Site::swap(runtime);
        for (crash, mut stopped) in crashed(&site) {
            stopped.strike(&host("etcd-3"), Fault::Down).unwrap();
            let mut world = finished(stopped, &site.wanted);
            is_reached(&world, &site.wanted);
            world.mend(&host("etcd-3")).unwrap();
            let world = finished(world, &site.wanted);
            is_reached(&world, &site.wanted);
            nobody_else_is_left(&world, &site.wanted);
            assert!(
                !world.hosts[&host("etcd-3")].members[&cluster(0)].archived.is_empty(),
                "{crash:?}"
            );
        }
    }
}

/// One plan does all of it, and a step that is done twice has the effect of one.
#[test]
fn one_apply_is_enough() {
    for (members, wanted) in [(3, &[1, 2, 4][..]), (3, &[2, 3, 4]), (5, &[1, 3, 5]), (3, &[2])] {
        for repeat in [Repeat::Once, Repeat::Twice] {
            let site = Site::new(Runtime::Systemd, members, wanted);
            let (world, policy) = (site.world.clone(), Policy::default());
            site.plan();
            let (done, report) = apply_with(world, &site.wanted, &policy, 4, None, repeat);
            assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
            is_reached(&done, &site.wanted);
            let left = sound(&done, &site.wanted);
            assert!(left.is_empty(), "{left:#?}");
        }
    }
}

//! What happens to a host between the plan and its actions.

use engine::hosts::Bindings;
use quorate_tests::story::execute_in;

use super::*;

/// Executes a plan that was made before something happened: it fails, and the list stays as it is.
fn refused(site: &Site, happens: impl FnOnce(&mut World)) -> World {
    let plan = site.plan();
    let mut world = site.world.clone();
    happens(&mut world);
    let lists = world.lists.clone();
    let bindings = Bindings::default();
    let (world, report) = execute_in(world, &plan, bindings, 1, None, Repeat::Once, |_| {});
    let failed: Vec<String> = report.failed().map(ToString::to_string).collect();
    assert!(failed.iter().any(|id| id.contains("/remove-")), "{failed:?}");
    assert_eq!(world.lists, lists);
    world
}

/// Nobody removes it as a failed one any more: the next plan removes it as one that serves.
#[test]
fn a_failed_member_that_comes_up_again_is_left_alone() {
    for runtime in [Runtime::Systemd, Runtime::StaticPod] {
        let site = Site::swap(runtime).strike("etcd-3", Fault::Down);
        let world = refused(&site, |world| world.mend(&host("etcd-3")).unwrap());
        let done = finished(world, &site.wanted);
        is_reached(&done, &site.wanted);
        is_cleared(&done, "etcd-3");
    }
}

/// Once etcd-1 is gone, both etcd-2 and etcd-3 would have to answer.
#[test]
fn nobody_is_removed_that_the_others_can_not_do_without() {
    let site = Site::new(Runtime::Systemd, 3, &[2]);
    let mut world = refused(&site, |world| world.strike(&host("etcd-3"), Fault::Down).unwrap());
    world.mend(&host("etcd-3")).unwrap();
    is_reached(&finished(world, &site.wanted), &site.wanted);
}

/// A member that stays goes down wherever the apply is killed. What can be done meanwhile costs no quorum.
#[test]
fn a_member_that_goes_down_meanwhile_only_delays_it() {
    for wanted in [&[1, 2, 4][..], &[1]] {
        let site = Site::new(Runtime::Systemd, 3, wanted);
        for number in 0..site.plan().steps.len() {
            let crash = Some(Crash::After(number));
            let mut world = applied(site.world.clone(), &site.wanted, crash);
            world.strike(&host("etcd-1"), Fault::Down).unwrap();
            if !sound(&world, &site.wanted).steps.is_empty() {
                let policy = Policy::default();
                world = apply_with(world, &site.wanted, &policy, 1, None, Repeat::Once).0;
            }
            world.mend(&host("etcd-1")).unwrap();
            let done = finished(world, &site.wanted);
            is_reached(&done, &site.wanted);
            nobody_else_is_left(&done, &site.wanted);
        }
    }
}

/// The apply is killed anywhere, and then members that were to leave are lost with the votes that they still have. The one that stays
/// runs as the inventory wants it, and a plan that finds nothing to do would call that well.
#[test]
fn a_plan_is_not_empty_while_votes_of_lost_members_keep_the_cluster_without_a_quorum() {
    for runtime in [Runtime::Systemd, Runtime::StaticPod] {
        let site = Site::new(runtime, 3, &[2]);
        let mut stuck = 0;
        for number in 0..site.plan().steps.len() {
            let stopped = applied(site.world.clone(), &site.wanted, Some(Crash::After(number)));
            for lost in [&["etcd-1"][..], &["etcd-3"], &["etcd-1", "etcd-3"]] {
                let mut world = stopped.clone();
                for name in lost {
                    world.strike(&host(name), Fault::DiskLost).unwrap();
                }
                if !world.quorate().is_empty() {
                    continue;
                }
                stuck += 1;
                let plan = sound(&world, &site.wanted);
                let story = world.story.join("\n");
                assert!(!plan.is_empty(), "{number}, without {lost:?}\n{story}");
                if plan.steps.is_empty() {
                    let hints = plan.report.blocked.iter();
                    let hints: Vec<_> = hints.filter_map(|one| one.finding.hint.as_ref()).collect();
                    let leads_on = hints.iter().any(|hint| hint.contains("quorate recover"));
                    assert!(leads_on, "{hints:#?}\n{story}");
                }
            }
        }
        assert!(stuck > 0);
    }
}

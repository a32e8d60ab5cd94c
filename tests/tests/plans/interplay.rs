//! Several things are due at once, or one is due while another is in the way.

use inventories::inventory::{CgroupDriver, Runtime};
use planner::facts::{Observed, SiteFacts};
use planner::{Plan, Policy, Selection, SiteSpec, Step, StepKind, plan};
use quorate_tests::checker::violations;
use quorate_tests::drift::Drift;
use quorate_tests::fault::Fault;
use quorate_tests::seen;
use quorate_tests::sim::Repeat;
use quorate_tests::site::{Shape, cluster, host, plain};
use quorate_tests::story::{apply_with, formed};
use quorate_tests::world::World;
use time::Duration;

/// Two clusters on the same hosts, formed, and an inventory that wants other settings of all.
fn changed(runtime: Runtime) -> (World, SiteSpec) {
    let (is, wanted) = match runtime {
        Runtime::Systemd => (None, None),
        Runtime::StaticPod => (Some(CgroupDriver::Cgroupfs), Some(CgroupDriver::Systemd)),
    };
    let shape =
        |kubelet, quota| Shape { clusters: vec![3, 3], runtime, kubelet, quota, ..plain(3) };
    let (world, spec) = shape(is, None).world();
    let world = formed(world, &spec);
    let wanted = shape(wanted, Some(3 << 30)).spec(&world.authorities);
    (world, wanted)
}

fn of(selection: Selection) -> Policy {
    Policy { selection, ..Policy::default() }
}

fn only_cluster(number: usize) -> Policy {
    of(Selection { clusters: [cluster(number)].into(), ..Selection::default() })
}

fn only_host(name: &str) -> Policy {
    of(Selection { hosts: [host(name)].into(), ..Selection::default() })
}

fn has_kubelet(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| matches!(step.kind, StepKind::StandaloneKubelet { .. }))
}

/// What befalls one host of a site on which everything is due anyway.
const BEFALLS: [fn(&mut World); 7] = [
    |_| {},
    |world| Drift::NewAccount.apply_to(world, &host("etcd-2")),
    |world| Drift::Stopped.apply_to(world, &host("etcd-3")),
    |world| Drift::NoCertificates.apply_to(world, &host("etcd-1")),
    |world| {
        Drift::NewAccount.apply_to(world, &host("etcd-1"));
        Drift::Stopped.apply_to(world, &host("etcd-2"));
    },
    |world| {
        for name in ["etcd-1", "etcd-2", "etcd-3"] {
            Drift::NewAccount.apply_to(world, &host(name));
        }
    },
    |world| world.hosts.get_mut("etcd-3").unwrap().reachable = false,
];

/// Certificates that are due or expired, kubelets, restarts and one more thing in one plan.
#[test]
fn everything_at_once_takes_one_member_down_at_a_time() {
    let policies =
        || [Policy::default(), only_cluster(0), only_host("etcd-1"), only_host("etcd-2")];
    for runtime in [Runtime::Systemd, Runtime::StaticPod] {
        let (site, wanted) = changed(runtime);
        for days in [0, 400] {
            for (number, befall) in BEFALLS.iter().enumerate() {
                let mut world = site.clone();
                world.now += Duration::days(days);
                befall(&mut world);
                let facts = world.observe(&wanted);
                for (index, policy) in policies().iter().enumerate() {
                    let what = format!("{runtime:?}, {days} days, {number}, policy {index}");
                    let made = plan(&wanted, &facts, policy).unwrap();
                    assert_eq!(violations(&made, &wanted, &facts), Vec::<String>::new(), "{what}");
                    if index == 0 {
                        apply_with(world.clone(), &wanted, policy, 8, None, Repeat::Once);
                    }
                }
            }
        }
    }
}

/// A kubelet ends the pods of clusters that were not selected too: what is wrong with those counts.
#[test]
fn a_narrowed_plan_ends_no_pods_of_a_cluster_that_something_stops() {
    let (world, wanted) = changed(Runtime::StaticPod);
    let mut facts = world.observe(&wanted);
    assert!(has_kubelet(&plan(&wanted, &facts, &only_cluster(0)).unwrap()));
    corrupt(&mut facts, 1);
    for policy in [Policy::default(), only_cluster(0)] {
        let made = plan(&wanted, &facts, &policy).unwrap();
        assert!(!has_kubelet(&made), "{:?}", policy.selection);
        assert_eq!(violations(&made, &wanted, &facts), Vec::<String>::new());
    }
}

/// A member lost its log, and certificates are due or expired: nobody restarts, and they are renewed.
#[test]
fn certificates_are_renewed_while_a_lost_member_stops_every_restart() {
    for runtime in [Runtime::Systemd, Runtime::StaticPod] {
        for days in [270, 400] {
            let (mut world, wanted) = changed(runtime);
            world.now += Duration::days(days);
            world.strike(&host("etcd-3"), Fault::DiskLost).unwrap();
            let facts = world.observe(&wanted);
            let made = plan(&wanted, &facts, &Policy::default()).unwrap();
            assert_eq!(violations(&made, &wanted, &facts), Vec::<String>::new());
            assert!(!made.steps.iter().any(|step| step.kind.disrupts()) && !has_kubelet(&made));
            for name in ["etcd-1/c0", "etcd-2/c0", "etcd-1/c1", "etcd-2/c1"] {
                let renews = |step: &Step| step.id == *format!("{name}/certificates");
                assert!(made.steps.iter().any(renews), "{name}, {runtime:?}, {days}");
            }
        }
    }
}

fn corrupt(facts: &mut SiteFacts, number: usize) {
    let Some(Observed::Known(seen)) = facts.hosts.get_mut(&host("etcd-1")) else { panic!() };
    let member = seen.clusters.get_mut(&cluster(number)).unwrap();
    let etcd = seen::known(&mut member.etcd);
    etcd.errors.push(format!("alarm CORRUPT of member {}", etcd.member_id));
}

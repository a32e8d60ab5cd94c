//! A kubelet with other settings can end every pod of its host: hosts take turns, as restarts do.

use inventories::inventory::{CgroupDriver, Runtime};
use planner::plan::{Guard, Verb};
use planner::{Observed, Plan, Policy, SiteSpec, Step, StepId, StepKind, plan};
use quorate_tests::checker::violations;
use quorate_tests::sim::Repeat;
use quorate_tests::site::{Shape, cluster, host, plain};
use quorate_tests::story::{after_every_crash, apply, apply_with, formed, plan_of};
use quorate_tests::world::World;

fn site(clusters: &[usize]) -> Shape {
    let members = clusters.iter().copied().max().unwrap();
    Shape {
        clusters: clusters.to_vec(),
        runtime: Runtime::StaticPod,
        kubelet: Some(CgroupDriver::Cgroupfs),
        ..plain(members)
    }
}

/// A formed site, and the same wanting another cgroup driver.
fn changed(clusters: &[usize]) -> (World, SiteSpec) {
    let (world, spec) = site(clusters).world();
    let world = formed(world, &spec);
    assert!(plan_of(&world, &spec).is_empty());
    let wanted = Shape { kubelet: Some(CgroupDriver::Systemd), ..site(clusters) };
    let wanted = wanted.spec(&world.authorities);
    (world, wanted)
}

fn kubelets(plan: &Plan) -> Vec<&Step> {
    let is = |step: &&Step| matches!(step.kind, StepKind::StandaloneKubelet { .. });
    plan.steps.iter().filter(is).collect()
}

fn codes(plan: &Plan) -> Vec<&str> {
    plan.report.held.iter().map(|finding| finding.code.as_str()).collect()
}

#[test]
fn kubelets_change_one_host_at_a_time_and_cost_no_quorum() {
    let (world, wanted) = changed(&[3, 3]);
    let plan = plan_of(&world, &wanted);
    assert_eq!(violations(&plan, &wanted, &world.observe(&wanted)), Vec::<String>::new());
    let order: Vec<&str> = kubelets(&plan).iter().map(|step| step.host().as_str()).collect();
    assert_eq!(order, ["etcd-2", "etcd-3", "etcd-1"], "the host of the leaders comes last");
    for step in kubelets(&plan) {
        let Guard::OthersHealthy { clusters } = &step.guard else { panic!("{step:?}") };
        let asked: Vec<_> =
            clusters.iter().map(|(name, all)| (name.as_str(), all.needed)).collect();
        assert_eq!(asked, [("c0", 2), ("c1", 2)], "every cluster with a pod on the host");
    }
    let notes: Vec<&str> = plan.report.quorum.iter().map(|note| note.what.as_str()).collect();
    assert_eq!(notes.iter().filter(|what| **what == "set up the kubelet of etcd-2").count(), 2);
    after_every_crash(&world, &wanted, 8, |_, _| {});
}

#[test]
fn a_kubelet_waits_while_another_member_is_missing() {
    let (mut world, wanted) = changed(&[3]);
    world.hosts.get_mut("etcd-3").unwrap().reachable = false;
    let plan = plan_of(&world, &wanted);
    assert!(kubelets(&plan).is_empty());
    assert_eq!(codes(&plan), ["roll-waits"]);
}

#[test]
fn a_pod_without_others_is_ended_only_when_an_outage_is_allowed() {
    for members in [1, 2] {
        let (world, wanted) = changed(&[members]);
        let careful = plan_of(&world, &wanted);
        assert!(kubelets(&careful).is_empty());
        assert_eq!(codes(&careful), ["needs-outage"]);
        let allowed = Policy { allow_outage: [cluster(0)].into(), ..Policy::default() };
        let (done, report) = apply_with(world, &wanted, &allowed, 8, None, Repeat::Once);
        assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
        assert!(plan_of(&done, &wanted).is_empty());
    }
}

/// A cluster that shares the host holds it back, and no other host.
#[test]
fn a_small_cluster_holds_back_the_hosts_that_it_is_on() {
    let (world, wanted) = changed(&[3, 1]);
    let plan = plan_of(&world, &wanted);
    let order: Vec<&str> = kubelets(&plan).iter().map(|step| step.host().as_str()).collect();
    assert_eq!(order, ["etcd-2", "etcd-3"]);
    assert_eq!(codes(&plan), ["needs-outage"]);
    let allowed = Policy { allow_outage: [cluster(1)].into(), ..Policy::default() };
    let plan = planner::plan(&wanted, &world.observe(&wanted), &allowed).unwrap();
    let last = plan.step(&"etcd-1/kubelet".parse().unwrap()).unwrap();
    let Guard::OthersHealthy { clusters } = &last.guard else { panic!("{last:?}") };
    assert_eq!(clusters.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["c0"]);
}

/// Where no pod runs nobody minds, and all hosts go at once.
#[test]
fn kubelets_of_hosts_without_pods_take_no_turns() {
    let (world, spec) = site(&[3]).world();
    let plan = plan_of(&world, &spec);
    assert_eq!(kubelets(&plan).len(), 3);
    for step in kubelets(&plan) {
        assert_eq!(step.guard, Guard::Nothing);
        let waits = |id: &&StepId| id.host != *step.host();
        assert!(
            step.after.iter().filter(waits).all(|id| matches!(id.verb, Verb::InstallEtcd(_))),
            "{step:?}"
        );
    }
}

/// A kubelet that went down leaves its containers behind; one that starts may end them.
#[test]
fn a_kubelet_that_is_down_is_started_in_its_turn_and_before_its_pods() {
    let (mut world, wanted) = changed(&[3, 3]);
    let etcd_3 = world.hosts.get_mut("etcd-3").unwrap();
    etcd_3.kubelet = false;
    etcd_3.members.get_mut("c1").unwrap().process = None;
    world.settle();
    let (done, report) = apply(world, &wanted, 8, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
    assert!(plan_of(&done, &wanted).is_empty());
}

#[test]
fn the_checker_rejects_a_kubelet_that_asks_nobody_or_does_not_wait() {
    let (world, wanted) = changed(&[3]);
    let facts = world.observe(&wanted);
    let good = plan_of(&world, &wanted);
    let rejected = |plan: &Plan, why: &str| {
        let found = violations(plan, &wanted, &facts);
        assert!(found.iter().any(|found| found.contains(why)), "{found:?}");
    };
    let mut alone = good.clone();
    let step = alone.steps.iter_mut().find(|step| step.id == "etcd-2/kubelet").unwrap();
    step.guard = Guard::Nothing;
    rejected(&alone, "etcd-2/kubelet: the guard Nothing is too weak");
    let mut together = good;
    for step in &mut together.steps {
        step.after.retain(|id| id.verb != Verb::Back);
    }
    rejected(&together, "two members restart at once");
}

/// A member that another host's turn waits for is known by what lies in the folder now, not by what is
/// wanted of it later.
#[test]
fn a_kubelet_s_turn_comes_before_the_restarts_of_the_same_plan() {
    let (world, _) = changed(&[3]);
    let wanted = Shape { kubelet: Some(CgroupDriver::Systemd), quota: Some(3 << 30), ..site(&[3]) };
    let wanted = wanted.spec(&world.authorities);
    let plan = plan(&wanted, &world.observe(&wanted), &Policy::default()).unwrap();
    assert_eq!(violations(&plan, &wanted, &world.observe(&wanted)), Vec::<String>::new());
    let (done, report) = apply(world, &wanted, 8, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
    assert!(plan_of(&done, &wanted).is_empty());
}

/// Where it can't be seen whether pods run, no kubelet is touched.
#[test]
fn a_kubelet_is_left_alone_where_nobody_can_tell_what_runs() {
    let (world, wanted) = changed(&[3, 3]);
    let mut facts = world.observe(&wanted);
    let Some(Observed::Known(seen)) = facts.hosts.get_mut(&host("etcd-2")) else { panic!() };
    seen.clusters.get_mut(&cluster(0)).unwrap().pod = Observed::Unknown("no answer".to_owned());
    let plan = planner::plan(&wanted, &facts, &Policy::default()).unwrap();
    let order: Vec<&str> = kubelets(&plan).iter().map(|step| step.host().as_str()).collect();
    assert!(!order.contains(&"etcd-2"), "{order:?}");
}

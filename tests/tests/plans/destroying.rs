//! A cluster is removed from its hosts: killed anywhere, the same command finishes it, and its data is kept.

use inventories::inventory::Runtime;
use planner::plan::Verb;
use planner::policy::{DestroyRequest, Maintenance};
use planner::report::Formation;
use planner::{Observed, Plan, Policy, SiteSpec, StepKind, plan};
use quorate_tests::checker::violations;
use quorate_tests::roster::Listed;
use quorate_tests::sim::{Crash, Repeat};
use quorate_tests::site::{Shape, cluster, host, plain, spec_of};
use quorate_tests::story::{apply_with, formed};
use quorate_tests::world::World;

fn destroying() -> Policy {
    let request = DestroyRequest {
        cluster: cluster(0),
        api_servers: Observed::Unknown("nobody answers".to_owned()),
    };
    Policy { maintenance: Some(Maintenance::Destroy(request)), ..Policy::default() }
}

fn planned(world: &World, spec: &SiteSpec) -> Plan {
    let facts = world.observe(spec);
    let plan = plan(spec, &facts, &destroying()).unwrap();
    assert_eq!(violations(&plan, spec, &facts), Vec::<String>::new(), "{plan:#?}");
    plan
}

/// A cluster of three whose members do not run, so that nobody uses it.
fn stopped(runtime: Runtime) -> (World, SiteSpec) {
    let (world, spec) = Shape { runtime, ..plain(3) }.world();
    let mut world = formed(world, &spec);
    for host in world.hosts.values_mut() {
        host.members.values_mut().for_each(|member| member.process = None);
    }
    (world, spec)
}

#[test]
fn wherever_it_is_killed_the_same_command_finishes_it() {
    for runtime in [Runtime::Systemd, Runtime::StaticPod] {
        let (world, spec) = stopped(runtime);
        for number in 0..planned(&world, &spec).steps.len() {
            for crash in [Crash::Before(number), Crash::After(number)] {
                let policy = destroying();
                let (done, _) =
                    apply_with(world.clone(), &spec, &policy, 1, Some(crash), Repeat::Once);
                planned(&done, &spec);
                let (done, report) = apply_with(done, &spec, &policy, 1, None, Repeat::Twice);
                assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
                let plan = planned(&done, &spec);
                assert!(plan.is_empty() && plan.report.blocked.is_empty(), "{crash:?}: {plan:#?}");
                assert_eq!(plan.report.clusters[&cluster(0)].formation, Formation::Absent);
                for host in done.hosts.values() {
                    assert_eq!(host.members[&cluster(0)].archived.len(), 1, "{crash:?}");
                }
            }
        }
    }
}

#[test]
fn it_wants_the_cluster_s_name_and_nothing_goes_before_all_data_is_set_aside() {
    let (world, spec) = stopped(Runtime::Systemd);
    let plan = planned(&world, &spec);
    assert_eq!(plan.report.confirm, ["c0".to_owned()].into());
    let of =
        |verb: &Verb| plan.steps.iter().filter(|step| step.id.verb == *verb).collect::<Vec<_>>();
    let look = of(&Verb::LookForClients);
    let (stop, set_aside, decommission) =
        (of(&Verb::StopForRestore), of(&Verb::SetAside), of(&Verb::Decommission));
    assert_eq!((look.len(), stop.len(), set_aside.len(), decommission.len()), (3, 3, 3, 3));
    for (late, early) in [(&stop, &look), (&set_aside, &stop), (&decommission, &set_aside)] {
        let waits = late.iter().all(|late| early.iter().all(|one| late.after.contains(&one.id)));
        assert!(waits, "{plan:#?}");
    }
}

/// A host that left `members` while nobody can say who is a member has its part, wherever the run is killed.
#[test]
fn former_members_go_as_well_though_nobody_lists_them() {
    for runtime in [Runtime::Systemd, Runtime::StaticPod] {
        let shape = Shape { runtime, ..plain(5) };
        let (world, before) = shape.world();
        let mut world = formed(world, &before);
        for host in world.hosts.values_mut() {
            host.members.values_mut().for_each(|member| member.process = None);
        }
        let mut inventory = shape.inventory();
        let members = &mut inventory.clusters.get_mut(&cluster(0)).unwrap().members;
        members.retain(|host| !["etcd-4", "etcd-5"].contains(&host.as_str()));
        let spec = spec_of(&inventory, &world.authorities);
        let steps = planned(&world, &spec).steps.len();
        assert_eq!(steps, 20);
        for number in 0..steps {
            let policy = destroying();
            let crash = Some(Crash::After(number));
            let (done, _) = apply_with(world.clone(), &spec, &policy, 1, crash, Repeat::Once);
            let (done, report) = apply_with(done, &spec, &policy, 1, None, Repeat::Once);
            assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
            assert!(planned(&done, &spec).is_empty(), "{number}");
            for host in done.hosts.values() {
                let member = &host.members[&cluster(0)];
                assert_eq!((member.archived.len(), &member.log), (1, &None), "{number}");
            }
        }
    }
}

/// Somebody else's member would serve on, or be left without its quorum.
#[test]
fn a_listed_member_without_a_host_stops_it_and_one_that_nobody_is_sure_of_is_asked() {
    let (world, spec) = plain(3).world();
    let mut world = formed(world, &spec);
    let (id, name) = ("ab1".to_owned(), "theirs".to_owned());
    let row = Listed { id, name, peer_url: "https://10.9.9.9:2380".to_owned(), learner: false };
    world.lists.values_mut().next().unwrap().push(row);
    world.settle();
    let plan = planned(&world, &spec);
    assert!(plan.steps.is_empty(), "{plan:#?}");
    let told: Vec<&str> =
        plan.report.blocked.iter().map(|one| one.finding.message.as_str()).collect();
    assert!(told.iter().any(|told| told.contains("ab1 (theirs, at https://10.9.9.9:2380)")));

    // None knows a leader, and each still says whom it knew.
    let mut facts = world.observe(&spec);
    for seen in facts.hosts.values_mut() {
        let Observed::Known(seen) = seen else { panic!("{seen:?}") };
        let Observed::Known(etcd) = &mut seen.clusters.get_mut("c0").unwrap().etcd else {
            panic!("{seen:?}")
        };
        etcd.leader = None;
    }
    let plan = planner::plan(&spec, &facts, &destroying()).unwrap();
    assert_eq!(violations(&plan, &spec, &facts), Vec::<String>::new(), "{plan:#?}");
    assert!(plan.report.blocked.is_empty(), "{plan:#?}");
    for step in &plan.steps {
        match &step.kind {
            StepKind::StopForRestore { others, .. } => {
                assert_eq!(others[&host("theirs")], "https://10.9.9.9:2379");
            }
            StepKind::SetAsideForRestore { others, .. } => assert_eq!(others.len(), 3),
            _ => {}
        }
    }
    assert!(plan.report.one_way.iter().any(|told| told.contains("theirs")), "{plan:#?}");
}

/// While it has a quorum, what can't be read may be an API server.
#[test]
fn it_waits_while_nobody_knows_whether_api_servers_use_it() {
    let (world, spec) = plain(3).world();
    let plan = planned(&formed(world, &spec), &spec);
    assert!(plan.steps.is_empty(), "{plan:#?}");
    assert!(plan.report.blocked[0].finding.message.contains("nobody answers"), "{plan:#?}");
}

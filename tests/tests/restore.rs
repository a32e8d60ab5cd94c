//! A cluster is restored with all of its members at once, from whatever state they are in; and a run that is killed
//! anywhere is finished by the same command. The simulated world panics when two clusters of one name could serve, when
//! data is lost, and when a member begins before all have their data.

#![expect(clippy::unwrap_used, reason = "a test that can't continue is to panic")]

use std::collections::BTreeSet;

use engine::execute::ApplyReport;
use inventories::inventory::Runtime;
use inventories::{EtcdVersion, HostName, Minor};
use planner::facts::{ListedMember, Observed, RestorePhase};
use planner::policy::{Maintenance, RestoreRequest, RestoreSource};
use planner::recovery::{lacks, recovery};
use planner::report::FindingCode;
use planner::{Plan, Policy, SiteFacts, SiteSpec, StepKind, plan};
use proptest::prelude::*;
use quorate_tests::cases::cases;
use quorate_tests::checker::violations;
use quorate_tests::fault::Fault;
use quorate_tests::sim::{Crash, Repeat};
use quorate_tests::site::{Shape, cluster, host, plain, restore_request, shapes};
use quorate_tests::story::{apply_with, formed, plan_of};
use quorate_tests::world::{SimHost, Until, World};

const RUNTIMES: [Runtime; 2] = [Runtime::Systemd, Runtime::StaticPod];

fn asked(request: RestoreRequest) -> Policy {
    Policy { maintenance: Some(Maintenance::Restore(Box::new(request))), ..Policy::default() }
}

fn restore() -> Policy {
    asked(restore_request())
}

fn planned(spec: &SiteSpec, facts: &SiteFacts, policy: &Policy) -> Plan {
    let plan = plan(spec, facts, policy).unwrap();
    assert_eq!(violations(&plan, spec, facts), Vec::<String>::new());
    plan
}

fn restored(world: World, spec: &SiteSpec) -> (World, ApplyReport) {
    planned(spec, &world.observe(spec), &restore());
    apply_with(world, spec, &restore(), 8, None, Repeat::Once)
}

fn codes(plan: &Plan) -> BTreeSet<FindingCode> {
    plan.report.blocked.iter().map(|blocked| blocked.finding.code).collect()
}

/// The cluster serves the snapshot's data with all of its members, nothing of the restore is left, and the ordinary
/// plan has nothing to do.
fn is_done(world: &World, spec: &SiteSpec, report: &ApplyReport) {
    assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
    let name = cluster(0);
    for host in spec.clusters[&name].members.keys() {
        let member = &world.hosts[host].members[&name];
        let log = member.log.as_ref().unwrap();
        assert!(member.process.is_some() && log.from_snapshot, "{host}");
        assert_eq!(log.cluster_id(), world.formed[&name], "{host}");
        assert_eq!((&member.restore, &member.staged), (&None, &None), "{host}");
        assert_eq!(member.marker.as_ref().unwrap().cluster_id, log.cluster_id(), "{host}");
    }
    let left = plan_of(world, spec);
    assert!(left.is_empty(), "{left:#?}");
}

#[test]
fn a_running_cluster_is_restored_and_its_old_data_is_kept() {
    for (runtime, members) in RUNTIMES.into_iter().flat_map(|it| [(it, 1), (it, 3)]) {
        let (world, spec) = Shape { runtime, ..plain(members) }.world();
        let world = formed(world, &spec);
        let before = world.formed.clone();
        let (done, report) = restored(world, &spec);
        is_done(&done, &spec, &report);
        assert_ne!(done.formed, before, "it is another cluster, no matter which member comes back");
        for host in done.hosts.values() {
            assert_eq!(host.members[&cluster(0)].archived.len(), 1);
        }
    }
}

#[test]
fn new_machines_are_restored_onto() {
    for runtime in RUNTIMES {
        let (world, spec) = Shape { runtime, ..plain(3) }.world();
        let empty = world.clone();
        let mut world = formed(world, &spec);
        world.hosts = empty.hosts;
        let (done, report) = restored(world, &spec);
        is_done(&done, &spec, &report);
    }
}

#[test]
fn the_same_file_twice_never_goes_back() {
    let (world, spec) = plain(3).world();
    let (done, report) = restored(formed(world, &spec), &spec);
    is_done(&done, &spec, &report);
    let first = done.revision(&done.formed[&cluster(0)]);
    let (done, report) = restored(done, &spec);
    is_done(&done, &spec, &report);
    assert!(done.revision(&done.formed[&cluster(0)]) > first);
}

/// The mark in the marker tells it where nobody answers.
#[test]
fn the_same_file_twice_never_goes_back_although_nobody_answers() {
    let (world, spec) = plain(3).world();
    let (mut done, report) = restored(formed(world, &spec), &spec);
    is_done(&done, &spec, &report);
    for host in done.hosts.values_mut() {
        host.members.values_mut().for_each(|member| member.process = None);
    }
    let (done, report) = restored(done, &spec);
    is_done(&done, &spec, &report);
}

#[test]
fn a_release_that_can_t_add_revisions_is_reported() {
    let version = EtcdVersion::new(Minor::V3_4, 23);
    let (world, spec) = Shape { version, ..plain(3) }.world();
    let world = formed(world, &spec);
    let plan = planned(&spec, &world.observe(&spec), &restore());
    let warned = plan.report.warnings.iter().any(|found| found.code == FindingCode::DataLoss);
    assert!(warned, "{:#?}", plan.report);
    let (done, report) = restored(world, &spec);
    is_done(&done, &spec, &report);
}

#[test]
fn every_reason_is_reported_at_once() {
    let (world, spec) = plain(3).world();
    let mut world = formed(world, &spec);
    world.hosts.get_mut("etcd-3").unwrap().reachable = false;
    let mut request = restore_request();
    request.clients_stopped.clear();
    request.allow_data_loss.clear();
    request.snapshot.bytes = 3 << 30;
    request.snapshot.etcd_version = Some(EtcdVersion::new(Minor::V3_5, 35));
    request.gone.insert(host("etcd-2"));
    let plan = planned(&spec, &world.observe(&spec), &asked(request));
    assert!(plan.steps.is_empty());
    let wanted = BTreeSet::from([
        FindingCode::Unseen,
        FindingCode::ClientsNotStopped,
        FindingCode::DataLoss,
        FindingCode::SnapshotTooLarge,
        FindingCode::SnapshotVersion,
        FindingCode::NotGone,
    ]);
    assert_eq!(codes(&plan), wanted);
}

#[test]
fn newer_data_is_lost_only_by_name() {
    let (world, spec) = plain(3).world();
    let world = formed(world, &spec);
    let facts = world.observe(&spec);
    let refused = RestoreRequest { allow_data_loss: BTreeSet::new(), ..restore_request() };
    let plan = planned(&spec, &facts, &asked(refused.clone()));
    assert_eq!(codes(&plan), BTreeSet::from([FindingCode::DataLoss]));
    assert!(
        plan.report.blocked[0].finding.message.contains("the 1000 revisions"),
        "{:#?}",
        plan.report
    );
    // A snapshot of all that there is loses nothing; one of which nobody knows what it has may.
    for (revision, blocked) in [(Some(4_000), false), (None, true)] {
        let snapshot = RestoreSource { revision, ..refused.snapshot.clone() };
        let plan = planned(&spec, &facts, &asked(RestoreRequest { snapshot, ..refused.clone() }));
        assert_eq!(plan.steps.is_empty(), blocked, "{revision:?}");
    }
}

#[test]
fn a_client_of_one_member_keeps_all_of_them_up() {
    let (world, spec) = plain(3).world();
    let mut world = formed(world, &spec);
    let old = world.formed[&cluster(0)].clone();
    world.hosts.get_mut("etcd-2").unwrap().members.get_mut("c0").unwrap().clients =
        vec!["10.77.0.99".to_owned()];
    let (stopped, report) = apply_with(world, &spec, &restore(), 8, None, Repeat::Once);
    assert_eq!(report.failed().count(), 1);
    let mut members = stopped.hosts.values().map(|host| &host.members["c0"]);
    assert!(members.all(|member| member.process.is_some()), "{}", stopped.story.join("\n"));
    assert!(stopped.quorate().contains(&(cluster(0), old)));
    let left = plan_of(&stopped, &spec);
    assert!(left.report.waiting.iter().any(|it| it.code == FindingCode::RestorePrepared));
}

#[test]
fn an_ordinary_apply_leaves_a_half_done_restore_alone() {
    let (world, spec) = plain(3).world();
    let world = formed(world, &spec);
    let plan = planned(&spec, &world.observe(&spec), &restore());
    let is_set_aside =
        |step: &planner::Step| matches!(step.kind, StepKind::SetAsideForRestore { .. });
    let number = plan.steps.iter().position(is_set_aside).unwrap();
    let crash = Some(Crash::After(number));
    let (world, _) = apply_with(world, &spec, &restore(), 1, crash, Repeat::Once);
    let left = plan_of(&world, &spec);
    assert!(left.steps.is_empty());
    assert_eq!(codes(&left), BTreeSet::from([FindingCode::RestoreUnfinished]));
    // Another file is refused, unless this restore is given up by name.
    let mut other = restore_request();
    other.snapshot.sha256 = "cd".repeat(32);
    let given_up = other.clone();
    other.allow_data_loss.clear();
    let refused = planned(&spec, &world.observe(&spec), &asked(other));
    // The members whose data is not archived yet are stopped, and nobody knows how new it is.
    let reasons = [FindingCode::DataLoss, FindingCode::RestoreUnfinished];
    assert_eq!(codes(&refused), BTreeSet::from(reasons));
    let (done, report) = apply_with(world, &spec, &asked(given_up), 8, None, Repeat::Once);
    is_done(&done, &spec, &report);
}

/// What a member that `members` no longer names still has is stopped and archived before anything is restored.
#[test]
fn a_former_member_is_archived_first() {
    let (world, all) = plain(5).world();
    let world = formed(world, &all);
    let fewer = Shape { clusters: vec![3], ..plain(5) };
    let spec = fewer.spec(&world.authorities);
    for stopped in [false, true] {
        let mut world = world.clone();
        if stopped {
            for host in world.hosts.values_mut() {
                host.members.values_mut().for_each(|member| member.process = None);
            }
        }
        let (done, report) = restored(world, &spec);
        assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
        for name in ["etcd-4", "etcd-5"] {
            let member = &done.hosts[&host(name)].members[&cluster(0)];
            assert!(member.log.is_none() && member.process.is_none(), "{name}");
            assert_eq!(member.archived.len(), 1, "{name}");
        }
        let (done, report) = apply_with(done, &spec, &Policy::default(), 8, None, Repeat::Once);
        is_done(&done, &spec, &report);
    }
}

/// Hosts that are gone are named, or the plan waits for them.
#[test]
fn a_majority_that_is_gone_is_named() {
    let (world, all) = plain(3).world();
    let mut world = formed(world, &all);
    for name in ["etcd-2", "etcd-3"] {
        world.strike(&host(name), Fault::Down).unwrap();
    }
    let spec = Shape { clusters: vec![1], ..plain(3) }.spec(&world.authorities);
    let refused = planned(&spec, &world.observe(&spec), &restore());
    assert_eq!(codes(&refused), BTreeSet::from([FindingCode::Unseen]));
    let gone = BTreeSet::from(["etcd-2", "etcd-3"].map(host));
    world.gone = gone.clone();
    let policy = asked(RestoreRequest { gone, ..restore_request() });
    planned(&spec, &world.observe(&spec), &policy);
    let (done, report) = apply_with(world, &spec, &policy, 8, None, Repeat::Once);
    is_done(&done, &spec, &report);
}

/// A reboot in the middle starts what is enabled.
#[test]
fn a_reboot_after_any_step_changes_nothing_in_the_end() {
    for (runtime, members) in [(Runtime::Systemd, 3), (Runtime::StaticPod, 1)] {
        let (world, spec) = Shape { runtime, ..plain(members) }.world();
        let world = formed(world, &spec);
        let steps = planned(&spec, &world.observe(&spec), &restore()).steps.len();
        for crash in crashes(steps) {
            let (mut world, _) =
                apply_with(world.clone(), &spec, &restore(), 1, Some(crash), Repeat::Once);
            for name in spec.hosts() {
                world.strike(name, Fault::Down).unwrap();
                world.mend(name).unwrap();
            }
            finish(world, &spec, crash);
        }
    }
}

/// The same command finishes an unfinished restore; where none is unfinished, an ordinary plan is empty.
fn finish(world: World, spec: &SiteSpec, crash: Crash) {
    let facts = world.observe(spec);
    let members = world.hosts.values().flat_map(|host| host.members.values());
    let is_unfinished = members.into_iter().any(|member| member.restore.is_some());
    if !is_unfinished && plan_of(&world, spec).is_empty() {
        return;
    }
    planned(spec, &facts, &restore());
    let (done, report) = apply_with(world, spec, &restore(), 8, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{crash:?}: {}", done.story.join("\n"));
    let lost = lost(&done, spec);
    if lost.is_empty() {
        is_done(&done, spec, &report);
    } else {
        replaced(done, spec, lost);
    }
}

/// The members of the restored cluster that lost their data while it served.
fn lost(world: &World, spec: &SiteSpec) -> BTreeSet<HostName> {
    let members = spec.clusters[&cluster(0)].members.keys();
    let has_log = |name: &&HostName| {
        world.hosts[*name].members.get(&cluster(0)).is_some_and(|member| member.log.is_some())
    };
    members.filter(|name| !has_log(name)).cloned().collect()
}

/// They are replaced like any lost member, and the cluster stays what it is.
fn replaced(world: World, spec: &SiteSpec, lost: BTreeSet<HostName>) {
    assert!(codes(&plan_of(&world, spec)).contains(&FindingCode::LostMember));
    let id = world.formed[&cluster(0)].clone();
    let policy = Policy { replace: lost, ..Policy::default() };
    let (done, report) = apply_with(world, spec, &policy, 8, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
    assert_eq!(done.formed[&cluster(0)], id);
    let left = plan_of(&done, spec);
    assert!(left.is_empty(), "{left:#?}");
}

/// Every moment in which a run of so many steps can be killed: also between a record and what it says.
fn crashes(steps: usize) -> impl Iterator<Item = Crash> {
    (0..steps).flat_map(|number| [Crash::Within(number), Crash::After(number)])
}

#[test]
fn a_restore_that_is_killed_anywhere_is_finished_by_the_same_command() {
    for (runtime, members) in [(Runtime::Systemd, 3), (Runtime::StaticPod, 1)] {
        let (world, spec) = Shape { runtime, ..plain(members) }.world();
        let world = formed(world, &spec);
        let steps = planned(&spec, &world.observe(&spec), &restore()).steps.len();
        for crash in crashes(steps) {
            let (world, _) =
                apply_with(world.clone(), &spec, &restore(), 1, Some(crash), Repeat::Once);
            finish(world, &spec, crash);
        }
    }
}

/// As long as nothing was set aside, an ordinary apply starts what was stopped.
#[test]
fn an_ordinary_apply_undoes_a_restore_that_only_stopped() {
    let (world, spec) = plain(3).world();
    let world = formed(world, &spec);
    let old = world.formed[&cluster(0)].clone();
    let plan = planned(&spec, &world.observe(&spec), &restore());
    let is_set_aside =
        |step: &planner::Step| matches!(step.kind, StepKind::SetAsideForRestore { .. });
    let first = plan.steps.iter().position(is_set_aside).unwrap();
    for number in 0..first {
        let crash = Some(Crash::After(number));
        let (world, _) = apply_with(world.clone(), &spec, &restore(), 1, crash, Repeat::Once);
        let (back, report) = apply_with(world, &spec, &Policy::default(), 8, None, Repeat::Once);
        assert_eq!(report.failed().count(), 0, "{number}: {}", back.story.join("\n"));
        assert!(back.quorate().contains(&(cluster(0), old.clone())), "{number}");
    }
}

/// What was prepared for three members is no use for one.
#[test]
fn a_restore_that_was_prepared_for_other_members_is_prepared_again() {
    let (world, all) = plain(3).world();
    let world = formed(world, &all);
    let plan = planned(&all, &world.observe(&all), &restore());
    let stops = |step: &planner::Step| matches!(step.kind, StepKind::StopForRestore { .. });
    let number = plan.steps.iter().position(stops).unwrap();
    let crash = Some(Crash::Before(number));
    let (world, _) = apply_with(world, &all, &restore(), 1, crash, Repeat::Once);
    let spec = Shape { clusters: vec![1], ..plain(3) }.spec(&world.authorities);
    let (done, report) = restored(world, &spec);
    assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
    let (done, report) = apply_with(done, &spec, &Policy::default(), 8, None, Repeat::Once);
    is_done(&done, &spec, &report);
}

/// What was prepared long ago would begin below what clients have seen since.
#[test]
fn a_restore_that_was_prepared_long_ago_is_prepared_again() {
    let (world, spec) = plain(3).world();
    let world = formed(world, &spec);
    let plan = planned(&spec, &world.observe(&spec), &restore());
    let stops = |step: &planner::Step| matches!(step.kind, StepKind::StopForRestore { .. });
    let number = plan.steps.iter().position(stops).unwrap();
    let crash = Some(Crash::Before(number));
    let (mut world, _) = apply_with(world, &spec, &restore(), 1, crash, Repeat::Once);
    world.revisions.insert(world.formed[&cluster(0)].clone(), 5_000_000_000);
    let (done, report) = restored(world, &spec);
    is_done(&done, &spec, &report);
}

/// A member that had its restored data, and lost it, may have acknowledged something before. Where no quorum is left to
/// tell, the restore begins again.
#[test]
fn a_member_that_lost_its_restored_data_does_not_get_the_same_again() {
    let (mut world, spec) = restored_and_not_ended();
    let before = world.formed[&cluster(0)].clone();
    for name in ["etcd-2", "etcd-3"] {
        put_into(&mut world, &host(name), State::LostData);
    }
    world.settle();
    let refused = RestoreRequest { allow_data_loss: BTreeSet::new(), ..restore_request() };
    let refused = planned(&spec, &world.observe(&spec), &asked(refused));
    assert_eq!(codes(&refused), BTreeSet::from([FindingCode::DataLoss]));
    let left = plan_of(&world, &spec);
    assert_eq!(codes(&left), BTreeSet::from([FindingCode::RestoreUnfinished]));
    let (done, report) = restored(world, &spec);
    is_done(&done, &spec, &report);
    assert_ne!(done.formed[&cluster(0)], before);
}

/// Three members that serve restored data, of a run that was killed before it proved them.
fn restored_and_not_ended() -> (World, SiteSpec) {
    let (world, spec) = plain(3).world();
    let world = formed(world, &spec);
    let plan = planned(&spec, &world.observe(&spec), &restore());
    let proves = |step: &planner::Step| matches!(step.kind, StepKind::ProveHealthy { .. });
    let number = plan.steps.iter().position(proves).unwrap();
    let crash = Some(Crash::Before(number));
    let (world, _) = apply_with(world, &spec, &restore(), 1, crash, Repeat::Once);
    (world, spec)
}

/// The restored cluster serves, so the next plan ends the restore, and no write since then is given up.
#[test]
fn a_restore_that_only_was_not_ended_is_ended_by_whatever_runs_next() {
    let cautious = RestoreRequest { allow_data_loss: BTreeSet::new(), ..restore_request() };
    for state in [State::Up, State::LostData, State::NewMachine] {
        for policy in [Policy::default(), asked(cautious.clone())] {
            let (mut world, spec) = restored_and_not_ended();
            let id = world.formed[&cluster(0)].clone();
            put_into(&mut world, &host("etcd-2"), state);
            world.settle();
            let plan = planned(&spec, &world.observe(&spec), &policy);
            assert_eq!(codes(&plan), BTreeSet::new(), "{state:?}");
            let stops = |step: &planner::Step| {
                matches!(step.kind, StepKind::StopForRestore { .. } | StepKind::StageRestore(_))
            };
            assert!(!plan.steps.iter().any(stops), "{state:?}: {plan:#?}");
            let (done, report) = apply_with(world, &spec, &policy, 8, None, Repeat::Once);
            assert_eq!(report.failed().count(), 0, "{state:?}: {}", done.story.join("\n"));
            assert_eq!(done.formed[&cluster(0)], id);
            match lost(&done, &spec) {
                lost if lost.is_empty() => is_done(&done, &spec, &report),
                lost => replaced(done, &spec, lost),
            }
        }
    }
}

/// A plan that ends a restore does nothing else, and says so.
#[test]
fn what_is_asked_of_members_waits_for_the_end_of_a_restore() {
    let (mut world, spec) = restored_and_not_ended();
    put_into(&mut world, &host("etcd-2"), State::LostData);
    world.settle();
    let mut facts = world.observe(&spec);
    let replace = BTreeSet::from([host("etcd-2")]);
    let policy = Policy { replace: replace.clone(), ..Policy::default() };
    let ending = planned(&spec, &facts, &policy);
    assert!(ending.steps.iter().any(|step| matches!(step.kind, StepKind::EndRestore { .. })));
    let held: Vec<_> = ending.report.held.iter().map(|one| (one.code, one.host.clone())).collect();
    assert_eq!(held, [(FindingCode::JoinWaits, Some(host("etcd-2")))]);
    // Somebody added a member whose host the inventory does not have.
    let seen = facts.hosts.values_mut().filter_map(|seen| match seen {
        Observed::Known(seen) => seen.clusters.get_mut("c0"),
        Observed::Absent | Observed::Unknown(_) => None,
    });
    let mut own = String::new();
    for member in seen {
        let Observed::Known(etcd) = &mut member.etcd else { continue };
        let Observed::Known(list) = &mut etcd.members else { continue };
        own.clone_from(&list[0].id);
        let peer_urls = vec!["https://10.9.9.9:2380".to_owned()];
        list.push(ListedMember {
            id: "beef".to_owned(),
            name: "odd".to_owned(),
            peer_urls,
            ..list[0].clone()
        });
    }
    let remove = |id: &str| {
        let remove_members = BTreeSet::from([id.to_owned()]);
        planned(&spec, &facts, &Policy { remove_members, ..Policy::default() })
    };
    let held: Vec<_> = remove("beef").report.held.iter().map(|one| one.code).collect();
    assert_eq!(held, [FindingCode::RemovalWaits]);
    let refused = remove(&own);
    assert_eq!(codes(&refused), BTreeSet::from([FindingCode::RemoveRefused]));
    assert_eq!(refused.steps, []);
    // Asked again once it is ended, it is done.
    let (done, _) = apply_with(world, &spec, &policy, 8, None, Repeat::Once);
    replaced(done, &spec, replace);
}

/// Parts of a cluster are not ended, and nothing is while the hosts were not all seen.
#[test]
fn a_restore_is_ended_only_with_all_of_its_hosts_in_sight() {
    let (mut world, spec) = restored_and_not_ended();
    world.hosts.get_mut("etcd-2").unwrap().reachable = false;
    let left = plan_of(&world, &spec);
    assert!(codes(&left).contains(&FindingCode::RestoreUnfinished), "{left:#?}");
}

/// A member that --gone names is checked before the first member stops.
#[test]
fn nobody_is_stopped_while_one_answers_that_is_said_to_be_gone() {
    let (world, all) = plain(3).world();
    let mut world = formed(world, &all);
    let gone = BTreeSet::from(["etcd-2", "etcd-3"].map(host));
    let spec = Shape { clusters: vec![1], ..plain(3) }.spec(&world.authorities);
    for name in &gone {
        world.hosts.get_mut(name).unwrap().reachable = false;
    }
    // It does not know a leader, or the plan would know that one serves.
    let mut facts = world.observe(&spec);
    let Some(Observed::Known(seen)) = facts.hosts.get_mut(&host("etcd-1")) else { panic!() };
    let own = seen.clusters.get_mut(&cluster(0)).unwrap();
    let Observed::Known(etcd) = &mut own.etcd else { panic!() };
    etcd.leader = None;
    let plan = plan(&spec, &facts, &asked(RestoreRequest { gone, ..restore_request() })).unwrap();
    assert_eq!(codes(&plan), BTreeSet::new(), "{:#?}", plan.report.blocked);
    let asked_first = plan.steps.iter().find_map(|step| match &step.kind {
        StepKind::StopForRestore { others, .. } => Some(others.keys().cloned().collect::<Vec<_>>()),
        _ => None,
    });
    assert_eq!(asked_first.unwrap(), ["etcd-2", "etcd-3"].map(host));
}

/// A snapshot file on machines that have nothing: the members of before may run elsewhere, and nobody knows where.
#[test]
fn where_nothing_names_the_old_members_the_operator_says_that_they_are_stopped() {
    let (world, spec) = plain(3).world();
    let silent = RestoreRequest { old_members_stopped: BTreeSet::new(), ..restore_request() };
    let plan = planned(&spec, &world.observe(&spec), &asked(silent.clone()));
    assert_eq!(codes(&plan), BTreeSet::from([FindingCode::OldMembersUnknown]));
    // A backup tells who they were.
    let members = BTreeSet::from(["etcd-1".to_owned()]);
    let told = RestoreRequest { members, ..silent.clone() };
    assert_eq!(codes(&planned(&spec, &world.observe(&spec), &asked(told))), BTreeSet::new());
    let world = formed(world, &spec);
    assert_eq!(codes(&planned(&spec, &world.observe(&spec), &asked(silent))), BTreeSet::new());
}

/// It may have served before it had a marker: the record of the restore is all that tells how far it came.
#[test]
fn restored_data_that_was_lost_before_its_marker_never_starts_below() {
    for members in [1, 3] {
        let (world, spec) = plain(members).world();
        let world = formed(world, &spec);
        let plan = planned(&spec, &world.observe(&spec), &restore());
        let marks = |step: &planner::Step| matches!(step.kind, StepKind::WriteMarker { .. });
        let crash = Some(Crash::Before(plan.steps.iter().position(marks).unwrap()));
        let (mut world, _) = apply_with(world, &spec, &restore(), 1, crash, Repeat::Once);
        let first = world.revision(&world.formed[&cluster(0)]);
        for name in spec.hosts() {
            put_into(&mut world, name, State::LostData);
        }
        world.settle();
        let (done, report) = restored(world, &spec);
        is_done(&done, &spec, &report);
        assert!(done.revision(&done.formed[&cluster(0)]) > first);
    }
}

/// What may be of one host before a restore.
#[derive(Debug, Clone, Copy)]
enum State {
    Up,
    Stopped,
    Loops,
    LostData,
    NewMachine,
    OtherFile(RestorePhase),
}

fn states() -> impl Strategy<Value = State> {
    prop_oneof![
        Just(State::Up),
        Just(State::Stopped),
        Just(State::Loops),
        Just(State::LostData),
        Just(State::NewMachine),
        Just(State::OtherFile(RestorePhase::Staged)),
        Just(State::OtherFile(RestorePhase::Placed)),
    ]
}

/// What may be of a host that was in the middle of a restore.
fn losses() -> impl Strategy<Value = State> {
    prop_oneof![Just(State::LostData), Just(State::NewMachine)]
}

fn put_into(world: &mut World, name: &HostName, state: State) {
    let Some(host) = world.hosts.get_mut(name) else { return };
    if matches!(state, State::NewMachine) {
        host.members.remove("c0");
        if host.members.is_empty() {
            // One that runs and that quorate did not set up is somebody's.
            **host = SimHost { kubelet: host.standalone.is_none(), ..SimHost::empty() };
        }
        return;
    }
    let Some(member) = host.members.get_mut("c0") else { return };
    match state {
        State::Up | State::NewMachine => {}
        State::Stopped => member.process = None,
        State::Loops => drop(member.loop_until(Until::Never, "panic")),
        State::LostData => (member.process, member.log, member.staged) = (None, None, None),
        State::OtherFile(phase) => {
            let token = templates::BootstrapToken::from_random([7; 16]);
            member.restore = Some(planner::facts::RestoreRecord {
                token,
                sha256: "ef".repeat(32),
                members: String::new(),
                bump: None,
                phase,
            });
        }
    }
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn whatever_the_members_are_like_a_restore_that_is_killed_comes_to_its_end(
        shape in shapes(),
        states in prop::collection::vec(states(), 5),
        at in any::<prop::sample::Index>(),
        crash in prop::sample::select(vec![Crash::Before, Crash::Within, Crash::After]),
        reboots in prop::collection::vec(any::<bool>(), 5),
        lost in prop::option::of((any::<prop::sample::Index>(), losses())),
        parallelism in 1_usize..9,
    ) {
        let (world, spec) = shape.world();
        let mut world = formed(world, &spec);
        let members: Vec<HostName> = spec.clusters["c0"].members.keys().cloned().collect();
        for (name, state) in members.iter().zip(states) {
            put_into(&mut world, name, state);
        }
        world.settle();
        let plan = planned(&spec, &world.observe(&spec), &restore());
        prop_assert!(plan.report.blocked.is_empty(), "{:#?}", plan.report.blocked);
        let crash = crash(at.index(plan.steps.len()));
        let (mut world, _) =
            apply_with(world, &spec, &restore(), parallelism, Some(crash), Repeat::Twice);
        for (name, _) in members.iter().zip(reboots).filter(|(_, reboots)| *reboots) {
            world.strike(name, Fault::Down).unwrap();
            world.mend(name).unwrap();
        }
        if let Some((index, state)) = lost {
            put_into(&mut world, index.get(&members), state);
            world.settle();
        }
        finish(world, &spec, crash);
    }
}

/// A leader that a member follows does serve, whatever the flags say of its host.
#[test]
fn a_leader_that_is_said_to_be_gone_blocks_the_restore() {
    let (world, spec) = plain(3).world();
    let world = formed(world, &spec);
    let gone = BTreeSet::from([host("etcd-2"), host("etcd-3")]);
    let mut alone = spec.clone();
    let members = &mut alone.clusters.get_mut(&cluster(0)).unwrap().members;
    members.retain(|name, _| !gone.contains(name));
    let mut found = BTreeSet::new();
    for leader in ["etcd-2", "etcd-3"] {
        let mut facts = world.observe(&spec);
        let id = |facts: &SiteFacts, name: &str| {
            let seen = facts.hosts[&host(name)].known().unwrap();
            seen.clusters[&cluster(0)].etcd.known().unwrap().member_id.clone()
        };
        let id = id(&facts, leader);
        for name in &gone {
            facts.hosts.insert(name.clone(), Observed::Unknown("no answer".to_owned()));
        }
        let Some(Observed::Known(seen)) = facts.hosts.get_mut(&host("etcd-1")) else { panic!() };
        let Observed::Known(etcd) = &mut seen.clusters.get_mut(&cluster(0)).unwrap().etcd else {
            panic!()
        };
        etcd.leader = Some(id);
        let policy = asked(RestoreRequest { gone: gone.clone(), ..restore_request() });
        found.extend(codes(&plan(&alone, &facts, &policy).unwrap()));
    }
    assert!(found.contains(&FindingCode::NotGone), "{found:?}");
}

/// An operator who deletes hosts from the inventory has not said that they are gone.
#[test]
fn members_whose_hosts_left_the_inventory_are_asked_about_without_a_leader() {
    let (world, spec) = plain(3).world();
    let world = formed(world, &spec);
    let mut facts = world.observe(&spec);
    let gone = BTreeSet::from([host("etcd-2"), host("etcd-3")]);
    let mut alone = spec;
    alone.clusters.get_mut(&cluster(0)).unwrap().members.retain(|name, _| !gone.contains(name));
    alone.addresses.retain(|name, _| !gone.contains(name));
    facts.hosts.retain(|name, _| !gone.contains(name));
    let Some(Observed::Known(seen)) = facts.hosts.get_mut(&host("etcd-1")) else { panic!() };
    // It does not answer: what its unit says is all there is.
    seen.clusters.get_mut(&cluster(0)).unwrap().etcd = Observed::Absent;
    let refused = plan(&alone, &facts, &restore()).unwrap();
    let told = refused.report.blocked.iter().map(|blocked| &blocked.finding);
    let told: Vec<_> = told.filter(|found| found.code == FindingCode::Unseen).collect();
    assert!(told.len() == 1 && told[0].message.contains("etcd-2"), "{told:#?}");
    let allowed =
        plan(&alone, &facts, &asked(RestoreRequest { gone, ..restore_request() })).unwrap();
    assert_eq!(codes(&allowed), BTreeSet::new());
    let asks = allowed.steps.iter().filter_map(|step| match &step.kind {
        StepKind::PlaceRestore { others, .. } => Some(others.len()),
        _ => None,
    });
    assert_eq!(asks.collect::<Vec<_>>(), [2], "members that --gone names are checked");
}

/// A check plans as if everything were allowed, and so as if the restore were to go on.
#[test]
fn a_check_names_a_restore_that_is_half_done() {
    let (world, spec) = plain(3).world();
    let world = formed(world, &spec);
    let steps = planned(&spec, &world.observe(&spec), &restore()).steps;
    let name = cluster(0);
    let mut other = restore_request();
    other.snapshot.sha256 = "cd".repeat(32);
    for number in 0..steps.len() - 1 {
        let crash = Some(Crash::After(number));
        let (world, _) = apply_with(world.clone(), &spec, &restore(), 1, crash, Repeat::Once);
        let facts = world.observe(&spec);
        let found = recovery(&spec.clusters[&name], &facts);
        let records = world.hosts.values().flat_map(|host| host.members.values());
        let half_done = records
            .filter_map(|member| member.restore.as_ref())
            .any(|record| record.phase != RestorePhase::Staged);
        for policy in [restore(), asked(other.clone())] {
            let plan = planned(&spec, &facts, &policy);
            let told = lacks(&name, &found, Some(&plan));
            assert_eq!(told.iter().any(|it| it.contains("not finished")), half_done, "{told:?}");
        }
        assert_eq!(lacks(&name, &found, None).is_empty(), !half_done);
    }
}

#[test]
fn data_that_does_not_answer_is_given_up_only_by_name() {
    let (world, spec) = plain(1).world();
    let mut world = formed(world, &spec);
    for host in world.hosts.values_mut() {
        host.members.values_mut().for_each(|member| member.process = None);
    }
    let refused = RestoreRequest { allow_data_loss: BTreeSet::new(), ..restore_request() };
    let plan = planned(&spec, &world.observe(&spec), &asked(refused));
    assert_eq!(codes(&plan), BTreeSet::from([FindingCode::DataLoss]));
}

#[test]
fn a_newer_backup_is_passed_over_only_by_name() {
    let (world, spec) = plain(1).world();
    let newer = RestoreRequest {
        highest_known: 3_001,
        allow_data_loss: BTreeSet::new(),
        ..restore_request()
    };
    let plan = planned(&spec, &world.observe(&spec), &asked(newer));
    assert_eq!(codes(&plan), BTreeSet::from([FindingCode::DataLoss]));
}

/// What the operator allowed to lose may be something else.
#[test]
fn a_loss_that_was_allowed_hides_no_other() {
    let (world, spec) = plain(3).world();
    let world = formed(world, &spec);
    let facts = world.observe(&spec);
    let unread = BTreeSet::from(["file:/mnt/nas".to_owned()]);
    let allowed = RestoreRequest { highest_known: 3_500, unread, ..restore_request() };
    let refused = RestoreRequest { allow_data_loss: BTreeSet::new(), ..allowed.clone() };
    let plan = planned(&spec, &facts, &asked(refused));
    let refusals = plan.report.blocked.iter().map(|blocked| blocked.finding.message.as_str());
    let refusals = refusals.collect::<Vec<_>>().join("\n");
    for lost in
        ["the 1000 revisions", "a newer backup, of revision 3500", "can't read file:/mnt/nas"]
    {
        assert!(refusals.contains(lost), "{lost}: {refusals}");
    }
    let told = planned(&spec, &facts, &asked(allowed.clone())).report.clients.join("\n");
    for lost in ["1000 revisions are lost", "backup has revision 3500", "file:/mnt/nas"] {
        assert!(told.contains(lost), "{lost}: {told}");
    }
    // Nobody knows whether a file whose revision is unknown is older than a backup.
    let snapshot = RestoreSource { revision: None, ..allowed.snapshot.clone() };
    let file = RestoreRequest { snapshot, allow_data_loss: BTreeSet::new(), ..allowed };
    let (empty, _) = plain(3).world();
    let plan = planned(&spec, &empty.observe(&spec), &asked(file));
    let told = plan.report.blocked.iter().any(|it| it.finding.message.contains("revision 3500"));
    assert!(told, "{:#?}", plan.report.blocked);
}

/// A target that can't be read may hold a newer backup, and know revisions that clients have seen.
#[test]
fn a_target_that_can_not_be_read_is_passed_over_only_by_name() {
    let (world, spec) = plain(1).world();
    let unread = BTreeSet::from(["file:/mnt/nas".to_owned()]);
    let allowed = RestoreRequest { unread, ..restore_request() };
    let refused = RestoreRequest { allow_data_loss: BTreeSet::new(), ..allowed.clone() };
    let plan = planned(&spec, &world.observe(&spec), &asked(refused));
    assert_eq!(codes(&plan), BTreeSet::from([FindingCode::DataLoss]));
    assert!(plan.report.blocked[0].finding.message.contains("file:/mnt/nas"));
    let plan = planned(&spec, &world.observe(&spec), &asked(allowed));
    assert_eq!(codes(&plan), BTreeSet::new());
}

#[test]
fn a_revision_that_no_cluster_reaches_destroys_no_restore() {
    let (world, spec) = plain(1).world();
    for highest_known in [u64::MAX, 1 << 62] {
        let forged = RestoreRequest { highest_known, ..restore_request() };
        let plan = planned(&spec, &world.observe(&spec), &asked(forged));
        assert_eq!(codes(&plan), BTreeSet::from([FindingCode::RevisionTooHigh]));
    }
}

/// An alarm is data: it comes back with the snapshot.
#[test]
fn alarms_of_the_snapshot_are_cleared_or_refused() {
    let (world, spec) = plain(3).world();
    let with = |alarm: &str| {
        let alarms = BTreeSet::from([alarm.to_owned()]);
        let snapshot = RestoreSource { alarms, ..restore_request().snapshot };
        asked(RestoreRequest { snapshot, ..restore_request() })
    };
    let corrupt = planned(&spec, &world.observe(&spec), &with("alarm CORRUPT of member a1"));
    assert_eq!(codes(&corrupt), BTreeSet::from([FindingCode::Corrupt]));
    let full = planned(&spec, &world.observe(&spec), &with("alarm NOSPACE of member a1"));
    let at = |is: fn(&StepKind) -> bool| full.steps.iter().position(|step| is(&step.kind)).unwrap();
    let disarm = at(|kind| matches!(kind, StepKind::Disarm { .. }));
    assert!(at(|kind| matches!(kind, StepKind::ProveHealthy { .. })) > disarm);
    let last_start =
        full.steps.iter().rposition(|step| matches!(step.kind, StepKind::StartMember { .. }));
    assert!(last_start.unwrap() < disarm);
    let (done, report) =
        apply_with(world, &spec, &with("alarm NOSPACE of member a1"), 8, None, Repeat::Once);
    is_done(&done, &spec, &report);
}

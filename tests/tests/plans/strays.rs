//! A row of the member list whose host the inventory does not have goes by its id alone, and nobody else does.

use std::net::IpAddr;

use planner::plan::{Guard, Leaver};
use planner::report::FindingCode;
use planner::{Plan, Policy, SiteSpec, StepKind, plan};
use quorate_tests::checker::violations;
use quorate_tests::fault::Fault;
use quorate_tests::roster::Listed;
use quorate_tests::sim::{Crash, Repeat};
use quorate_tests::site::{host, plain, spec_of};
use quorate_tests::story::{apply_with, formed};
use quorate_tests::world::World;

const ID: &str = "ab1";

/// A cluster of three, and one row more.
fn site(name: &str, learner: bool) -> (World, SiteSpec) {
    site_of(3, name, learner)
}

fn site_of(members: usize, name: &str, learner: bool) -> (World, SiteSpec) {
    let (world, spec) = plain(members).world();
    let mut world = formed(world, &spec);
    let (id, peer_url) = (ID.to_owned(), "https://10.9.9.9:2380".to_owned());
    let row = Listed { id, name: name.to_owned(), peer_url, learner };
    world.lists.values_mut().next().unwrap().push(row);
    world.settle();
    (world, spec)
}

fn removing(id: &str) -> Policy {
    Policy { remove_members: [id.to_owned()].into(), ..Policy::default() }
}

fn planned(world: &World, spec: &SiteSpec, policy: &Policy) -> Plan {
    let facts = world.observe(spec);
    let plan = plan(spec, &facts, policy).unwrap();
    assert_eq!(violations(&plan, spec, &facts), Vec::<String>::new(), "{plan:#?}");
    plan
}

fn removals(plan: &Plan) -> Vec<(&str, Leaver)> {
    let mut found = Vec::new();
    for step in &plan.steps {
        if let StepKind::RemoveListed { id, leaver, .. } = &step.kind {
            found.push((id.as_str(), *leaver));
        }
    }
    found
}

#[test]
fn one_that_is_named_goes_behind_a_snapshot_and_the_word_of_the_others() {
    for (name, learner, leaver) in [
        ("", false, Leaver::Stray),
        ("other", false, Leaver::Stray),
        ("other", true, Leaver::NoVote),
    ] {
        let (world, spec) = site(name, learner);
        let untouched = planned(&world, &spec, &Policy::default());
        assert_eq!(removals(&untouched), []);
        assert_eq!(untouched.report.blocked[0].finding.code, FindingCode::ChangingMembers);
        let hint = untouched.report.blocked[0].finding.hint.as_deref().unwrap();
        assert!(hint.contains("quorate plan --cluster c0 --remove-member ab1"), "{hint}");

        let plan = planned(&world, &spec, &removing(ID));
        assert_eq!((removals(&plan), plan.report.blocked.len()), (vec![(ID, leaver)], 0));
        let removal =
            plan.steps.iter().find(|step| step.id.to_string().ends_with("/remove-ab1")).unwrap();
        let Guard::OthersHealthy { clusters } = &removal.guard else { panic!("{removal:?}") };
        assert_eq!((clusters["c0"].needed, clusters["c0"].members.len()), (2, 3));
        let (done, report) = apply_with(world, &spec, &removing(ID), 1, None, Repeat::Twice);
        assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
        assert_eq!(done.lists.values().next().unwrap().len(), 3);
        assert!(planned(&done, &spec, &Policy::default()).is_empty());
        // The same command once more.
        let again = planned(&done, &spec, &removing(ID));
        assert!(again.is_empty(), "{again:#?}");
        assert!(again.report.warnings[0].message.contains("no cluster lists a member ab1"));
    }
}

#[test]
fn a_removal_that_is_killed_anywhere_is_finished_by_the_same_command() {
    let (world, spec) = site("", false);
    let count = planned(&world, &spec, &removing(ID)).steps.len();
    for number in 0..count {
        for crash in [Crash::Before(number), Crash::After(number)] {
            let policy = removing(ID);
            let (stopped, _) =
                apply_with(world.clone(), &spec, &policy, 1, Some(crash), Repeat::Once);
            let (done, _) = apply_with(stopped, &spec, &policy, 1, None, Repeat::Once);
            assert!(planned(&done, &spec, &Policy::default()).is_empty(), "{crash:?}");
        }
    }
}

/// A mistyped id must not cost a member.
#[test]
fn a_member_of_the_inventory_is_not_removed_by_its_id() {
    let (world, spec) = site("", false);
    let ids: Vec<String> =
        world.lists.values().next().unwrap().iter().map(|row| row.id.clone()).collect();
    for id in ids.iter().filter(|id| *id != ID) {
        let mut policy = removing(id);
        policy.remove_members.insert(ID.to_owned());
        let plan = planned(&world, &spec, &policy);
        assert_eq!(removals(&plan), [], "nothing goes while one of them is wrong");
        let refused = &plan.report.blocked[0].finding;
        assert_eq!(refused.code, FindingCode::RemoveRefused);
        assert!(refused.message.contains("which `members` names"), "{}", refused.message);
    }
}

#[test]
fn it_stays_while_the_others_would_have_no_quorum_without_it() {
    let (mut world, spec) = site("other", false);
    world.lists.values_mut().next().unwrap().push(Listed {
        id: "ab2".to_owned(),
        name: "more".to_owned(),
        peer_url: "https://10.9.9.8:2380".to_owned(),
        learner: false,
    });
    world.settle();
    world.strike(&host("etcd-3"), Fault::Down).unwrap();
    let mut policy = removing(ID);
    policy.remove_members.insert("ab2".to_owned());
    let plan = planned(&world, &spec, &policy);
    assert_eq!(removals(&plan), []);
    let told = |plan: &Plan| {
        plan.report
            .refused()
            .any(|one| matches!(one.code, FindingCode::RemovalWaits | FindingCode::RemoveRefused))
    };
    assert!(told(&plan), "{plan:#?}");
}

/// etcd takes two members of one name, and lists them by their ids.
#[test]
fn of_two_members_of_one_name_the_one_that_its_host_does_not_know_is_the_stray() {
    let (world, spec) = site("etcd-2", false);
    let untouched = planned(&world, &spec, &Policy::default());
    let hint = untouched.report.blocked[0].finding.hint.as_deref().unwrap();
    assert!(hint.contains("--remove-member ab1"), "{hint}");
    let plan = planned(&world, &spec, &removing(ID));
    assert_eq!(removals(&plan), [(ID, Leaver::Stray)], "{:#?}", plan.report);
    let list = world.lists.values().next().unwrap();
    let own = list.iter().find(|row| row.name == "etcd-2" && row.id != ID).unwrap();
    let refused = planned(&world, &spec, &removing(&own.id));
    assert_eq!(removals(&refused), []);
    let mut codes = refused.report.blocked.iter().map(|blocked| blocked.finding.code);
    assert!(codes.any(|code| code == FindingCode::RemoveRefused));
}

/// The stray one comes first in the list, and an apply that was killed has listed the other at its new address already.
#[test]
fn of_two_members_of_one_name_the_host_s_own_moves() {
    // The other four of five have a quorum while this one is not found.
    let (mut world, _) = site_of(5, "etcd-2", false);
    let moved: IpAddr = "10.77.0.42".parse().unwrap();
    let list = world.lists.values_mut().next().unwrap();
    list.rotate_right(1);
    assert_eq!((list[0].id.as_str(), list[0].name.as_str()), (ID, "etcd-2"));
    let own = list.iter_mut().find(|row| row.name == "etcd-2" && row.id != ID).unwrap();
    own.peer_url = format!("https://{moved}:2380");
    let mut inventory = plain(5).inventory();
    let at = inventory.hosts.get_mut(&host("etcd-2")).unwrap();
    (at.address, at.peer_address) = (moved, moved);
    (at.listen_address, at.peer_listen_address) = (moved, moved);
    let wanted = spec_of(&inventory, &world.authorities);
    let plan = plan(&wanted, &world.observe(&wanted), &Policy::default()).unwrap();
    let mut codes = plan.report.refused().map(|finding| finding.code);
    assert!(codes.all(|code| code != FindingCode::ChangingAddress), "{:#?}", plan.report);
}

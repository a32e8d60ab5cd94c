//! Which members a plan removes, which it keeps, and when.

use planner::facts::{EtcdFacts, HostFacts, ListedMember, MemberFacts, SiteFacts};
use planner::plan::Verb;
use planner::text::{self, Page};
use planner::{Observed, Selection};
use proptest::prelude::*;
use quorate_tests::invariants::leader_leaves_last;
use quorate_tests::seen::{self, known, member};

use super::*;

fn rows(facts: &mut SiteFacts, change: impl Fn(&mut Vec<ListedMember>)) {
    for name in ["etcd-1", "etcd-2"] {
        let etcd: &mut EtcdFacts = known(&mut member(facts, name).etcd);
        change(known(&mut etcd.members));
    }
}

/// Nobody knows whose it is: it may be somebody's on purpose.
#[test]
fn a_member_that_the_inventory_does_not_know_is_never_removed() {
    let site = Site::swap(Runtime::Systemd);
    let mut facts = site.world.observe(&site.wanted);
    rows(&mut facts, |rows| {
        let row = rows.iter_mut().find(|row| row.name == "etcd-3").unwrap();
        row.name = "stranger".to_owned();
        row.peer_urls = vec!["https://10.99.0.1:2380".to_owned()];
    });
    let plan = plan(&site.wanted, &facts, &Policy::default()).unwrap();
    assert_eq!(changes(&plan), 0, "{plan:#?}");
    let refused: Vec<FindingCode> = plan.report.refused().map(|finding| finding.code).collect();
    assert!(refused.contains(&FindingCode::ChangingMembers), "{refused:?}");
}

/// Its vote may be what the others have a quorum by.
#[test]
fn a_member_that_hangs_stays() {
    let site = Site::swap(Runtime::Systemd).strike("etcd-3", Fault::Slow);
    let plan = site.plan();
    assert_eq!(changes(&plan), 0, "{plan:#?}");
    assert!(
        held(&plan, FindingCode::RemovalWaits).contains("no answer from etcd-3, still running")
    );
    let mut facts = site.world.observe(&site.wanted);
    member(&mut facts, "etcd-3").etcd = Observed::Absent;
    member(&mut facts, "etcd-3").running = Observed::Unknown("permission denied".to_owned());
    let plan = planner::plan(&site.wanted, &facts, &Policy::default()).unwrap();
    assert_eq!(changes(&plan), 0, "what can't be looked at may run: {plan:#?}");
}

/// It hands over once, to one that stays, and not to the next one that goes.
#[test]
fn the_leader_leaves_last() {
    let site = Site::new(Runtime::Systemd, 5, &[2, 3, 4]);
    assert_eq!(site.world.leaders[&cluster(0)], host("etcd-1"));
    let facts = site.world.observe(&site.wanted);
    let leader = known(&mut member(&mut facts.clone(), "etcd-2").etcd).leader.clone().unwrap();
    let plan = site.plan();
    let removed = plan.steps.iter().filter_map(|step| match &step.kind {
        StepKind::RemoveListed { id, .. } => Some(id),
        _ => None,
    });
    let removed: Vec<&String> = removed.collect();
    assert_eq!((removed.len(), removed[1]), (2, &leader));
    assert_eq!(leader_leaves_last(&plan, &facts), Ok(()));
}

#[test]
fn an_even_number_of_members_is_refused() {
    for (members, wanted) in [(3, &[1, 2][..]), (5, &[1, 2, 3, 4]), (1, &[1, 2]), (3, &[1, 4])] {
        let site = Site::new(Runtime::Systemd, members, wanted);
        let plan = site.plan();
        assert!(plan.steps.is_empty(), "{plan:#?}");
        let codes = [FindingCode::RemovalWaits, FindingCode::JoinWaits];
        let why = codes.map(|code| held(&plan, code)).join("; ");
        assert!(why.contains("survives no more failures"), "{why}");
    }
}

/// It stands in for the one that is not healthy.
#[test]
fn a_serving_member_stays_while_one_that_stays_is_not_healthy() {
    for (members, wanted) in [(5, &[1, 2, 3][..]), (3, &[1])] {
        for fault in [Fault::Down, Fault::Slow, Fault::Cut] {
            let site = Site::new(Runtime::Systemd, members, wanted).strike("etcd-1", fault);
            let plan = site.plan();
            assert_eq!(changes(&plan), 0, "{fault:?}: {plan:#?}");
        }
    }
}

#[test]
fn a_serving_member_stays_while_one_that_is_to_join_can_not() {
    for wanted in [&[1, 2, 4][..], &[1, 2, 3, 6, 5]] {
        let members = if wanted.len() == 3 { 3 } else { 5 };
        let away = if members == 3 { "etcd-4" } else { "etcd-6" };
        let site = Site::new(Runtime::Systemd, members, wanted).strike(away, Fault::Cut);
        let plan = site.plan();
        assert_eq!(changes(&plan), 0, "{plan:#?}");
        assert!(held(&plan, FindingCode::RemovalWaits).contains(away), "{:#?}", plan.report);
    }
}

/// etcd takes one learner at a time: one that nobody wants any more would keep the next one out.
#[test]
fn a_learner_that_is_no_longer_wanted_goes_before_another_joins() {
    let site = Site::swap(Runtime::Systemd);
    let wanted = site.of_members(&[1, 2, 5]);
    for number in 0..site.plan().steps.len() {
        let stopped = applied(site.world.clone(), &site.wanted, Some(Crash::After(number)));
        let done = finished(stopped, &wanted);
        is_reached(&done, &wanted);
        nobody_else_is_left(&done, &wanted);
    }
}

/// Nothing tells the one cluster from the other then.
#[test]
fn members_that_are_all_others_are_refused() {
    for (members, wanted) in [(1, &[2][..]), (3, &[4, 5, 6])] {
        let site = Site::new(Runtime::Systemd, members, wanted);
        let plan = site.plan();
        assert!(plan.steps.is_empty(), "{plan:#?}");
        let refused: Vec<FindingCode> = plan.report.refused().map(|found| found.code).collect();
        assert_eq!(refused, [FindingCode::FormedBefore]);
    }
}

/// Until it is removed it has its vote.
#[test]
fn a_member_that_leaves_counts_for_the_health_of_its_cluster() {
    let site = Site::swap(Runtime::Systemd);
    let text = text::plan(&site.plan(), Page::PLAIN);
    assert!(text.contains("Cluster c0: healthy, 3 of 3 members up, leader etcd-1"), "{text}");
    let site = Site::new(Runtime::Systemd, 3, &[2, 3, 4]);
    let text = text::plan(&site.plan(), Page::PLAIN);
    assert!(text.contains("Cluster c0: healthy, 3 of 3 members up, leader etcd-1"), "{text}");
    let site = Site::swap(Runtime::Systemd).stop("etcd-3");
    let text = text::plan(&site.plan(), Page::PLAIN);
    assert!(text.contains("Cluster c0: degraded, 2 of 3 members up"), "{text}");
}

/// A host that says it is another site's is not cleared.
#[test]
fn only_a_host_of_this_site_is_cleared() {
    let site = Site::new(Runtime::Systemd, 5, &[1, 2, 3]);
    let mut facts = site.world.observe(&site.wanted);
    let other = inventories::SiteName::new("other").unwrap();
    seen::host(&mut facts, "etcd-4").site = Observed::Known(other);
    seen::host(&mut facts, "etcd-5").site = Observed::Unknown("permission denied".to_owned());
    let plan = plan(&site.wanted, &facts, &Policy::default()).unwrap();
    assert_eq!(violations(&plan, &site.wanted, &facts), [""; 0]);
    let decommissions = |step: &Step| matches!(step.kind, StepKind::DecommissionMember { .. });
    assert!(!plan.steps.iter().any(decommissions), "{plan:#?}");
}

/// The plan reports what it leaves out, and of a swap at least the removal waits for its join.
#[test]
fn a_narrowed_plan_is_sound() {
    for site in [Site::swap(Runtime::Systemd), Site::new(Runtime::Systemd, 5, &[1, 2, 6])] {
        let whole = site.plan();
        let facts = site.world.observe(&site.wanted);
        for bits in 1_usize..64 {
            let takes = |number: &usize| bits & (1 << number) != 0;
            let names = (0..6).filter(takes).map(|number| host(&format!("etcd-{}", number + 1)));
            let selection = Selection { hosts: names.collect(), ..Selection::default() };
            let policy = Policy { selection: selection.clone(), ..Policy::default() };
            let part = plan(&site.wanted, &facts, &policy).unwrap();
            assert_eq!(violations(&part, &site.wanted, &facts), [""; 0], "{selection:?}");
            let proves = |step: &Step| matches!(step.kind, StepKind::ProveHealthy { .. });
            let is_here = |step: &Step| selection.takes_host(step.host()) || proves(step);
            assert!(part.steps.iter().all(is_here), "{selection:?}: {part:#?}");
            let left = part.report.left_out.iter().map(|left| left.steps).sum::<usize>();
            assert!(part.steps.len() + left >= whole.steps.len(), "{selection:?}");
        }
    }
}

/// Members and faults at random: hosts of the cluster, then hosts that are wanted.
fn changed() -> impl Strategy<Value = (usize, BTreeSet<usize>, Vec<(usize, Fault)>)> {
    let faults = prop::sample::select(&[Fault::Down, Fault::Cut, Fault::Slow][..]);
    (
        prop::sample::select(&[1_usize, 3, 5][..]),
        prop::collection::btree_set(1_usize..=6, 1..=5),
        prop::collection::vec((1_usize..=6, faults), 0..=2),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever is wanted and whatever fails, each plan is sound and costs no quorum; and once all hosts are well, the
    /// members are those that are wanted, if these can be reached.
    #[test]
    fn whichever_members_leave_the_list_becomes_the_wanted_one(
        (members, wanted, faults) in changed(),
        pods in any::<bool>(),
    ) {
        let runtime = if pods { Runtime::StaticPod } else { Runtime::Systemd };
        let numbers: Vec<usize> = wanted.iter().copied().collect();
        let site = Site::new(runtime, members, &numbers);
        let mut world = site.world.clone();
        for (number, fault) in &faults {
            world.strike(&host(&format!("etcd-{number}")), *fault).unwrap();
        }
        for _ in 0..2 {
            if !sound(&world, &site.wanted).steps.is_empty() {
                let policy = Policy::default();
                world = apply_with(world, &site.wanted, &policy, 1, None, Repeat::Once).0;
            }
        }
        for (number, _) in &faults {
            world.mend(&host(&format!("etcd-{number}"))).unwrap();
        }
        let same = wanted == (1..=members).collect();
        let stays = wanted.iter().any(|number| *number <= members);
        if !stays || (wanted.len() % 2 == 0 && !same) {
            let list: BTreeSet<String> =
                world.lists.values().flatten().map(|listed| listed.name.clone()).collect();
            let before: BTreeSet<String> =
                (1..=members).map(|number| format!("etcd-{number}")).collect();
            prop_assert_eq!(list, before);
        } else {
            let done = finished(world, &site.wanted);
            is_reached(&done, &site.wanted);
            nobody_else_is_left(&done, &site.wanted);
        }
    }
}

/// A cluster that was formed again under the same name is another one: what serves on the old hosts is its own.
#[test]
fn a_cluster_of_the_same_name_that_still_serves_is_left_alone() {
    let site = Site::swap(Runtime::Systemd);
    let done = finished(site.world.clone(), &site.wanted);
    // What was left on etcd-3's host, of another cluster than the one that runs.
    let mut facts = site.world.observe(&site.wanted);
    let old = member(&mut facts, "etcd-3").clone();
    let of_host = facts.hosts[&host("etcd-3")].known().unwrap();
    for (change, is_left) in [
        ((|_: &mut MemberFacts| {}) as fn(&mut MemberFacts), true),
        (|old| old.etcd = Observed::Absent, false),
        (
            |old| {
                old.etcd = Observed::Absent;
                if let Observed::Known(marker) = &mut old.marker {
                    marker.cluster_id = "feed".to_owned();
                }
            },
            true,
        ),
        (
            |old| {
                old.etcd = Observed::Absent;
                old.data = Observed::Unknown("input/output error".to_owned());
            },
            true,
        ),
    ] {
        let mut facts = done.observe(&site.wanted);
        let mut old = old.clone();
        change(&mut old);
        let of_host = HostFacts { clusters: [(cluster(0), old)].into(), ..of_host.clone() };
        facts.hosts.insert(host("etcd-3"), Observed::Known(of_host));
        let traces = Observed::Known([cluster(0).to_string()].into());
        facts.bystanders.insert(host("etcd-3"), traces);
        let plan = planner::plan(&site.wanted, &facts, &Policy::default()).unwrap();
        let decommissions = plan.steps.iter().any(|step| step.id.verb == Verb::Decommission);
        assert_eq!(decommissions, !is_left, "{plan:#?}");
        let told = plan.report.unmanaged.iter().any(|one| one.code == FindingCode::NotAMember);
        assert_eq!(told, is_left);
    }
}

//! What must hold of every change of a list: each law against a world that breaks it.

use planner::plan::Guard;
use planner::{Step, StepKind};
use quorate_tests::fault::Fault;
use quorate_tests::invariants::{self, Broken};
use quorate_tests::roster::Listed;
use quorate_tests::site::{cluster, plain};
use quorate_tests::world::World;

use super::{Site, rows};

type Law = fn(&World, &Step, &World) -> Result<(), Broken>;

/// A law holds where a step does nothing, and is broken by what is done meanwhile.
fn broken_by(site: Site, law: Law, verb: &str, change: impl FnOnce(&mut Site)) {
    let step = site.step(verb, site.kind(verb, ""), Guard::Nothing);
    let before = site.world.clone();
    assert_eq!(law(&before, &step, &before), Ok(()));
    let mut site = site;
    change(&mut site);
    assert!(law(&before, &step, &site.world).is_err(), "{verb}");
}

fn new(learner: bool) -> Listed {
    let peer_url = "https://10.77.0.99:2380".to_owned();
    Listed { id: "77".to_owned(), name: String::new(), peer_url, learner }
}

#[test]
fn a_list_changes_by_one_row_and_by_what_says_so() {
    let law: Law = invariants::only_some_steps_change_a_list;
    broken_by(Site::new(&plain(3)), law, "add-learner", |site| {
        rows(site).pop();
        rows(site).push(new(true));
    });
    let mut site = Site::new(&plain(3));
    let before = site.world.clone();
    let other = site.step("restart", StepKind::NoteRestart, Guard::Nothing);
    rows(&mut site)[0].peer_url = new(true).peer_url;
    assert_eq!(law(&before, &other, &site.world), Ok(()), "who is a member stays");
    rows(&mut site)[0].learner = true;
    assert!(law(&before, &other, &site.world).is_err());
}

#[test]
fn a_new_member_has_no_vote() {
    let law: Law = invariants::new_members_have_no_vote;
    broken_by(Site::new(&plain(3)), law, "add-learner", |site| rows(site).push(new(false)));
    broken_by(Site::new(&plain(3)), law, "promote", |site| rows(site).push(new(false)));
    broken_by(Site::joined(&plain(3)), law, "add-learner", |site| rows(site)[2].learner = false);
    let mut site = Site::joined(&plain(3));
    let before = site.world.clone();
    let promote = site.step("promote", site.kind("promote", ""), Guard::Nothing);
    rows(&mut site)[2].learner = false;
    assert_eq!(law(&before, &promote, &site.world), Ok(()));
}

#[test]
fn the_failed_one_goes_before_another_comes() {
    let law: Law = invariants::removal_comes_before_addition;
    broken_by(Site::wiped(&plain(3)), law, "add-learner", |site| rows(site).push(new(true)));
    broken_by(Site::new(&plain(3)), law, "remove-member", |site| drop(rows(site).pop()));
}

#[test]
fn a_change_costs_no_quorum() {
    let law: Law = invariants::quorum_outlives_a_change;
    let site = Site::wiped(&plain(3));
    broken_by(site, law, "add-learner", |site| rows(site).push(new(false)));
}

#[test]
fn one_learner_at_most_and_it_catches_up() {
    let law: Law = invariants::one_learner_that_catches_up;
    broken_by(Site::added(&plain(3)), law, "add-learner", |site| rows(site).push(new(true)));
    broken_by(Site::added(&plain(3)), law, "promote", |site| rows(site)[2].learner = false);
    let mut lagging = Site::joined(&plain(3));
    lagging.on("etcd-2", |member| member.behind = 1);
    broken_by(lagging, law, "promote", |site| rows(site)[2].learner = false);
}

#[test]
fn a_removed_member_never_runs() {
    let law: Law = |_, step, after| invariants::removed_members_stay_down(step, after);
    broken_by(Site::new(&plain(3)), law, "remove-member", |site| drop(rows(site).pop()));
}

/// Data of a member that the cluster still lists stays where it is, no matter which step sets it aside.
#[test]
fn only_what_a_removed_member_left_is_set_aside() {
    let set_aside = |site: &mut Site| {
        let member = site.member_of("etcd-2");
        member.process = None;
        let log = member.log.take();
        member.archived.extend(log);
    };
    let law: Law = invariants::data_of_a_quorum_stays;
    broken_by(Site::new(&plain(3)), law, "forget-member", set_aside);
    let removed = || {
        let mut site = Site::new(&plain(3));
        let id = site.id();
        site.on("etcd-2", |member| member.process = None);
        site.done("remove-member", &id);
        site
    };
    broken_by(removed(), law, "add-learner", set_aside);
    broken_by(removed(), law, "forget-member", |site| site.member_of("etcd-2").log = None);
    let mut site = removed();
    let before = site.world.clone();
    let forget = site.step("forget-member", site.kind("forget-member", ""), Guard::Nothing);
    set_aside(&mut site);
    assert_eq!(law(&before, &forget, &site.world), Ok(()));
}

/// While one is replaced there is one fewer, and never one too many.
#[test]
fn the_size_is_what_is_wanted() {
    let wanted = |site: &Site| {
        let clusters = site.spec.clusters.keys().collect();
        invariants::size_stays_within(&site.world, &clusters, &(2..=3))
    };
    let mut site = Site::wiped(&plain(3));
    let lost = site.id();
    for verb in ["remove-member", "forget-member", "add-learner"] {
        site.done(verb, &lost);
        assert_eq!(wanted(&site), Ok(()), "{verb}");
    }
    rows(&mut site).push(new(false));
    assert!(wanted(&site).is_err());
    rows(&mut site).truncate(1);
    assert!(wanted(&site).is_err());
}

/// The model counts a lost disk as a trouble that stays until the member is gone from the list and from its host.
#[test]
fn a_lost_member_is_nobodys_once_it_is_forgotten() {
    let mut site = Site::new(&plain(3));
    assert!(!site.world.has_lost_a_member(&site.failed));
    site.strike(Fault::DiskLost);
    let lost = site.id();
    assert!(site.world.has_lost_a_member(&site.failed));
    site.done("remove-member", &lost);
    assert!(site.world.has_lost_a_member(&site.failed));
    site.done("forget-member", "");
    assert!(!site.world.has_lost_a_member(&site.failed));
    assert!(site.world.hosts[&site.failed].members.contains_key(&cluster(0)));
}

//! Whose machine a login leads to.

use planner::facts::{HostFacts, Observed, SiteFacts};
use planner::report::FindingCode;
use planner::stops::Stops;
use planner::{Plan, SiteSpec};
use quorate_tests::seen::{host, member};
use quorate_tests::site::{self, plain};

use quorate_tests::story::formed;

use crate::planned;

fn facts() -> (SiteSpec, SiteFacts) {
    let (world, spec) = plain(3).world();
    let facts = formed(world, &spec).observe(&spec);
    (spec, facts)
}

/// The hosts whose logins are reported to lead elsewhere, each with the reason.
fn misled(plan: &Plan) -> Vec<String> {
    let found =
        plan.report.blocked.iter().filter(|found| found.finding.code == FindingCode::OtherMachine);
    found
        .map(|found| {
            let host = found.finding.host.clone().unwrap();
            assert_eq!(found.stops, [Stops::Host(host.clone())].into());
            assert!(plan.steps.iter().all(|step| *step.host() != host), "{:?}", plan.steps);
            format!("{host}: {}", found.finding.message)
        })
        .collect()
}

fn lead_to(facts: &mut SiteFacts, name: &str, to: &str) {
    let machine = facts.hosts[to].clone();
    facts.hosts.insert(site::host(name), machine);
}

fn warned(plan: &Plan) -> Vec<&str> {
    plan.report.warnings.iter().map(|finding| finding.code.as_str()).collect()
}

fn without_addresses(host: &mut HostFacts) {
    host.addresses = Observed::Unknown("no ip".to_owned());
}

#[test]
fn crossed_logins_are_both_named_and_nothing_is_done_there() {
    let (spec, mut facts) = facts();
    let second = facts.hosts["etcd-2"].clone();
    lead_to(&mut facts, "etcd-2", "etcd-3");
    facts.hosts.insert(site::host("etcd-3"), second);
    let plan = planned(&spec, &facts);
    let leads = |to: &str, has: u8, lacks: u8| {
        format!("its login leads to {to}'s machine: that has 10.77.0.{has}, not 10.77.0.{lacks}")
    };
    let said = [
        format!("etcd-2: {}", leads("etcd-3", 13, 12)),
        format!("etcd-3: {}", leads("etcd-2", 12, 13)),
    ];
    assert_eq!(misled(&plan), said);
    assert_eq!(plan.steps, []);
    assert!(plan.report.unseen.is_empty());
}

/// What each sign shows alone, where the ones before it are missing.
#[test]
fn each_sign_tells_whose_machine_it_is() {
    let (spec, facts) = facts();
    let said = |change: &dyn Fn(&mut SiteFacts)| {
        let mut facts = facts.clone();
        lead_to(&mut facts, "etcd-2", "etcd-3");
        without_addresses(host(&mut facts, "etcd-2"));
        change(&mut facts);
        misled(&planned(&spec, &facts))
    };
    let leads = |why: &str| [format!("etcd-2: its login leads to etcd-3's machine: {why}")];
    assert_eq!(said(&|_| {}), leads("the etcd of c0 there answers as etcd-3"));
    let silent = |facts: &mut SiteFacts| {
        member(facts, "etcd-2").etcd = Observed::Unknown("no answer in 5 s".to_owned());
    };
    assert_eq!(said(&silent), leads("the marker of c0 there names etcd-3's member id"));
    let unmarked = |facts: &mut SiteFacts| {
        silent(facts);
        member(facts, "etcd-2").marker = Observed::Absent;
    };
    assert_eq!(said(&unmarked), leads("the etcd of c0 there runs as --name=etcd-3"));
    let stopped = |facts: &mut SiteFacts| {
        unmarked(facts);
        member(facts, "etcd-2").running = Observed::Absent;
    };
    let same = ["etcd-3: its login leads to etcd-2's machine: etcd-2's login leads there too \
                 (same machine-id, same boot)"];
    assert_eq!(said(&stopped), same);
    let rebooted = |facts: &mut SiteFacts| {
        stopped(facts);
        host(facts, "etcd-2").machine.boot_id = "another".to_owned();
    };
    assert_eq!(said(&rebooted), Vec::<String>::new());
}

/// A wrong unit on the right machine is what an apply repairs.
#[test]
fn a_process_with_another_name_on_the_right_machine_is_drift() {
    let (spec, mut facts) = facts();
    let wrong = member(&mut facts, "etcd-3").running.clone();
    let second = member(&mut facts, "etcd-2");
    second.running = wrong;
    second.etcd = Observed::Unknown("no answer in 5 s".to_owned());
    assert_eq!(misled(&planned(&spec, &facts)), Vec::<String>::new());
}

#[test]
fn one_machine_under_two_names_is_not_made_two_members() {
    let (world, spec) = plain(3).world();
    let mut facts = world.observe(&spec);
    lead_to(&mut facts, "etcd-2", "etcd-1");
    let both = ["10.77.0.11", "10.77.0.12"].map(|address| address.parse().unwrap());
    for name in ["etcd-1", "etcd-2"] {
        host(&mut facts, name).addresses = Observed::Known(both.into());
    }
    let plan = planned(&spec, &facts);
    assert_eq!(misled(&plan).len(), 1);
    assert_eq!((plan.steps.len(), plan.report.blocked.len()), (0, 1), "{:?}", plan.report.blocked);
}

/// Containers on one machine share a boot id. Copies of one image work, and are worth a word.
#[test]
fn copies_of_one_image_are_told_apart_by_their_addresses() {
    let formed = facts();
    let (world, spec) = plain(3).world();
    let forming = world.observe(&spec);
    for (spec, mut facts) in [formed, (spec, forming)] {
        for name in ["etcd-1", "etcd-2"] {
            let machine = &mut host(&mut facts, name).machine;
            machine.machine_id = Observed::Known("copy".to_owned());
            machine.boot_id = "shared".to_owned();
        }
        let plan = planned(&spec, &facts);
        assert_eq!(misled(&plan), Vec::<String>::new());
        assert_eq!(warned(&plan), ["same-machine-id"]);
        assert!(plan.report.warnings[0].message.starts_with("etcd-1, etcd-2 have"));
    }
}

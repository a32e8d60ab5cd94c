//! What members report of the version that their cluster has reached: the proof that a killed run owes, and downgrades
//! that were enabled and not finished.

use inventories::{EtcdVersion, Minor};
use planner::facts::{EtcdFacts, Observed, SiteFacts};
use planner::plan::{Action, Verb};
use planner::{Plan, Policy, Step, plan};
use quorate_tests::checker::violations;
use quorate_tests::seen::{known, member};
use quorate_tests::sim::Repeat;
use quorate_tests::site::{Shape, plain};
use quorate_tests::story::{apply, formed, killed_before, plan_of};

/// What a plan for `wanted` says of members that run `version`, once something is otherwise about each of them.
fn planned(version: &str, wanted: &str, twist: impl Fn(&mut SiteFacts, &str)) -> Plan {
    let release = |text: &str| text.parse::<EtcdVersion>().expect("a release");
    let shape = Shape { version: release(version), ..plain(3) };
    let (world, spec) = shape.world();
    let world = formed(world, &spec);
    let spec = Shape { version: release(wanted), ..shape }.spec(&world.authorities);
    let mut facts = world.observe(&spec);
    for host in ["etcd-1", "etcd-2", "etcd-3"] {
        twist(&mut facts, host);
    }
    let made = plan(&spec, &facts, &Policy::default()).expect("a plan");
    assert_eq!(violations(&made, &spec, &facts), Vec::<String>::new());
    made
}

fn etcd<'f>(facts: &'f mut SiteFacts, host: &str) -> &'f mut EtcdFacts {
    known(&mut member(facts, host).etcd)
}

/// The proof in a plan that does nothing else.
fn only_proof(plan: &Plan) -> Option<Action> {
    match &plan.steps[..] {
        [step] if step.id.verb == Verb::ProveVersion => Some(step.action),
        _ => None,
    }
}

#[test]
fn a_run_that_was_killed_before_the_proof_leaves_it_to_the_next() {
    let behind = |facts: &mut SiteFacts, host: &str| {
        let restarted = member(facts, host);
        restarted.running = Observed::Known(
            known(&mut restarted.running)
                .iter()
                .map(|one| one.replace("-state=new", "-state=existing"))
                .collect(),
        );
        etcd(facts, host).storage = Observed::Known(Minor::V3_5);
    };
    assert_eq!(only_proof(&planned("3.6.16", "3.6.16", behind)), Some(Action::Check));
    let one = |facts: &mut SiteFacts, host: &str| {
        if host == "etcd-3" {
            behind(facts, host);
        }
    };
    assert_eq!(only_proof(&planned("3.6.16", "3.6.16", one)), Some(Action::Check));
    let unknown = |facts: &mut SiteFacts, host: &str| {
        behind(facts, host);
        etcd(facts, host).storage = Observed::Unknown("odd".to_owned());
    };
    assert_eq!(only_proof(&planned("3.6.16", "3.6.16", unknown)), Some(Action::Check));
    let patch = planned("3.6.14", "3.6.16", behind);
    assert_eq!(patch.steps.last().map(|step| step.id.verb.clone()), Some(Verb::ProveVersion));
}

/// Once the last member has restarted, only the note shows that their data was not compared: the cluster reaches its
/// version on its own, and before 3.6 no member tells it.
#[test]
fn a_proof_is_owed_until_it_is_made() {
    for (from, to) in [("3.4.23", "3.5.35"), ("3.5.35", "3.6.16"), ("3.6.16", "3.5.35")] {
        let release = |text: &str| text.parse::<EtcdVersion>().expect("a release");
        let shape = Shape { version: release(from), ..plain(3) };
        let (world, spec) = shape.world();
        let world = formed(world, &spec);
        let wanted = Shape { version: release(to), ..shape }.spec(&world.authorities);
        let proof = |step: &Step| step.id.verb == Verb::ProveVersion;
        let killed = killed_before(world, &wanted, proof, 0);
        assert_eq!(only_proof(&plan_of(&killed, &wanted)), Some(Action::Check), "{from} to {to}");
        let again = killed_before(killed, &wanted, proof, 0);
        let (done, report) = apply(again, &wanted, 8, None, Repeat::Once);
        assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
        assert!(plan_of(&done, &wanted).is_empty());
        assert!(
            !done
                .hosts
                .values()
                .any(|host| host.members.values().any(|one| one.proof_due.is_some()))
        );
    }
}

/// Whose members differ after a change goes to no other minor before they are equal. A change that was killed before its
/// first restart goes on.
#[test]
fn a_proof_is_made_where_it_was_noted_and_before_the_minor_is_left() {
    for (from, to, due, only) in [
        ("3.5.35", "3.5.35", Minor::V3_5, true),
        ("3.5.35", "3.6.16", Minor::V3_5, true),
        ("3.7.3", "3.6.16", Minor::V3_7, true),
        ("3.5.35", "3.6.16", Minor::V3_6, false),
        ("3.7.3", "3.6.16", Minor::V3_6, false),
    ] {
        let noted = |facts: &mut SiteFacts, host: &str| {
            if host == "etcd-3" {
                member(facts, host).proof_due = Observed::Known(due);
            }
        };
        let plan = planned(from, to, noted);
        assert_eq!(only_proof(&plan).is_some(), only, "{from} to {to}, {due}");
        let proof = plan.steps.iter().find(|step| step.id.verb == Verb::ProveVersion);
        assert_eq!(proof.expect("a proof").host().as_str(), "etcd-3");
        assert!(plan.steps.iter().all(|step| step.id.verb != Verb::NoteProof));
    }
}

/// In the seconds after it is formed a cluster has not reached its version yet, and reaches it on its own.
#[test]
fn a_cluster_that_was_just_formed_owes_no_proof() {
    let behind = |facts: &mut SiteFacts, host: &str| {
        etcd(facts, host).storage = Observed::Known(Minor::V3_5);
        let running = known(&mut member(facts, host).running);
        assert!(running.contains(&"--initial-cluster-state=new".to_owned()));
    };
    assert!(planned("3.6.16", "3.6.16", behind).is_empty());
}

/// What it changed already is no sign of a change that is to be proven.
#[test]
fn an_enabled_downgrade_goes_on() {
    let enabled = |facts: &mut SiteFacts, host: &str| {
        etcd(facts, host).downgrade = Observed::Known(Minor::V3_5);
        etcd(facts, host).storage = Observed::Known(Minor::V3_5);
    };
    let plan = planned("3.6.16", "3.5.35", enabled);
    let restarts = plan.steps.iter().filter(|step| step.id.verb == Verb::Restart);
    assert_eq!(restarts.count(), 3);
}

#[test]
fn a_downgrade_that_the_inventory_does_not_want_is_cancelled() {
    let enabled = |facts: &mut SiteFacts, host: &str| {
        etcd(facts, host).downgrade = Observed::Known(Minor::V3_5);
        etcd(facts, host).storage = Observed::Known(Minor::V3_5);
    };
    assert_eq!(only_proof(&planned("3.6.16", "3.6.16", enabled)), Some(Action::Update));
    let unknown = |facts: &mut SiteFacts, host: &str| {
        etcd(facts, host).downgrade = Observed::Unknown("odd".to_owned());
    };
    assert_eq!(only_proof(&planned("3.6.16", "3.6.16", unknown)), Some(Action::Update));
}

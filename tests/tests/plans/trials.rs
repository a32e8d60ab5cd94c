//! New certificates under running members.

use planner::report::FindingCode;
use std::collections::BTreeSet;

use planner::facts::Observed;
use planner::plan::Silence;
use planner::{Plan, Policy, Selection, SiteFacts, SiteSpec, StepKind, plan};
use quorate_tests::seen;
use quorate_tests::site::{Shape, host, plain};
use quorate_tests::story::formed;
use templates::Layout;
use time::Duration;

/// A formed site whose certificates are due.
fn due(quota: Option<i64>) -> (SiteSpec, SiteFacts) {
    let (world, spec) = plain(3).world();
    let mut world = formed(world, &spec);
    world.now += Duration::days(270);
    let spec = Shape { quota, ..plain(3) }.spec(&world.authorities);
    let facts = world.observe(&spec);
    (spec, facts)
}

/// As a run leaves it that was killed before the trial of this member.
fn untried(facts: &mut SiteFacts, name: &str) {
    let note = Layout::new(&quorate_tests::site::cluster(0)).pki_untried();
    let file = Observed::Known(super::file(Some("g\n".to_owned())));
    seen::member(facts, name).files.insert(note, file);
}

fn after(plan: &Plan, id: &str) -> BTreeSet<String> {
    let step = plan.steps.iter().find(|step| step.id == id);
    let step = step.unwrap_or_else(|| panic!("the plan has no {id}"));
    step.after.iter().map(|before| before.to_string()).collect()
}

fn silence_of(plan: &Plan, id: &str) -> (Silence, Vec<String>) {
    let step = plan.steps.iter().find(|step| step.id == id).unwrap();
    let StepKind::TryCertificates { silence, from, .. } = &step.kind else {
        panic!("{id} is no trial")
    };
    (*silence, from.iter().map(ToString::to_string).collect())
}

#[test]
fn no_member_restarts_before_the_certificates_of_all_are_tried() {
    let (spec, facts) = due(Some(1 << 33));
    let plan = super::planned(&spec, &facts);
    let first = after(&plan, "etcd-2/c0/restart");
    for name in ["etcd-1", "etcd-2", "etcd-3"] {
        assert!(first.contains(format!("{name}/c0/trial").as_str()), "{first:?}");
    }
}

#[test]
fn what_a_member_s_silence_means_depends_on_whether_it_answered_before() {
    let (spec, mut facts) = due(None);
    seen::member(&mut facts, "etcd-3").etcd = Observed::Unknown("tls: expired".to_owned());
    let plan = super::planned(&spec, &facts);
    let from = |names: [&str; 2]| names.map(str::to_owned).to_vec();
    assert_eq!(
        silence_of(&plan, "etcd-3/c0/trial"),
        (Silence::SaysNothing, from(["etcd-1", "etcd-3"]))
    );
    assert_eq!(silence_of(&plan, "etcd-1/c0/trial"), (Silence::Fails, from(["etcd-2", "etcd-1"])));
    // A member that serves no client now comes first.
    assert!(after(&plan, "etcd-2/c0/certificates").contains("etcd-3/c0/trial"));
}

#[test]
fn a_narrowed_renewal_waits_for_a_trial_that_it_leaves_out() {
    let (spec, mut facts) = due(None);
    untried(&mut facts, "etcd-1");
    let narrowed = |name: &str| {
        let selection = Selection { hosts: [host(name)].into(), ..Selection::default() };
        plan(&spec, &facts, &Policy { selection, ..Policy::default() }).unwrap()
    };
    let waits = narrowed("etcd-2");
    assert_eq!(waits.steps, []);
    assert_eq!(waits.report.held[0].code, FindingCode::UntriedCertificates);
    assert_eq!(waits.report.held[0].hint.as_deref(), Some("quorate apply --host etcd-1"));
    let tries = narrowed("etcd-1");
    assert!(!tries.steps.is_empty() && tries.report.held.is_empty());
}

/// What nobody tried on a host that something closes is tried by nobody now.
#[test]
fn a_renewal_waits_for_a_trial_that_something_stops() {
    let (spec, mut facts) = due(None);
    untried(&mut facts, "etcd-1");
    seen::host(&mut facts, "etcd-1").machine.missing_tools = ["tar".to_owned()].into();
    let plan = super::planned(&spec, &facts);
    assert_eq!(plan.steps, []);
    let held: Vec<_> =
        plan.report.held.iter().map(|finding| (finding.code, finding.hint.as_deref())).collect();
    assert_eq!(
        held,
        [(FindingCode::UntriedCertificates, Some("resolve what is blocked for etcd-1"))]
    );
}

#[test]
fn an_untried_generation_is_tried_even_where_nothing_else_is_to_be_done() {
    let (world, spec) = plain(3).world();
    let mut facts = formed(world, &spec).observe(&spec);
    untried(&mut facts, "etcd-2");
    let plan = super::planned(&spec, &facts);
    let ids: Vec<String> = plan.steps.iter().map(|step| step.id.to_string()).collect();
    assert_eq!(ids, ["etcd-2/c0/trial"]);
    assert!(!plan.needs_ca_keys());
}

#[test]
fn certificates_that_the_operator_wants_replaced_are_tried_as_others_are_and_no_others_change() {
    let (world, spec) = plain(3).world();
    let facts = formed(world, &spec).observe(&spec);
    assert!(super::planned(&spec, &facts).is_empty());
    let policy = Policy { reissue: [host("etcd-2")].into(), ..Policy::default() };
    let plan = plan(&spec, &facts, &policy).unwrap();
    let ids: Vec<String> = plan.steps.iter().map(|step| step.id.to_string()).collect();
    assert_eq!(ids, ["etcd-2/c0/certificates", "etcd-2/c0/trial"]);
}

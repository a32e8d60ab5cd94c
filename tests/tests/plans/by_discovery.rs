//! What a member needs on its host to find the others by a discovery service, and what of it is taken
//! away when it has.

use planner::facts::{FileFacts, MemberFacts, Observed, SiteFacts};
use planner::{Plan, SiteSpec, StepKind};
use quorate_tests::seen::member;
use quorate_tests::site::{Shape, Way, plain};
use quorate_tests::story::{formed, killed_before};
use templates::Layout;
use templates::member::{Access, Bootstrap, V3Discovery};

use crate::{file, planned};

/// A site whose service has a CA of its own, and asks for a user or not, with what is seen before
/// anything is on the hosts.
fn site(asks: bool) -> (SiteSpec, SiteFacts) {
    let (world, mut spec) = Shape { way: Way::V3User, ..plain(3) }.world();
    let members = spec.clusters.values_mut().flat_map(|cluster| cluster.members.values_mut());
    for member in members.filter(|_| !asks) {
        let Bootstrap::V3(V3Discovery { access: Access::Tls { user, .. }, .. }) =
            &mut member.bootstrap
        else {
            panic!("{:?}", member.bootstrap)
        };
        *user = None;
    }
    let facts = world.observe(&spec);
    (spec, facts)
}

/// The hosts that get the service's address.
fn told(plan: &Plan) -> Vec<&str> {
    let told = |step: &&planner::Step| matches!(step.kind, StepKind::TrustDiscovery { .. });
    plan.steps.iter().filter(told).map(|step| step.host().as_str()).collect()
}

/// The service's CA as it is wanted, on the host of a member.
fn with_ca(spec: &SiteSpec, member: &mut MemberFacts) {
    let text = spec.clusters.values().next().unwrap().authorities.discovery.clone();
    let path = Layout::new(&member.cluster).discovery_ca();
    member.files.insert(path, Observed::Known(file(text)));
}

#[test]
fn a_service_without_tls_needs_nothing() {
    let (world, spec) = Shape { way: Way::V3, ..plain(3) }.world();
    assert_eq!(told(&planned(&spec, &world.observe(&spec))), Vec::<&str>::new());
}

/// Whether a password is the right one, the host alone knows: it is written whatever is there.
#[test]
fn a_password_is_written_in_any_case_and_a_ca_where_it_is_not_as_wanted() {
    for (asks, others) in
        [(true, vec!["etcd-1", "etcd-2", "etcd-3"]), (false, vec!["etcd-1", "etcd-3"])]
    {
        let (spec, mut facts) = site(asks);
        assert_eq!(told(&planned(&spec, &facts)), ["etcd-1", "etcd-2", "etcd-3"]);
        with_ca(&spec, member(&mut facts, "etcd-2"));
        assert_eq!(told(&planned(&spec, &facts)), others, "asks for a user: {asks}");
    }
    let spoilt: [fn(&mut FileFacts); 3] = [
        |file| file.text = Some("another".to_owned()),
        |file| file.mode = 0o666,
        |file| file.owner = "etcd".to_owned(),
    ];
    for spoil in spoilt {
        let (spec, mut facts) = site(false);
        let late = member(&mut facts, "etcd-2");
        with_ca(&spec, late);
        let path = Layout::new(&late.cluster).discovery_ca();
        let Some(Observed::Known(file)) = late.files.get_mut(&path) else { panic!("{path}") };
        spoil(file);
        assert!(told(&planned(&spec, &facts)).contains(&"etcd-2"), "{:?}", facts.hosts);
    }
}

/// A member that has its log never asks the service again.
#[test]
fn nobody_who_has_found_the_others_is_told_of_the_service_and_what_is_left_is_removed() {
    let (world, spec) = Shape { way: Way::V3User, ..plain(3) }.world();
    let mut facts = formed(world, &spec).observe(&spec);
    let plan = planned(&spec, &facts);
    assert!(plan.is_empty(), "{:#?}", plan.report);
    with_ca(&spec, member(&mut facts, "etcd-2"));
    let plan = planned(&spec, &facts);
    assert_eq!(told(&plan), Vec::<&str>::new());
    let kinds: Vec<&StepKind> = plan.steps.iter().map(|step| &step.kind).collect();
    assert!(matches!(kinds[..], [StepKind::ForgetDiscovery]), "{kinds:?}");
}

/// All were taken, and none knows a quorum yet.
#[test]
fn a_record_that_all_have_read_is_not_made_again() {
    let (world, spec) = Shape { way: Way::V3User, ..plain(3) }.world();
    let proof = |step: &planner::Step| matches!(step.kind, StepKind::ProveHealthy { .. });
    let mut facts = killed_before(world, &spec, proof, 0).observe(&spec);
    for name in ["etcd-1", "etcd-2", "etcd-3"] {
        let unproven = member(&mut facts, name);
        unproven.quorum_seen = false;
        unproven.etcd = Observed::Unknown("no leader".to_owned());
    }
    let plan = planned(&spec, &facts);
    let opens = |step: &planner::Step| matches!(step.kind, StepKind::OpenDiscovery { .. });
    assert!(!plan.steps.is_empty() && !plan.steps.iter().any(opens), "{:#?}", plan.steps);
    assert_eq!(told(&plan), Vec::<&str>::new());
}

/// A service whose certificate the hosts trust anyway may still ask for a password.
#[test]
fn a_password_is_written_without_a_ca_too() {
    let (mut spec, facts) = site(true);
    let members = spec.clusters.values_mut().flat_map(|cluster| cluster.members.values_mut());
    for member in members {
        let Bootstrap::V3(V3Discovery { access: Access::Tls { own_ca, .. }, .. }) =
            &mut member.bootstrap
        else {
            panic!("{:?}", member.bootstrap)
        };
        *own_ca = false;
    }
    assert_eq!(told(&planned(&spec, &facts)), ["etcd-1", "etcd-2", "etcd-3"]);
}

//! What the plan reports of a formed cluster, and what is kept of how it was formed.

use engine::bind;
use inventories::inventory::{FlagValue, Runtime};
use planner::facts::{MemberFacts, Observed, SiteFacts};
use planner::{Plan, SiteSpec, Step, StepKind, cluster_now};
use quorate_tests::seen::{self, end, known, member};
use quorate_tests::sim::{Crash, Repeat};
use quorate_tests::site::{Shape, Way, cluster, host, plain};
use quorate_tests::story::{apply, formed, killed_before, plan_of};
use templates::Layout;

use crate::planned;

fn site(shape: &Shape) -> (SiteSpec, SiteFacts) {
    let (world, spec) = shape.world();
    let facts = formed(world, &spec).observe(&spec);
    (spec, facts)
}

#[test]
fn a_learner_is_no_voter_that_is_up() {
    let (spec, mut facts) = site(&plain(3));
    let now = |facts: &SiteFacts| cluster_now(&spec, &cluster(0), facts).unwrap().quorum.healthy;
    assert_eq!(now(&facts), 3);
    known(&mut member(&mut facts, "etcd-2").etcd).learner = true;
    assert_eq!(now(&facts), 2);
}

/// The findings about etcd-2 after this happened to it.
fn down(runtime: Runtime, change: fn(&mut MemberFacts)) -> String {
    let (spec, mut facts) = site(&Shape { runtime, ..plain(3) });
    change(member(&mut facts, "etcd-2"));
    let mut now = cluster_now(&spec, &cluster(0), &facts).unwrap();
    now.down.remove(&host("etcd-2")).unwrap()
}

#[test]
fn of_a_member_that_is_down_the_nearest_cause_is_reported() {
    let silent = |member: &mut MemberFacts| member.etcd = Observed::Unknown("refused".to_owned());
    let said = down(Runtime::Systemd, silent);
    assert_eq!(said, "unit active (running), but it does not answer: refused");
    let dead = |member: &mut MemberFacts| {
        end(member);
        member.etcd = Observed::Unknown("refused".to_owned());
    };
    assert_eq!(down(Runtime::Systemd, dead), "unit inactive (dead)");
    let gone = |member: &mut MemberFacts| {
        (member.unit, member.pod) = (Observed::Absent, Observed::Absent);
        member.etcd = Observed::Absent;
    };
    assert_eq!(down(Runtime::Systemd, gone), "no unit");
    assert_eq!(down(Runtime::StaticPod, gone), "no pod runs");
}

/// Another `bootstrap` in the inventory does not change how the cluster was formed.
#[test]
fn a_marker_that_is_written_again_tells_how_the_cluster_was_formed() {
    let by_dns = Shape { way: Way::Dns, ..plain(3) };
    let (world, spec) = by_dns.world();
    let world = formed(world, &spec);
    let wanted = Shape { way: Way::Static, ..by_dns }.spec(&world.authorities);
    let mut facts = world.observe(&wanted);
    member(&mut facts, "etcd-2").marker = Observed::Absent;
    let plan = planned(&wanted, &facts);
    let ways: Vec<&str> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.kind {
            StepKind::WriteMarker { formed_by, .. } => Some(formed_by.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(ways, ["dns-srv"]);
}

/// A cluster that is formed by a service, and whose record there is still to be removed.
fn with_a_record() -> (SiteSpec, SiteFacts) {
    let (world, spec) = Shape { way: Way::V3, ..plain(3) }.world();
    let steps = plan_of(&world, &spec).steps.len();
    let stopped =
        |number| apply(world.clone(), &spec, 1, Some(Crash::Before(number)), Repeat::Once).0;
    let mut stopped = (0..steps).map(stopped).filter(|world| {
        let plan = plan_of(world, &spec);
        closes(&plan) && !plan.steps.iter().any(|step| step.kind.is_start())
    });
    let facts = stopped.next().unwrap().observe(&spec);
    (spec, facts)
}

fn closes(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| matches!(step.kind, StepKind::CloseDiscovery { .. }))
}

/// A member that has not found the others yet finds them by the record.
#[test]
fn a_record_stays_as_long_as_a_member_may_need_it() {
    let (spec, seen) = with_a_record();
    assert!(closes(&planned(&spec, &seen)));
    let mut unseen = seen.clone();
    unseen.hosts.insert(host("etcd-3"), Observed::Unknown("no route".to_owned()));
    assert!(!closes(&planned(&spec, &unseen)));
    let mut looking = seen;
    let late = member(&mut looking, "etcd-3");
    (late.marker, late.quorum_seen) = (Observed::Absent, false);
    late.etcd = Observed::Unknown("connection refused".to_owned());
    let data = known(&mut late.data);
    (data.wal, data.empty) = (false, true);
    assert!(!closes(&planned(&spec, &looking)));
    // It registered there and never ran: the plan keeps the record for it.
    for name in ["etcd-1", "etcd-2"] {
        let list = known(&mut known(&mut member(&mut looking, name).etcd).members);
        list.iter_mut().filter(|m| m.name == "etcd-3").for_each(|m| m.client_urls.clear());
    }
    end(member(&mut looking, "etcd-3"));
    let plan = planned(&spec, &looking);
    assert!(plan.steps.iter().any(|step| matches!(step.kind, StepKind::OpenDiscovery { .. })));
}

/// A member that does not run, and will not, changes nothing in the list.
#[test]
fn a_member_is_listed_by_its_address_where_it_runs_or_is_started() {
    let (world, spec) = Shape { way: Way::Dns, runtime: Runtime::StaticPod, ..plain(3) }.world();
    let lists = |step: &Step| matches!(step.kind, StepKind::ListByAddress { .. });
    let listed = |plan: &Plan| {
        let listed = plan.steps.iter().filter(|step| lists(step));
        listed.map(|step| step.host().to_string()).collect::<Vec<_>>()
    };
    let mut facts = killed_before(world, &spec, lists, 0).observe(&spec);
    assert_eq!(listed(&planned(&spec, &facts)), ["etcd-1", "etcd-2", "etcd-3"]);
    end(member(&mut facts, "etcd-3"));
    assert_eq!(listed(&planned(&spec, &facts)), ["etcd-1", "etcd-2", "etcd-3"]);
    let kubelet = known(&mut seen::host(&mut facts, "etcd-3").kubelet);
    known(&mut kubelet.unit).active = "inactive".to_owned();
    let plan = planned(&spec, &facts);
    assert!(!plan.steps.iter().any(|step| step.kind.is_start()));
    assert_eq!(listed(&plan), ["etcd-1", "etcd-2"]);
}

/// A formed cluster has no use for a token, whatever of its units is written.
#[test]
fn no_token_is_drawn_for_a_cluster_that_is_formed() {
    let (spec, mut facts) = site(&plain(3));
    let unit = Layout::new(&cluster(0)).unit_file();
    known(member(&mut facts, "etcd-2").files.get_mut(&unit).unwrap()).mode = 0o666;
    let plan = planned(&spec, &facts);
    assert!(plan.steps.iter().any(|step| matches!(step.kind, StepKind::WriteUnit { .. })));
    assert!(bind::tokens(&plan, &facts).unwrap().tokens.is_empty());
}

/// The leader, and one that is down, of a cluster whose own authentication forbids what quorate asks.
#[test]
fn etcds_own_authentication_is_in_the_plan_before_it_refuses_anything() {
    let (world, spec) = plain(3).world();
    let mut wanted = spec.clone();
    for member in wanted.clusters.get_mut(&cluster(0)).unwrap().members.values_mut() {
        member.member.flags.insert("snapshot-count".to_owned(), FlagValue::Int(5000));
    }
    let mut facts = formed(world, &spec).observe(&spec);
    let leads = |member: &MemberFacts| {
        member.etcd.known().is_some_and(|etcd| etcd.leader.as_ref() == Some(&etcd.member_id))
    };
    let names = ["etcd-1", "etcd-2", "etcd-3"];
    let leader = names.into_iter().find(|host| leads(member(&mut facts, host))).unwrap();
    let clients = |facts: &SiteFacts| planned(&wanted, facts).report.clients.join("\n");
    assert!(clients(&facts).contains("writes wait for the handover"));

    known(&mut member(&mut facts, leader).etcd).forbids_us = true;
    let plan = planned(&wanted, &facts);
    let said = plan.report.clients.join("\n");
    assert!(
        said.contains(&format!("refuses quorate the handover, so {leader} restarts")),
        "{said}"
    );
    let step = plan.steps.iter().find(|step| matches!(step.kind, StepKind::MoveLeader { .. }));
    let why = format!("{:?}", step.unwrap().why);
    assert!(why.contains("will refuse it"), "{why}");

    let other = names.into_iter().find(|name| *name != leader);
    end(member(&mut facts, other.unwrap()));
    assert!(clients(&facts).contains("that refusal proves a quorum too"));
}

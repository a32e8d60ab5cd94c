//! The checker knows the one order in which a lost member is replaced: a plan that keeps it, each time broken in one
//! way.

use std::collections::{BTreeMap, BTreeSet};

use engine::hosts::Bindings;
use planner::facts::{EtcdFacts, ListedMember, Observed, SiteFacts};
use planner::plan::{Action, FormationState, Guard, Others, Why};
use planner::{Plan, SiteSpec, Step, StepKind};
use quorate_tests::checker::violations;
use quorate_tests::fault::Fault;
use quorate_tests::seen::{known, member};
use quorate_tests::sim::Repeat;
use quorate_tests::site::{cluster, host, plain};
use quorate_tests::story::{execute_in, formed, plan_of};
use quorate_tests::world::World;
use templates::Layout;

struct Case {
    world: World,
    plan: Plan,
    spec: SiteSpec,
    facts: SiteFacts,
}

impl Case {
    /// The member of etcd-2 has lost its disk.
    fn replacing() -> Self {
        let (world, spec) = plain(3).world();
        let mut world = formed(world, &spec);
        world.strike(&host("etcd-2"), Fault::DiskLost).unwrap();
        let (plan, facts) = (plan_of(&world, &spec), world.observe(&spec));
        let mut case = Self { world, plan, facts, spec };
        case.plan.steps = steps(&case.spec, &mut case.facts);
        case.plan.report.blocked.clear();
        case
    }

    fn list(&mut self) -> &mut Vec<ListedMember> {
        list(&mut self.facts)
    }

    fn found(&self) -> Vec<String> {
        violations(&self.plan, &self.spec, &self.facts)
    }

    fn step(&mut self, verb: &str) -> &mut Step {
        let id: &str = &format!("etcd-2/c0/{verb}");
        self.plan.steps.iter_mut().find(|step| step.id == *id).unwrap()
    }

    fn remove(&mut self, verb: &str) {
        let id: &str = &format!("etcd-2/c0/{verb}");
        // What came after it comes after what it came after.
        let after = self.step(verb).after.clone();
        self.plan.steps.retain(|step| step.id != *id);
        for step in &mut self.plan.steps {
            if step.after.iter().any(|before| *before == *id) {
                step.after.retain(|before| *before != *id);
                step.after.extend(after.clone());
            }
        }
    }

    /// A step comes last, after nothing that it should come after.
    fn late(&mut self, verb: &str) {
        let mut step = self.step(verb).clone();
        self.remove(verb);
        step.after = BTreeSet::new();
        self.plan.steps.push(step);
    }

    fn rejected(&self, why: &str) {
        let found = self.found();
        assert!(found.iter().any(|found| found.contains(why)), "{why}: {found:#?}");
    }
}

fn list(facts: &mut SiteFacts) -> &mut Vec<ListedMember> {
    let etcd: &mut EtcdFacts = known(&mut member(facts, "etcd-1").etcd);
    known(&mut etcd.members)
}

/// Every step in its order, each after the one before it.
fn steps(spec: &SiteSpec, facts: &mut SiteFacts) -> Vec<Step> {
    let cluster = &spec.clusters[&cluster(0)];
    let wanted = &cluster.members[&host("etcd-2")];
    let (peer_url, version) = (wanted.member.peer_url().to_string(), cluster.version);
    let mut others: BTreeMap<_, _> = cluster.endpoints_from(&host("etcd-2"));
    others.remove(&host("etcd-2"));
    let endpoint = wanted.member.loopback_client_url().to_string();
    let row = list(facts).iter().find(|row| row.name == "etcd-2").unwrap().clone();
    let path = Layout::new(&cluster.name).unit_file();
    let seen = known(member(facts, "etcd-2").files.get_mut(&path).unwrap()).sha256.clone();
    let unit = |formation| StepKind::WriteUnit {
        text: wanted.unit(formation, &BTreeMap::new()).unwrap(),
        formation,
    };
    let counted = Others { members: others.clone(), needed: 2, version, cluster_id: None };
    let counts =
        Guard::OthersHealthy { clusters: BTreeMap::from([(cluster.name.clone(), counted)]) };
    let asks = || (others.clone(), version);
    let (remove, forget, add, promote) = (asks(), asks(), asks(), asks());
    let remove = StepKind::RemoveMember {
        id: row.id,
        endpoint: "https://127.0.0.1:2379".to_owned(),
        others: remove.0,
        version: remove.1,
    };
    let forget =
        StepKind::ForgetMember { peer_url: peer_url.clone(), others: forget.0, version: forget.1 };
    let add = StepKind::AddLearner { peer_url: peer_url.clone(), others: add.0, version: add.1 };
    let promote = StepKind::PromoteMember {
        endpoint: endpoint.clone(),
        peer_url,
        others: promote.0,
        version: promote.1,
    };
    let prove =
        StepKind::ProveHealthy { endpoints: cluster.endpoints_from(&host("etcd-2")), version };
    let marker = StepKind::WriteMarker {
        endpoint,
        version,
        formed_by: "static".to_owned(),
        revision_floor: None,
        replaces: None,
    };
    let is_as_seen = Guard::FileIs { path, sha256: Some(seen) };
    let endpoint_of_own = "https://127.0.0.1:2379".to_owned();
    let save = StepKind::SaveSnapshot { endpoint: endpoint_of_own, before: None, version };
    let all = [
        ("save-snapshot", save, Guard::Nothing),
        ("remove-member", remove, counts),
        ("forget-member", forget, Guard::Nothing),
        ("add-learner", add, Guard::Nothing),
        ("unit", unit(FormationState::Joining), is_as_seen),
        (
            "start",
            StepKind::StartMember { by: planner::plan::Launch::Unit },
            Guard::HasLogOrNeverFormed,
        ),
        ("promote", promote, Guard::Nothing),
        ("prove", prove, Guard::Nothing),
        ("marker", marker, Guard::HasLog),
        ("finalize-unit", unit(FormationState::Existing), Guard::HasLog),
    ];
    let mut steps: Vec<Step> = Vec::new();
    for (verb, kind, guard) in all {
        let after = steps.last().map(|step| step.id.clone()).into_iter().collect();
        let host = if verb == "save-snapshot" { "etcd-1" } else { "etcd-2" };
        let id = format!("{host}/c0/{verb}").parse().unwrap();
        steps.push(Step { id, action: Action::Run, kind, guard, after, why: Why::Unfinished });
    }
    steps
}

#[test]
fn the_order_of_a_replacement_is_accepted() {
    assert_eq!(Case::replacing().found(), [""; 0]);
}

/// Each step may happen twice, as after a lost answer.
#[test]
fn a_plan_in_this_order_replaces_the_member() {
    for repeat in [Repeat::Once, Repeat::Twice] {
        let Case { world, plan, spec, .. } = Case::replacing();
        let old = world.lists.clone();
        let (done, report) = execute_in(world, &plan, Bindings::default(), 1, None, repeat, |_| {});
        assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
        assert!(!done.has_lost_a_member(&host("etcd-2")));
        let voters = done.lists.values().flatten().filter(|listed| !listed.learner).count();
        assert_eq!(voters, 3);
        assert_ne!(done.lists, old);
        let facts = done.observe(&spec);
        let left = plan_of(&done, &spec);
        assert_eq!(violations(&left, &spec, &facts), [""; 0]);
        let left: Vec<String> = left.steps.iter().map(|step| step.id.to_string()).collect();
        assert_eq!(left, [""; 0]);
    }
}

#[test]
fn another_order_is_rejected() {
    let late = [
        ("remove-member", "etcd-2/c0/forget-member: it comes before etcd-2/c0/remove-member"),
        ("remove-member", "etcd-2/c0/add-learner: it comes before etcd-2/c0/remove-member"),
        ("forget-member", "etcd-2/c0/add-learner: it comes before etcd-2/c0/forget-member"),
        ("forget-member", "etcd-2/c0/start: a member without its memory starts"),
        ("add-learner", "etcd-2/c0/start: the cluster does not list it yet"),
        ("start", "etcd-2/c0/promote: it comes before etcd-2/c0/start"),
        ("promote", "etcd-2/c0/marker: it comes before etcd-2/c0/promote"),
        ("promote", "etcd-2/c0/finalize-unit: it comes before etcd-2/c0/promote"),
    ];
    for (verb, why) in late {
        let mut case = Case::replacing();
        case.late(verb);
        case.rejected(why);
    }
    let mut case = Case::replacing();
    case.remove("start");
    case.rejected("etcd-2/c0/promote: it comes before a start");
}

/// The one that the cluster waits for needs nothing but a start. The row of the failed one is not its.
#[test]
fn a_member_that_is_listed_and_never_started_may_join() {
    let mut case = Case::replacing();
    for verb in ["add-learner", "remove-member"] {
        case.remove(verb);
    }
    case.plan.steps.retain(|step| step.id != *"etcd-1/c0/save-snapshot");
    case.plan
        .steps
        .iter_mut()
        .for_each(|step| step.after.retain(|id| *id != *"etcd-1/c0/save-snapshot"));
    case.rejected("etcd-2/c0/start: the cluster does not list it yet");
    let row = case.list().iter_mut().find(|row| row.name == "etcd-2").unwrap();
    row.name.clear();
    row.learner = true;
    assert_eq!(case.found(), [""; 0]);
}

#[test]
fn nobody_is_removed_before_a_snapshot_is_saved() {
    let mut case = Case::replacing();
    case.plan.steps.retain(|step| step.id != *"etcd-1/c0/save-snapshot");
    case.step("remove-member").after.clear();
    case.rejected("etcd-2/c0/remove-member: no snapshot is saved before");
}

#[test]
fn guards_that_count_too_few_are_rejected() {
    let weak = |change: fn(&mut Others)| {
        let mut case = Case::replacing();
        let Guard::OthersHealthy { clusters } = &mut case.step("remove-member").guard else {
            panic!()
        };
        clusters.values_mut().for_each(change);
        case.rejected("etcd-2/c0/remove-member: the guard");
    };
    weak(|others| others.needed = 1);
    weak(|others| drop(others.members.insert(host("etcd-2"), String::new())));
    weak(|others| drop(others.members.pop_first()));
    for (verb, guard) in [
        ("remove-member", Guard::Nothing),
        ("forget-member", Guard::NeverFormed),
        ("start", Guard::HasLog),
    ] {
        let mut case = Case::replacing();
        case.step(verb).guard = guard;
        case.rejected(&format!("etcd-2/c0/{verb}: the guard"));
    }
}

#[test]
fn a_member_that_could_not_start_is_not_added() {
    let mut case = Case::replacing();
    let releases = quorate_tests::seen::host(&mut case.facts, "etcd-2").releases.values_mut();
    releases.for_each(|release| *release = Observed::Absent);
    case.rejected("etcd-2/c0/add-learner: the member would start without its release");
}

#[test]
fn data_that_could_not_be_looked_at_is_not_forgotten() {
    let mut case = Case::replacing();
    member(&mut case.facts, "etcd-2").data = Observed::Unknown("permission denied".to_owned());
    case.rejected("etcd-2/c0/forget-member: what it touches could not be looked at");
}

/// While one is lost nothing else changes who is a member, and no other one is taken down.
#[test]
fn only_the_lost_member_is_replaced() {
    let mut case = Case::replacing();
    for step in &mut case.plan.steps {
        step.id.host = host("etcd-3");
        step.after.clear();
    }
    case.rejected("etcd-3/c0/remove-member: a member of its cluster has lost its log");
    case.rejected("etcd-3/c0/promote: a member of its cluster has lost its log");
    let mut case = Case::replacing();
    case.step("promote").kind = StepKind::NoteRestart;
    case.rejected("etcd-2/c0/promote: a member of its cluster has lost its log");
}

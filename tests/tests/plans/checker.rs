//! The checker rejects what it is there to reject: good plans, each broken in one way.

use std::collections::BTreeSet;

use planner::facts::{EtcdFacts, HostFacts, Observed, SiteFacts};
use planner::plan::{Action, FormationState, Guard, Verb};
use planner::report::{Blocked, Finding, FindingCode};
use planner::stops::Stops;
use planner::{Plan, SiteSpec, Step, StepKind};
use quorate_tests::checker::violations;
use quorate_tests::site::{Shape, cluster, host, plain};
use quorate_tests::story::{formed, plan_of};
use quorate_tests::world::{SimMember, World};

/// A plan with what it was made from.
struct Case {
    plan: Plan,
    spec: SiteSpec,
    facts: SiteFacts,
}

impl Case {
    fn new(world: &World, spec: SiteSpec) -> Self {
        let case = Self { plan: plan_of(world, &spec), facts: world.observe(&spec), spec };
        assert_eq!(case.found(), [""; 0]);
        case
    }

    fn forming() -> Self {
        let (world, spec) = plain(3).world();
        Self::new(&world, spec)
    }

    fn of_formed(change: impl FnOnce(&mut World), quota: Option<i64>) -> Self {
        let (world, spec) = plain(3).world();
        let mut world = formed(world, &spec);
        change(&mut world);
        let spec = Shape { quota, ..plain(3) }.spec(&world.authorities);
        Self::new(&world, spec)
    }

    fn found(&self) -> Vec<String> {
        violations(&self.plan, &self.spec, &self.facts)
    }

    fn step(&mut self, id: &str) -> &mut Step {
        let found = self.plan.steps.iter_mut().find(|step| step.id == id);
        found.unwrap_or_else(|| panic!("the plan has no step {id}"))
    }

    fn remove(&mut self, id: &str) {
        self.plan.steps.retain(|step| step.id != id);
        for step in &mut self.plan.steps {
            step.after.retain(|before| before != id);
        }
    }

    fn rejected(&self, why: &str) {
        let found = self.found();
        assert!(found.iter().any(|found| found.contains(why)), "{why}: {found:#?}");
    }
}

fn last(id: &str, kind: StepKind, guard: Guard) -> Step {
    Step {
        id: id.parse().unwrap(),
        action: Action::Run,
        kind,
        guard,
        after: BTreeSet::new(),
        why: planner::plan::Why::Unfinished,
    }
}

#[test]
fn a_step_after_nothing_is_rejected() {
    let mut case = Case::forming();
    case.step("etcd-1/c0/unit").after.insert("etcd-1/c0/manifest".parse().unwrap());
    case.rejected("etcd-1/c0/unit: it comes after etcd-1/c0/manifest, which is not before it");
}

#[test]
fn two_steps_of_one_name_are_rejected() {
    let mut case = Case::forming();
    let twin = case.plan.steps[0].clone();
    case.plan.steps.push(twin);
    case.rejected("two steps have this name");
}

#[test]
fn a_start_that_does_not_wait_is_rejected() {
    for (dropped, why) in [
        ("unit", "it starts without a unit"),
        ("certificates", "it starts without certificates"),
        ("token", "etcd-1 has no token yet"),
    ] {
        let mut case = Case::forming();
        let id = format!("etcd-1/c0/{dropped}");
        case.remove(&id);
        case.rejected(why);
    }
    let mut case = Case::forming();
    case.remove("etcd-2/install-etcd-3.6.16");
    case.rejected("etcd-2/c0/start: it starts without its release");
}

#[test]
fn a_start_before_the_others_have_their_tokens_is_rejected() {
    let mut case = Case::forming();
    let start = case.step("etcd-1/c0/start");
    start.after.retain(|id| id.host != host("etcd-3"));
    case.rejected("etcd-1/c0/start: etcd-3 has no token yet");
    case.rejected("etcd-1/c0/start: etcd-3 has no unit yet");
}

#[test]
fn a_marker_before_the_proof_is_rejected() {
    let mut case = Case::forming();
    case.step("etcd-2/c0/marker").after.clear();
    case.rejected("etcd-2/c0/marker: it comes before the proof");
    let mut case = Case::forming();
    case.step("etcd-1/c0/prove").after.retain(|id| id.host != host("etcd-3"));
    case.rejected("it comes before the proof");
}

#[test]
fn a_unit_of_a_formed_cluster_before_the_marker_is_rejected() {
    let mut case = Case::forming();
    let prove = "etcd-1/c0/prove".parse().unwrap();
    case.step("etcd-2/c0/finalize-unit").after = BTreeSet::from([prove]);
    case.rejected("etcd-2/c0/finalize-unit: it says that the cluster is formed");
}

#[test]
fn a_start_without_its_guard_is_rejected() {
    let mut case = Case::forming();
    case.step("etcd-1/c0/start").guard = Guard::Nothing;
    case.rejected("etcd-1/c0/start: the guard Nothing is too weak");
}

#[test]
fn a_step_on_an_unseen_host_is_rejected() {
    let mut case = Case::forming();
    case.facts.hosts.insert(host("etcd-2"), Observed::Unknown("no route".to_owned()));
    case.rejected("etcd-2/register-host: the host was not seen");
    case.rejected("etcd-1/c0/start: a cluster is formed while etcd-2 is unseen");
}

/// A plan of a formed cluster that starts a member and restarts another one.
fn repairing() -> Case {
    Case::of_formed(
        |world| {
            let member = |world: &mut World, name: &str, at: fn(&mut SimMember)| {
                world.hosts.get_mut(&host(name)).unwrap().members.values_mut().for_each(at);
            };
            member(world, "etcd-1", |member| member.process = None);
            member(world, "etcd-2", |member| member.generation = None);
        },
        Some(8 << 30),
    )
}

fn block(case: &mut Case, stops: Vec<Stops>) {
    let finding = Finding {
        code: FindingCode::Corrupt,
        host: None,
        cluster: None,
        message: String::new(),
        hint: None,
    };
    case.plan.report.blocked = vec![Blocked { finding, stops: stops.into_iter().collect() }];
}

#[test]
fn a_step_that_the_plan_says_is_stopped_is_rejected() {
    let (one, c0) = (host("etcd-1"), cluster(0));
    let stopped = [
        (Stops::Cluster(c0.clone()), "etcd-2/c0/certificates: it is stopped by corrupt"),
        (Stops::Changes(c0.clone()), "etcd-2/c0/restart: it is stopped by corrupt"),
        (Stops::Host(one.clone()), "etcd-1/c0/start: it is stopped by corrupt"),
        (Stops::Member(one.clone(), c0.clone()), "etcd-1/c0/start: it is stopped by corrupt"),
        (Stops::Settings(one, c0), "etcd-1/c0/unit: it is stopped by corrupt"),
    ];
    for (stop, why) in stopped {
        let mut case = repairing();
        block(&mut case, vec![stop]);
        case.rejected(why);
    }
    let mut case = repairing();
    block(&mut case, vec![]);
    case.rejected("corrupt: it is blocked and stops nothing");
}

/// What becomes so on a host, and why the plan is rejected then.
type Forbidden = (fn(&mut HostFacts), &'static str);

/// Whatever the plan says is stopped, or forgets to say.
#[test]
fn a_step_that_the_facts_forbid_is_rejected() {
    let forbidden: [Forbidden; 6] = [
        (
            |host| host.machine.missing_tools = ["tar".to_owned()].into(),
            "nothing may be done on this host",
        ),
        (|host| host.machine.systemd = None, "nothing may be done on this host"),
        (|host| host.site = Observed::Unknown("no".to_owned()), "nothing may be done on this host"),
        (
            |host| etcd(host, |etcd| etcd.cluster_id = "77".to_owned()),
            "the members may be of two clusters",
        ),
        (
            |host| {
                etcd(host, |etcd| {
                    etcd.errors.push(format!("alarm CORRUPT of member {}", etcd.member_id));
                });
            },
            "a member is corrupt",
        ),
        (
            |host| {
                let member = host.clusters.values_mut().next().unwrap();
                (member.data, member.running) = (Observed::Absent, Observed::Absent);
            },
            "a member of its cluster has lost its log",
        ),
    ];
    for (change, why) in forbidden {
        let mut case = repairing();
        let Some(Observed::Known(facts)) = case.facts.hosts.get_mut(&host("etcd-2")) else {
            panic!("etcd-2 was seen")
        };
        change(facts);
        case.rejected(why);
    }
}

fn etcd(host: &mut HostFacts, change: impl FnOnce(&mut EtcdFacts)) {
    let member = host.clusters.values_mut().next().unwrap();
    let Observed::Known(etcd) = &mut member.etcd else { panic!("the member answers") };
    change(etcd);
}

#[test]
fn discarding_a_formed_cluster_is_rejected() {
    let mut case = Case::of_formed(|_| {}, None);
    let discard = last("etcd-1/c0/discard", StepKind::DiscardBootstrap, Guard::NeverFormed);
    case.plan.steps.push(discard);
    case.rejected("data that may have had a quorum is discarded");
}

#[test]
fn a_start_without_memory_is_rejected() {
    let stop = |world: &mut World| {
        let state = world.hosts.get_mut(&host("etcd-2")).unwrap();
        state.members.get_mut(&cluster(0)).unwrap().process = None;
    };
    let mut case = Case::of_formed(stop, None);
    let Some(Observed::Known(seen)) = case.facts.hosts.get_mut(&host("etcd-2")) else { panic!() };
    let member = seen.clusters.get_mut(&cluster(0)).unwrap();
    if let Observed::Known(data) = &mut member.data {
        data.wal = false;
    }
    case.rejected("etcd-2/c0/start: a member without its memory starts");
}

#[test]
fn two_restarts_at_once_are_rejected() {
    let mut case = Case::of_formed(|_| {}, Some(1 << 32));
    for id in ["etcd-1", "etcd-2", "etcd-3"] {
        case.step(&format!("{id}/c0/restart")).after.retain(|id| id.verb != Verb::Rejoin);
    }
    case.remove("etcd-2/c0/unit");
    case.remove("etcd-3/c0/unit");
    case.rejected("two members restart at once");
}

#[test]
fn a_restart_that_counts_nobody_is_rejected() {
    let mut case = Case::of_formed(|_| {}, Some(1 << 32));
    case.step("etcd-2/c0/restart").guard = Guard::HasLog;
    case.rejected("etcd-2/c0/restart: the guard HasLog is too weak");
}

#[test]
fn writing_over_what_could_not_be_looked_at_is_rejected() {
    let mut case = Case::forming();
    let Some(Observed::Known(seen)) = case.facts.hosts.get_mut(&host("etcd-1")) else { panic!() };
    let member = seen.clusters.get_mut(&cluster(0)).unwrap();
    member.token = Observed::Unknown("permission denied".to_owned());
    case.rejected("etcd-1/c0/token: what it touches could not be looked at");
}

#[test]
fn a_unit_that_is_written_while_the_member_starts_is_rejected() {
    let mut case = Case::forming();
    let StepKind::WriteUnit { text, .. } = case.step("etcd-1/c0/finalize-unit").kind.clone() else {
        panic!()
    };
    let kind = StepKind::WriteUnit { text, formation: FormationState::New };
    case.plan.steps.push(last("etcd-1/c0/manifest", kind, Guard::HasLog));
    case.rejected("its unit is written while it starts");
}

#[test]
fn certificates_of_running_members_are_tried_one_by_one() {
    let renewal = || Case::of_formed(|world| world.now += time::Duration::days(270), None);
    let mut case = renewal();
    case.remove("etcd-2/c0/trial");
    case.rejected("etcd-2/c0/certificates: nobody tries them");
    let mut case = renewal();
    case.step("etcd-3/c0/certificates").after.clear();
    case.rejected("etcd-2/c0/certificates and etcd-3/c0/certificates: certificates change at once");
}

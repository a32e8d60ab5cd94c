//! The laws of design, over generated sites. Each is a property: what breaks it is shrunk to the
//! smallest site and printed as a story.

use engine::bind;
use inventories::inventory::Runtime;
use inventories::{EtcdVersion, HostName};
use planner::facts::{HostFacts, MemberFacts, Observed};
use planner::progress::{Outcome, Progress};
use planner::report::Finding;
use planner::report::FindingCode;
use planner::{Policy, SiteFacts, SiteSpec, StepKind, plan};
use proptest::prelude::*;
use quorate_tests::blockade::blockades;
use quorate_tests::cases::cases;
use quorate_tests::checker::violations;
use quorate_tests::drift::{Drift, drifts};
use quorate_tests::fault::{Fault, faults};
use quorate_tests::invariants::Broken;
use quorate_tests::sim::{Crash, Repeat};
use quorate_tests::site::{Shape, Way, host, plain, shapes};
use quorate_tests::story::{apply, apply_with, formed, plan_of};
use quorate_tests::world::{Until, World};
use templates::Layout;
use templates::layout::PkiFile;

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn plan_is_deterministic(shape in shapes()) {
        let (world, spec) = shape.world();
        prop_assert_eq!(plan_of(&world, &spec), plan_of(&world, &spec));
    }

    #[test]
    fn apply_then_plan_is_empty(shape in shapes(), parallelism in 1_usize..20) {
        let (world, spec) = shape.world();
        let (world, report) = apply(world, &spec, parallelism, None, Repeat::Once);
        prop_assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
        let again = plan_of(&world, &spec);
        prop_assert!(again.is_empty(), "{:#?}", again.report);
        prop_assert_eq!(again.report.blocked.len() + again.report.warnings.len(), 0);
    }

    #[test]
    fn every_step_run_twice_equals_once(shape in shapes()) {
        let (world, spec) = shape.world();
        let (once, _) = apply(world.clone(), &spec, 1, None, Repeat::Once);
        let (twice, report) = apply(world, &spec, 1, None, Repeat::Twice);
        prop_assert_eq!(report.failed().count(), 0, "{}", twice.story.join("\n"));
        prop_assert_eq!(masked(&once), masked(&twice));
    }

    #[test]
    fn stop_after_any_step_then_replan_converges(shape in shapes(), at in any::<prop::sample::Index>(), after in any::<bool>()) {
        let (world, spec) = shape.world();
        let steps = plan_of(&world, &spec).steps.len();
        let (calm, _) = apply(world.clone(), &spec, 1, None, Repeat::Once);
        let number = at.index(steps);
        let crash = if after { Crash::After(number) } else { Crash::Before(number) };
        let (stopped, _) = apply(world, &spec, 4, Some(crash), Repeat::Once);
        let (resumed, report) = apply(stopped, &spec, 4, None, Repeat::Once);
        prop_assert_eq!(report.failed().count(), 0, "{}", resumed.story.join("\n"));
        // A pod of a cluster that a restart costs its quorum ends its bootstrap in the apply that forms it;
        // later somebody may rely on it, and has a say.
        let left = plan_of(&resumed, &spec);
        let waits = |held: &Finding| held.code == FindingCode::NeedsOutage;
        let may_wait = shape.runtime == Runtime::StaticPod && left.report.held.iter().all(waits);
        let allowed = left.report.held.iter().filter(|_| may_wait).filter_map(|h| h.cluster.clone());
        let policy = Policy { allow_outage: allowed.collect(), ..Policy::default() };
        let (resumed, _) = apply_with(resumed, &spec, &policy, 4, None, Repeat::Once);
        prop_assert!(plan_of(&resumed, &spec).is_empty());
        prop_assert_eq!(masked(&calm), masked(&resumed));
    }

    #[test]
    fn checker_accepts_every_plan(
        shape in shapes(),
        at in any::<prop::sample::Index>(),
        after in any::<bool>(),
        unseen in prop::collection::vec(any::<prop::sample::Index>(), 0..2),
        quota in prop::option::of(1_i64..1 << 33),
    ) {
        let (mut world, spec) = stopped(&shape, at, after);
        for index in unseen {
            let name = shape.hosts[index.index(shape.hosts.len())].as_str();
            world.hosts.get_mut(&host(name)).unwrap().reachable = false;
        }
        let spec = match quota {
            Some(_) => Shape { quota, ..shape }.spec(&world.authorities),
            None => spec,
        };
        let facts = world.observe(&spec);
        let plan = plan(&spec, &facts, &Policy::default()).unwrap();
        prop_assert_eq!(violations(&plan, &spec, &facts), Vec::<String>::new());
    }

    #[test]
    fn a_finding_stops_what_it_is_about_and_nothing_else(
        shape in shapes(),
        drifts in prop::collection::vec((any::<prop::sample::Index>(), drifts()), 0..4),
        quota in any::<bool>(),
        at in any::<prop::sample::Index>(),
        blockade in blockades(),
    ) {
        let (world, spec) = shape.world();
        let mut world = formed(world, &spec);
        for (index, drift) in drifts.into_iter().filter(|(_, drift)| !matches!(drift, Drift::Struck(_))) {
            drift.apply_to(&mut world, &host(&shape.hosts[index.index(shape.hosts.len())]));
        }
        let quota = if quota { Some(8 << 30) } else { shape.quota };
        let spec = Shape { quota, ..shape }.spec(&world.authorities);
        let mut facts = world.observe(&spec);
        let free = plan(&spec, &facts, &Policy::default()).unwrap();
        let places: Vec<_> =
            spec.clusters.values().flat_map(|c| c.members.keys().map(|h| (h, &c.name))).collect();
        let place = *at.get(&places);
        prop_assume!(blockade.apply_to(&mut facts, place.0, place.1));
        let rest = plan(&spec, &facts, &Policy::default()).unwrap();

        prop_assert!(!rest.report.blocked.is_empty());
        prop_assert_eq!(violations(&rest, &spec, &facts), Vec::<String>::new());
        let may_be_gone = blockade.stopped(&free, place, &spec);
        for step in free.steps.iter().filter(|step| !may_be_gone.contains(&step.id)) {
            let same = rest.step(&step.id).map(|same| (&same.kind, &same.guard));
            prop_assert_eq!(same, Some((&step.kind, &step.guard)), "{} is gone", step.id);
        }
        for step in &rest.steps {
            let was = free.step(&step.id).is_some() || matches!(step.kind, StepKind::ProveHealthy { .. });
            prop_assert!(was, "{} is there because something is blocked", step.id);
        }
    }

    #[test]
    fn unknown_fact_never_deletes(
        shape in shapes(),
        at in any::<prop::sample::Index>(),
        after in any::<bool>(),
        blind in prop::collection::vec((any::<prop::sample::Index>(), 0..BLINDS), 1..4),
    ) {
        let (world, spec) = stopped(&shape, at, after);
        let mut facts = world.observe(&spec);
        for (index, what) in blind {
            let position = index.index(facts.hosts.len());
            make_unknown(&mut facts, position, what, index.index(10));
        }
        let plan = plan(&spec, &facts, &Policy::default()).unwrap();
        prop_assert_eq!(violations(&plan, &spec, &facts), Vec::<String>::new());
    }

    #[test]
    fn host_order_and_names_do_not_matter(shape in shapes(), seed in any::<prop::sample::Index>()) {
        let renamed = Shape {
            hosts: (0..shape.hosts.len()).map(|n| format!("h{}", (n + seed.index(5)) % 5)).collect(),
            ..shape.clone()
        };
        let verbs = |shape: &Shape| {
            let (world, spec) = shape.world();
            let mut verbs: Vec<_> = plan_of(&world, &spec)
                .steps
                .iter()
                .map(|step| (step.cluster().map(ToString::to_string), step.id.verb.to_string()))
                .collect();
            verbs.sort();
            verbs
        };
        prop_assert_eq!(verbs(&shape), verbs(&renamed));
    }
}

/// Somebody removed a file in the middle of a bootstrap: each member still waits for what it needs.
#[test]
fn what_is_lost_between_two_runs_is_made_before_it_is_needed() {
    let shape = plain(3);
    let (world, spec) = shape.world();
    let steps = plan_of(&world, &spec).steps.len();
    for number in 0..steps {
        let (stopped, _) = apply(world.clone(), &spec, 1, Some(Crash::After(number)), Repeat::Once);
        let seen = stopped.observe(&spec);
        for (position, loss) in (0..3).flat_map(|position| LOSSES.map(|loss| (position, loss))) {
            let mut facts = seen.clone();
            let Some(Observed::Known(host)) = facts.hosts.values_mut().nth(position) else {
                continue;
            };
            host.clusters.values_mut().for_each(loss);
            let plan = plan(&spec, &facts, &Policy::default()).unwrap();
            let found = violations(&plan, &spec, &facts);
            assert_eq!(found, Vec::<String>::new(), "after step {number}, host {position}");
        }
    }
}

/// The law of the unknown at every point of a bootstrap, and for every kind of fact.
#[test]
fn at_no_point_of_a_bootstrap_is_the_unknown_touched() {
    for runtime in [Runtime::Systemd, Runtime::StaticPod] {
        let (world, spec) = Shape { runtime, ..plain(3) }.world();
        for number in 0..plan_of(&world, &spec).steps.len() {
            let (stopped, _) =
                apply(world.clone(), &spec, 1, Some(Crash::After(number)), Repeat::Once);
            let seen = stopped.observe(&spec);
            let each = |position| (0..BLINDS).map(move |what| (position, what));
            for (position, what) in [0, 2].into_iter().flat_map(each) {
                let mut facts = seen.clone();
                make_unknown(&mut facts, position, what, 3);
                let plan = plan(&spec, &facts, &Policy::default()).unwrap();
                let found = violations(&plan, &spec, &facts);
                assert_eq!(found, Vec::<String>::new(), "step {number}, host {position}, {what}");
            }
        }
    }
}

/// What etcd reads once, on an empty disk, is no reason to restart who has read it.
#[test]
fn a_bootstrap_that_resumes_restarts_no_unit() {
    let ways = [Way::Static, Way::Dns, Way::V3, Way::V3User, Way::SelfHosted];
    for (way, members) in ways.into_iter().flat_map(|way| [(way, 1), (way, 3)]) {
        let (world, spec) = Shape { way, ..plain(members) }.world();
        for number in 0..plan_of(&world, &spec).steps.len() {
            let (stopped, _) =
                apply(world.clone(), &spec, 1, Some(Crash::After(number)), Repeat::Once);
            let plan = plan_of(&stopped, &spec);
            let restarts = plan.steps.iter().find(|step| step.kind.disrupts());
            assert_eq!(restarts, None, "{way:?}, after step {number}");
            assert_eq!(plan.report.held, Vec::new(), "{way:?}, after step {number}");
        }
    }
}

/// What may be gone of a member.
const LOSSES: [fn(&mut MemberFacts); 3] = [
    |member| member.token = Observed::Absent,
    |member| {
        member.unit = Observed::Absent;
        let unit = Layout::new(&member.cluster).unit_file();
        member.files.insert(unit, Observed::Absent);
    },
    |member| {
        member.pki_generation = Observed::Absent;
        for file in PkiFile::ALL {
            member.files.insert(Layout::new(&member.cluster).pki_file(file), Observed::Absent);
        }
    },
];

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn never_below_quorum(
        shape in shapes(),
        drifts in prop::collection::vec((any::<prop::sample::Index>(), drifts()), 0..3),
        quota in any::<bool>(),
        patch in any::<bool>(),
        fault in prop::option::of((0_usize..40, any::<prop::sample::Index>(), faults())),
        wake in prop::option::of(0_usize..40),
        stop in prop::option::of(0_usize..40),
    ) {
        let (world, spec) = shape.world();
        let mut world = formed(world, &spec);
        world.story.clear();
        let hosts: Vec<_> = world.hosts.keys().cloned().collect();
        for (index, drift) in drifts {
            drift.apply_to(&mut world, index.get(&hosts));
        }
        let wanted = Shape {
            quota: if quota { Some(8 << 30) } else { shape.quota },
            version: EtcdVersion::new(shape.version.minor(), shape.version.patch() + u32::from(patch)),
            ..shape
        };
        let wanted = wanted.spec(&world.authorities);
        let fault = fault.map(|(at, index, fault)| (at, index.get(&hosts).clone(), fault));
        keeps_quorums(&mut world, &wanted, fault.as_ref(), wake, stop)?;
        for host in &hosts {
            prop_assert_eq!(world.mend(host), Ok(()));
        }
        keeps_quorums(&mut world, &wanted, None, None, None)?;
    }
}

/// A looping member may come up on its own at any moment of an apply, and a run may be killed at any moment
/// after that. In the end each member runs with what is wanted of it.
#[test]
fn a_member_that_comes_up_by_itself_gets_its_settings_in_the_end() {
    let shape = plain(3);
    let (world, spec) = shape.world();
    let mut sick = formed(world, &spec);
    Drift::Loops(Until::NextStart).apply_to(&mut sick, &host("etcd-3"));
    for quota in [None, Some(8 << 30)] {
        let wanted = Shape { quota, ..shape.clone() }.spec(&sick.authorities);
        let steps = plan_of(&sick, &wanted).steps.len();
        for (wake, stop) in
            (0..=steps).flat_map(|wake| (wake..=steps).map(move |stop| (wake, stop)))
        {
            let mut world = sick.clone();
            world.story.clear();
            keeps_quorums(&mut world, &wanted, None, Some(wake), Some(stop)).unwrap();
            keeps_quorums(&mut world, &wanted, None, Some(0), None).unwrap();
            keeps_quorums(&mut world, &wanted, None, None, None).unwrap();
            let told = || format!("{wake} {stop}: {}", world.story.join("\n"));
            let left = plan_of(&world, &wanted);
            assert!(left.is_empty(), "{}\n{left:#?}", told());
            let member = &world.hosts["etcd-3"].members["c0"];
            assert_eq!(member.process, member.unit, "{}", told());
            assert!(member.process.is_some() && member.under.is_empty(), "{}", told());
        }
    }
}

/// One apply, in which a fault happens before some step, systemd starts again what ended before some step, and
/// which is killed before some step. At each step every cluster that had a quorum has it still.
fn keeps_quorums(
    world: &mut World,
    spec: &SiteSpec,
    fault: Option<&(usize, HostName, Fault)>,
    wake: Option<usize>,
    stop: Option<usize>,
) -> Result<(), TestCaseError> {
    let facts = world.observe(spec);
    let plan = plan_of(world, spec);
    let bindings =
        bind::tokens(&plan, &facts).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let mut progress = Progress::new(&plan);
    let told = |world: &World, broken: Broken| {
        TestCaseError::fail(format!("{broken}\n{}", world.story.join("\n")))
    };
    world.story.push(format!("quorate apply: {} steps", plan.steps.len()));
    for number in 0.. {
        if let Some((at, host, fault)) = fault
            && *at == number
        {
            world.strike(host, *fault).map_err(|broken| told(world, broken))?;
        }
        if wake == Some(number) {
            for host in world.hosts.keys().cloned().collect::<Vec<_>>() {
                world.start_again(&host).map_err(|broken| told(world, broken))?;
            }
        }
        let Some(id) = progress.take_ready().filter(|_| stop != Some(number)) else { break };
        let Some(step) = plan.step(&id) else { panic!("{id} is a step of the plan") };
        let result = world.attempt(step, &bindings).map_err(|broken| told(world, broken))?;
        progress.finish(&id, if result.is_ok() { Outcome::Done } else { Outcome::Failed });
    }
    Ok(())
}

/// A world in which an apply was killed somewhere, or not at all.
fn stopped(shape: &Shape, at: prop::sample::Index, after: bool) -> (World, SiteSpec) {
    let (world, spec) = shape.world();
    let number = at.index(plan_of(&world, &spec).steps.len() + 1);
    let crash = if after { Crash::After(number) } else { Crash::Before(number) };
    let (world, _) = apply(world, &spec, 4, Some(crash), Repeat::Once);
    (world, spec)
}

/// How many kinds of facts [`make_unknown`] knows.
const BLINDS: usize = 12;

/// Takes one fact of one host away; of its files the last kind takes so many.
fn make_unknown(facts: &mut SiteFacts, position: usize, what: usize, files_taken: usize) {
    fn unknown<T>(fact: &mut Observed<T>) {
        *fact = Observed::Unknown("permission denied".to_owned());
    }
    let Some(Observed::Known(host)) = facts.hosts.values_mut().nth(position) else { return };
    let HostFacts { site, accounts, releases, clusters, .. } = host;
    match what {
        0 => return unknown(site),
        1 => return accounts.values_mut().for_each(unknown),
        2 => return releases.values_mut().for_each(unknown),
        _ => {}
    }
    for MemberFacts { marker, token, files, pki_generation, data, unit, running, etcd, .. } in
        clusters.values_mut()
    {
        match what {
            3 => unknown(marker),
            4 => unknown(token),
            5 => files.values_mut().for_each(unknown),
            6 => unknown(pki_generation),
            7 => unknown(data),
            8 => unknown(unit),
            9 => unknown(running),
            10 => unknown(etcd),
            _ => files.values_mut().take(files_taken).for_each(unknown),
        }
    }
}

/// The digest of a world with tokens out of sight: each run draws its own.
fn masked(world: &World) -> Vec<(String, String)> {
    let mask = |text: String| {
        let tokens = world.hosts.values().flat_map(|host| host.members.values());
        tokens
            .filter_map(|member| member.token.as_ref())
            .fold(text, |text, token| text.replace(token.as_str(), "TOKEN"))
    };
    world.digest().into_iter().map(|(key, value)| (key, mask(value))).collect()
}

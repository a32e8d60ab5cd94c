//! Files of a member that belong to somebody else or were replaced, and processes of an account that is no
//! longer etcd's.

use inventories::AccountName;
use inventories::inventory::Runtime;
use planner::facts::{FileFacts, Observed, SiteFacts};
use planner::plan::{Guard, Verb};
use planner::report::FindingCode;
use planner::{Plan, Policy, SiteSpec, StepKind, plan};
use quorate_tests::checker::violations;
use quorate_tests::drift::Drift;
use quorate_tests::seen::member;
use quorate_tests::sim::Repeat;
use quorate_tests::site::{Shape, host, plain};
use quorate_tests::story::{after_every_crash, apply, formed, plan_of};
use quorate_tests::world::World;

fn prepared(plan: &Plan) -> Vec<&str> {
    let is = |kind: &StepKind| matches!(kind, StepKind::PrepareDirectories { .. });
    plan.steps.iter().filter(|step| is(&step.kind)).map(|step| step.host().as_str()).collect()
}

fn drifted(world: &World, drift: Drift) -> World {
    let mut world = world.clone();
    let names: Vec<_> = world.hosts.keys().cloned().collect();
    names.iter().for_each(|name| drift.apply_to(&mut world, name));
    world
}

/// Config management made the account again on all hosts. Each member is stopped from using its files by
/// the repair, so they go one by one, wherever the apply is killed.
#[test]
fn an_account_with_another_number_is_a_roll() {
    for (runtime, drift) in [
        (Runtime::Systemd, Drift::NewAccount),
        (Runtime::Systemd, Drift::NoAccount),
        (Runtime::StaticPod, Drift::NewAccount),
        (Runtime::StaticPod, Drift::NoAccount),
    ] {
        let (world, spec) = Shape { runtime, ..plain(3) }.world();
        let world = drifted(&formed(world, &spec), drift);
        let plan = plan_of(&world, &spec);
        assert_eq!(violations(&plan, &spec, &world.observe(&spec)), Vec::<String>::new());
        assert_eq!(prepared(&plan), ["etcd-2", "etcd-3", "etcd-1"], "{drift:?}, {runtime:?}");
        for step in plan.steps.iter().filter(|step| step.id.verb == Verb::Directories) {
            assert!(matches!(step.guard, Guard::OthersHealthy { .. }), "{step:?}");
        }
        after_every_crash(&world, &spec, 8, |_, _| {});
    }
}

/// While another member is missing nothing is taken from one that runs.
#[test]
fn files_are_not_given_away_under_a_process_while_its_member_is_needed() {
    let (world, spec) = plain(3).world();
    let mut world = drifted(&formed(world, &spec), Drift::NewAccount);
    world.hosts.get_mut("etcd-3").unwrap().reachable = false;
    let plan = plan_of(&world, &spec);
    assert_eq!(prepared(&plan), Vec::<&str>::new());
    let codes: Vec<&str> = plan.report.held.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["roll-waits"]);
    assert!(!plan.steps.iter().any(|step| step.id.verb == Verb::Certificates));
}

/// What is given back to the account that the process has can hurt nobody, and waits for nobody.
#[test]
fn files_are_given_back_to_a_process_at_once() {
    let (world, spec) = plain(3).world();
    let mut world = formed(world, &spec);
    world.hosts.values_mut().for_each(|host| {
        host.members.values_mut().for_each(|member| member.owner = 0);
    });
    let plan = plan_of(&world, &spec);
    assert_eq!(prepared(&plan), ["etcd-1", "etcd-2", "etcd-3"]);
    assert!(plan.steps.iter().all(|step| step.guard == Guard::Nothing));
    let (done, report) = apply(world, &spec, 8, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
    assert!(plan_of(&done, &spec).is_empty());
}

/// A system disk was replaced, and the data disk kept.
#[test]
fn a_member_that_is_down_gets_its_files_back_before_it_starts() {
    let (world, spec) = plain(3).world();
    let mut world = formed(world, &spec);
    Drift::NewAccount.apply_to(&mut world, &host("etcd-2"));
    Drift::Stopped.apply_to(&mut world, &host("etcd-2"));
    let plan = plan_of(&world, &spec);
    let start = plan.step(&"etcd-2/c0/start".parse().unwrap()).unwrap();
    assert!(start.after.contains(&"etcd-2/c0/directories".parse().unwrap()));
    let (done, report) = apply(world, &spec, 8, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
    assert!(plan_of(&done, &spec).is_empty());
}

/// A start would fail there. A process that runs came through by whatever right, an access control list or a group.
#[test]
fn a_directory_above_that_lets_etcd_not_through_stops_its_member_unless_that_runs() {
    let runtimes = [Runtime::Systemd, Runtime::StaticPod];
    for (runtime, runs) in runtimes.into_iter().flat_map(|all| [(all, true), (all, false)]) {
        let blocks = runtime == Runtime::Systemd && !runs;
        let (world, spec) = Shape { runtime, ..plain(3) }.world();
        let world = formed(world, &spec);
        let wanted = Shape { runtime, quota: Some(3 << 30), ..plain(3) }.spec(&world.authorities);
        let mut facts = world.observe(&wanted);
        close(&mut facts, "etcd-2");
        if !runs {
            quorate_tests::seen::end(member(&mut facts, "etcd-2"));
        }
        let plan = plan(&wanted, &facts, &Policy::default()).unwrap();
        let blocked = plan.report.blocked.iter().map(|blocked| &blocked.finding);
        let found: Vec<_> =
            blocked.filter(|finding| finding.code == FindingCode::ClosedParent).collect();
        assert_eq!(found.len(), usize::from(blocks));
        assert_eq!(
            plan.report.warnings.iter().any(|is| is.code == FindingCode::ClosedParent),
            !blocks
        );
        let hint = "run on the host: chmod a+x /var/lib/etcd";
        assert!(found.iter().all(|finding| finding.hint.as_deref() == Some(hint)));
        assert_eq!(plan.steps.iter().any(|step| step.host().as_str() == "etcd-2"), !blocks);
        assert_eq!(violations(&plan, &wanted, &facts), Vec::<String>::new());
    }
}

#[test]
fn no_cluster_is_formed_where_one_member_could_not_start() {
    let (world, spec) = plain(3).world();
    let mut facts = world.observe(&spec);
    close(&mut facts, "etcd-2");
    assert_eq!(plan(&spec, &facts, &Policy::default()).unwrap().steps, []);
}

/// Somebody closed `/var/lib/etcd` to everybody but root.
fn close(facts: &mut SiteFacts, name: &str) {
    let seen = &mut member(facts, name).files;
    let closed = FileFacts { mode: 0o700, ..super::file(None) };
    seen.insert("/var/lib/etcd".to_owned(), Observed::Known(closed));
}

/// The folder of some members was removed while they ran: their processes serve without certificates, and
/// nothing that is written to the new folder reaches them.
fn cut_off(names: &[&str]) -> Plan {
    let (world, spec) = plain(3).world();
    let mut facts = formed(world, &spec).observe(&spec);
    for name in names {
        let member = member(&mut facts, name);
        member.folder_replaced = true;
        member.etcd = Observed::Unknown("certificate signed by unknown authority".to_owned());
        let files = member.files.iter_mut().filter(|(path, _)| path.starts_with("/etc/etcd/c0"));
        files.for_each(|(_, file)| *file = Observed::Absent);
        member.pki_generation = Observed::Absent;
    }
    let plan = plan(&spec, &facts, &Policy::default()).unwrap();
    assert_eq!(violations(&plan, &spec, &facts), Vec::<String>::new());
    plan
}

/// A trial would fail for ever: it is the restart that brings its certificates to it.
#[test]
fn a_member_whose_folder_was_replaced_gets_its_certificates_and_a_restart() {
    let plan = cut_off(&["etcd-2"]);
    assert!(plan.report.held.is_empty(), "{:?}", plan.report.held);
    let step = |verb: &str| plan.step(&format!("etcd-2/c0/{verb}").parse().unwrap());
    assert_eq!(step("trial"), None);
    let restart = step("restart").unwrap();
    assert!(matches!(restart.guard, Guard::OthersHealthy { .. }));
    for needed in ["directories", "certificates"] {
        assert!(restart.after.contains(&step(needed).unwrap().id), "{needed}");
    }
}

/// Another one that is down is one too many: the files come back, for whatever starts, and nobody is restarted.
#[test]
fn members_whose_folders_were_replaced_wait_for_each_other() {
    let plan = cut_off(&["etcd-2", "etcd-3"]);
    let codes: Vec<&str> = plan.report.held.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["roll-waits"]);
    assert!(!plan.steps.iter().any(|step| step.kind.disrupts()));
    assert!(plan.step(&"etcd-3/c0/certificates".parse().unwrap()).is_some());
}

/// The site with another account for its first cluster.
fn under(spec: &SiteSpec, account: &str) -> SiteSpec {
    let mut spec = spec.clone();
    for member in spec.clusters.values_mut().flat_map(|cluster| cluster.members.values_mut()) {
        member.member.account = AccountName::new(account).unwrap();
    }
    spec
}

/// The files change owner just before each restart, one member at a time, wherever the apply is killed.
#[test]
fn another_account_is_a_roll() {
    for runtime in [Runtime::Systemd, Runtime::StaticPod] {
        let (world, spec) = Shape { runtime, ..plain(3) }.world();
        let (world, spec) = (formed(world, &spec), under(&spec, "etcd-main"));
        let plan = plan_of(&world, &spec);
        assert_eq!(violations(&plan, &spec, &world.observe(&spec)), Vec::<String>::new());
        assert_eq!(prepared(&plan), ["etcd-2", "etcd-3", "etcd-1"], "{runtime:?}");
        for step in plan.steps.iter().filter(|step| step.id.verb == Verb::Directories) {
            assert!(matches!(step.guard, Guard::OthersHealthy { .. }), "{step:?}");
        }
        after_every_crash(&world, &spec, 8, |_, _| {});
    }
}

/// The account of one cluster is nothing to another one on the same hosts.
#[test]
fn another_account_of_one_cluster_leaves_the_other_alone() {
    let (world, spec) = Shape { clusters: vec![3, 3], ..plain(3) }.world();
    let world = formed(world, &spec);
    let mut other = spec;
    let changed = other.clusters.values_mut().next_back().unwrap();
    let name = changed.name.clone();
    for member in changed.members.values_mut() {
        member.member.account = AccountName::new("etcd-new").unwrap();
    }
    let plan = plan_of(&world, &other);
    assert!(!plan.steps.is_empty());
    assert!(plan.steps.iter().all(|step| step.cluster().is_none_or(|of| *of == name)));
}

/// The release, and what a symlink leads through, are on the way as well.
#[test]
fn whatever_etcd_has_to_pass_is_named_by_its_path() {
    let (world, spec) = plain(3).world();
    let facts = formed(world, &spec).observe(&spec);
    let closed = || FileFacts {
        mode: 0o700,
        owner: "root".to_owned(),
        group: "root".to_owned(),
        sha256: String::new(),
        text: None,
    };
    let found = |close: &dyn Fn(&mut SiteFacts)| {
        let mut facts = facts.clone();
        quorate_tests::seen::end(member(&mut facts, "etcd-2"));
        close(&mut facts);
        let plan = plan(&spec, &facts, &Policy::default()).unwrap();
        let blocked = plan.report.blocked.into_iter().map(|blocked| blocked.finding);
        blocked
            .map(|finding| (finding.code.as_str(), finding.hint.unwrap_or_default()))
            .collect::<Vec<_>>()
    };
    for path in ["/opt/quorate/etcd/3.6.16", "/opt"] {
        let close = |facts: &mut SiteFacts| {
            member(facts, "etcd-2").files.insert(path.to_owned(), Observed::Known(closed()));
        };
        let hint = format!("run on the host: chmod a+x {path}");
        assert_eq!(found(&close), [("closed-parent", hint)]);
    }
    let linked = |facts: &mut SiteFacts| {
        let passed = &mut quorate_tests::seen::host(facts, "etcd-2").passed;
        passed.insert("/srv/disk".to_owned(), closed());
    };
    let hint = "run on the host: chmod a+x /srv/disk".to_owned();
    assert_eq!(found(&linked), [("closed-parent", hint)]);
    let listed = |name: &'static str| {
        move |facts: &mut SiteFacts| {
            linked(facts);
            let entered = &mut quorate_tests::seen::host(facts, "etcd-2").entered;
            entered.insert("/srv/disk".to_owned(), [name.to_owned()].into());
        }
    };
    assert_eq!(found(&listed("etcd")), []);
    assert_eq!(found(&listed("postgres")).len(), 1);
}

//! Files that change a member's unit: those in its own folder are moved aside, all others are left alone,
//! and an apply never ends with something that the next plan would do.

use planner::facts::{DropIn, Observed, SiteFacts};
use planner::{Plan, Policy, SiteSpec, StepKind, plan};
use quorate_tests::seen::{known, member};
use quorate_tests::sim::Repeat;
use quorate_tests::site::{cluster, plain};
use quorate_tests::story::{apply, formed, plan_of};
use quorate_tests::world::World;

const OWN: &str = "/etc/systemd/system/etcd-c0.service.d/tuning.conf";

/// Files that change the unit as well, and others, or that come back on their own.
const OF_OTHERS: [&str; 7] = [
    "/etc/systemd/system/service.d/10-all.conf",
    "/etc/systemd/system/etcd-.service.d/10-prefix.conf",
    "/etc/systemd/system.control/etcd-c0.service.d/50-MemoryMax.conf",
    "/run/systemd/system/etcd-c0.service.d/zzz-lxc-service.conf",
    "/run/systemd/system/service.d/zzz-lxc-service.conf",
    "/usr/lib/systemd/system/service.d/10-timeout-abort.conf",
    "/usr/lib/systemd/system/etcd-c0.service.d/package.conf",
];

fn with(world: &mut World, host: &str, files: &[&str]) {
    let Some(host) = world.hosts.get_mut(host) else { panic!("no host {host}") };
    host.members.entry(cluster(0)).or_default().drop_ins =
        files.iter().map(|path| (*path).to_owned()).collect();
}

fn keep(spec: &SiteSpec, name: &str) -> SiteSpec {
    let mut spec = spec.clone();
    for member in spec.clusters.values_mut().flat_map(|cluster| cluster.members.values_mut()) {
        member.member.systemd.keep_drop_ins.insert(name.to_owned());
    }
    spec
}

fn warned(plan: &Plan) -> Vec<&str> {
    plan.report.warnings.iter().map(|finding| finding.code.as_str()).collect()
}

#[test]
fn a_file_in_the_units_own_folder_is_moved_aside_with_a_restart() {
    let (world, spec) = plain(3).world();
    let mut world = formed(world, &spec);
    with(&mut world, "etcd-1", &[OWN]);
    let plan = plan_of(&world, &spec);
    let step = plan.step(&"etcd-1/c0/drop-ins".parse().unwrap()).unwrap();
    let StepKind::MoveDropIns { moves } = &step.kind else { panic!("{step:?}") };
    assert_eq!(moves.get(OWN), Some(&format!("/var/lib/quorate/moved-aside{OWN}")));
    let restarts: Vec<_> = plan.steps.iter().filter(|step| step.kind.disrupts()).collect();
    assert_eq!(restarts.iter().map(|step| step.host().as_str()).collect::<Vec<_>>(), ["etcd-1"]);
}

#[test]
fn a_file_of_a_member_that_is_down_is_moved_aside_before_it_starts() {
    let (world, spec) = plain(3).world();
    let mut world = formed(world, &spec);
    with(&mut world, "etcd-1", &[OWN]);
    world.hosts.get_mut("etcd-1").unwrap().members.get_mut("c0").unwrap().process = None;
    let (world, report) = apply(world, &spec, 8, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
    let again = plan_of(&world, &spec);
    assert!(again.is_empty(), "{again:#?}");
}

/// systemd says nothing of a unit that is not there yet, and its folder may be.
#[test]
fn a_file_that_waits_for_the_unit_is_in_the_first_plan_and_gone_after_it() {
    let (mut world, spec) = plain(3).world();
    with(&mut world, "etcd-2", &[OWN]);
    let first = plan_of(&world, &spec);
    assert!(first.step(&"etcd-2/c0/drop-ins".parse().unwrap()).is_some(), "{first:#?}");
    let (world, report) = apply(world, &spec, 8, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
    let again = plan_of(&world, &spec);
    assert!(again.is_empty(), "{again:#?}");
}

#[test]
fn what_the_inventory_names_stays_and_is_not_reported() {
    let (world, spec) = plain(3).world();
    let mut world = formed(world, &spec);
    with(&mut world, "etcd-1", &[OWN, "/run/systemd/system/service.d/tuning.conf"]);
    let plan = plan_of(&world, &keep(&spec, "tuning.conf"));
    assert!(plan.is_empty() && plan.report.warnings.is_empty(), "{plan:#?}");
}

#[test]
fn what_is_of_others_is_reported_and_left_alone() {
    let (world, spec) = plain(3).world();
    let formed = formed(world, &spec);
    for path in OF_OTHERS {
        let mut world = formed.clone();
        with(&mut world, "etcd-1", &[path]);
        let plan = plan_of(&world, &spec);
        assert!(plan.steps.is_empty(), "{path}: {plan:#?}");
        assert_eq!(warned(&plan), ["foreign-drop-in"], "{path}");
        let said = &plan.report.warnings[0];
        assert!(said.message.starts_with(&format!("{path} sets Environment")), "{said:?}");
    }
}

#[test]
fn an_apply_beside_files_of_others_ends_with_an_empty_plan() {
    let (mut world, spec) = plain(3).world();
    for host in ["etcd-1", "etcd-2", "etcd-3"] {
        let member = world.hosts.get_mut(host).unwrap().members.entry("c0".parse().unwrap());
        member.or_default().generated = OF_OTHERS.map(str::to_owned).to_vec();
    }
    let world = formed(world, &spec);
    assert!(plan_of(&world, &spec).steps.is_empty());
    let wanted = keep(&spec, "other.conf");
    assert!(plan_of(&world, &wanted).steps.is_empty());
}

/// A file that stays and names another command: the flags that run are its own, at every look.
#[test]
fn a_member_whose_command_another_file_decides_is_not_restarted_for_its_flags() {
    let (world, spec) = plain(3).world();
    let mut facts = formed(world, &spec).observe(&spec);
    let seen = member(&mut facts, "etcd-1");
    known(&mut seen.running).push("--quota-backend-bytes=5".to_owned());
    let planned = |facts: &SiteFacts| plan(&spec, facts, &Policy::default()).unwrap();
    assert!(!planned(&facts).steps.is_empty());
    let sets = Observed::Known(["ExecStart".to_owned()].into());
    let file = DropIn { path: OF_OTHERS[3].to_owned(), sets };
    known(&mut member(&mut facts, "etcd-1").drop_ins).push(file);
    let plan = planned(&facts);
    assert!(plan.steps.is_empty(), "{plan:#?}");
    assert!(
        plan.report.warnings[0].message.contains("overrides the flags and the version"),
        "{plan:#?}"
    );
}

/// What can't be read may change anything, and what only alerts changes nothing.
#[test]
fn a_file_that_cannot_be_read_is_reported_and_one_that_only_alerts_is_not() {
    let (world, spec) = plain(3).world();
    let facts = formed(world, &spec).observe(&spec);
    let alerts = Observed::Known(["OnFailure".to_owned(), "X-Ours".to_owned()].into());
    for (sets, codes) in
        [(alerts, Vec::new()), (Observed::Unknown("odd".to_owned()), vec!["foreign-drop-in"])]
    {
        let mut facts = facts.clone();
        let file = DropIn { path: OF_OTHERS[0].to_owned(), sets };
        known(&mut member(&mut facts, "etcd-1").drop_ins).push(file);
        let plan = plan(&spec, &facts, &Policy::default()).unwrap();
        assert_eq!(warned(&plan), codes);
        assert!(plan.steps.is_empty());
    }
}

/// Nobody ever calls it failed: it is between two starts for ever, and its own restart would wait for it.
#[test]
fn a_member_that_a_file_makes_loop_is_repaired_without_the_others_leave() {
    let (world, spec) = plain(3).world();
    let mut world = formed(world, &spec);
    with(&mut world, "etcd-1", &[OWN]);
    for down in ["etcd-1", "etcd-2"] {
        world.hosts.get_mut(down).unwrap().members.get_mut("c0").unwrap().process = None;
    }
    let mut facts = world.observe(&spec);
    let Observed::Known(unit) = &mut member(&mut facts, "etcd-1").unit else { panic!("no unit") };
    (unit.active, unit.sub) = ("activating".to_owned(), "auto-restart".to_owned());
    let plan = plan(&spec, &facts, &Policy::default()).unwrap();
    assert_eq!(plan.report.held, [], "{plan:#?}");
    let start = plan.step(&"etcd-1/c0/start".parse().unwrap()).unwrap();
    assert!(start.after.contains(&"etcd-1/c0/drop-ins".parse().unwrap()), "{start:#?}");
    // It may come up before, with the file: then a later run restarts it.
    let moved = plan.step(&"etcd-1/c0/drop-ins".parse().unwrap()).unwrap();
    assert!(moved.after.contains(&"etcd-1/c0/note".parse().unwrap()), "{moved:#?}");
    assert!(plan.step(&"etcd-1/c0/note".parse().unwrap()).is_some());
    assert!(plan.step(&"etcd-2/c0/note".parse().unwrap()).is_none());
}

/// Such a unit says more than a settled one, for an empty disk alone: whichever it was started with, the
/// process is the same.
#[test]
fn a_member_that_loops_with_its_forming_unit_needs_no_note() {
    let (world, spec) = plain(3).world();
    let mut world = formed(world, &spec);
    for host in world.hosts.values_mut() {
        let unit = host.members.get_mut("c0").unwrap().unit.as_mut().unwrap();
        *unit = unit.replace("-state=existing", "-state=new");
    }
    let mut facts = world.observe(&spec);
    let Observed::Known(unit) = &mut member(&mut facts, "etcd-1").unit else { panic!("no unit") };
    (unit.active, unit.sub, unit.restarts) = ("activating".to_owned(), "start".to_owned(), 1);
    let planned = plan(&spec, &facts, &Policy::default()).unwrap();
    assert!(planned.step(&"etcd-1/c0/unit".parse().unwrap()).is_some(), "{planned:#?}");
    assert!(planned.step(&"etcd-1/c0/start".parse().unwrap()).is_some(), "{planned:#?}");
    assert!(planned.step(&"etcd-1/c0/note".parse().unwrap()).is_none(), "{planned:#?}");
    // One whose witness is being written was ready.
    let Observed::Known(unit) = &mut member(&mut facts, "etcd-1").unit else { panic!("no unit") };
    unit.sub = "start-post".to_owned();
    let planned = plan(&spec, &facts, &Policy::default()).unwrap();
    assert!(planned.step(&"etcd-1/c0/start".parse().unwrap()).is_none(), "{planned:#?}");
}

#[test]
fn a_member_that_hangs_by_a_file_is_restarted_first_and_waits_for_no_health_of_its_own() {
    let (world, spec) = plain(3).world();
    let mut world = formed(world, &spec);
    with(&mut world, "etcd-1", &[OWN]);
    with(&mut world, "etcd-3", &[OWN]);
    let mut facts = world.observe(&spec);
    member(&mut facts, "etcd-3").etcd = Observed::Unknown("no answer in 5 s".to_owned());
    let planned = plan(&spec, &facts, &Policy::default()).unwrap();
    assert_eq!(planned.report.held, [], "{planned:#?}");
    let first = planned.steps.iter().find(|step| step.kind.disrupts()).unwrap();
    assert_eq!(first.host().as_str(), "etcd-3", "{planned:#?}");
    // Its restart takes nobody away, and the next one waits until it is back.
    let notes = planned.report.quorum.iter();
    let notes: Vec<_> = notes.map(|note| (note.what.as_str(), note.up, note.needed)).collect();
    assert_eq!(notes, [("restart etcd-3", 2, 2), ("restart etcd-1", 2, 2)]);
    // Another member that is down is somebody that it has to wait for.
    member(&mut facts, "etcd-2").etcd = Observed::Unknown("no answer in 5 s".to_owned());
    let held = plan(&spec, &facts, &Policy::default()).unwrap().report.held;
    assert_eq!(
        held.iter().map(|finding| finding.code.as_str()).collect::<Vec<_>>(),
        ["roll-waits"]
    );
}

/// The hint is pasted into the inventory.
#[test]
fn the_list_in_the_hint_holds_the_names_that_are_kept_already() {
    let (world, spec) = plain(3).world();
    let mut world = formed(world, &spec);
    with(&mut world, "etcd-1", &[OF_OTHERS[0]]);
    let plan = plan_of(&world, &keep(&spec, "20-ours.conf"));
    let hint = plan.report.warnings.iter().find_map(|found| found.hint.clone()).unwrap();
    assert!(hint.ends_with("keep-drop-ins = [\"10-all.conf\", \"20-ours.conf\"]"), "{hint}");
}

//! What a plan tells of the last apply: shown, and deciding nothing.

use planner::facts::{Applied, Commit, Holder, Observed, SiteFacts};
use planner::since::{Moved, left, moved};
use planner::text::{self, Page, Style};
use planner::{SiteSpec, fingerprint};
use quorate_tests::seen;
use quorate_tests::site::{host, plain};
use quorate_tests::story::formed;
use quorate_tests::world::World;

use crate::planned;

fn site() -> (World, SiteSpec) {
    let (world, spec) = plain(3).world();
    (formed(world, &spec), spec)
}

fn record(at: &str, outcome: &str) -> Applied {
    Applied {
        format: 1,
        at: at.to_owned(),
        by: "ann@a".to_owned(),
        plan: "0f".repeat(6),
        commit: Some(Commit::parse(&"c0ffe".repeat(8)).unwrap()),
        dirty: false,
        outcome: outcome.to_owned(),
        left: None,
    }
}

/// What every host remembers of an apply that left it as `world` is.
fn remember(world: &World, spec: &SiteSpec, facts: &mut SiteFacts) {
    let then = world.observe(spec);
    for (name, seen) in &then.hosts {
        let left = Some(left(name, seen.known().unwrap()));
        let applied = Applied { left, ..record("2026-11-23T03:00:00Z", "done") };
        seen::host(facts, name.as_str()).applied = Observed::Known(applied);
    }
}

#[test]
fn the_last_apply_and_a_lock_are_shown_and_decide_nothing() {
    let (world, spec) = site();
    let before = world.observe(&spec);
    let mut after = before.clone();
    for name in ["etcd-1", "etcd-2"] {
        seen::host(&mut after, name).applied =
            Observed::Known(record("2026-11-23T03:00:00Z", "done"));
    }
    let older = record("2026-11-20T03:00:00Z", "unfinished");
    seen::host(&mut after, "etcd-3").applied = Observed::Known(older);
    seen::host(&mut after, "etcd-3").holder = Some(Holder {
        owner: "bob@b".to_owned(),
        since: "2026-11-23T04:00:00Z".to_owned(),
        why: "apply of plan 1e".to_owned(),
    });
    let (then, now) = (planned(&spec, &before), planned(&spec, &after));
    assert_eq!(fingerprint::hash(&then), fingerprint::hash(&now));
    assert_eq!(fingerprint::of(&before, &then), fingerprint::of(&after, &now));
    assert!(now.is_empty());
    let text = text::plan(&now, Page::PLAIN);
    for line in [
        "last apply 2026-11-23T03:00:00Z by ann@a, plan 0f0f0f0f0f0f, commit c0ffec0ffec0: done (etcd-1, etcd-2)",
        "last apply 2026-11-20T03:00:00Z by ann@a, plan 0f0f0f0f0f0f, commit c0ffec0ffec0: unfinished (etcd-3)",
        "locked by bob@b since 2026-11-23T04:00:00Z: apply of plan 1e (etcd-3)",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn what_moved_since_the_last_apply_is_reported_and_a_new_inventory_moves_nothing() {
    let (mut world, spec) = site();
    let mut facts = world.observe(&spec);
    remember(&world, &spec, &mut facts);
    let (then, judged) = (world.clone(), spec.hosts());
    assert!(moved(&facts, &judged).values().all(|moved| *moved == Moved::Known(Vec::new())));

    world.leaders.insert("c0".parse().unwrap(), host("etcd-3"));
    let member = world.hosts.get_mut("etcd-2").unwrap().members.get_mut("c0").unwrap();
    member.process = None;
    let newer = quorate_tests::site::Shape { quota: Some(1 << 33), ..plain(3) };
    let newer = newer.spec(&world.authorities);
    let mut facts = world.observe(&newer);
    remember(&then, &spec, &mut facts);
    let Moved::Known(lines) = &moved(&facts, &judged)[&host("etcd-2")] else { panic!() };
    assert!(lines.iter().any(|line| line.contains("unit: up true")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("leader")), "{lines:?}");
    assert_eq!(moved(&facts, &judged)[&host("etcd-1")], Moved::Known(Vec::new()));
}

#[test]
fn a_host_that_remembers_nothing_is_named_and_not_called_unmoved() {
    let (world, spec) = site();
    let mut facts = world.observe(&spec);
    remember(&world, &spec, &mut facts);
    seen::host(&mut facts, "etcd-1").applied = Observed::Absent;
    seen::host(&mut facts, "etcd-2").applied = Observed::Known(record("x", "unfinished"));
    facts.hosts.insert(host("etcd-3"), Observed::Unknown("timed out".to_owned()));
    let told = moved(&facts, &spec.hosts());
    assert!(told.values().all(|moved| matches!(moved, Moved::Unknown(_))), "{told:?}");
    let text = text::moved(&planned(&spec, &facts).report, &told, Style::Plain);
    assert!(text.contains("not known etcd-3: timed out"), "{text}");
    assert!(!text.contains("since the last apply."), "{text}");
}

#[test]
fn a_whole_file_is_shown_with_what_changes_in_it() {
    let (mut world, spec) = site();
    let member = world.hosts.get_mut("etcd-2").unwrap().members.get_mut("c0").unwrap();
    let wanted = member.unit.clone().unwrap();
    member.unit = Some(wanted.replace("[Install]\n", "[Install]\n# by hand\u{1b}[2J\n"));
    let facts = world.observe(&spec);
    let shown = text::files(&planned(&spec, &facts), &facts, Style::Plain);
    assert!(shown.contains("\n-# by hand\u{fffd}[2J\n"), "{shown}");
    let whole: Vec<&str> = shown.lines().skip(3).filter(|line| !line.starts_with('-')).collect();
    let text: Vec<&str> = whole.iter().map(|line| &line[1..]).collect();
    assert_eq!(text, wanted.lines().collect::<Vec<_>>());
    assert!(shown.starts_with("--- etcd-2:/etc/systemd/system/etcd-c0.service\n"), "{shown}");
}

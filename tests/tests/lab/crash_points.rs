//! An apply that is struck at any of its steps: quorate is killed, or the step's host loses its
//! power. The next apply takes the lock over and ends with the same site as an undisturbed one.
//!
//! The points are made from the plan's own steps, see [`points`]. `QUORATE_PROVE` goes through all of
//! them, and `QUORATE_SHARE=2/4` through every fourth from the second on; else chance takes some.
//! `QUORATE_POINT=TEXT` takes those whose name holds the text.

mod operation;
mod points;
mod strike;

use std::time::Instant;

use quorate_lab::site::Runtime;

use crate::harness::{Digest, Members, NEWEST, Seeded, Stage, options};
use crate::upgrade::V3_5;
use operation::Operation;
use points::{Blow, Point};
use strike::{Timing, strike};

scenarios! {
    a_bootstrap_struck_at_any_step_comes_to_the_same_site,
    a_roll_struck_at_any_step_comes_to_the_same_site,
    a_repair_struck_at_any_step_comes_to_the_same_site,
    a_replacement_struck_at_any_step_comes_to_the_same_site,
    a_change_of_minor_struck_at_any_step_comes_to_the_same_site,
}

/// How many points of each blow every run goes through.
const KILLS: usize = 1;
const POWER_CUTS: usize = 1;

/// An apply may have to be run again where it came too early: the host that lost its power is there,
/// and its member is still on its way back.
const APPLIES: usize = 3;

pub(crate) fn a_bootstrap_struck_at_any_step_comes_to_the_same_site(runtime: Runtime) {
    sweep("c-form", runtime, &mut Operation::Bootstrap);
}

pub(crate) fn a_roll_struck_at_any_step_comes_to_the_same_site(runtime: Runtime) {
    sweep("c-roll", runtime, &mut Operation::Roll { round: 0 });
}

pub(crate) fn a_repair_struck_at_any_step_comes_to_the_same_site(runtime: Runtime) {
    sweep("c-repair", runtime, &mut Operation::Repair);
}

pub(crate) fn a_replacement_struck_at_any_step_comes_to_the_same_site(runtime: Runtime) {
    sweep("c-new", runtime, &mut Operation::Replace);
}

/// Up or down: one of them by chance.
pub(crate) fn a_change_of_minor_struck_at_any_step_comes_to_the_same_site(runtime: Runtime) {
    let mut ways = vec![(V3_5, NEWEST), (NEWEST, V3_5)];
    if std::env::var_os("QUORATE_PROVE").is_none() {
        ways = Seeded::of_this_run().sample(ways, 1);
    }
    for (from, to) in ways {
        sweep("c-hop", runtime, &mut Operation::Hop { from, to, runtime, round: 0 });
    }
}

fn sweep(lab: &str, runtime: Runtime, operation: &mut Operation) {
    let stage = Stage::formed(lab, 3, &options(runtime));
    let members = Members::of_main(operation.version(), 3);

    // Twice undisturbed: a roll has two ends, and what one leaves the other finds.
    let mut timing = Timing::default();
    let mut wanted = Vec::new();
    let mut points = Vec::new();
    for _ in 0..operation.rounds() {
        operation.set_up(&stage);
        let plan = stage.run(&[&["plan", "--json"], operation.words()].concat());
        points = points::of_plan(&plan.ends(0).json());
        timing = strike::undisturbed(&stage, operation.words());
        stage.expect_nothing_to_do();
        wanted.push(Digest::collect(&stage, &members));
    }
    if !matches!(operation, Operation::Roll { .. }) {
        wanted[wanted.len() - 1].expect_same_as(&wanted[0]);
    }

    let (began, exist) = (Instant::now(), tally(&points));
    let mut covered = Vec::new();
    for point in chosen(points) {
        let at = Instant::now();
        operation.set_up(&stage);
        strike(&stage, operation.words(), &point, &timing);
        finish(&stage, operation, &point);
        stage.expect_nothing_to_do();
        members.expect_whole(&stage);
        let digest = Digest::collect(&stage, &members);
        digest.expect_same_as(&wanted[operation.goal()]);
        println!("{point}: {:.1} s", at.elapsed().as_secs_f64());
        covered.push(point);
    }
    println!(
        "{operation}: points covered / points that exist: {}; {} s",
        tally(&covered)
            .iter()
            .zip(&exist)
            .map(|((blow, covered), (_, exist))| format!("{blow} {covered} / {exist}"))
            .collect::<Vec<_>>()
            .join(", "),
        began.elapsed().as_secs()
    );
}

/// The apply after the blow: it waits for nobody's lease.
#[track_caller]
fn finish(stage: &Stage, operation: &Operation, point: &Point) {
    let apply = || stage.run(&[&["apply", "--yes"], operation.rest(stage)].concat());
    for _ in 1..APPLIES {
        let run = apply();
        if run.code == Some(0) {
            if run.stdout.contains("No changes") {
                // Nothing was left to do, for which nobody takes a lock. The dead run's ends with its
                // lease, within a minute.
                stage.run(&["unlock", "--yes"]).ends(0);
            } else if point.holds_the_lock() {
                run.says("took over the lock of a run that is gone");
            }
            return;
        }
        assert!(point.blow == Blow::PowerCut && run.code != Some(5), "{point}: {}", run.text());
        operation::settle(stage);
    }
    apply().ends(0);
}

fn chosen(points: Vec<Point>) -> Vec<Point> {
    if let Ok(part) = std::env::var("QUORATE_POINT") {
        return points.into_iter().filter(|point| point.to_string().contains(&part)).collect();
    }
    if let Ok(share) = std::env::var("QUORATE_SHARE") {
        let (which, of) = share.split_once('/').unwrap();
        let (which, of): (usize, usize) = (which.parse().unwrap(), of.parse().unwrap());
        return points.into_iter().skip(which - 1).step_by(of).collect();
    }
    if std::env::var_os("QUORATE_PROVE").is_some() {
        return points;
    }
    let mut seeded = Seeded::of_this_run();
    let (kills, cuts): (Vec<_>, Vec<_>) =
        points.into_iter().partition(|point| point.blow == Blow::Kill);
    let mut chosen = seeded.sample(kills, KILLS);
    chosen.extend(seeded.sample(cuts, POWER_CUTS));
    chosen
}

/// How many there are of each blow.
fn tally(points: &[Point]) -> [(Blow, usize); 2] {
    [Blow::Kill, Blow::PowerCut]
        .map(|blow| (blow, points.iter().filter(|point| point.blow == blow).count()))
}

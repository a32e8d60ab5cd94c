//! An apply that is stopped again and again, by a kill or by its operator. Each single point at which it
//! can be killed is in `crash_points`.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use quorate_lab::site::Runtime;

use crate::harness::{Members, NEWEST, Seeded, Stage, options};

scenarios! {
    an_apply_killed_again_and_again_still_forms_one_cluster,
    ctrl_c_ends_in_an_orderly_way_and_the_next_apply_resumes,
}

/// Lets an apply run for a while, then kills it. Returns whether it was still running.
fn kill_after(stage: &Stage, moment: Duration) -> bool {
    let mut child = stage
        .command(&["apply", "--yes"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    thread::sleep(moment);
    let ran = child.try_wait().unwrap().is_none();
    let _ = child.kill();
    let _ = child.wait();
    ran
}

pub(crate) fn an_apply_killed_again_and_again_still_forms_one_cluster(runtime: Runtime) {
    let stage = Stage::ready("k-many", 3, &options(runtime));
    let mut seeded = Seeded::of_this_run();
    for _ in 0..8 {
        let moment = Duration::from_millis(400 + seeded.below(1200));
        if !kill_after(&stage, moment) {
            break;
        }
    }
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
    Members::of_main(NEWEST, 3).expect_whole(&stage);
}

pub(crate) fn ctrl_c_ends_in_an_orderly_way_and_the_next_apply_resumes(runtime: Runtime) {
    let stage = Stage::ready("k-ctrl-c", 3, &options(runtime));
    let mut child = stage
        .command(&["apply", "--yes"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(told.next().is_some(), "it ended without a word");
    crate::harness::here("kill", &["-INT", &child.id().to_string()]);
    let rest: Vec<String> = told.map_while(Result::ok).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:#?}");
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
}

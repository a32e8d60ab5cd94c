//! Two operators apply at once: one applies, the other is refused and told why.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::thread;

use quorate_lab::SiteOptions;

use crate::harness::{Members, NEWEST, Stage, here};

#[test]
fn the_second_operator_sees_who_holds_the_lock_and_changes_nothing() {
    let stage = Stage::ready("o-two", 3, &SiteOptions::default());
    let mut first = stage
        .command(&["apply", "--yes"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(first.stderr.take().unwrap()).lines();
    let first_step = told.find(|line| line.as_ref().is_ok_and(|line| line.contains("done")));
    assert!(first_step.is_some(), "the first one did nothing");
    let rest = thread::spawn(move || told.count());

    // It stands still where it is, so that it is at it for as long as the second one needs.
    here("kill", &["-STOP", &first.id().to_string()]);
    let second = stage.run(&["apply", "--yes"]).ends(5);
    second.does_not_say("Apply complete");
    // Looking is free at any time.
    stage.run(&["plan"]).does_not_say("error");
    here("kill", &["-CONT", &first.id().to_string()]);

    assert!(first.wait().unwrap().success());
    rest.join().unwrap();
    stage.expect_nothing_to_do();
    Members::of_main(NEWEST, 3).expect_whole(&stage);
}

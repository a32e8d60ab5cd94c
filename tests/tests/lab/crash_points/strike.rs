//! Runs an apply, listens to what it says, and strikes.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::points::{Blow, Moment, Point};
use crate::harness::Stage;

/// How an apply may end when a host dies under it: it succeeded anyway, a host was not
/// reached, or a part was not done.
const ENDS: [i32; 3] = [0, 4, 6];

/// How long each step takes when nothing befalls it.
#[derive(Debug, Default)]
pub(super) struct Timing(BTreeMap<String, Duration>);

/// An apply that runs, and what it says line by line, each with its time.
struct Apply {
    process: Child,
    lines: Receiver<(Instant, Value)>,
}

impl Apply {
    fn start(stage: &Stage, words: &[&str]) -> Self {
        let mut command = stage.command(&[&["apply", "--yes", "--json"], words].concat());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        let (tell, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                // A killed process may have printed half a line.
                let Ok(line) = serde_json::from_str(&line) else { break };
                if tell.send((Instant::now(), line)).is_err() {
                    break;
                }
            }
        });
        Self { process, lines }
    }

    /// Waits until it says this.
    #[track_caller]
    fn wait_for(&self, moment: &Moment) {
        let mut said = Vec::new();
        for (_, line) in &self.lines {
            if is_said(moment, &line) {
                return;
            }
            said.push(line["@message"].to_string());
        }
        panic!("it ended, and never reached {moment:?}: {said:#?}");
    }

    /// What it said since somebody last listened.
    fn last_words(&self) -> Vec<String> {
        self.lines.iter().map(|(_, line)| line.to_string()).collect()
    }
}

/// Applies, undisturbed.
pub(super) fn undisturbed(stage: &Stage, words: &[&str]) -> Timing {
    let mut apply = Apply::start(stage, words);
    let (mut started, mut timing) = (BTreeMap::new(), Timing::default());
    let mut said = Vec::new();
    for (at, line) in &apply.lines {
        let step = line["hook"]["step"].as_str().map(str::to_owned);
        match (line["type"].as_str(), step) {
            (Some("apply_start"), Some(step)) => drop(started.insert(step, at)),
            (Some("apply_complete"), Some(step)) => {
                timing.0.insert(step.clone(), at - started[&step]);
            }
            _ => {}
        }
        said.push(line.to_string());
    }
    assert!(apply.process.wait().unwrap().success(), "{said:#?}");
    timing
}

/// Applies, and strikes at a point. The apply is over then, and every host is up.
#[track_caller]
pub(super) fn strike(stage: &Stage, words: &[&str], point: &Point, timing: &Timing) {
    let mut apply = Apply::start(stage, words);
    apply.wait_for(&point.moment);
    if let Moment::Halfway(step) = &point.moment {
        thread::sleep(timing.0[step] / 2);
    }
    match point.blow {
        Blow::Kill => {
            apply.process.kill().unwrap();
            apply.process.wait().unwrap();
        }
        Blow::PowerCut => {
            stage.host(point.host.unwrap()).reboot().unwrap();
            let code = apply.process.wait().unwrap().code();
            let ended = code.is_some_and(|code| ENDS.contains(&code));
            assert!(ended, "{point}: {code:?}: {:#?}", apply.last_words());
        }
    }
}

fn is_said(moment: &Moment, line: &Value) -> bool {
    let kind = line["type"].as_str().unwrap_or_default();
    let of = |step: &str| line["hook"]["step"] == step;
    match moment {
        Moment::Planned => kind == "plan",
        Moment::Begins(step) | Moment::Halfway(step) => kind == "apply_start" && of(step),
        Moment::Ends(step) => kind == "apply_complete" && of(step),
        Moment::Finished => kind == "outputs",
    }
}

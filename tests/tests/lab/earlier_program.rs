//! Sites that were formed by an earlier program, and what it left half done: the program of today resumes
//! with them. The earlier one is built from the repository's own history, see `.ci/earlier.sh`.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use quorate_lab::site::{self, Runtime};
use serde_json::Value;

use crate::harness::{Members, NEWEST, Stage, on, options};

scenarios! {
    a_site_of_an_earlier_program_needs_nothing_or_one_roll_with_its_reason,
    a_roll_that_an_earlier_program_began_is_finished,
    a_bootstrap_that_an_earlier_program_began_is_finished,
}

/// Why the program of today may want to change a site that the earlier one formed: each is a part of the
/// line of the plan. A change of what is on a host (a unit, a pod, a mode, a certificate)
/// adds the words here, and a line to CHANGELOG.md that says what the roll is for.
const REASONS: &[&str] = &[
    // A pod mounted its member directory a second time, in a way that its own process could abuse.
    "the pod changed",
    // A unit let its process read the keys and the data of other clusters on the host.
    "the unit hides other clusters' folders",
    // What a host sets for all services reached etcd, such as a proxy.
    "the unit keeps the host's environment from etcd",
];

pub(crate) fn a_site_of_an_earlier_program_needs_nothing_or_one_roll_with_its_reason(
    runtime: Runtime,
) {
    let stage = Stage::formed_earlier("e-roll", 3, &options(runtime));
    let members = Members::of_main(NEWEST, 3);
    let id = members.id(&stage.host(1));
    reads_what_it_wrote(&stage);

    let plan = stage.run(&["plan", "--json"]).ends(0).json();
    for nothing in ["blocked", "held", "left_out"] {
        assert_eq!(plan[nothing], serde_json::json!([]), "{plan:#}");
    }
    let steps = plan["steps"].as_array().unwrap();
    let is_listed =
        |step: &Value| REASONS.iter().any(|reason| step["why"].to_string().contains(reason));
    let listed: Vec<&Value> =
        steps.iter().filter(|step| is_listed(step)).map(|step| &step["host"]).collect();
    for step in steps {
        // What belongs to a restart has its reason.
        let (_, verb) = step["id"].as_str().unwrap().rsplit_once('/').unwrap();
        let is_part = ["note", "unit", "move-leader", "rejoin"].contains(&verb);
        let has_reason = is_listed(step) || (is_part && listed.contains(&&step["host"]));
        assert!(has_reason, "not in REASONS: {step:#}");
    }
    println!("{} steps wanted after the earlier program", steps.len());
    if !steps.is_empty() {
        stage.run(&["apply", "--yes"]).ends(0);
    }
    stage.expect_nothing_to_do();
    members.expect_whole(&stage);
    assert_eq!(members.id(&stage.host(1)), id);
}

/// Records, journals, markers and locks.
fn reads_what_it_wrote(stage: &Stage) {
    stage.run(&["status"]).ends(0);
    stage
        .run(&["history", "--steps"])
        .ends(0)
        .says("etcd-3/main/marker")
        .does_not_say("can't be read");
    stage.run(&["unlock", "--yes"]).ends(0).says("No host is locked");
    let moved = stage.run(&["plan", "--refresh-only", "--json"]).ends(0).json();
    assert_eq!(moved["unknown"], serde_json::json!({}), "{moved:#}");
}

pub(crate) fn a_roll_that_an_earlier_program_began_is_finished(runtime: Runtime) {
    let stage = Stage::formed_earlier("e-noted", 3, &options(runtime));
    stage.edit(|text| {
        text.replace("\n[pki]", "\n[clusters.main.etcd]\nsnapshot-count = 5000\n\n[pki]")
    });
    match runtime {
        // A need for a restart that the process does not show is noted before its unit is written.
        Runtime::Systemd => {
            let host = stage.host(2);
            let unit = stage.rendered();
            on(&host, &format!("sed -i 's/^CPUWeight=1000/CPUWeight=10/' {unit}"));
            on(&host, "systemctl daemon-reload");
            killed_as(&stage, |step, _| step == "etcd-2/main/restart");
            on(&host, "test -s /var/lib/quorate/main/restart-due");
        }
        Runtime::StaticPod => killed_as(&stage, |step, _| step.ends_with("/restart")),
    }
    finishes(&stage);
}

pub(crate) fn a_bootstrap_that_an_earlier_program_began_is_finished(runtime: Runtime) {
    let stage = Stage::ready_earlier("e-half", 3, &options(runtime));
    match runtime {
        // Its members run, and look for each other through a proxy that is not there.
        Runtime::Systemd => {
            for host in stage.hosts() {
                on(&host, "systemctl set-environment HTTPS_PROXY=http://127.0.0.1:9");
            }
            killed_as(&stage, |step, _| step.ends_with("/prove"));
        }
        Runtime::StaticPod => killed_as(&stage, |_, started| started == 14),
    }
    finishes(&stage);
}

/// Lets the earlier program apply, and kills it as the named step begins, counted by how many
/// began before.
fn killed_as(stage: &Stage, is_it: impl Fn(&str, usize) -> bool) {
    let earlier = site::earlier_program().unwrap();
    let mut command = stage.command_of(&earlier, &["apply", "--yes", "--json"]);
    let mut apply = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut started = 0;
    let mut struck = false;
    for line in BufReader::new(apply.stdout.take().unwrap()).lines() {
        let Ok(event) = serde_json::from_str::<Value>(&line.unwrap()) else { break };
        if event["type"] != "apply_start" {
            continue;
        }
        if is_it(event["hook"]["step"].as_str().unwrap(), started) {
            apply.kill().unwrap();
            struck = true;
            break;
        }
        started += 1;
    }
    apply.wait().unwrap();
    assert!(struck, "the earlier program never reached the step, of {started}");
}

/// Applies with the program of today, after which all is as it should be.
///
/// The lock of the killed run tells less than today's does. So it may be taken over, or stand for its minute:
/// then it is told how to end it, and that works.
#[track_caller]
fn finishes(stage: &Stage) {
    let apply = stage.run(&["apply", "--yes"]);
    if apply.code == Some(5) {
        apply.says("quorate unlock");
        stage.run(&["unlock", "--yes"]).ends(0);
        stage.run(&["apply", "--yes"]).ends(0);
    } else {
        apply.ends(0).says("took over the lock of a run that is gone");
    }
    stage.expect_nothing_to_do();
    Members::of_main(NEWEST, 3).expect_whole(stage);
}

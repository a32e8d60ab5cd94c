//! Another minor of etcd, while a client writes.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use quorate_lab::releases::{self, Version};
use quorate_lab::site::Runtime;
use quorate_lab::{Host, SiteOptions};

use crate::harness::{Follower, Members, Stage, Writer, eventually, on, options, serves};

scenarios! {
    an_upgrade_that_is_killed_goes_back_or_is_finished,
}

const V3_4: Version = Version::new(3, 4, 23);
pub(crate) const V3_5: Version = Version::new(3, 5, 35);
const V3_6: Version = Version::new(3, 6, 16);
const V3_7: Version = Version::new(3, 7, 3);

/// Pins a release and has the cluster want it.
pub(crate) fn want(stage: &Stage, from: Version, to: Version, runtime: Runtime) {
    let release = releases::ensure(to, |_| {}).unwrap();
    let arch = releases::architecture().unwrap();
    let pin = format!("\"{to}-{arch}\" = \"{}\"\n", release.sha256);
    stage.edit(|text| {
        let text = text.replace(&format!("version = \"{from}\""), &format!("version = \"{to}\""));
        if text.contains(&pin) { text } else { format!("{text}{pin}") }
    });
    if runtime == Runtime::StaticPod {
        // What a registry would have.
        stage.lab.import_etcd_image(to, |_| {}).unwrap();
    }
}

/// Pins a release on the way.
fn pin(stage: &Stage, stop: Version) {
    let release = releases::ensure(stop, |_| {}).unwrap();
    let arch = releases::architecture().unwrap();
    stage.edit(|text| format!("{text}\"{stop}-{arch}\" = \"{}\"\n", release.sha256));
}

/// One apply, while clients write, watch and hold a lease: all members arrive, no acknowledged write is lost, the watch
/// misses nothing, and the lease lives.
fn goes(stage: &Stage, (from, to): (Version, Version), names: &[&str]) {
    let plan = stage.run(&["plan", "--detailed-exitcode"]).ends(2);
    let plan = names.iter().fold(plan, |plan, name| plan.says(name));
    plan.says("save-snapshot").says("prove-version");
    let (follower, writer) = (Follower::start(stage), Writer::start(stage));
    let apply = stage.run(&["apply", "--yes"]).ends(0);
    let written = writer.finish();
    let members = Members::of_main(to, 3);
    written.expect_all_there(&members, stage);
    written.note(&format!("{from} to {to} in {:.1} s", apply.took.as_secs_f64()));
    follower.expect_all_seen(&written, &members, stage);
    members.expect_whole(stage);
    stage.expect_nothing_to_do();
}

/// The version that a host's member says it runs; empty while it does not answer.
fn version(host: &Host) -> String {
    let metrics = "curl -s -m 2 http://127.0.0.1:2381/metrics | grep ^etcd_server_version || true";
    let said = on(host, metrics);
    said.split('"').nth(1).unwrap_or_default().to_owned()
}

fn versions(stage: &Stage) -> Vec<String> {
    stage.hosts().iter().map(version).collect()
}

/// One question about 3.4's health leaves a record in the log that 3.6 panics at, and the records of 3.5 are what 3.7
/// panics at. Neither log is started before it can be read.
#[test]
fn a_cluster_goes_from_the_oldest_minor_to_the_newest_and_down_and_loses_no_write() {
    let units = Runtime::Systemd;
    let stage = Stage::formed("u-chain", 3, &SiteOptions { version: V3_4, ..options(units) });
    let id = Members::of_main(V3_4, 3).id(&stage.host(1));
    stage.hosts().iter().for_each(serves);

    want(&stage, V3_4, V3_7, units);
    let names = ["one minor at a time", "quorate release pin 3.5.35 3.6.16 3.7.3"];
    stage.expect_refusal("changing-version", &names);
    for stop in [V3_5, V3_6] {
        pin(&stage, stop);
    }
    // The first hop brings it to every member, so that the logs can be flushed before the next ones.
    let few = "[clusters.main.etcd]\nsnapshot-count = 1000\n\n[pki]";
    stage.edit(|text| text.replace("[pki]", few));
    let names = ["hop 1 of 3", "3.5.35 -> 3.6.16", "3.6.16 -> 3.7.3"];
    goes(&stage, (V3_4, V3_7), &names);

    assert_eq!(Members::of_main(V3_7, 3).id(&stage.host(1)), id);
    stage.survives_reboots(&Members::of_main(V3_7, 3));
    want(&stage, V3_7, V3_5, units);
    goes(&stage, (V3_7, V3_5), &["hop 1 of 2", "3.6.16 -> 3.5.35"]);
    assert_eq!(Members::of_main(V3_5, 3).id(&stage.host(1)), id);
    want(&stage, V3_5, V3_4, units);
    stage.expect_refusal("changing-version", &["etcd can't go back to it"]);
}

/// Kills an apply once it has restarted its first member.
fn killed_at_the_first(stage: &Stage, to: Version) {
    let mut apply = stage.command(&["apply", "--yes"]);
    let mut apply = apply.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(apply.stderr.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    assert!(lines.any(|line| line.contains("done") && line.contains("/main/restart")));
    apply.kill().unwrap();
    apply.wait().unwrap();
    let arrived = || stage.hosts().iter().filter(|host| version(host) == to.to_string()).count();
    eventually("one member went", || arrived() > 0);
    assert!(arrived() < 3, "one stayed: {:?}", versions(stage));
}

/// While one member has the old minor, the inventory leads both ways.
pub(crate) fn an_upgrade_that_is_killed_goes_back_or_is_finished(runtime: Runtime) {
    let stage = Stage::formed("u-kill", 3, &SiteOptions { version: V3_5, ..options(runtime) });
    want(&stage, V3_5, V3_6, runtime);
    let writer = Writer::start(&stage);
    killed_at_the_first(&stage, V3_6);

    want(&stage, V3_6, V3_5, runtime);
    stage.run(&["plan", "--detailed-exitcode"]).ends(2).says("3.6.16 -> 3.5.35");
    stage.run(&["apply", "--yes"]).ends(0);
    Members::of_main(V3_5, 3).expect_whole(&stage);
    stage.expect_nothing_to_do();

    want(&stage, V3_5, V3_6, runtime);
    killed_at_the_first(&stage, V3_6);
    stage.run(&["apply", "--yes"]).ends(0);
    let written = writer.finish();
    let members = Members::of_main(V3_6, 3);
    written.expect_all_there(&members, &stage);
    written.note("there, back, and there again");
    members.expect_whole(&stage);
    stage.expect_nothing_to_do();
}

//! The simulated world against real etcd: the same random operations are done to both, and after
//! each of them both must say the same. What the laws and the model conclude holds as far as this
//! does.
//!
//! `QUORATE_PROVE=1 cargo test -p quorate-tests --features lab --test faithful -- --nocapture`
//! replays all traces. Without it a few of each version are. Needs no root; the etcds run on
//! loopback.

#![expect(clippy::unwrap_used, reason = "a test that can't go on is to panic")]

mod answers;
mod real;
mod simulated;
mod trace;

use std::thread;
use std::time::Instant;

use quorate_lab::releases::{self, Version};

use trace::Ended;

/// One version of each line.
const VERSIONS: [Version; 4] =
    [Version::new(3, 4, 23), Version::new(3, 5, 35), Version::new(3, 6, 16), Version::new(3, 7, 3)];

/// Traces of each version, and how many of them run at one time.
const TRACES: u64 = 50;
const SAMPLE: u64 = 3;
const LANES: u64 = 4;

#[test]
fn the_simulated_world_and_etcd_answer_alike() {
    let arch = releases::architecture().unwrap();
    let traces = if std::env::var_os("QUORATE_PROVE").is_some() { TRACES } else { SAMPLE };
    let mut differences = Vec::new();
    for version in VERSIONS {
        let begun = Instant::now();
        let binaries = releases::ensure_binaries(version, &arch, |_| {}).unwrap();
        let etcd = binaries.join("etcd");
        let lane = |lane: u64| {
            let seeds = (0..traces).filter(move |seed| seed % LANES == lane);
            seeds.map(|seed| trace::replay(&etcd, seed)).collect::<Vec<Ended>>()
        };
        let ended: Vec<Ended> = thread::scope(|scope| {
            let lanes: Vec<_> =
                (0..LANES).map(|number| scope.spawn(move || lane(number))).collect();
            lanes.into_iter().flat_map(|lane| lane.join().unwrap()).collect()
        });
        let compared: usize = ended.iter().map(|ended| ended.compared).sum();
        let different: Vec<String> =
            ended.into_iter().filter_map(|ended| ended.difference).collect();
        println!(
            "etcd {version}: {traces} traces, {compared} operations compared, {} disagree, {:.1} s",
            different.len(),
            begun.elapsed().as_secs_f64()
        );
        differences.extend(different.into_iter().map(|story| format!("etcd {version}\n{story}")));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

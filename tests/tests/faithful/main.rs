//! The simulated world against real etcd: the same random operations are done to both, and after
//! each of them both must say the same. What the laws and the model conclude holds as far as this
//! does. The rules of membership, which are a model of their own, are replayed in the same way.
//!
//! `QUORATE_PROVE=1 cargo test -p quorate-tests --features lab --test faithful -- --nocapture`
//! replays all traces. Without it a few of the world's are, and none of membership. Needs no root; the etcds run on
//! loopback.

#![expect(clippy::unwrap_used, reason = "a test that can't continue is to panic")]

mod answers;
mod chance;
mod membership;
mod process;
mod real;
mod simulated;
mod trace;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use inventories::EtcdVersion;
use quorate_lab::releases::{self, Version};

use trace::Ended;

/// One version of each line.
const VERSIONS: [Version; 4] =
    [Version::new(3, 4, 23), Version::new(3, 5, 35), Version::new(3, 6, 16), Version::new(3, 7, 3)];

/// Traces of each version.
const TRACES: u64 = 50;
const SAMPLE: u64 = 3;

/// How many traces run at one time. Those of membership mostly wait for etcd to count a connection.
const LANES: usize = 4;
const MEMBERSHIP_LANES: usize = 4;

#[test]
fn the_simulated_world_and_etcd_answer_alike() {
    let (told, differences) = replayed(LANES, |etcd, _, seed| trace::replay(etcd, seed));
    println!("the simulated world\n{told}");
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

/// A loaded machine lets etcd's own five seconds pass unseen, and each etcd takes 128 MB of disk.
#[test]
fn the_rules_of_membership_and_etcd_answer_alike() {
    if !proves() {
        println!("not run: a replay of memberships is a proof: ./dev prove traces");
        return;
    }
    let (told, differences) = replayed(MEMBERSHIP_LANES, membership::replay);
    println!("the rules of membership\n{told}");
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

fn proves() -> bool {
    std::env::var_os("QUORATE_PROVE").is_some()
}

/// Replays the traces of each version: what came of them, and every difference.
fn replayed(
    lanes: usize,
    replay: impl Fn(&Path, EtcdVersion, u64) -> Ended + Sync,
) -> (String, Vec<String>) {
    let arch = releases::architecture().unwrap();
    let traces = if proves() { TRACES } else { SAMPLE };
    let started = Instant::now();
    let etcds = VERSIONS
        .map(|version| releases::ensure_binaries(version, &arch, |_| {}).unwrap().join("etcd"));
    let jobs: Vec<(usize, u64)> =
        (0..traces).flat_map(|seed| (0..VERSIONS.len()).map(move |line| (line, seed))).collect();
    let next = AtomicUsize::new(0);
    let lane = || {
        let jobs = std::iter::from_fn(|| jobs.get(next.fetch_add(1, Ordering::Relaxed)));
        let ended = jobs.map(|(line, seed)| {
            let known = VERSIONS[*line].to_string().parse().unwrap();
            (*line, replay(&etcds[*line], known, *seed))
        });
        ended.collect::<Vec<(usize, Ended)>>()
    };
    let ended: Vec<(usize, Ended)> = thread::scope(|scope| {
        let lanes: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
        lanes.into_iter().flat_map(|lane| lane.join().unwrap()).collect()
    });
    let (mut told, mut differences) = (Vec::new(), Vec::new());
    for (line, version) in VERSIONS.iter().enumerate() {
        let of_line = || ended.iter().filter(|(other, _)| *other == line).map(|(_, ended)| ended);
        let compared: usize = of_line().map(|ended| ended.compared).sum();
        let different: Vec<&String> =
            of_line().filter_map(|ended| ended.difference.as_ref()).collect();
        let answers = tally(of_line().map(|ended| &ended.answers));
        told.push(format!(
            "etcd {version}: {traces} traces, {compared} operations compared, {} disagree\n  {answers}",
            different.len()
        ));
        differences.extend(different.iter().map(|story| format!("etcd {version}\n{story}")));
    }
    told.push(format!("{:.1} s", started.elapsed().as_secs_f64()));
    (told.join("\n"), differences)
}

/// How often each answer was given.
fn tally<'a>(all: impl Iterator<Item = &'a BTreeMap<String, usize>>) -> String {
    let mut sum: BTreeMap<&str, usize> = BTreeMap::new();
    for (answer, times) in all.flatten() {
        *sum.entry(answer).or_default() += times;
    }
    let told: Vec<String> = sum.iter().map(|(answer, times)| format!("{answer} {times}")).collect();
    told.join(", ")
}

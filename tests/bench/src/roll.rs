//! A roll of three members for a changed flag, beside a bare restart of each, under a writer.

use std::fs;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::Failure;
use crate::bare::{Writer, on};
use crate::measure::{Spread, median, together};
use crate::results::say;
use crate::site::{Site, run};

const ROUNDS: u32 = 5;

/// What a roll costs.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Roll {
    /// Our roll.
    ours_s: Spread,
    /// `systemctl restart` on each host in turn; each returns when etcd is ready.
    bare_s: Spread,
    /// Ratio of the medians.
    ratio: f64,
    /// The longest time between two acknowledged writes while we rolled, in milliseconds.
    write_gap_ms: f64,
    /// The same while the members were just restarted.
    bare_write_gap_ms: f64,
    /// The same while nothing was restarted: what a write by a new etcdctl takes.
    idle_write_gap_ms: f64,
}

impl Roll {
    /// One row of the table.
    pub(crate) fn row(&self) -> [String; 5] {
        [
            self.ours_s.to_string(),
            self.bare_s.to_string(),
            format!("{:.2} (aim 1.3)", self.ratio),
            format!("{:.0} (aim 1000, idle {:.0})", self.write_gap_ms, self.idle_write_gap_ms),
            format!("{:.0}", self.bare_write_gap_ms),
        ]
    }
}

/// Measures both on the same cluster, in turn.
pub(crate) fn measure() -> Result<Roll, Failure> {
    let site = Site::new(3)?;
    run(site.apply())?;
    let (mut ours, mut bare, mut idle) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        say(&format!("a roll of three members, {} of {ROUNDS}", round + 1));
        set_snapshot_count(&site, 5_000 + round)?;
        ours.push(written(&site, || Ok(together([&site.apply()])?.wall_s))?);
        bare.push(written(&site, || restart_each(&site))?);
        idle.push(written(&site, || {
            std::thread::sleep(Duration::from_secs(2));
            Ok(2.0)
        })?);
    }
    let seconds = |all: &[(f64, Duration)]| Spread::from_values(all.iter().map(|run| run.0));
    let gap = |all: &[(f64, Duration)]| median(all.iter().map(|run| run.1.as_secs_f64() * 1e3));
    let (ours_s, bare_s) = (seconds(&ours), seconds(&bare));
    Ok(Roll {
        ours_s,
        bare_s,
        ratio: ours_s.median / bare_s.median,
        write_gap_ms: gap(&ours),
        bare_write_gap_ms: gap(&bare),
        idle_write_gap_ms: gap(&idle),
    })
}

/// How long something took, and the longest gap of a writer meanwhile.
fn written(
    site: &Site,
    what: impl FnOnce() -> Result<f64, Failure>,
) -> Result<(f64, Duration), Failure> {
    let writer = Writer::start(site)?;
    let took = what();
    let gap = writer.finish()?;
    Ok((took?, gap))
}

/// Restarts each member in turn, and returns how long that took.
pub(crate) fn restart_each(site: &Site) -> Result<f64, Failure> {
    let started = Instant::now();
    for host in site.hosts()? {
        on(&host, "systemctl restart etcd-main")?;
    }
    Ok(started.elapsed().as_secs_f64())
}

/// Has the members take a snapshot of their logs after so many entries: a flag like any other.
pub(crate) fn set_snapshot_count(site: &Site, value: u32) -> Result<(), Failure> {
    let text = fs::read_to_string(site.inventory())?;
    let section = "[clusters.main.etcd]\nsnapshot-count = ";
    let text = match text.split_once(section) {
        Some((head, tail)) => {
            let rest = tail.split_once('\n').map_or("", |(_, rest)| rest);
            format!("{head}{section}{value}\n{rest}")
        }
        None => text.replacen("\n[pki]", &format!("\n{section}{value}\n\n[pki]"), 1),
    };
    Ok(fs::write(site.inventory(), text)?)
}

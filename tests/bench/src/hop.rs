//! A change of minor of three members, up and down again, beside a bare restart of each.

use std::fs;

use quorate_lab::SiteOptions;
use quorate_lab::releases::{self, Version};
use serde::Serialize;

use crate::Failure;
use crate::measure::{Spread, together};
use crate::results::say;
use crate::roll::{restart_each, set_snapshot_count};
use crate::site::{Site, run};

const ROUNDS: u32 = 3;

/// The minor after the one that a site is formed with.
const NEXT: Version = Version::new(3, 7, 3);

/// What a change of minor costs.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Hop {
    /// To the next minor, with the snapshot before it and the proof after it.
    up_s: Spread,
    /// Back again by etcd's downgrade.
    down_s: Spread,
    /// `systemctl restart` on each host in turn; each returns when etcd is ready.
    bare_s: Spread,
    /// Ratios of the medians.
    up_ratio: f64,
    down_ratio: f64,
}

impl Hop {
    /// One row of the table.
    pub(crate) fn row(&self) -> [String; 5] {
        [
            self.up_s.to_string(),
            self.down_s.to_string(),
            self.bare_s.to_string(),
            format!("{:.2} (aim 1.5)", self.up_ratio),
            format!("{:.2}", self.down_ratio),
        ]
    }
}

/// Measures all on the same cluster, in turn. A low snapshot-count keeps its logs readable for the next minor, as many
/// writes would.
pub(crate) fn measure() -> Result<Hop, Failure> {
    let site = Site::new(3)?;
    set_snapshot_count(&site, 100)?;
    pin(&site)?;
    run(site.apply())?;
    let first = SiteOptions::default().version;
    let hop = |from: Version, to: Version| -> Result<f64, Failure> {
        let text = fs::read_to_string(site.inventory())?;
        let wanted = |version| format!("version = \"{version}\"");
        fs::write(site.inventory(), text.replace(&wanted(from), &wanted(to)))?;
        Ok(together([&site.apply()])?.wall_s)
    };
    // The first time, the hosts get the release.
    hop(first, NEXT)?;
    hop(NEXT, first)?;
    let (mut up, mut down, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        say(&format!("a change of minor of three members, {} of {ROUNDS}", round + 1));
        up.push(hop(first, NEXT)?);
        bare.push(restart_each(&site)?);
        down.push(hop(NEXT, first)?);
    }
    let [up_s, down_s, bare_s] = [up, down, bare].map(Spread::from_values);
    Ok(Hop {
        up_ratio: up_s.median / bare_s.median,
        down_ratio: down_s.median / bare_s.median,
        up_s,
        down_s,
        bare_s,
    })
}

/// Pins the next minor's release beside the first one's.
fn pin(site: &Site) -> Result<(), Failure> {
    let release = releases::ensure(NEXT, |_| {})?;
    let arch = releases::architecture()?;
    let text = fs::read_to_string(site.inventory())?;
    let pins = "[release.sha256]\n";
    let pinned = format!("{pins}\"{NEXT}-{arch}\" = \"{}\"\n", release.sha256);
    Ok(fs::write(site.inventory(), text.replacen(pins, &pinned, 1))?)
}

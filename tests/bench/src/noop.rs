//! A plan where nothing is to be done, beside as many `ssh HOST true` at once.

use serde::Serialize;

use crate::Failure;
use crate::measure::{Cost, Spread, median, together};
use crate::results::say;
use crate::site::{Site, run};

/// How many hosts, and how far away in milliseconds.
const HOSTS: [u8; 3] = [3, 20, 50];
const ROUND_TRIPS: [u16; 2] = [0, 50];
/// Enough that a plan which stands still now and then shows in the p95.
const ROUNDS: usize = 60;
/// At most how many times the p95 of ssh the p95 of a plan may be.
const AIM: f64 = 1.3;

/// What a plan without changes costs.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Noop {
    hosts: u8,
    rtt_ms: u16,
    /// Wall time of our plan.
    ours_s: Spread,
    /// Wall time of `ssh HOST true` on all hosts at once.
    ssh_s: Spread,
    /// CPU time of all hosts for our plan, in seconds; what they use anyway is not subtracted.
    host_cpu_s: f64,
    /// The same for the ssh logins.
    ssh_host_cpu_s: f64,
    /// Our own CPU time, in seconds.
    controller_cpu_s: f64,
    /// The CPU time of all ssh processes, in seconds.
    ssh_cpu_s: f64,
    /// Our largest resident set, in megabytes.
    peak_mb: f64,
    /// Connections, commands started, and bytes each way, on average a host, as `quorate -v` says.
    traffic: String,
    /// Ratio of the p95 of both.
    pub(crate) ratio: f64,
}

impl Noop {
    /// One row of the table.
    pub(crate) fn row(&self) -> [String; 9] {
        [
            self.hosts.to_string(),
            self.rtt_ms.to_string(),
            self.ours_s.to_string(),
            self.ssh_s.to_string(),
            format!("{:.2} (aim {AIM})", self.ratio),
            format!("{:.2} / {:.2}", self.controller_cpu_s, self.ssh_cpu_s),
            format!("{:.2} / {:.2}", self.host_cpu_s, self.ssh_host_cpu_s),
            format!("{:.0}", self.peak_mb),
            self.traffic.clone(),
        ]
    }
}

/// Measures every size at every distance.
pub(crate) fn measure() -> Result<Vec<Noop>, Failure> {
    let mut all = Vec::new();
    for hosts in HOSTS {
        say(&format!("booting {hosts} hosts and forming their clusters"));
        let site = Site::new(hosts)?;
        run(site.apply())?;
        for rtt_ms in ROUND_TRIPS {
            site.set_distance(rtt_ms)?;
            say(&format!("a plan without changes, {hosts} hosts, {rtt_ms} ms away"));
            all.push(side_by_side(&site, hosts, rtt_ms)?);
        }
    }
    Ok(all)
}

fn side_by_side(site: &Site, hosts: u8, rtt_ms: u16) -> Result<Noop, Failure> {
    let (plan, logins) = (site.plan(), site.ssh_each("true")?);
    // The first of each warms caches, and is not counted.
    together([&plan])?;
    together(&logins)?;
    let (mut ours, mut ssh) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(with_hosts(site, || together([&plan]))?);
        ssh.push(with_hosts(site, || together(&logins))?);
    }
    let of = |all: &[(Cost, f64)], what: fn(&(Cost, f64)) -> f64| median(all.iter().map(what));
    let spread = |all: &[(Cost, f64)]| Spread::from_values(all.iter().map(|run| run.0.wall_s));
    let (ours_s, ssh_s) = (spread(&ours), spread(&ssh));
    Ok(Noop {
        hosts,
        rtt_ms,
        ours_s,
        ssh_s,
        host_cpu_s: of(&ours, |run| run.1),
        ssh_host_cpu_s: of(&ssh, |run| run.1),
        controller_cpu_s: of(&ours, |run| run.0.cpu_s),
        ssh_cpu_s: of(&ssh, |run| run.0.cpu_s),
        peak_mb: of(&ours, |run| run.0.peak_mb),
        traffic: traffic(site)?,
        ratio: ours_s.p95 / ssh_s.p95,
    })
}

/// What something cost here, and the CPU time of the hosts while it ran.
fn with_hosts(
    site: &Site,
    run: impl FnOnce() -> Result<Cost, Failure>,
) -> Result<(Cost, f64), Failure> {
    let before = site.cpu_time()?;
    let cost = run()?;
    Ok((cost, site.cpu_time()?.saturating_sub(before).as_secs_f64()))
}

/// What a plan sends and receives, in its own words.
fn traffic(site: &Site) -> Result<String, Failure> {
    let output = site.quorate(&["-v", "plan"]).output()?;
    let text = String::from_utf8(output.stderr)?;
    let line =
        text.lines().find_map(|line| line.split_once("average per host: ")).unwrap_or_default();
    Ok(line.1.to_owned())
}

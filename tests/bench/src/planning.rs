//! The planner alone: sites of clusters of five, all of it healthy, and nothing to do.

use std::collections::BTreeMap;
use std::env;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::time::Instant;

use clap::Args;
use inventories::{ClusterName, HostName, Inventory};
use planner::{Policy, SiteFacts, SiteSpec, plan};
use quorate_tests::site::{NOW, authorities, plain, spec_of};
use quorate_tests::story;
use quorate_tests::world::World;
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::measure::median;
use crate::results::say;

/// How many hosts the sites have.
const SIZES: [usize; 5] = [10, 100, 1_000, 5_000, 10_000];
/// How many members a cluster has.
const MEMBERS: usize = 5;
const ROUNDS: usize = 5;

/// What planning costs.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Planned {
    /// Hosts of the site.
    hosts: usize,
    /// A plan where nothing is to be done.
    pub(crate) seconds: f64,
    /// A plan that forms every cluster.
    first_seconds: f64,
    /// The largest resident set, with the inventory and all facts, in megabytes.
    peak_mb: f64,
}

impl Planned {
    /// One row of the table.
    pub(crate) fn row(&self) -> [String; 4] {
        [
            self.hosts.to_string(),
            format!("{:.4}", self.seconds),
            format!("{:.4}", self.first_seconds),
            format!("{:.0}", self.peak_mb),
        ]
    }
}

/// Plans at every size, each in a process of its own.
pub(crate) fn measure() -> Result<Vec<Planned>, Failure> {
    let mut all = Vec::new();
    for hosts in SIZES {
        say(&format!("planning for {hosts} hosts"));
        let output =
            Command::new(env::current_exe()?).arg("plan").arg(hosts.to_string()).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stdout).into_owned().into());
        }
        all.push(serde_json::from_slice(&output.stdout)?);
    }
    Ok(all)
}

/// Plans for one size.
#[derive(Debug, Args)]
pub(crate) struct Planning {
    hosts: usize,
}

impl Planning {
    /// Plans, and prints what it cost.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let (spec, empty, formed) = site(self.hosts)?;
        let planned = Planned {
            hosts: self.hosts,
            seconds: time(&spec, &formed, 0)?,
            first_seconds: time(&spec, &empty, self.hosts)?,
            peak_mb: peak_mb()?,
        };
        say(&serde_json::to_string(&planned)?);
        Ok(())
    }
}

fn time(spec: &SiteSpec, facts: &SiteFacts, at_least: usize) -> Result<f64, Failure> {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let plan = plan(spec, facts, &Policy::default())?;
        times.push(started.elapsed().as_secs_f64());
        if !plan.report.blocked.is_empty() || plan.steps.len() < at_least {
            return Err(format!("not the plan to be timed: {:#?}", plan.report).into());
        }
    }
    Ok(median(times))
}

fn peak_mb() -> Result<f64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes / 1024.0)
}

/// A site, and what is seen on its hosts before and after everything was formed.
fn site(hosts: usize) -> Result<(SiteSpec, SiteFacts, SiteFacts), Failure> {
    let inventory = inventory(hosts)?;
    let authorities = authorities(inventory.clusters.len());
    let spec = spec_of(&inventory, &authorities);
    let mut empty = SiteFacts {
        observed_at: NOW,
        hosts: BTreeMap::new(),
        misled: BTreeMap::new(),
        bystanders: BTreeMap::new(),
    };
    let mut formed = empty.clone();
    for (name, cluster) in &spec.clusters {
        let clusters = BTreeMap::from([(name.clone(), cluster.clone())]);
        let part = SiteSpec { clusters, ..spec.clone() };
        let world = World::of_hosts(cluster.members.keys().cloned(), authorities.clone(), NOW);
        empty.hosts.extend(world.observe(&part).hosts);
        formed.hosts.extend(story::formed(world, &part).observe(&part).hosts);
    }
    Ok((spec, empty, formed))
}

fn inventory(hosts: usize) -> Result<Inventory, Failure> {
    let mut inventory = plain(MEMBERS).inventory();
    let host = inventory.hosts.values().next().cloned().ok_or("no host")?;
    let cluster = inventory.clusters.values().next().cloned().ok_or("no cluster")?;
    inventory.hosts.clear();
    inventory.clusters.clear();
    for number in 0..hosts {
        let name = HostName::new(&format!("h{number}"))?;
        let bits = u32::from(Ipv4Addr::new(10, 0, 0, 0)) + u32::try_from(number)? + 1;
        let address = IpAddr::V4(Ipv4Addr::from(bits));
        let mut own = host.clone();
        (own.address, own.peer_address) = (address, address);
        (own.listen_address, own.peer_listen_address) = (address, address);
        inventory.hosts.insert(name.clone(), own);
        let cluster_name = ClusterName::new(&format!("c{}", number / MEMBERS))?;
        let mut empty = cluster.clone();
        (empty.client_ca, empty.members) = (cluster_name.clone(), Vec::new());
        inventory.clusters.entry(cluster_name).or_insert(empty).members.push(name);
    }
    Ok(inventory)
}

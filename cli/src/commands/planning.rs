//! Looking at the hosts and planning: what `plan`, `apply`, `graph` and `status` begin with.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use clap::Args;
use inventories::{ClusterName, HostName};
use planner::facts::Commit;
use planner::report::Finding;
use planner::{Observed, Plan, Policy, SiteFacts, SiteSpec, plan};

use super::Context;
use super::defrag::DefragPolicyArgs;
use super::selection::{self, SelectionArgs};
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::report::human::Spinner;
use crate::site::clusters_of;
use engine::hosts::{Hosts, Timed};

/// What was wanted, what was seen, and what follows.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) spec: SiteSpec,
    pub(super) facts: SiteFacts,
    pub(super) plan: Plan,
    pub(super) policy: Policy,
    /// What was found on this machine. It decides nothing on the hosts, so no plan holds it.
    pub(super) beside: Vec<Finding>,
}

impl Planned {
    fn of(spec: SiteSpec, policy: Policy, facts: SiteFacts) -> Result<Self, CliError> {
        let plan = plan(&spec, &facts, &policy).map_err(CliError::failed)?;
        Ok(Self { spec, facts, plan, policy, beside: Vec::new() })
    }

    /// The plan as it is shown, with what was found on this machine.
    pub(super) fn shown(&self) -> Plan {
        let mut plan = self.plan.clone();
        plan.report.warnings.extend(self.beside.iter().cloned());
        plan
    }

    /// Looks once more, and plans the same again. What was measured then is not measured again.
    pub(super) async fn again<H: Hosts>(
        &self,
        context: &Context,
        hosts: &H,
    ) -> Result<Self, CliError> {
        let facts = observe(context, &self.spec, hosts, Timed::Nothing).await;
        Self::of(self.spec.clone(), self.policy.clone(), facts.measured_by(&self.facts))
    }
}

/// What is to be planned.
pub(super) enum Asked<'a> {
    /// What the inventory asks for.
    Inventory(&'a PolicyArgs),
    /// Databases are to be rewritten.
    Defragment(&'a DefragPolicyArgs),
}

impl Asked<'_> {
    /// The policy, for clusters that the site has.
    pub(super) fn policy(&self, spec: &SiteSpec) -> Result<Policy, CliError> {
        match self {
            Asked::Inventory(allowed) => allowed.policy(spec),
            Asked::Defragment(allowed) => allowed.policy(spec),
        }
    }

    /// The command that does what was planned, without the rest of its flags.
    pub(super) fn command(&self) -> String {
        match self {
            Asked::Inventory(allowed) => format!("quorate apply{}", allowed.words()),
            Asked::Defragment(allowed) => format!("quorate defrag{}", allowed.words()),
        }
    }
}

/// What the operator allows, the same for every command that plans.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub(super) struct PolicyArgs {
    /// Let this cluster lose its quorum while a member restarts (may be given again)
    #[arg(long, value_name = "CLUSTER")]
    allow_outage: Vec<ClusterName>,
    /// Form this cluster again, empty, although it was formed before (may be given again)
    #[arg(long, value_name = "CLUSTER")]
    allow_reform: Vec<ClusterName>,
    /// Form this cluster although a disk is too slow for it (may be given again)
    #[arg(long, value_name = "CLUSTER")]
    allow_slow_disk: Vec<ClusterName>,
    /// Replace the failed member on this host by a new one (may be given again)
    #[arg(long, value_name = "HOST")]
    replace: Vec<HostName>,
    /// What the plan is narrowed to.
    #[command(flatten)]
    selection: SelectionArgs,
}

impl PolicyArgs {
    /// Nothing is allowed, and these clusters are looked at.
    pub(super) fn of_clusters(clusters: &[ClusterName]) -> Self {
        Self { selection: SelectionArgs::of_clusters(clusters), ..Self::default() }
    }

    /// The same as words of a command line, each after a blank.
    pub(super) fn words(&self) -> String {
        let Self { allow_outage, allow_reform, allow_slow_disk, replace, selection } = self;
        words("--allow-outage", allow_outage)
            + &words("--allow-reform", allow_reform)
            + &words("--allow-slow-disk", allow_slow_disk)
            + &words("--replace", replace)
            + &selection.words()
    }

    /// The policy, for clusters that the site has.
    pub(super) fn policy(&self, spec: &SiteSpec) -> Result<Policy, CliError> {
        let set = |clusters: &[ClusterName]| clusters.iter().cloned().collect();
        let policy = Policy {
            allow_outage: set(&self.allow_outage),
            allow_reform: set(&self.allow_reform),
            allow_slow_disk: set(&self.allow_slow_disk),
            replace: self.replace.iter().cloned().collect(),
            selection: self.selection.selection(),
            ..Policy::default()
        };
        of_the_site(policy, spec)
    }
}

/// A flag that may be given again, with each of its values.
pub(super) fn words(flag: &str, values: &[impl fmt::Display]) -> String {
    values.iter().map(|value| format!(" {flag} {value}")).collect()
}

/// A policy all of whose clusters and hosts the site has.
pub(super) fn of_the_site(policy: Policy, spec: &SiteSpec) -> Result<Policy, CliError> {
    for (flag, clusters) in [
        ("--allow-outage", &policy.allow_outage),
        ("--allow-reform", &policy.allow_reform),
        ("--allow-slow-disk", &policy.allow_slow_disk),
    ] {
        if let Some(unknown) = clusters.iter().find(|name| !spec.clusters.contains_key(*name)) {
            let message = format!("{flag} {unknown}: the inventory has no such cluster");
            return Err(CliError::new(ExitCode::Usage, message).hint(clusters_of(spec)));
        }
    }
    let is_member = |host: &HostName| spec.hosts().contains(host);
    if let Some(unknown) = policy.replace.iter().find(|host| !is_member(host)) {
        let message =
            format!("--replace {unknown}: no cluster of the inventory has a member on this host");
        let names: Vec<&str> = spec.hosts().into_iter().map(HostName::as_str).collect();
        let hint = format!("there are: {}", names.join(", "));
        return Err(CliError::new(ExitCode::Usage, message).hint(hint));
    }
    selection::of_the_site(&policy.selection, spec)?;
    let takes = |host: &HostName| {
        let mut clusters = policy.selection.of(spec);
        policy.selection.takes_host(host)
            && clusters.any(|cluster| cluster.members.contains_key(host))
    };
    if let Some(left_out) = policy.replace.iter().find(|host| !takes(host)) {
        let message = format!("--replace {left_out}: --host or --cluster leaves this member out");
        let hint = "name it in both, or give --replace alone";
        return Err(CliError::new(ExitCode::Usage, message).hint(hint.to_owned()));
    }
    Ok(policy)
}

/// Looks at every host and plans.
pub(super) async fn make<H: Hosts>(
    context: &Context,
    spec: SiteSpec,
    hosts: &H,
    policy: Policy,
    timed: Timed,
) -> Result<Planned, CliError> {
    let facts = observe(context, &spec, hosts, timed).await;
    Planned::of(spec, policy, facts)
}

/// Looks at every host.
pub(super) async fn observe<H: Hosts>(
    context: &Context,
    spec: &SiteSpec,
    hosts: &H,
    timed: Timed,
) -> SiteFacts {
    let begun = Instant::now();
    let names = spec.hosts();
    let what =
        format!("looking at {} host{}", names.len(), if names.len() == 1 { "" } else { "s" });
    let spinner = Spinner::new(&context.terminal);
    let mut look = std::pin::pin!(hosts.observe(spec, timed));
    let facts = loop {
        spinner.draw(&what);
        tokio::select! {
            facts = &mut look => break facts,
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
    };
    context.terminal.clear();
    context.terminal.say_more(&format!("{what} took {:.1} s", begun.elapsed().as_secs_f64()));
    facts
}

/// The commits that were applied last to these hosts. A record that can't be read may be of any.
pub(super) fn commits(
    hosts: &BTreeSet<HostName>,
    facts: &SiteFacts,
) -> Result<BTreeSet<Commit>, CliError> {
    let mut commits = BTreeSet::new();
    for host in hosts {
        let Some(Observed::Known(seen)) = facts.hosts.get(host) else { continue };
        match &seen.applied {
            Observed::Known(applied) => commits.extend(applied.commit.clone()),
            Observed::Absent => {}
            Observed::Unknown(why) => {
                let message = format!("{host}: the record of the last apply can't be read: {why}");
                return Err(CliError::new(ExitCode::Blocked, message)
                    .hint("to apply without this check: --allow-older"));
            }
        }
    }
    Ok(commits)
}

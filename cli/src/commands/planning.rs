//! Looking at the hosts and planning: what `plan`, `apply`, `graph` and `status` begin with.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use inventories::{ClusterName, HostName, KubernetesName};
use planner::facts::Commit;
use planner::policy::Maintenance;
use planner::report::Finding;
use planner::{Observed, Plan, Policy, SiteFacts, SiteSpec, plan};

use super::Context;
use super::defrag::DefragPolicyArgs;
use super::destroy::DestroyOrder;
use super::remove::RemoveOrder;
use super::restore::RestoreOrder;
use super::selection::{self, SelectionArgs};
use crate::allowed::Allowed;
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::report::human::Spinner;
use crate::site::{Site, clusters_of};
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
    fn new(spec: SiteSpec, policy: Policy, facts: SiteFacts) -> Result<Self, CliError> {
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
        Self::new(self.spec.clone(), self.policy.clone(), facts.measured_by(&self.facts))
    }
}

/// What is to be planned.
pub(super) enum Asked<'a> {
    /// What the inventory asks for.
    Inventory(&'a PolicyArgs),
    /// Databases are to be rewritten.
    Defragment(&'a DefragPolicyArgs),
    /// A cluster's data is to become a snapshot's.
    Restore(&'a RestoreOrder),
    /// A cluster is to be removed from its hosts.
    Destroy(&'a DestroyOrder),
    /// Removes from a host what is left of a cluster that the inventory does not have.
    Remove(&'a RemoveOrder),
}

impl Asked<'_> {
    /// The policy, for clusters that the site has.
    pub(super) fn policy(&self, spec: &SiteSpec) -> Result<Policy, CliError> {
        match self {
            Asked::Inventory(allowed) => allowed.policy(spec),
            Asked::Defragment(allowed) => allowed.policy(spec),
            Asked::Restore(order) => order.policy(spec),
            Asked::Destroy(order) => order.policy(spec),
            Asked::Remove(order) => Ok(order.policy()),
        }
    }

    /// The command that does what was planned, without the rest of its flags.
    pub(super) fn command(&self) -> String {
        match self {
            Asked::Inventory(allowed) => format!("quorate apply{}", allowed.words()),
            Asked::Defragment(allowed) => format!("quorate defrag{}", allowed.words()),
            Asked::Restore(order) => format!("quorate restore{}", order.words()),
            Asked::Destroy(order) => format!("quorate destroy{}", order.words()),
            Asked::Remove(order) => format!("quorate remove{}", order.words()),
        }
    }

    /// The site that it is planned for.
    pub(super) fn site(&self, inventory: &Path) -> Result<Site, CliError> {
        match self {
            Asked::Remove(order) => order.site(inventory),
            Asked::Inventory(_) | Asked::Defragment(_) | Asked::Restore(_) | Asked::Destroy(_) => {
                Site::load(inventory)
            }
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
    /// Change this cluster's minor version of etcd without a snapshot before (may be given again)
    #[arg(long, value_name = "CLUSTER")]
    allow_no_backup: Vec<ClusterName>,
    /// Form this cluster although a disk is too slow for it (may be given again)
    #[arg(long, value_name = "CLUSTER")]
    allow_slow_disk: Vec<ClusterName>,
    /// Let the API servers of this [kubernetes.NAME] switch to another etcd, although they would no longer find what
    /// they hold now (may be given again)
    #[arg(long, value_name = "KUBERNETES")]
    allow_switch: Vec<KubernetesName>,
    /// Replace the member on this host by a new one, if it failed; one that serves needs --confirm HOST as well (may be
    /// given again)
    #[arg(long, value_name = "HOST")]
    replace: Vec<HostName>,
    /// Issue new certificates for the members on this host, whatever theirs are (may be given again)
    #[arg(long, value_name = "HOST")]
    replace_certificates: Vec<HostName>,
    /// Remove the member of this id, in hex, whose host the inventory does not have (may be given again)
    #[arg(long, value_name = "ID", value_parser = member_id)]
    remove_member: Vec<String>,
    /// What the plan is narrowed to.
    #[command(flatten)]
    selection: SelectionArgs,
}

impl PolicyArgs {
    /// Nothing is allowed, and these clusters are looked at.
    pub(super) fn of_clusters(clusters: &[ClusterName]) -> Self {
        Self { selection: SelectionArgs::of_clusters(clusters), ..Self::default() }
    }

    fn allowed(&self) -> Allowed {
        let Self {
            allow_outage,
            allow_reform,
            allow_no_backup,
            allow_slow_disk,
            allow_switch,
            replace,
            replace_certificates,
            remove_member,
            selection,
        } = self;
        let set = |clusters: &[ClusterName]| clusters.iter().cloned().collect();
        Allowed {
            allow_outage: set(allow_outage),
            allow_reform: set(allow_reform),
            allow_no_backup: set(allow_no_backup),
            allow_slow_disk: set(allow_slow_disk),
            allow_switch: allow_switch.iter().cloned().collect(),
            replace: replace.iter().cloned().collect(),
            replace_certificates: replace_certificates.iter().cloned().collect(),
            remove_members: remove_member.iter().cloned().collect(),
            selection: selection.narrowed(),
        }
    }

    /// The same as words of a command line, each after a blank.
    pub(super) fn words(&self) -> String {
        self.allowed().words()
    }

    /// The policy, for clusters that the site has.
    pub(super) fn policy(&self, spec: &SiteSpec) -> Result<Policy, CliError> {
        of_the_site(self.allowed().policy(), spec)
    }
}

/// An id as etcd writes it: hex, in lower case, without zeros in front.
fn member_id(text: &str) -> Result<String, String> {
    let id = u64::from_str_radix(text, 16).map(|id| format!("{id:x}"));
    id.ok().filter(|id| id == text).ok_or_else(|| {
        "a member id is up to 16 hex digits, as in the first column of: quorate etcdctl -- member list".to_owned()
    })
}

/// What a plan under this policy may want confirmed by name.
pub(super) fn confirmable(policy: &Policy) -> BTreeSet<String> {
    let destroyed = match &policy.maintenance {
        Some(Maintenance::Destroy(request)) => Some(request.cluster.to_string()),
        Some(Maintenance::Remove(request)) => Some(request.cluster.to_string()),
        Some(Maintenance::Defragment(_) | Maintenance::Restore(_)) | None => None,
    };
    policy.replace.iter().map(ToString::to_string).chain(destroyed).collect()
}

/// A policy all of whose clusters and hosts the site has.
pub(super) fn of_the_site(policy: Policy, spec: &SiteSpec) -> Result<Policy, CliError> {
    let allowed = Allowed::from(&policy);
    let compacted = ("--compact-now", &policy.compact_now);
    for (flag, clusters) in allowed.of_clusters().into_iter().chain([compacted]) {
        if let Some(unknown) = clusters.iter().find(|name| !spec.clusters.contains_key(*name)) {
            let message = format!("{flag} {unknown}: the inventory has no such cluster");
            return Err(CliError::new(ExitCode::Usage, message).hint(clusters_of(spec)));
        }
    }
    let unknown = |name: &&KubernetesName| !spec.kubernetes.contains_key(*name);
    if let Some(unknown) = policy.allow_switch.iter().find(unknown) {
        let message =
            format!("--allow-switch {unknown}: the inventory has no [kubernetes.{unknown}]");
        let names: Vec<&str> = spec.kubernetes.keys().map(KubernetesName::as_str).collect();
        let hint = match names.is_empty() {
            true => "it has no [kubernetes] at all".to_owned(),
            false => format!("there are: {}", names.join(", ")),
        };
        return Err(CliError::new(ExitCode::Usage, message).hint(hint));
    }
    let carrying: BTreeSet<&HostName> =
        spec.clusters.values().flat_map(|cluster| cluster.members.keys()).collect();
    let of_hosts = [("--replace", &policy.replace), ("--replace-certificates", &policy.reissue)];
    let of_hosts =
        || of_hosts.iter().flat_map(|(flag, hosts)| hosts.iter().map(move |host| (flag, host)));
    if let Some((flag, unknown)) = of_hosts().find(|(_, host)| !carrying.contains(host)) {
        let message =
            format!("{flag} {unknown}: no cluster of the inventory has a member on this host");
        let names: Vec<&str> = carrying.into_iter().map(HostName::as_str).collect();
        let hint = format!("there are: {}", names.join(", "));
        return Err(CliError::new(ExitCode::Usage, message).hint(hint));
    }
    selection::of_the_site(&policy.selection, spec)?;
    let takes = |host: &HostName| {
        let mut clusters = policy.selection.planned_clusters(spec);
        policy.selection.takes_host(host)
            && clusters.any(|cluster| cluster.members.contains_key(host))
    };
    if let Some((flag, left_out)) = of_hosts().find(|(_, host)| !takes(host)) {
        let message = format!("{flag} {left_out}: --host or --cluster leaves this member out");
        let hint = format!("name it in both, or give {flag} alone");
        return Err(CliError::new(ExitCode::Usage, message).hint(hint));
    }
    Ok(policy)
}

/// Looks at every host and plans.
pub(super) async fn observe_and_plan<H: Hosts>(
    context: &Context,
    spec: SiteSpec,
    hosts: &H,
    policy: Policy,
    timed: Timed,
) -> Result<Planned, CliError> {
    let facts = observe(context, &spec, hosts, timed).await;
    Planned::new(spec, policy, facts)
}

/// Looks at every host.
pub(super) async fn observe<H: Hosts>(
    context: &Context,
    spec: &SiteSpec,
    hosts: &H,
    timed: Timed,
) -> SiteFacts {
    let started = Instant::now();
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
    context.terminal.say_more(&format!("{what} took {:.1} s", started.elapsed().as_secs_f64()));
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        policy: PolicyArgs,
    }

    #[test]
    fn the_command_that_is_printed_allows_the_same() {
        let all = "quorate --allow-outage a --allow-outage b --allow-reform c --allow-no-backup d \
                   --allow-slow-disk e --allow-switch f --replace etcd-1 --replace-certificates etcd-3 \
                   --remove-member 2e50b9 \
                   --cluster a --host etcd-2";
        for line in ["quorate", all] {
            let asked = Line::try_parse_from(line.split_whitespace()).unwrap().policy;
            assert_eq!(format!("quorate{}", asked.words()), line);
        }
    }
}

//! `quorate remove`

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;
use inventories::inventory::{Bootstrap, Cluster, MetricsListener, Place, Ports, Runtime};
use inventories::{AccountName, ClusterName, EtcdVersion, HostName, Minor, Systemd};
use planner::facts::MemberFacts;
use planner::policy::{Maintenance, RemoveRequest};
use planner::{Observed, Policy, Selection, SiteFacts};
use templates::head;

use super::Context;
use super::hosts::HostAccess;
use super::maintenance::MaintenanceArgs;
use super::planning::{self, Asked};
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::flags::words;
use crate::interrupt::Interrupts;
use crate::keys::IdentityArgs;
use crate::site::Site;
use engine::hosts::Timed;

/// Arguments of `quorate remove`.
#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// The cluster, which the inventory does not have any more
    #[arg(long, value_name = "NAME")]
    cluster: ClusterName,
    /// The host that something of it is left on
    #[arg(long, value_name = "HOST")]
    host: HostName,
    /// How it is shown or approved.
    #[command(flatten)]
    maintenance: MaintenanceArgs,
}

/// What to remove from which host, and how its member is set up there.
#[derive(Debug)]
pub(super) struct RemoveOrder {
    request: RemoveRequest,
    setup: Setup,
}

/// How a member is set up, as far as it decides where it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Setup {
    version: EtcdVersion,
    ports: Ports,
}

impl Setup {
    /// Where nothing is known: ports that no cluster of the inventory is likely to have.
    fn unknown() -> Self {
        let ports = Ports { client: 61_379, peer: 61_380, metrics: 61_381 };
        Self { version: EtcdVersion::newest_known(Minor::V3_6), ports }
    }

    /// What the host of the member shows of it.
    fn of(member: &MemberFacts) -> Self {
        let texts = member.files.values().filter_map(|file| file.known()?.text.as_deref());
        let texts: Vec<&str> = texts.collect();
        let arguments = member.running.known().into_iter().flatten().map(String::as_str);
        let lines = || arguments.clone().chain(texts.iter().copied());
        let port = |flag: &str| lines().find_map(|text| port_of(text, flag));
        let version = texts.iter().find_map(|text| head::version(text)?.parse().ok());
        let unknown = Self::unknown();
        Self {
            version: version.unwrap_or(unknown.version),
            ports: Ports {
                client: port("--listen-client-urls=").unwrap_or(unknown.ports.client),
                peer: port("--listen-peer-urls=").unwrap_or(unknown.ports.peer),
                metrics: port("--listen-metrics-urls=").unwrap_or(unknown.ports.metrics),
            },
        }
    }
}

/// The port of the first URL that a flag has in a unit, a manifest or an argument list.
fn port_of(text: &str, flag: &str) -> Option<u16> {
    let rest = text.split_once(flag)?.1;
    let ends = |letter: char| letter.is_whitespace() || matches!(letter, ',' | '"' | '\'' | '\\');
    let url = rest.split(ends).next()?.trim_end_matches('/');
    url.rsplit_once(':')?.1.parse().ok().filter(|port| *port > 0)
}

impl RemoveOrder {
    /// The inventory, with the cluster as its host has it. What an inventory must say to set a cluster up, such as a
    /// checksum of its release, is not wanted of one that goes.
    pub(super) fn site(&self, inventory: &Path) -> Result<Site, CliError> {
        let RemoveRequest { cluster, host } = &self.request;
        let Setup { version, ports } = self.setup;
        let mut site = Site::load(inventory)?;
        let left = Cluster {
            version,
            members: vec![host.clone()],
            runtime: Runtime::Systemd,
            account: AccountName::default(),
            kubelet: None,
            systemd: Systemd::default(),
            bootstrap: Bootstrap::Static,
            ports,
            metrics: MetricsListener::Loopback,
            client_ca: cluster.clone(),
            backups: None,
            flags: BTreeMap::new(),
            place: Place::default(),
            places: BTreeMap::new(),
        };
        site.inventory.clusters.insert(cluster.clone(), left);
        Ok(site)
    }

    pub(super) fn policy(&self) -> Policy {
        let selection =
            Selection { clusters: [self.request.cluster.clone()].into(), ..Selection::default() };
        let maintenance = Some(Maintenance::Remove(self.request.clone()));
        Policy { maintenance, selection, ..Policy::default() }
    }

    /// The words of the command line, each after a blank.
    pub(super) fn words(&self) -> String {
        let RemoveRequest { cluster, host } = &self.request;
        words("--cluster", [cluster]) + &words("--host", [host])
    }
}

pub(super) fn run(context: &Context, arguments: &RemoveArgs) -> Result<ExitCode, CliError> {
    let RemoveArgs { cluster, host, maintenance } = arguments;
    let site = context.site()?;
    if site.inventory.clusters.contains_key(cluster) {
        let message = format!("the inventory has cluster {cluster}");
        let hint = format!(
            "to remove its member from {host}: remove {host} from `members`, and apply\n\
             to remove the whole cluster from its hosts: quorate destroy --cluster {cluster}"
        );
        return Err(CliError::new(ExitCode::Usage, message).hint(hint));
    }
    if !site.inventory.hosts.contains_key(host) {
        let message = format!("--host {host}: the inventory has no such host");
        let names: Vec<&str> = site.inventory.hosts.keys().map(HostName::as_str).collect();
        let hint = format!("there are: {}", names.join(", "));
        return Err(CliError::new(ExitCode::Usage, message).hint(hint));
    }
    let request = RemoveRequest { cluster: cluster.clone(), host: host.clone() };
    let guess = RemoveOrder { request, setup: Setup::unknown() };
    let facts = look(context, &guess)?;
    let seen = match facts.hosts.get(host) {
        Some(Observed::Known(seen)) => seen.clusters.get(cluster),
        Some(Observed::Unknown(why)) => {
            let message = format!("can't look at {host}: {why}");
            return Err(CliError::new(ExitCode::Unreachable, message));
        }
        Some(Observed::Absent) | None => None,
    };
    let setup = seen.map_or_else(Setup::unknown, Setup::of);
    let order = RemoveOrder { setup, ..guess };
    maintenance.run(context, Asked::Remove(&order), &IdentityArgs::default(), None)
}

/// What the host has of the cluster.
fn look(context: &Context, guess: &RemoveOrder) -> Result<SiteFacts, CliError> {
    let site = guess.site(&context.inventory)?;
    let mut spec = site.spec()?;
    spec.clusters.retain(|name, _| *name == guess.request.cluster);
    spec.kubernetes.clear();
    spec.bystanders.clear();
    context.block_on(async {
        let access = HostAccess::new(context, &site)?;
        let hosts = access.hosts();
        let mut interrupts = Interrupts::listen().map_err(CliError::failed)?;
        let looking = async { Ok(planning::observe(context, &spec, &hosts, Timed::Nothing).await) };
        interrupts.give_way(looking).await
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_read_wherever_the_flag_stands() {
        let flag = "--listen-client-urls=";
        for (text, port) in [
            ("--listen-client-urls=https://10.0.0.1:2479,https://127.0.0.1:2479", Some(2479)),
            ("ExecStart=/x/etcd \\\n  --listen-client-urls=https://[::1]:2479 \\\n", Some(2479)),
            ("    - --listen-client-urls=https://10.0.0.1:2479/\n", Some(2479)),
            ("\"--listen-client-urls=https://10.0.0.1:2479\"", Some(2479)),
            ("--listen-client-urls=https://10.0.0.1:0", None),
            ("--listen-client-urls=https://10.0.0.1:99999", None),
            ("--listen-client-urls=", None),
            ("--listen-peer-urls=https://10.0.0.1:2480", None),
        ] {
            assert_eq!(port_of(text, flag), port, "{text}");
        }
    }
}

//! `quorate destroy`

use std::collections::BTreeSet;

use clap::Args;
use inventories::ClusterName;
use planner::policy::{DestroyRequest, Maintenance};
use planner::spec::ClusterSpec;
use planner::{Observed, Policy, SiteSpec};

use super::hosts::HostAccess;
use super::maintenance::MaintenanceArgs;
use super::planning::{self, Asked};
use super::selection::SelectionArgs;
use super::{Context, etcdctl, snapshot};
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::flags::words;
use crate::interrupt::Interrupts;
use crate::keys::IdentityArgs;
use crate::site::{Site, choose_cluster};

/// Arguments of `quorate destroy`.
#[derive(Debug, Args)]
pub struct DestroyArgs {
    /// The cluster to remove from its hosts
    #[arg(long, value_name = "NAME")]
    cluster: ClusterName,
    /// Take no last backup of this cluster
    #[arg(long, value_name = "CLUSTER")]
    allow_no_backup: Option<ClusterName>,
    /// How it is shown or approved.
    #[command(flatten)]
    maintenance: MaintenanceArgs,
}

/// A cluster that is to be destroyed, and what was asked of it.
#[derive(Debug)]
pub(super) struct DestroyOrder {
    words: String,
    request: DestroyRequest,
}

impl DestroyOrder {
    /// The policy, for a site that has the cluster.
    pub(super) fn policy(&self, spec: &SiteSpec) -> Result<Policy, CliError> {
        let only = SelectionArgs::of_clusters(std::slice::from_ref(&self.request.cluster));
        let policy = Policy {
            maintenance: Some(Maintenance::Destroy(self.request.clone())),
            selection: only.narrowed().selection(),
            ..Policy::default()
        };
        planning::of_the_site(policy, spec)
    }

    /// The words of the command line, each after a blank.
    pub(super) fn words(&self) -> &str {
        &self.words
    }
}

pub(super) fn run(context: &Context, arguments: &DestroyArgs) -> Result<ExitCode, CliError> {
    let DestroyArgs { cluster: name, allow_no_backup, maintenance } = arguments;
    if let Some(other) = allow_no_backup.as_ref().filter(|other| *other != name) {
        let message = format!("--allow-no-backup {other}: it is {name} that is destroyed");
        return Err(
            CliError::new(ExitCode::Usage, message).hint(format!("write --allow-no-backup {name}"))
        );
    }
    let site = Site::load(&context.inventory)?;
    let spec = site.spec()?;
    let cluster = choose_cluster(&spec, Some(name))?;
    let api_servers = api_servers(context, &site, cluster)?;
    let request = DestroyRequest { cluster: name.clone(), api_servers };
    let words = words("--cluster", [name]) + &words("--allow-no-backup", allow_no_backup);
    let order = DestroyOrder { words, request };
    if !maintenance.dry_run && allow_no_backup.is_none() {
        last_backup(context, name)?;
    }
    maintenance.run(context, Asked::Destroy(&order), &IdentityArgs::default(), None)
}

/// Takes a backup that leaves the hosts, in every target.
fn last_backup(context: &Context, name: &ClusterName) -> Result<(), CliError> {
    let hint = format!(
        "if you have one that is good enough, or need none: quorate destroy --cluster {name} --allow-no-backup {name}"
    );
    match snapshot::take(context, name) {
        Ok(ExitCode::Done) => Ok(()),
        Ok(code) => {
            let message = format!("the last backup of {name} is not in every target");
            Err(CliError::new(code, message).hint(hint))
        }
        Err(error) => {
            let kind = error.kind;
            Err(CliError::new(kind, format!("can't take a last backup of {name}: {error}"))
                .hint(hint))
        }
    }
}

/// The API servers that have an entry in the cluster. Each renews its own every few seconds, and etcd removes it 15 s
/// after the last time.
fn api_servers(
    context: &Context,
    site: &Site,
    cluster: &ClusterSpec,
) -> Result<Observed<BTreeSet<String>>, CliError> {
    let asked = ["get", LEASES, "--prefix", "--keys-only"].map(str::to_owned);
    context.block_on(async {
        let access = HostAccess::new(context, site)?;
        let mut interrupts = Interrupts::listen().map_err(CliError::failed)?;
        let asking = async { Ok(etcdctl::ask_any(&access, cluster, &asked).await) };
        let answer = interrupts.give_way(asking).await?;
        Ok(match answer {
            Ok(answer) if answer.status == 0 => Observed::Known(addresses(&answer.stdout)),
            Ok(answer) => {
                let said = String::from_utf8_lossy(&answer.stderr).into_owned();
                let last = said.lines().last().unwrap_or("etcdctl failed");
                Observed::Unknown(last.to_owned())
            }
            Err(error) => Observed::Unknown(error.to_string()),
        })
    })?
}

/// Where API servers write that they are alive.
const LEASES: &str = "/registry/masterleases/";

fn addresses(keys: &[u8]) -> BTreeSet<String> {
    let keys = String::from_utf8_lossy(keys);
    keys.lines().filter_map(|key| key.strip_prefix(LEASES)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entries_of_api_servers_are_their_addresses() {
        let keys = b"/registry/masterleases/10.0.0.1\n\n/registry/masterleases/10.0.0.2\n\n";
        assert_eq!(addresses(keys), ["10.0.0.1", "10.0.0.2"].map(str::to_owned).into());
        assert_eq!(addresses(b"\n"), BTreeSet::new());
    }
}

//! `quorate restore`

use std::collections::BTreeSet;

use clap::Args;
use engine::backups::BackupId;
use inventories::{ClusterName, HostName};
use planner::policy::{Maintenance, RestoreRequest, RestoreSource};
use planner::{Policy, SiteSpec};

use super::Context;
use super::maintenance::MaintenanceArgs;
use super::planning::{self, Asked};
use super::selection::SelectionArgs;
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::flags::words;
use crate::keys::IdentityArgs;
use crate::report::json;
use crate::report::reporter::Reporter;
use crate::site::Site;
use known::Known;
use opened::Opened;

pub(super) mod known;
mod opened;

/// Arguments of `quorate restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// How it is shown or approved.
    #[command(flatten)]
    maintenance: MaintenanceArgs,
    /// What opens the backup, and the CAs.
    #[command(flatten)]
    identity: IdentityArgs,
    /// What is restored, and what is allowed.
    #[command(flatten)]
    wanted: WantedArgs,
}

/// What is restored, and what the operator says beside it.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
struct WantedArgs {
    /// The cluster whose data is replaced
    #[arg(long, value_name = "NAME")]
    cluster: ClusterName,
    /// A backup, as `quorate snapshot list` names it or by the sha256 of its snapshot, or a snapshot file, sealed or not
    #[arg(long, value_name = "ID|sha256:HEX|FILE")]
    from: String,
    /// Say that every client of this cluster is stopped; the hosts check it all the same
    #[arg(long, value_name = "CLUSTER")]
    clients_stopped: Option<ClusterName>,
    /// Say that no member of this cluster's past runs anywhere, where quorate knows none of them
    #[arg(long, value_name = "CLUSTER")]
    old_members_stopped: Option<ClusterName>,
    /// Give up what this cluster holds beyond the snapshot
    #[arg(long, value_name = "CLUSTER")]
    allow_data_loss: Option<ClusterName>,
    /// Hosts that are permanently gone, disks included: quorate can't stop their members
    #[arg(long, value_name = "HOST,…", value_delimiter = ',')]
    gone: Vec<HostName>,
}

impl WantedArgs {
    /// The same as words of a command line, each after a blank.
    fn words(&self) -> String {
        let Self { cluster, from, clients_stopped, old_members_stopped, allow_data_loss, gone } =
            self;
        let from = remote::quote(from).unwrap_or_default();
        // A name needs no quotes, and reads better without.
        let plain = from.trim_matches('\'');
        let is_plain = plain.chars().all(|c| c.is_ascii_alphanumeric() || "._-/:".contains(c));
        let gone: Vec<&str> = gone.iter().map(HostName::as_str).collect();
        let gone = (!gone.is_empty()).then(|| gone.join(","));
        words("--cluster", [cluster])
            + &words("--from", [if is_plain { plain } else { &from }])
            + &words("--clients-stopped", clients_stopped)
            + &words("--old-members-stopped", old_members_stopped)
            + &words("--allow-data-loss", allow_data_loss)
            + &words("--gone", gone)
    }

    fn request(&self, snapshot: RestoreSource, known: Known) -> RestoreRequest {
        RestoreRequest {
            cluster: self.cluster.clone(),
            snapshot,
            highest_known: known.highest(),
            members: known.members(),
            unread: known.unread,
            clients_stopped: set(self.clients_stopped.as_ref()),
            old_members_stopped: set(self.old_members_stopped.as_ref()),
            allow_data_loss: set(self.allow_data_loss.as_ref()),
            gone: self.gone.iter().cloned().collect(),
        }
    }

    /// Refuses flags that name another cluster than the one that is restored.
    fn refuse_others(&self) -> Result<(), CliError> {
        for (flag, named) in [
            ("--clients-stopped", &self.clients_stopped),
            ("--old-members-stopped", &self.old_members_stopped),
            ("--allow-data-loss", &self.allow_data_loss),
        ] {
            if let Some(other) = named.as_ref().filter(|named| **named != self.cluster) {
                let message = format!("{flag} {other}: it is {} that is restored", self.cluster);
                return Err(CliError::new(ExitCode::Usage, message)
                    .hint(format!("write {flag} {}", self.cluster)));
            }
        }
        Ok(())
    }
}

/// A restore whose snapshot was opened.
#[derive(Debug)]
pub(super) struct RestoreOrder {
    words: String,
    request: RestoreRequest,
}

impl RestoreOrder {
    /// The policy, for a site that has the cluster.
    pub(super) fn policy(&self, spec: &SiteSpec) -> Result<Policy, CliError> {
        let only = SelectionArgs::of_clusters(std::slice::from_ref(&self.request.cluster));
        let policy = Policy {
            maintenance: Some(Maintenance::Restore(Box::new(self.request.clone()))),
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

pub(super) fn run(context: &Context, arguments: &RestoreArgs) -> Result<ExitCode, CliError> {
    let RestoreArgs { maintenance, identity, wanted } = arguments;
    let open = || {
        wanted.refuse_others()?;
        // Planning loads the site again, and shows its warnings.
        opened::open(context, &Site::load(&context.inventory)?, wanted, identity)
    };
    let Opened { snapshot, source, known } = match open() {
        Ok(opened) => opened,
        Err(error) => {
            if maintenance.json && maintenance.dry_run {
                json::print_error(&context.terminal, &error);
            }
            let ended = Err(error);
            if maintenance.json && !maintenance.dry_run {
                Reporter::json(&context.terminal).end(&ended);
            }
            return ended;
        }
    };
    let request = wanted.request(source, known);
    let order = RestoreOrder { words: wanted.words(), request };
    maintenance.run(context, Asked::Restore(&order), identity, Some(&snapshot))
}

/// Opens a backup and asks for its restore, with every confirmation that a disaster would need.
pub(super) fn rehearsed(
    context: &Context,
    site: &Site,
    cluster: &ClusterName,
    id: &BackupId,
    identity: &IdentityArgs,
) -> Result<RestoreOrder, CliError> {
    let all = Some(cluster.clone());
    let wanted = WantedArgs {
        cluster: cluster.clone(),
        from: id.to_string(),
        clients_stopped: all.clone(),
        old_members_stopped: all.clone(),
        allow_data_loss: all,
        gone: Vec::new(),
    };
    let Opened { source, known, .. } = opened::open(context, site, &wanted, identity)?;
    Ok(RestoreOrder { words: wanted.words(), request: wanted.request(source, known) })
}

fn set(named: Option<&ClusterName>) -> BTreeSet<ClusterName> {
    named.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        wanted: WantedArgs,
    }

    fn parsed(line: &[&str]) -> WantedArgs {
        Line::try_parse_from(line).unwrap().wanted
    }

    #[test]
    fn the_command_that_is_printed_asks_for_the_same_restore() {
        for line in [
            "quorate --cluster main --from prod.main.20261129T140500Z.5f0c9a1b2c3d4e5f",
            "quorate --cluster main --from /tmp/a.db --clients-stopped main --gone etcd-2,etcd-3",
            "quorate --cluster main --from a.db --old-members-stopped main --allow-data-loss main",
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(format!("quorate{}", parsed(&words).words()), line);
        }
        let by_sum = ["quorate", "--cluster", "main", "--from", "sha256:0a1b"];
        assert_eq!(parsed(&by_sum).words(), " --cluster main --from sha256:0a1b");
        let odd = ["quorate", "--cluster", "main", "--from", "my backup's.db"];
        assert_eq!(parsed(&odd).words(), r" --cluster main --from 'my backup'\''s.db'");
    }

    #[test]
    fn what_is_said_of_another_cluster_is_refused() {
        let line = "quorate --cluster main --from a.db --clients-stopped events";
        let words: Vec<&str> = line.split(' ').collect();
        let error = parsed(&words).refuse_others().unwrap_err();
        assert_eq!(error.kind, ExitCode::Usage);
    }
}

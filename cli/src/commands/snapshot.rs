//! `quorate snapshot`: sealed copies of clusters' data, in folders of this machine and of others, and in buckets.

use std::env;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use engine::backups::{BackupId, Store};
use inventories::{Backups, ClusterName, SftpTarget};

use super::{Context, hosts};
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::keys::IdentityArgs;
use crate::site::Site;

pub(super) mod copies;
pub(super) mod freshness;
pub(super) mod list;
pub(super) mod times;

mod get;
mod looks;
mod opened_age;
mod prune;
mod take;
mod verify;

/// Takes a backup of this cluster.
pub(super) fn take(context: &Context, cluster: &ClusterName) -> Result<ExitCode, CliError> {
    take::run(context, Some(cluster), take::Depth::Stream)
}

/// What to do with backups.
#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    /// Take a snapshot, seal it, and store it in every target
    ///
    /// Streams a snapshot from a healthy follower over SSH, checks it by its checksum, and seals it on its way
    /// for the recipients of the inventory. Plaintext touches no disk. Afterwards it reads every stored copy back.
    ///
    /// The leader is asked only if no follower is fit. Without a quorum, quorate asks the member with the highest applied index and marks the backup.
    #[command(
        after_long_help = "Examples:\n  quorate snapshot take\n  quorate snapshot take --cluster main"
    )]
    Take {
        /// The cluster; optional if the inventory has only one
        #[arg(long, value_name = "NAME")]
        cluster: Option<ClusterName>,
        /// Start an etcd from it on the member's host before it is sealed, and compare its keys with the members'
        ///
        /// The snapshot then lies on that host's disk meanwhile, for root alone, and is removed. A snapshot from which no
        /// etcd starts, or with other keys than a member has at its revision, is stored nowhere.
        #[arg(long)]
        check: bool,
    },
    /// List the backups in all targets
    ///
    /// Marks broken and unfinished backups. Does not read their content; `quorate snapshot verify` does.
    #[command(
        after_long_help = "Examples:\n  quorate snapshot list\n  quorate snapshot list --cluster main --json"
    )]
    List {
        /// Only those of this cluster (may be given again)
        #[arg(long, value_name = "NAME")]
        cluster: Vec<ClusterName>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Copy a backup out of its target, sealed or opened
    ///
    /// Compares it with its sidecar before the file gets its name, and overwrites nothing. With --open, the file
    /// is the plaintext snapshot, mode 0600: it holds every Secret of the cluster.
    #[command(
        after_long_help = "Examples:\n  quorate snapshot get prod.main.20261129T140500Z.5f0c9a1b2c3d4e5f --out backup.age\n  quorate snapshot get prod.main.20261129T140500Z.5f0c9a1b2c3d4e5f --open --identity key.txt --out backup.db"
    )]
    Get(GetArgs),
    /// Open a backup, check everything about it, and start an etcd from it
    ///
    /// Reads every copy of it, compares size and sha256 of the sealed file and of the snapshot with the sidecar, and
    /// checks the snapshot's own checksum. Then a member's host restores it and starts an etcd from it, apart from the
    /// members and in a network of its own, and removes it again. Where members have compacted as far as the backup,
    /// their keys are compared with its. A record beside each good copy says that it was opened.
    #[command(
        after_long_help = "Examples:\n  quorate snapshot verify prod.main.20261129T140500Z.5f0c9a1b2c3d4e5f --identity key.txt"
    )]
    Verify {
        /// The backup, as `quorate snapshot list` names it
        #[arg(value_name = "ID")]
        id: BackupId,
        /// Only open and compare it on this machine: no host is asked, no etcd is started, and nothing is recorded
        #[arg(long)]
        local: bool,
        /// What opens it.
        #[command(flatten)]
        identity: IdentityArgs,
    },
    /// Delete backups beyond what the inventory's `keep` retains
    ///
    /// Lists them, and deletes them only with --yes. In each target, the newest good backup of each cluster id is always
    /// kept, and is read and compared with its sidecar before any other is deleted. What a stopped run left unfinished goes
    /// after a day. Broken backups and files of others stay.
    #[command(
        after_long_help = "Examples:\n  quorate snapshot prune\n  quorate snapshot prune --cluster main --yes"
    )]
    Prune {
        /// Only those of this cluster (may be given again)
        #[arg(long, value_name = "NAME")]
        cluster: Vec<ClusterName>,
        /// Delete them
        #[arg(short, long)]
        yes: bool,
        /// The site's name, for sites whose inventory says confirm = true
        #[arg(long, value_name = "SITE")]
        confirm: Option<String>,
    },
}

/// Arguments of `quorate snapshot get`.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// The backup, as `quorate snapshot list` names it
    #[arg(value_name = "ID")]
    id: BackupId,
    /// The file to write, which must not be there yet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Write the plaintext snapshot
    #[arg(long)]
    open: bool,
    /// What opens it.
    #[command(flatten)]
    identity: IdentityArgs,
}

pub(super) fn run(context: &Context, command: &SnapshotCommand) -> Result<ExitCode, CliError> {
    match command {
        SnapshotCommand::Take { cluster, check } => {
            let depth = if *check { take::Depth::Check } else { take::Depth::Stream };
            take::run(context, cluster.as_ref(), depth)
        }
        SnapshotCommand::List { cluster, json } => list::run(context, cluster, *json),
        SnapshotCommand::Get(arguments) => get::run(context, arguments),
        SnapshotCommand::Verify { id, local, identity } => {
            let depth = if *local { verify::Depth::Open } else { verify::Depth::Start };
            verify::run(context, id, identity, depth)
        }
        SnapshotCommand::Prune { cluster, yes, confirm } => {
            let mode =
                if *yes { prune::Mode::Delete(confirm.as_deref()) } else { prune::Mode::Show };
            prune::run(context, cluster, mode)
        }
    }
}

/// What the inventory says of a cluster's backups.
pub(super) fn settings<'a>(site: &'a Site, cluster: &ClusterName) -> Result<&'a Backups, CliError> {
    let known = &site.inventory.clusters;
    let found = known.get(cluster).ok_or_else(|| {
        let names: Vec<&str> = known.keys().map(ClusterName::as_str).collect();
        let message = format!("the inventory has no cluster {cluster}");
        CliError::new(ExitCode::Usage, message)
            .hint(format!("the inventory has: {}", names.join(", ")))
    })?;
    found.backups.as_ref().ok_or_else(|| {
        let message = format!("the inventory has no backup targets for cluster {cluster}");
        let hint = format!("write: [clusters.{cluster}.backups]\nto = [\"file:backups/\"]");
        CliError::new(ExitCode::Inventory, message).hint(hint)
    })
}

/// The clusters that a command is about, each with its backups: those that were named, or all that have any.
fn chosen<'a>(
    site: &'a Site,
    named: &'a [ClusterName],
) -> Result<Vec<(&'a ClusterName, &'a Backups)>, CliError> {
    if !named.is_empty() {
        return named.iter().map(|name| Ok((name, settings(site, name)?))).collect();
    }
    let clusters = site.inventory.clusters.iter();
    let all: Vec<_> =
        clusters.filter_map(|(name, cluster)| Some((name, cluster.backups.as_ref()?))).collect();
    match (all.is_empty(), site.inventory.clusters.keys().next()) {
        (true, Some(first)) => settings(site, first).map(|_| all),
        _ => Ok(all),
    }
}

/// The places where a cluster's backups are.
pub(super) fn stores(context: &Context, site: &Site, backups: &Backups) -> Vec<Store> {
    let log_in = |target: &SftpTarget| hosts::log_in(context, target.ssh.clone());
    let look = |name: &str| env::var_os(name);
    let store = |target| Store::for_target(target, |path| site.resolve(path), look, log_in);
    backups.to.iter().map(store).collect()
}

/// What the inventory says of the cluster that a backup is of.
pub(super) fn settings_of<'a>(site: &'a Site, id: &BackupId) -> Result<&'a Backups, CliError> {
    let own = &site.inventory.site.name;
    if id.site != *own {
        let message =
            format!("{id} is a backup of site {}, and this inventory is of {own}", id.site);
        return Err(CliError::new(ExitCode::Usage, message).hint("name its inventory: -i PATH"));
    }
    settings(site, &id.cluster)
}

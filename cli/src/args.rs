//! The command line, as clap reads it: what each command is for. Its command's file says what an argument means.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::commands::{
    apply, archives, client_cert, completions, defrag, destroy, dns, etcdctl, firewall, graph,
    history, init, kubernetes, logs, man_pages, monitoring, pki, plan, recover, release, remove,
    restore, schema, show, snapshot, status, support_bundle, trust, unlock,
};
use crate::terminal::ColorChoice;

mod examples;

/// Plan and apply etcd clusters on hosts reached over SSH
#[derive(Debug, Parser)]
#[command(name = "quorate", version, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
From nothing to a cluster: quorate init USER@HOST…, quorate trust, quorate apply

Exit codes: 0 done, 1 failed, 2 changes, 3 stale, 4 unreachable, 5 locked, 6 partial,
8 blocked, 9 incomplete, 64 usage, 65 inventory, 130 interrupted";

/// What every command takes.
#[derive(Debug, Args)]
pub struct Global {
    /// The inventory
    #[arg(
        short,
        long,
        global = true,
        value_name = "PATH",
        env = "QUORATE_INVENTORY",
        default_value = "quorate.toml",
        help_heading = "Global options"
    )]
    pub inventory: PathBuf,
    /// How many steps and logins may run at once (default: 10 steps, 64 logins)
    #[arg(
        long,
        global = true,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=1000),
        help_heading = "Global options"
    )]
    pub parallelism: Option<u16>,
    /// When to colour output
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        help = "When to colour output: auto, always, never",
        help_heading = "Global options"
    )]
    pub color: ColorChoice,
    /// Print only results, warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Global options")]
    pub quiet: bool,
    /// Print more about what is being done
    #[arg(
        short,
        long,
        global = true,
        action = ArgAction::Count,
        help = "Print more about what is being done; twice: trace each host and step",
        help_heading = "Global options"
    )]
    pub verbose: u8,
    /// Append the trace to a file instead of printing it; QUORATE_LOG filters it
    #[arg(long, global = true, value_name = "PATH", help_heading = "Global options")]
    pub log_file: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write an inventory for these hosts and make its CAs
    ///
    /// Connects to no host. Writes quorate.toml, with a cluster of all the hosts given, and pki/, with the CAs of
    /// that cluster. The CA keys are sealed for the public keys given by --recipient: only the owner of
    /// such a key can issue certificates.
    #[command(after_long_help = examples::INIT)]
    Init(init::InitArgs),
    /// Show the hosts' SSH keys and pin them in the inventory
    ///
    /// Connects to each host, shows the key that it presents and, once you agree, writes it into the inventory
    /// as ssh.host-key. Compare the keys with what the hosts' consoles or their provider show: from then on,
    /// quorate talks to hosts with these keys only. A pin that no longer matches is replaced only if you agree, never with --yes.
    #[command(after_long_help = examples::TRUST)]
    Trust(trust::TrustArgs),
    /// Check the inventory, without touching a host
    ///
    /// Reads the inventory and the files that it names, and reports every mistake with its line and a
    /// hint. Needs no network: run it in an editor or in CI.
    #[command(after_long_help = examples::VALIDATE)]
    Validate,
    /// Show what apply would do
    ///
    /// Looks at all hosts, compares them with the inventory, and prints the steps that apply would take, why,
    /// and what they mean for the quorum. Changes nothing.
    ///
    /// With --out, the plan is saved: `quorate apply FILE` applies that plan and no other. The hash at the
    /// end does the same for a plan that was reviewed on a screen: `quorate apply --expect HASH`.
    #[command(after_long_help = examples::PLAN)]
    Plan(plan::PlanArgs),
    /// Show a saved plan
    ///
    /// Reads a file that `quorate plan --out` wrote, and prints the plan as it was shown then. Connects to no host:
    /// `quorate apply FILE` says whether it is still up to date.
    #[command(after_long_help = examples::SHOW)]
    Show(show::ShowArgs),
    /// Make the hosts what the inventory says
    ///
    /// Makes a plan, shows it, asks, and applies it: one member at a time, each only while the others are
    /// healthy, so that a healthy cluster keeps its quorum. It may be stopped at any time; the next apply
    /// finishes what this one began.
    ///
    /// Given a plan that `quorate plan --out` saved, it applies that plan without asking. It refuses a saved
    /// plan, and one that --expect does not match, if the hosts or the inventory have changed since: then make
    /// and review a new one.
    ///
    /// Without a terminal, as in CI, pass --yes (with --expect, if you like) or a saved plan. The lock on the hosts keeps
    /// two applies apart: the second one names who holds it.
    #[command(after_long_help = examples::APPLY)]
    Apply(apply::ApplyArgs),
    /// Reclaim disk space from the members' databases
    ///
    /// An etcd database never shrinks automatically. This rewrites the database of every member with many free pages: one member at a time, the leader last, and only while every member of its cluster is healthy. Shows the plan first. Does nothing else that the inventory asks for.
    ///
    /// A member does not answer while its database is rewritten. If that may take longer than 20 s, or the member is a pod, quorate stops the member, rewrites the database and starts the member again. quorate prints how long each was unavailable.
    #[command(after_long_help = examples::DEFRAG)]
    Defrag(defrag::DefragArgs),
    /// Show what is left of a cluster, and the next command
    ///
    /// Looks at all hosts and changes nothing. Ranks the members by how far their data is, names the newest good backup, and prints the next command, the one that loses least first: wait for hosts, start members, or restore from a survivor or a backup.
    #[command(after_long_help = examples::RECOVER)]
    Recover(recover::RecoverArgs),
    /// Replace a cluster's data with a backup
    ///
    /// Opens and checks the backup, shows the plan, and asks. Every host gets the snapshot and restores it beside the data that runs, so whatever can fail fails before anything stops. Then every member stops, the old data moves to `archived`, the restored data takes its place, and all members start together as a new cluster.
    ///
    /// Stop every client first, and say so with --clients-stopped: a host with a client still connected refuses. If the restore is interrupted at any point, the same command continues it. Until the first set-aside, `quorate apply` starts the old members again.
    ///
    /// FILE is a snapshot of `etcdctl snapshot save`, or one that is sealed for your key. A file without the checksum at its end, such as a copy of member/snap/db, is refused.
    #[command(after_long_help = examples::RESTORE)]
    Restore(restore::RestoreArgs),
    /// Remove a whole cluster from its hosts
    ///
    /// Takes a last backup into every target, shows the plan, and asks for the cluster's name. Then every member stops, the data of all is archived on the hosts, and units, certificates and records are removed. The hosts, the release and other clusters stay.
    ///
    /// It is refused while a client is connected, or an API server says in the cluster that it is alive. If it is interrupted at any point, the same command continues it. Archives are deleted by `quorate archives purge`.
    #[command(after_long_help = examples::DESTROY)]
    Destroy(destroy::DestroyArgs),
    /// Take off a host what is left there of a cluster that the inventory no longer has
    ///
    /// Reads on the host how its member was set up, shows the plan, and asks. If the host names other members, these say whether they still list this one; while they do, or none answers, nothing is removed. The data is archived on the host, and the unit or pod, certificates and records are removed.
    ///
    /// It is refused while the member serves, or a client is connected. If it is interrupted at any point, the same command continues it. Archives are deleted by `quorate archives purge`.
    #[command(after_long_help = examples::REMOVE)]
    Remove(remove::RemoveArgs),
    /// Show how the clusters are
    ///
    /// Looks at all hosts and shows each cluster: its members, who leads, how many more may fail, what is
    /// wrong, what needs attention, and when certificates end. Exits with 1 if anything is unhealthy. Changes nothing.
    ///
    /// For monitoring: --detailed-exitcode exits with 2 where something needs attention, and --format prometheus prints
    /// metrics for the textfile collector.
    #[command(after_long_help = examples::STATUS)]
    Status(status::StatusArgs),
    /// Show the logs of the members side by side
    ///
    /// Reads the journals of the members' units and the logs of their pods, on all hosts at once, and prints their newest
    /// lines in one row by time. Control characters are escaped. Changes nothing.
    #[command(after_long_help = examples::LOGS)]
    Logs(logs::LogsArgs),
    /// Print alert rules and targets for Prometheus
    #[command(subcommand)]
    Monitoring(monitoring::MonitoringCommand),
    /// Gather what a helper needs, in one archive
    ///
    /// Writes a tar archive for your eyes only, and lists what it holds: the inventory, the status, the plan, and of each
    /// host its system, its units, its journal of applies and the logs of its members. It holds no private key, and
    /// what looks like a secret is taken out. Changes nothing.
    #[command(after_long_help = examples::SUPPORT_BUNDLE)]
    SupportBundle(support_bundle::SupportBundleArgs),
    /// Run etcdctl on a member's host, with its endpoints and certificate
    ///
    /// The arguments after -- go to etcdctl as they are; output and exit code are etcdctl's. Endpoints and
    /// certificate are filled in, and no ETCDCTL_ variable of the host counts.
    #[command(after_long_help = examples::ETCDCTL)]
    Etcdctl(etcdctl::EtcdctlArgs),
    /// Issue a certificate for a client, such as an API server
    ///
    /// Opens the CA key of the cluster's clients here and writes the CA certificate, a certificate and its
    /// key into a folder. Without etcd's own authentication, anyone who holds the key can read and write all
    /// data of the cluster.
    #[command(after_long_help = examples::CLIENT_CERT)]
    ClientCert(client_cert::ClientCertArgs),
    /// Print the DNS records of clusters that are formed by DNS
    ///
    /// For clusters with bootstrap = { dns-srv = … }: the records that must be there before the first apply.
    #[command(after_long_help = examples::DNS)]
    Dns(dns::DnsArgs),
    /// Say who gets through to etcd's ports
    #[command(subcommand)]
    Firewall(firewall::FirewallCommand),
    /// Say how API servers reach etcd
    #[command(subcommand)]
    Kubernetes(kubernetes::KubernetesCommand),
    /// Make certificate authorities, and say who can open them
    #[command(subcommand)]
    Pki(pki::PkiCommand),
    /// Pin etcd releases
    #[command(subcommand)]
    Release(release::ReleaseCommand),
    /// Show what was done on the hosts, and who did it
    ///
    /// Each host keeps a journal of the steps that changed it. This prints a line for each apply, the newest one last:
    /// who ran it, from which commit, for which reason, and how it ended. An apply that still runs is
    /// `unfinished`, and so is one that was killed.
    #[command(after_long_help = examples::HISTORY)]
    History(history::HistoryArgs),
    /// List or delete what quorate set aside
    ///
    /// quorate never deletes a member's data: it moves it to the folder `archived` of the data directory. These commands
    /// show what is there, on all hosts, and delete it.
    #[command(subcommand)]
    Archives(archives::ArchivesCommand),
    /// Take, list, open and delete backups
    ///
    /// A backup is a snapshot of a cluster's data, sealed for age or SSH public keys, with a sidecar that describes it. Targets and recipients are in the inventory: [clusters.NAME.backups].
    #[command(subcommand)]
    Snapshot(snapshot::SnapshotCommand),
    /// Free the lock of an apply that is gone
    ///
    /// An apply that was killed frees its lock at the next apply, which checks that it is dead. Use this where
    /// that cannot be checked, for example because its machine is gone. It shows who holds the lock and asks.
    #[command(after_long_help = examples::UNLOCK)]
    Unlock(unlock::UnlockArgs),
    /// Draw the plan
    ///
    /// Looks at the hosts as plan does, and prints the steps and what each waits for as a graph.
    #[command(after_long_help = examples::GRAPH)]
    Graph(graph::GraphArgs),
    /// Print the JSON Schema of the inventory, or of what --json prints
    #[command(after_long_help = examples::SCHEMA)]
    Schema(schema::SchemaArgs),
    /// Print a completion script for a shell
    #[command(after_long_help = examples::COMPLETIONS)]
    Completions(completions::CompletionsArgs),
    /// Write the manual pages of all commands into a folder
    #[command(hide = true)]
    ManPages(man_pages::ManPagesArgs),
    /// Print the version
    Version,
}

#[cfg(test)]
mod tests;

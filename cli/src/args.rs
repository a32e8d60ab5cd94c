//! The command line, as clap reads it. What an argument means is said by its command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    apply, client_cert, completions, dns, etcdctl, graph, history, init, pki, plan, release,
    schema, status, trust, unlock,
};
use crate::terminal::ColorChoice;

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
7 rolled back, 8 blocked, 9 incomplete, 64 usage, 65 inventory, 130 interrupted";

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
    /// How many steps, and logins, there may be at once (default: 10 steps, 64 logins)
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
    /// Say only results, warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Global options")]
    pub quiet: bool,
    /// Say more about what is being done
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub verbose: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write an inventory for these hosts and make its CAs
    Init(init::InitArgs),
    /// Show the hosts' SSH keys and pin them in the inventory
    Trust(trust::TrustArgs),
    /// Check the inventory, without touching a host
    Validate,
    /// Show what apply would do
    Plan(plan::PlanArgs),
    /// Make the hosts what the inventory says
    Apply(apply::ApplyArgs),
    /// Show how the clusters are
    Status(status::StatusArgs),
    /// Run etcdctl on a member's host, with its endpoints and certificate
    Etcdctl(etcdctl::EtcdctlArgs),
    /// Issue a certificate for a client, such as an API server
    ClientCert(client_cert::ClientCertArgs),
    /// Print the DNS records of clusters that are formed by DNS
    Dns(dns::DnsArgs),
    /// Make certificate authorities
    #[command(subcommand)]
    Pki(pki::PkiCommand),
    /// Pin etcd releases
    #[command(subcommand)]
    Release(release::ReleaseCommand),
    /// Show what was done on the hosts, and by whom
    History(history::HistoryArgs),
    /// Take the lock from an apply that will never give it back
    Unlock(unlock::UnlockArgs),
    /// Draw the plan
    Graph(graph::GraphArgs),
    /// Print the JSON Schema of the inventory, or of what --json prints
    Schema(schema::SchemaArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
    /// Print the version
    Version,
}

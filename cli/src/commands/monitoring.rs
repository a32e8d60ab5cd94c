//! `quorate monitoring`

use clap::{Args, Subcommand};
use inventories::HostName;
use planner::Selection;

use super::{Context, selection};
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::report::json;

mod rules;
mod targets;

/// What a monitoring system reads.
#[derive(Debug, Subcommand)]
pub enum MonitoringCommand {
    /// Print the alert rules of this site, for Prometheus
    ///
    /// Rules over what `quorate status --format prometheus` writes, and over etcd's own metrics, for exactly the
    /// clusters and members of the inventory. A writer that died raises an alert too.
    #[command(
        after_long_help = "Examples:\n  quorate monitoring rules > /etc/prometheus/rules/etcd.yml"
    )]
    Rules(RulesArgs),
    /// Print the members' metrics as targets, for Prometheus' file_sd_configs
    ///
    /// Where a cluster has `metrics = "client"` or "peer", Prometheus reads its members over the network: leave --host
    /// out. Else they serve their metrics at the host's loopback address alone, and an agent on each host reads them,
    /// such as Prometheus in agent mode: give that host's name.
    #[command(
        after_long_help = "Examples:\n  quorate monitoring targets > etcd.json\n  quorate monitoring targets --host etcd-1 > etcd-1.json"
    )]
    Targets(TargetsArgs),
}

/// Arguments of `quorate monitoring rules`.
#[derive(Debug, Args)]
pub struct RulesArgs {
    /// The job label of the targets that are etcd's members
    #[arg(long, value_name = "JOB", default_value = "etcd", value_parser = job)]
    job: String,
}

/// Arguments of `quorate monitoring targets`.
#[derive(Debug, Args)]
pub struct TargetsArgs {
    /// The host that the agent is on: its members at the loopback address
    #[arg(long, value_name = "NAME")]
    host: Option<HostName>,
}

pub(super) fn run(context: &Context, command: &MonitoringCommand) -> Result<ExitCode, CliError> {
    let site = context.site()?;
    let spec = site.spec()?;
    match command {
        MonitoringCommand::Rules(RulesArgs { job }) => {
            context.terminal.print(&rules::of(&spec, &site.inventory, job));
        }
        MonitoringCommand::Targets(TargetsArgs { host: Some(host) }) => {
            let hosts = [host.clone()].into();
            selection::of_the_site(&Selection { hosts, ..Selection::default() }, &spec)?;
            json::print_document(&context.terminal, &targets::on_host(&spec, host))?;
        }
        MonitoringCommand::Targets(TargetsArgs { host: None }) => {
            json::print_document(&context.terminal, &targets::over_the_network(&spec)?)?;
        }
    }
    Ok(ExitCode::Done)
}

/// A label's value that needs no escape in a rule.
fn job(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    match !text.is_empty() && text.chars().all(is_plain) {
        true => Ok(text.to_owned()),
        false => Err("write letters, digits and any of - _ . /".to_owned()),
    }
}

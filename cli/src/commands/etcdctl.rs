//! `quorate etcdctl`

use clap::Args;
use inventories::{ClusterName, HostName};
use planner::spec::ClusterSpec;

use super::Context;
use super::hosts::HostAccess;
use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use crate::interrupt::Interrupts;
use crate::site::choose_cluster;
use crate::terminal::AsIs;
use engine::sessions::etcdctl::{self, Answer, NoAnswer, Question};
use remote::RemoteError;

/// Arguments of `quorate etcdctl`.
#[derive(Debug, Args)]
pub struct EtcdctlArgs {
    /// The cluster; optional if the inventory has only one
    #[arg(long, value_name = "NAME")]
    cluster: Option<ClusterName>,
    /// The member's host to run it on; otherwise the first that can be reached
    #[arg(long, value_name = "NAME")]
    host: Option<HostName>,
    /// Print etcdctl's output byte for byte, even to a terminal or a CI runner, which may act on it
    #[arg(long)]
    raw: bool,
    /// What etcdctl gets, such as: member list -w table
    #[arg(last = true, required = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

pub(super) fn run(context: &Context, arguments: &EtcdctlArgs) -> Result<u8, CliError> {
    let site = context.site()?;
    let spec = site.spec()?;
    let cluster = choose_cluster(&spec, arguments.cluster.as_ref())?;
    let hosts = candidates(cluster, arguments.host.as_ref())?;
    let answer = context.block_on(async {
        let access = HostAccess::new(context, &site)?;
        let mut interrupts = Interrupts::listen().map_err(CliError::failed)?;
        interrupts.give_way(ask(&access, cluster, hosts, &arguments.arguments)).await
    })??;
    let as_is = if arguments.raw { AsIs::Everywhere } else { AsIs::WhereNobodyObeys };
    context.terminal.print_bytes(&answer.stdout, as_is);
    context.terminal.say_bytes(&answer.stderr, as_is);
    Ok(answer.status)
}

fn candidates<'a>(
    cluster: &'a ClusterSpec,
    named: Option<&HostName>,
) -> Result<Vec<&'a HostName>, CliError> {
    match named {
        None => Ok(cluster.members.keys().collect()),
        Some(name) => match cluster.members.get_key_value(name) {
            Some((host, _)) => Ok(vec![host]),
            None => {
                let message = format!("{name} is not a member of cluster {}", cluster.name);
                Err(CliError::new(ExitCode::Usage, message))
            }
        },
    }
}

/// Asks on the first member's host that can be reached.
pub(super) async fn ask_any(
    access: &HostAccess,
    cluster: &ClusterSpec,
    arguments: &[String],
) -> Result<Answer, CliError> {
    ask(access, cluster, cluster.members.keys().collect(), arguments).await
}

async fn ask(
    access: &HostAccess,
    cluster: &ClusterSpec,
    hosts: Vec<&HostName>,
    arguments: &[String],
) -> Result<Answer, CliError> {
    let mut refusals: Vec<(&HostName, RemoteError)> = Vec::new();
    for host in hosts {
        let connection = match access.pool.connection(host).await {
            Ok(connection) => connection,
            Err(error) => {
                refusals.push((host, error));
                continue;
            }
        };
        let question = Question {
            cluster: &cluster.name,
            version: cluster.version,
            endpoints: cluster.endpoints_from(host).into_values().collect(),
            arguments,
        };
        return etcdctl::ask(&connection, &question).await.map_err(|error| {
            let hint = match &error {
                NoAnswer::Remote(error) => error.hint(),
                NoAnswer::NotRun(_) => None,
            };
            CliError::failed(ErrorContext::new(host.to_string(), error)).maybe_hint(hint)
        });
    }
    let reasons: Vec<String> =
        refusals.iter().map(|(host, error)| format!("{host}: {error}")).collect();
    let hint = refusals.iter().find_map(|(_, error)| error.hint());
    let message = format!("no member's host could be reached: {}", reasons.join("; "));
    Err(CliError::new(ExitCode::Unreachable, message).maybe_hint(hint))
}

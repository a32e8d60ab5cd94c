//! `quorate dns`

use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use inventories::{ClusterName, DnsSrv};
use planner::spec::ClusterSpec;
use templates::Bootstrap;

use super::Context;
use crate::error::CliError;
use crate::exit::ExitCode;

/// Arguments of `quorate dns`.
#[derive(Debug, Args)]
pub struct DnsArgs {
    /// The cluster; without it, every one that is formed by DNS
    #[arg(long, value_name = "NAME")]
    cluster: Option<ClusterName>,
    /// How to write the records
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "bind",
        hide_possible_values = true,
        help = "How to write the records: bind, a zone's lines; hosts, the addresses as in /etc/hosts"
    )]
    format: Format,
}

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Lines of a zone file.
    Bind,
    /// Lines of `/etc/hosts`, which has no SRV records.
    Hosts,
}

pub(super) fn run(context: &Context, arguments: &DnsArgs) -> Result<ExitCode, CliError> {
    let spec = context.site()?.spec()?;
    let wanted = |cluster: &&ClusterSpec| {
        arguments.cluster.as_ref().is_none_or(|name| *name == cluster.name)
    };
    let parts: Vec<String> = spec
        .clusters
        .values()
        .filter(wanted)
        .filter_map(|cluster| Some(records(cluster, dns_of(cluster)?, arguments.format)))
        .collect();
    if parts.is_empty() {
        let which = arguments.cluster.as_ref().map_or_else(
            || "no cluster of the inventory".to_owned(),
            |name| format!("no cluster {name}"),
        );
        return Err(CliError::failed(NoRecords(which)));
    }
    context.terminal.print(parts.join("\n").trim_end());
    Ok(ExitCode::Done)
}

/// There is nothing to print.
#[derive(Debug, thiserror::Error)]
#[error("{0} is formed by `dns-srv`, so there are no records to print")]
struct NoRecords(String);

fn dns_of(cluster: &ClusterSpec) -> Option<&DnsSrv> {
    cluster.members.values().find_map(|member| match &member.bootstrap {
        Bootstrap::DnsSrv(dns) => Some(dns),
        Bootstrap::Static | Bootstrap::V3(_) | Bootstrap::V2(_) => None,
    })
}

fn records(cluster: &ClusterSpec, dns: &DnsSrv, format: Format) -> String {
    let (sign, what) = match format {
        Format::Bind => (';', "members find each other by these, while the cluster is formed"),
        Format::Hosts => {
            ('#', "addresses only: a hosts file has no SRV records, DNS must have them")
        }
    };
    let mut text = format!("{sign} cluster {}: {what}\n", cluster.name);
    // Writing to a text can't fail.
    for (host, member) in &cluster.members {
        let (target, at) = (dns.target(host), member.member.peer_url().socket());
        let kind = if at.is_ipv4() { "A" } else { "AAAA" };
        let _ = match format {
            Format::Bind => writeln!(text, "{target}. IN {kind} {}", at.ip()),
            Format::Hosts => writeln!(text, "{} {target}", at.ip()),
        };
    }
    if format == Format::Hosts {
        return text;
    }
    for (host, member) in &cluster.members {
        let port = member.member.ports.peer;
        let _ = writeln!(text, "{}. IN SRV 0 0 {port} {}.", dns.peer_service(), dns.target(host));
    }
    for (host, member) in &cluster.members {
        let member = &member.member;
        let (service, port) = (dns.client_service(), member.ports.client);
        let _ = if member.client_address == member.peer_address {
            writeln!(text, "{service}. IN SRV 0 0 {port} {}.", dns.target(host))
        } else {
            let address = member.client_address;
            writeln!(
                text,
                "; clients reach {host} at {address}, but its name resolves to its peer address: no SRV record"
            )
        };
    }
    text
}

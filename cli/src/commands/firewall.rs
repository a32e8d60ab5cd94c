//! `quorate firewall`

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use engine::hosts::Timed;
use inventories::{HostName, Network};
use planner::report::Finding;
use planner::text::{self, Paint};
use planner::{HostFirewall, Observed, firewalls};

use super::hosts::HostAccess;
use super::{Context, planning};
use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;

/// Who gets through to etcd's ports.
#[derive(Debug, Subcommand)]
pub enum FirewallCommand {
    /// Print rules for nftables that close etcd's ports to all but those who need them
    ///
    /// Client ports are open to members, API servers, and `admin` and `clients` of `[firewall]`; peer ports to members;
    /// metrics ports to `monitoring`, where a cluster serves metrics over the network. No other port is closed. quorate
    /// reads from the hosts which addresses they use and which clients are connected, and prints no rules that would cut
    /// one of those off. It does not load them: docs/firewall.md shows how, so that a mistake undoes itself.
    #[command(
        after_long_help = "Examples:\n  quorate firewall render etcd-1 > etcd-1.nft\n  quorate firewall render --out firewall            a file for each host\n  quorate firewall render etcd-1 --cut 10.20.7.3    although it is connected"
    )]
    Render(RenderArgs),
}

/// Arguments of `quorate firewall render`.
#[derive(Debug, Args)]
pub struct RenderArgs {
    /// The host whose rules are printed
    #[arg(value_name = "HOST", required_unless_present = "out")]
    host: Option<HostName>,
    /// Write HOST.nft into this folder instead of printing, for every host if none is named; earlier files of this
    /// command are overwritten
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Cut off this client, an address or a network, although it is connected (may be given again)
    #[arg(long, value_name = "NETWORK", value_parser = network)]
    cut: Vec<Network>,
}

fn network(text: &str) -> Result<Network, String> {
    text.parse::<Network>().map_err(|error| format!("this {error}"))
}

pub(super) fn run(context: &Context, command: &FirewallCommand) -> Result<ExitCode, CliError> {
    let FirewallCommand::Render(arguments) = command;
    let site = context.site()?;
    if site.inventory.firewall.is_none() {
        let message = "the inventory has no [firewall]";
        let hint = "write: [firewall]\nadmin = [\"10.20.9.0/24\"]";
        return Err(CliError::new(ExitCode::Usage, message).hint(hint));
    }
    let spec = site.spec()?;
    let access = HostAccess::new(context, &site)?;
    let facts = context.block_on(async {
        let facts = planning::observe(context, &spec, &access.hosts(), Timed::Nothing).await;
        access.say_cost(&context.terminal).await;
        facts
    })?;
    let cut: BTreeSet<Network> = arguments.cut.iter().copied().collect();
    let chosen = choose(firewalls(&spec, &facts, &cut), arguments.host.as_ref())?;
    let mut code = ExitCode::Done;
    for (host, HostFirewall { rules, against }) in &chosen {
        if !against.is_empty() {
            say(context, against);
            let is_seen =
                |host: &HostName| facts.hosts.get(host).and_then(Observed::known).is_some();
            let is_about_seen = against.iter().filter_map(|one| one.host.as_ref()).all(is_seen);
            code =
                code.first(if is_about_seen { ExitCode::Blocked } else { ExitCode::Unreachable });
            continue;
        }
        match &arguments.out {
            None => context.terminal.print(rules.render().trim_end()),
            Some(folder) => {
                let path = folder.join(format!("{host}.nft"));
                write(folder, &path, &rules.render())?;
                context.terminal.say(&format!("wrote {}", path.display()));
            }
        }
    }
    Ok(code)
}

/// Why rules are not given.
fn say(context: &Context, against: &[Finding]) {
    let style = context.terminal.message_style();
    for line in text::findings(against, "blocked", Paint::Red, style) {
        context.terminal.say_always(&line);
    }
}

fn choose(
    all: BTreeMap<HostName, HostFirewall>,
    named: Option<&HostName>,
) -> Result<BTreeMap<HostName, HostFirewall>, CliError> {
    let Some(name) = named else { return Ok(all) };
    if let Some((host, one)) = all.get_key_value(name) {
        return Ok(BTreeMap::from([(host.clone(), one.clone())]));
    }
    let names: Vec<&str> = all.keys().map(HostName::as_str).collect();
    let message = format!("{name} has no member, so none of etcd's ports are there");
    let hint = format!("hosts with members: {}", names.join(", "));
    Err(CliError::new(ExitCode::Usage, message).hint(hint))
}

fn write(folder: &Path, path: &Path, text: &str) -> Result<(), CliError> {
    fs::create_dir_all(folder).and_then(|()| fs::write(path, text)).map_err(|error| {
        CliError::failed(ErrorContext::new(format!("cannot write {}", path.display()), error))
    })
}

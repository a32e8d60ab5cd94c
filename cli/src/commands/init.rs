//! `quorate init`

use std::collections::BTreeMap;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::path::Path;

use clap::Args;
use inventories::draft::{self, Draft, DraftHost, DraftKeys};
use inventories::inventory::Arch;
use inventories::{EtcdVersion, HostName, Minor, SiteName};

use super::Context;
use super::pki::make_authorities;
use crate::authorities::create;
use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use crate::keys::public_half;
use crate::provenance::is_in_git;
use crate::site::{Site, folder_of};
use crate::terminal::Terminal;
use engine::release::fetch_sums;

mod ignored;
mod login;
mod recipients;

use login::Login;

/// Arguments of `quorate init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The hosts, all of them members of one cluster: USER@HOST or USER@HOST:PORT, an IPv6 address
    /// with a port in brackets; NAME=USER@HOST calls the host NAME (default: etcd-1, etcd-2, …)
    #[arg(required = true, value_name = "[NAME=]USER@HOST")]
    hosts: Vec<Login>,
    /// The site's name; otherwise that of the inventory's folder
    #[arg(long, value_name = "NAME")]
    site: Option<SiteName>,
    /// The etcd release
    #[arg(long, value_name = "VERSION", default_value_t = EtcdVersion::newest_known(Minor::V3_6))]
    version: EtcdVersion,
    /// An age or SSH public key that the CA keys are sealed for, or a file of such keys; may be given several
    /// times. Default: ~/.ssh/id_ed25519.pub
    #[arg(long = "recipient", value_name = "KEY|FILE", conflicts_with = "plain_keys")]
    recipients: Vec<String>,
    /// Keep the CA keys as they are: anyone who reads them can open the cluster
    #[arg(long)]
    plain_keys: bool,
}

pub(super) fn run(context: &Context, arguments: &InitArgs) -> Result<ExitCode, CliError> {
    let path = &context.inventory;
    let terminal = &context.terminal;
    if path.exists() {
        let message = format!("{} is there already", path.display());
        return Err(CliError::failed(message)
            .hint("init never overwrites; edit it, or name another with -i"));
    }
    let keys = keys(arguments, terminal)?;
    let site = arguments.site.clone().map_or_else(|| site_of(path), Ok)?;
    let hosts = hosts(&arguments.hosts)?;
    let mut draft = Draft {
        site,
        hosts,
        version: arguments.version,
        keys,
        sha256: Arch::ALL.iter().map(|arch| (*arch, "0".repeat(64))).collect(),
    };
    // Read with a checksum that is none, because what the draft says besides must be sound.
    let site = Site::of_text(path, draft::inventory(&draft))?;
    draft.sha256 = sums(&site, arguments.version, terminal);
    create(path, draft::inventory(&draft).as_bytes(), 0o644).map_err(|error| {
        CliError::failed(ErrorContext::new(format!("cannot write {}", path.display()), error))
    })?;
    terminal.print(&format!("wrote {}", path.display()));
    ignored::write(folder_of(path), terminal)
        .map_err(|error| CliError::failed(ErrorContext::new("cannot write .gitignore", error)))?;

    make_authorities(&site.inventory, &site.authorities, terminal)?;
    let pin = if draft.sha256.is_empty() {
        format!("  quorate release pin {}\n", arguments.version)
    } else {
        String::new()
    };
    let commit = if is_in_git(folder_of(path)) {
        format!("  {}\n", ignored::commit(path, &draft.keys))
    } else {
        String::new()
    };
    terminal.say(&format!("\nNext:\n{pin}  quorate trust\n{commit}  quorate apply"));
    Ok(ExitCode::Done)
}

/// The recipients that the CA keys are sealed for. Those that no argument names are printed.
fn keys(arguments: &InitArgs, terminal: &Terminal) -> Result<DraftKeys, CliError> {
    if arguments.plain_keys {
        return Ok(DraftKeys::Plain);
    }
    if !arguments.recipients.is_empty() {
        let all = arguments.recipients.iter().map(|text| recipients::of_argument(text));
        let all: Vec<Vec<String>> = all.collect::<Result<_, _>>()?;
        return Ok(DraftKeys::Sealed(all.concat()));
    }
    let key = std::env::home_dir().map(|home| home.join(".ssh/id_ed25519"));
    let own = key.as_deref().and_then(|key| Some((key, public_half(key)?)));
    let Some((key, recipient)) = own else {
        let message = "no recipient is named for the CA keys";
        return Err(CliError::new(ExitCode::Usage, message)
            .hint("~/.ssh/id_ed25519.pub does not exist: ssh-keygen -t ed25519 creates it")
            .hint("or seal them for another age or SSH public key, or a file of keys: --recipient KEY|FILE")
            .hint("or keep them unsealed, which is a risk: --plain-keys"));
    };
    terminal.say_always(&format!(
        "The CA keys are sealed for {}.pub: only {} opens them. Another choice: --recipient KEY.",
        key.display(),
        key.display()
    ));
    Ok(DraftKeys::Sealed(vec![recipient.to_string()]))
}

/// The name of the folder that the inventory lies in, where that is a name for a site.
fn site_of(path: &Path) -> Result<SiteName, CliError> {
    let folder = folder_of(path).canonicalize().unwrap_or_default();
    let name = folder.file_name().map(|name| name.to_string_lossy().to_lowercase());
    let named = name.and_then(|name| SiteName::new(&name).ok());
    named.map_or_else(|| SiteName::new("site").map_err(CliError::failed), Ok)
}

fn hosts(logins: &[Login]) -> Result<Vec<DraftHost>, CliError> {
    let mut hosts: Vec<DraftHost> = Vec::new();
    for (number, login) in (1..).zip(logins) {
        let usual = HostName::new(&format!("etcd-{number}")).map_err(CliError::failed)?;
        let name = login.name.clone().unwrap_or(usual);
        if hosts.iter().any(|host| host.name == name) {
            let message = format!("two hosts would be called {name}; a name is for one host");
            return Err(CliError::new(ExitCode::Usage, message));
        }
        let address = address(&login.host)?;
        if hosts.iter().any(|host| host.address == address) {
            let message = format!("{} is given twice: {address} is one host", login.host);
            return Err(CliError::new(ExitCode::Usage, message));
        }
        hosts.push(DraftHost {
            name,
            address,
            ssh_host: (login.host != address.to_string()).then(|| login.host.clone()),
            ssh_user: login.user.clone(),
            ssh_port: login.port,
            host_keys: Vec::new(),
        });
    }
    Ok(hosts)
}

/// etcd listens on an address, so a name is looked up now. IPv4 is chosen where there are both.
fn address(host: &str) -> Result<IpAddr, CliError> {
    if let Ok(address) = host.parse() {
        return Ok(address);
    }
    // What resembles an address is no name, and no resolver should be asked.
    if host.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())) {
        let message = format!("{host} is not an IP address: it has four numbers from 0 to 255");
        return Err(CliError::new(ExitCode::Usage, message));
    }
    let found: Vec<IpAddr> = (host, 22)
        .to_socket_addrs()
        .map_err(|error| {
            CliError::failed(ErrorContext::new(format!("cannot find the address of {host}"), error))
                .hint("give the host's IP address instead of its name")
        })?
        .map(|address| address.ip())
        .collect();
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
    first.copied().ok_or_else(|| CliError::failed(format!("{host} has no address")))
}

/// The checksums of the release, where it can be reached from here.
fn sums(site: &Site, version: EtcdVersion, terminal: &Terminal) -> BTreeMap<Arch, String> {
    terminal.say(&format!("fetching the checksums of etcd {version}"));
    fetch_sums(&site.inventory.release.source, site.folder(), version).unwrap_or_else(|error| {
        let error = CliError::failed(error);
        terminal.warn(&format!("the checksums of etcd {version} are not pinned: {error}"));
        terminal.say_always(
            "  without the internet: set url to a mirror, or path to a file, in [release], then: quorate release pin",
        );
        BTreeMap::new()
    })
}

//! `quorate trust`

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clap::Args;
use inventories::inventory::{Host, HostKeyPin};
use inventories::{HostName, edit};
use planner::text::{Paint, Style};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::hosts::logins;
use super::{Context, approval};
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::interrupt::Interrupts;
use crate::rewrite::rewrite;
use crate::site::Site;
use remote::{RemoteError, ScannedKey, Target, scan_host_keys};

/// Arguments of `quorate trust`.
#[derive(Debug, Args)]
pub struct TrustArgs {
    /// Pin the keys that the hosts show, without asking; a pin that no longer matches is left as it is
    #[arg(short, long)]
    yes: bool,
}

/// How a host's keys compare with its pins.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// It has no pin.
    New,
    /// One of its keys is pinned.
    Pinned,
    /// It has a pin, and no key that fits: another machine, or a reinstalled one.
    Changed,
}

type Scanned = BTreeMap<HostName, Result<Vec<ScannedKey>, RemoteError>>;

pub(super) fn run(context: &Context, arguments: &TrustArgs) -> Result<ExitCode, CliError> {
    let site = Site::load_unpinned(&context.inventory)?;
    context.terminal.diagnostics(&site.warnings);
    let hosts = &site.inventory.hosts;
    // Their jump hosts may ask for a passphrase or a code.
    let targets = logins(context, hosts)?;
    context.block_on(async {
        let mut interrupts = Interrupts::listen().map_err(CliError::failed)?;
        let scanned = interrupts.give_way(scan(targets, context.parallelism.logins)).await?;
        let terminal = &context.terminal;
        terminal.print(&show(hosts, &scanned, terminal.style()));

        let mut code = ExitCode::Done;
        let mut pins = BTreeMap::new();
        for (name, keys) in &scanned {
            let Ok(keys) = keys else {
                code = code.first(ExitCode::Unreachable);
                continue;
            };
            match standing(&hosts[name], keys) {
                Standing::Pinned => {}
                Standing::Changed if arguments.yes => {
                    terminal.warn(&format!("{name}: the pin was NOT replaced, because of --yes"));
                    code = code.first(ExitCode::Blocked);
                }
                Standing::New | Standing::Changed => {
                    pins.extend(keys.first().and_then(pin).map(|pin| (name.clone(), pin)));
                }
            }
        }
        if pins.is_empty() {
            terminal.say(nothing_to_pin(hosts, &scanned));
            return Ok(code);
        }
        if !arguments.yes {
            let question = "Compare the fingerprints with those on the hosts \
                 (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub).\n\
                 Do you want to pin these keys?";
            interrupts.give_way(approval::ask(terminal, question)).await?;
        }
        for (name, pin) in &pins {
            let pins = std::slice::from_ref(pin);
            rewrite(&site.path, |text| edit::set_host_key_pins(text, name, pins))?;
        }
        let hosts = if pins.len() == 1 { "host" } else { "hosts" };
        terminal.print(&format!("Pinned {} {hosts} in {}.", pins.len(), site.path.display()));
        Ok(code)
    })?
}

async fn scan(
    targets: BTreeMap<HostName, Target>,
    parallelism: usize,
) -> Result<Scanned, CliError> {
    let permits = Arc::new(Semaphore::new(parallelism.max(1)));
    let mut scans = JoinSet::new();
    for (name, target) in targets {
        let permits = Arc::clone(&permits);
        scans.spawn(async move {
            // The semaphore is never closed, and without a permit the scan is only less patient.
            let _permit = permits.acquire().await.ok();
            (name, scan_host_keys(target).await)
        });
    }
    Ok(scans.join_all().await.into_iter().collect())
}

fn standing(host: &Host, keys: &[ScannedKey]) -> Standing {
    let pins = &host.ssh.host_keys;
    if pins.is_empty() {
        Standing::New
    } else if keys.iter().filter_map(pin).any(|key| pins.contains(&key)) {
        Standing::Pinned
    } else {
        Standing::Changed
    }
}

fn pin(key: &ScannedKey) -> Option<HostKeyPin> {
    HostKeyPin::new(&key.fingerprint.to_string())
}

/// Why there is nothing to pin, and what to do where that is not as it should be.
fn nothing_to_pin(hosts: &BTreeMap<HostName, Host>, scanned: &Scanned) -> &'static str {
    if scanned.values().any(Result::is_err) {
        return "Nothing was pinned: follow the hints, then run 'quorate trust' again.";
    }
    let changed = |(name, keys): (&HostName, &Result<Vec<ScannedKey>, _>)| {
        keys.as_ref().is_ok_and(|keys| standing(&hosts[name], keys) == Standing::Changed)
    };
    if scanned.iter().any(changed) {
        "Nothing was pinned: compare the fingerprints on the hosts, then run 'quorate trust' without --yes."
    } else {
        "Nothing to pin: every host has its pin."
    }
}

fn show(hosts: &BTreeMap<HostName, Host>, scanned: &Scanned, style: Style) -> String {
    let mut lines = Vec::new();
    let mut hints = BTreeSet::new();
    for (name, keys) in scanned {
        let place = &hosts[name].ssh.host;
        let bold = style.paint(Paint::Bold, name.as_str());
        let keys = match keys {
            Ok(keys) => keys,
            Err(error) => {
                let label = style.paint(Paint::Red, "not reached");
                lines.push(format!("{bold} ({place}): {label}: {error}"));
                // Many hosts are behind one jump host: print the hint once.
                if let Some(hint) = error.hint().filter(|hint| hints.insert(hint.clone())) {
                    lines.push(format!("  hint: {}", hint.replace('\n', "\n        ")));
                }
                continue;
            }
        };
        let (paint, word) = match standing(&hosts[name], keys) {
            Standing::New => (Paint::Green, "new"),
            Standing::Pinned => (Paint::Dim, "pinned already"),
            Standing::Changed => (Paint::Red, "CHANGED: none of these is the pinned key"),
        };
        lines.push(format!("{bold} ({place}): {}", style.paint(paint, word)));
        for key in keys {
            lines.push(format!("  {:<20} {}", key.kind, key.fingerprint));
        }
    }
    lines.join("\n")
}

//! `quorate snapshot verify`

use std::io;
use std::sync::Arc;

use engine::backups::catalog;
use engine::backups::open::OpenError;
use engine::backups::opening::{FORMAT, Opening};
use engine::backups::restorable::Restorable;
use engine::backups::trial::{self, Comparison, Tried};
use engine::backups::{BackupId, Sidecar, Store, ask};
use inventories::{EtcdVersion, HostName};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::copies::{copies_of, hint_of};
use super::settings_of;
use crate::commands::Context;
use crate::commands::actor::actor;
use crate::commands::hosts::HostAccess;
use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use crate::interrupt::Interrupts;
use crate::keys::{self, IdentityArgs, Sealed};
use crate::report::columns::bytes;
use crate::site::Site;
use crate::terminal::Terminal;

/// How far a backup is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// It is opened here.
    Open,
    /// A host starts an etcd from it as well.
    Start,
}

/// A copy that opens, and is what its sidecar says.
struct Good {
    store: Store,
    known: Sidecar,
    source: Arc<Restorable>,
}

pub(super) fn run(
    context: &Context,
    id: &BackupId,
    identity: &IdentityArgs,
    depth: Depth,
) -> Result<ExitCode, CliError> {
    let site = context.site()?;
    let backups = settings_of(&site, id)?;
    let copies = copies_of(context, &site, id)?;
    let (terminal, passphrases) = (&context.terminal, &context.passphrases);
    let identities =
        keys::identities(&backups.recipients, Sealed::Backup, identity, terminal, passphrases)?;
    let identities: Arc<[_]> = identities.into();
    let mut code = if copies.len() == backups.to.len() { ExitCode::Done } else { ExitCode::Failed };
    let mut good: Vec<Good> = Vec::new();
    for (store, known) in copies {
        let name = store.name();
        match Restorable::backup(&store, id, &known, Arc::clone(&identities)) {
            Ok(source) => {
                terminal.print(&format!(
                    "{name}: {id} is whole: {}, etcd {}, revision {} or later\n",
                    bytes(known.size),
                    known.etcd_version,
                    known.revision
                ));
                good.push(Good { store, known, source: Arc::new(source) });
            }
            Err(error) => {
                terminal.error(&unfit(name, id, error));
                code = ExitCode::Failed;
            }
        }
    }
    match (depth, good.first()) {
        (Depth::Open, Some(_)) if code == ExitCode::Done => terminal.say(
            "Opened, and compared with its sidecar and its own checksum. No etcd was started from it.",
        ),
        (Depth::Open, _) | (Depth::Start, None) => {}
        (Depth::Start, Some(first)) => {
            let (tried, comparison) = start(context, &site, id, first)?;
            tell(terminal, &tried, &comparison);
            if !comparison.other.is_empty() {
                return Err(differs(&comparison));
            }
            let opening = opening(id, &tried, &comparison);
            code = code.first(record(terminal, id, &good, &opening));
        }
    }
    Ok(code)
}

fn unfit(name: &str, id: &BackupId, error: OpenError) -> CliError {
    let hint = hint_of(&error);
    let doing = format!("{name}: {id} failed verification");
    CliError::failed(ErrorContext::new(doing, error)).maybe_hint(hint)
}

/// Starts an etcd from it on the first host that can, and compares.
fn start(
    context: &Context,
    site: &Site,
    id: &BackupId,
    good: &Good,
) -> Result<(Tried, Comparison), CliError> {
    let spec = site.spec()?;
    let cluster = spec.clusters.get(&id.cluster);
    let cluster = cluster.ok_or_else(|| CliError::failed("the inventory has no such cluster"))?;
    let taken_by: EtcdVersion =
        good.known.etcd_version.parse().map_err(|_| {
            CliError::failed(format!("{id} does not say which etcd release it is of"))
        })?;
    context.block_on(async {
        let mut interrupts = Interrupts::listen().map_err(CliError::failed)?;
        let access = HostAccess::new(context, site)?;
        let work = async {
            let answers = ask::every_status(&access.pool, cluster).await;
            let mut reasons = Vec::new();
            for host in trial::order(&answers) {
                context
                    .terminal
                    .say(&format!("Starting an etcd from it on {host}, apart from the members."));
                let tried =
                    trial::try_on(&access.pool, host, &cluster.name, taken_by, &good.source).await;
                match tried {
                    Ok(tried) => {
                        let (pool, of) = (&access.pool, &good.known.cluster_id);
                        let found = trial::compare(pool, cluster, &answers, of, &tried).await;
                        return Ok((tried, found));
                    }
                    Err(error) if error.is_of_the_host() => {
                        reasons.push(format!("{host}: {error}"));
                    }
                    Err(error) => {
                        let doing = format!("{host}: no etcd started from {id}");
                        return Err(CliError::failed(ErrorContext::new(doing, error)));
                    }
                }
            }
            Err(nowhere(id, &reasons))
        };
        interrupts.give_way(work).await
    })?
}

fn nowhere(id: &BackupId, reasons: &[String]) -> CliError {
    let message = format!("no host could start an etcd from {id}: {}", reasons.join("; "));
    let hint = format!("to only open it on this machine: quorate snapshot verify {id} --local");
    CliError::new(ExitCode::Unreachable, message).hint(hint)
}

fn differs(comparison: &Comparison) -> CliError {
    let names = names(&comparison.other);
    let message = format!("the backup has other keys than {names} had at the same revision");
    CliError::failed(message).hint("look at the members: quorate status\ndo not restore from it before you know which one is right")
}

fn names(hosts: &[HostName]) -> String {
    hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ")
}

/// Says what an etcd that started from it said, and what members have.
pub(super) fn tell(terminal: &Terminal, tried: &Tried, comparison: &Comparison) {
    let Tried { host, version, revision, keys, .. } = tried;
    let keys = match keys {
        Some(keys) => format!("{keys} keys"),
        None => "keys that only root may count".to_owned(),
    };
    terminal.say(&format!("{host}: etcd {version} started from it: revision {revision}, {keys}."));
    if comparison.same.is_empty() && comparison.other.is_empty() {
        terminal.say(
            "No member could be compared: they have compacted further since, or do not answer.",
        );
    } else if comparison.other.is_empty() {
        let names = names(&comparison.same);
        terminal.say(&format!("{names} had the same keys at this revision."));
    }
}

fn opening(id: &BackupId, tried: &Tried, comparison: &Comparison) -> Opening {
    Opening {
        format: FORMAT,
        id: id.to_string(),
        sealed_sha256: String::new(),
        time: OffsetDateTime::now_utc().truncate_to_second().format(&Rfc3339).unwrap_or_default(),
        by: actor(),
        host: tried.host.to_string(),
        etcd_version: tried.version.to_string(),
        revision: tried.revision,
        keys: tried.keys,
        same_members: comparison.same.len(),
        digest: String::new(),
    }
}

/// Notes it beside each copy of the snapshot that was tried. What was noted before stays.
fn record(terminal: &Terminal, id: &BackupId, good: &[Good], opening: &Opening) -> ExitCode {
    let Some(first) = good.first() else { return ExitCode::Done };
    let mut code = ExitCode::Done;
    for Good { store, known, .. } in
        good.iter().filter(|one| one.known.sha256 == first.known.sha256)
    {
        let opening = Opening { sealed_sha256: known.sealed_sha256.clone(), ..opening.clone() };
        let put = || {
            if catalog::opening(store, id, known)?.is_some() {
                return Ok(());
            }
            let text = opening.text().map_err(io::Error::other)?;
            store.put(&id.opening(), text.as_bytes())
        };
        match put() {
            Ok(()) => {}
            Err(error) => {
                let doing = format!("{}: could not record that {id} was opened", store.name());
                let in_the_way = error.kind() == io::ErrorKind::AlreadyExists;
                let hint = in_the_way.then(|| format!("{} is damaged: remove it", id.opening()));
                terminal.error(&CliError::failed(ErrorContext::new(doing, error)).maybe_hint(hint));
                code = ExitCode::Partial;
            }
        }
    }
    code
}

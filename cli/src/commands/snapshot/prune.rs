//! `quorate snapshot prune`

use std::io;

use engine::backups::catalog::{self, Copy};
use engine::backups::name::part_of;
use engine::backups::open::{OpenError, copy_sealed};
use engine::backups::retention::{Pruning, pruning};
use engine::backups::{BackupId, Store};
use inventories::{ClusterName, Keep};
use time::OffsetDateTime;

use super::list::{age, unread};
use super::{chosen, stores};
use crate::commands::{Context, approval};
use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use crate::site::Site;

/// What is done.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mode<'a> {
    /// It is shown.
    Show,
    /// It is deleted; the site's name, where the operator gave it.
    Delete(Option<&'a str>),
}

/// A store, what lies there, and what becomes of it.
struct Decided {
    store: Store,
    copies: Vec<Copy>,
    pruning: Pruning,
}

pub(super) fn run(
    context: &Context,
    named: &[ClusterName],
    mode: Mode<'_>,
) -> Result<ExitCode, CliError> {
    let site = context.site()?;
    if let Mode::Delete(confirmed) = mode {
        approval::confirm_site(&site.inventory.site, confirmed)?;
    }
    let decided = decide(context, &site, named, OffsetDateTime::now_utc())?;
    let (mut count, mut code) = (0, ExitCode::Done);
    for decided in &decided {
        count += show(context, decided, OffsetDateTime::now_utc());
        if let Mode::Delete(_) = mode
            && delete(context, decided) == ExitCode::Partial
        {
            code = ExitCode::Partial;
        }
    }
    let last = match (mode, count) {
        (_, 0) => Some("Nothing to delete."),
        (Mode::Show, _) => Some("Nothing was deleted. Delete these: quorate snapshot prune --yes"),
        (Mode::Delete(_), _) => None,
    };
    last.into_iter().for_each(|text| context.terminal.say(text));
    Ok(code)
}

/// Looks at every store before anything is deleted in one.
fn decide(
    context: &Context,
    site: &Site,
    named: &[ClusterName],
    now: OffsetDateTime,
) -> Result<Vec<Decided>, CliError> {
    let mut all = Vec::new();
    for (cluster, backups) in chosen(site, named)? {
        let keep = backups.keep.ok_or_else(|| no_keep(cluster))?;
        for store in stores(context, site, backups) {
            all.push(decide_one(site, cluster, store, keep, now)?);
        }
    }
    Ok(all)
}

fn decide_one(
    site: &Site,
    cluster: &ClusterName,
    store: Store,
    keep: Keep,
    now: OffsetDateTime,
) -> Result<Decided, CliError> {
    let copies =
        store.is_there().and_then(|()| catalog::copies(&store, &site.inventory.site.name, cluster));
    let copies = copies.map_err(|error| unread(&store, error))?;
    let pruning = pruning(&copies, keep, now);
    Ok(Decided { store, copies, pruning })
}

fn no_keep(cluster: &ClusterName) -> CliError {
    let message = format!("the inventory does not say how many backups of {cluster} to keep");
    let hint = format!(
        "write under [clusters.{cluster}.backups]: keep = {{ hourly = 24, daily = 14, weekly = 8 }}"
    );
    CliError::new(ExitCode::Inventory, message).hint(hint)
}

/// Prints what goes; how many that are.
fn show(context: &Context, decided: &Decided, now: OffsetDateTime) -> usize {
    let Decided { store, pruning: Pruning { surplus, abandoned, .. }, .. } = decided;
    let line = |id: &BackupId, what: &str| {
        let age = age(now - id.time);
        context.terminal.print(&format!("{}: {id}, {age} old{what}\n", store.name()));
    };
    surplus.iter().for_each(|id| line(id, ""));
    abandoned.iter().for_each(|id| line(id, ", unfinished"));
    surplus.len() + abandoned.len()
}

/// Deletes what may go. A backup that a target refuses to delete is reported, and stops nothing else.
fn delete(context: &Context, decided: &Decided) -> ExitCode {
    let Decided { store, pruning: Pruning { surplus, abandoned, proofs, .. }, .. } = decided;
    for id in proofs {
        if let Err(error) = is_whole(decided, id) {
            let message = format!(
                "nothing was deleted in {}: {id}, the newest of its cluster, failed verification",
                store.name()
            );
            let error = CliError::failed(ErrorContext::new(message, error));
            context.terminal.error(&error.hint("take a new one: quorate snapshot take"));
            return ExitCode::Partial;
        }
    }
    let going =
        surplus.iter().map(|id| (id, whole(id))).chain(abandoned.iter().map(|id| (id, parts(id))));
    let mut code = ExitCode::Done;
    for (id, files) in going {
        match remove(store, &files) {
            Ok(()) => context.terminal.say(&format!("{}: deleted {id}", store.name())),
            Err(error) => {
                let message = format!("{}: {id} could not be deleted", store.name());
                context.terminal.error(&CliError::failed(ErrorContext::new(message, error)));
                code = ExitCode::Partial;
            }
        }
    }
    code
}

/// Reads what is to stay, so that it is never the last good one that goes.
fn is_whole(decided: &Decided, id: &BackupId) -> Result<(), OpenError> {
    let Decided { store, copies, .. } = decided;
    let copy = copies.iter().find(|copy| copy.id == *id);
    let Some(known) = copy.and_then(Copy::sidecar) else {
        return Err(OpenError::Read(io::Error::other("there is none")));
    };
    let stored = store.open(&id.object()).map_err(OpenError::Read)?;
    copy_sealed(stored, known, &mut io::sink())
}

/// What is left of a run that was stopped, and nothing that has a backup's own name.
fn parts(id: &BackupId) -> Vec<String> {
    vec![part_of(&id.opening()), part_of(&id.sidecar()), part_of(&id.object())]
}

/// The sidecar goes before the backup: what is left of a pruning that was stopped is no backup. The record that it was
/// opened goes first: alone it would stay for ever.
fn whole(id: &BackupId) -> Vec<String> {
    [vec![id.opening(), id.sidecar(), id.object()], parts(id)].concat()
}

fn remove(store: &Store, files: &[String]) -> io::Result<()> {
    files.iter().try_for_each(|name| store.remove(name))
}

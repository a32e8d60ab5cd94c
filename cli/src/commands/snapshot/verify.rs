//! `quorate snapshot verify`

use std::io;

use engine::backups::catalog::{self, State};
use engine::backups::open::{OpenError, open_snapshot};
use engine::backups::{BackupId, Sidecar, Store};
use pki::seal::StreamError;

use super::{settings_of, stores};
use crate::commands::Context;
use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use crate::keys::{self, IdentityArgs, Sealed};
use crate::report::columns::bytes;
use crate::site::Site;

pub(super) fn run(
    context: &Context,
    id: &BackupId,
    identity: &IdentityArgs,
) -> Result<ExitCode, CliError> {
    let site = context.site()?;
    let backups = settings_of(&site, id)?;
    let copies = copies_of(context, &site, id)?;
    let (terminal, passphrases) = (&context.terminal, &context.passphrases);
    let identities =
        keys::identities(&backups.recipients, Sealed::Backup, identity, terminal, passphrases)?;
    let mut code = if copies.len() == backups.to.len() { ExitCode::Done } else { ExitCode::Failed };
    for (store, known) in &copies {
        let stored = store.open(&id.object()).map_err(OpenError::Read);
        let name = store.name();
        match stored.and_then(|file| open_snapshot(file, known, &identities, &mut io::sink())) {
            Ok(()) => terminal.print(&format!(
                "{name}: {id} is whole: {}, etcd {}, revision {} or later\n",
                bytes(known.size),
                known.etcd_version,
                known.revision
            )),
            Err(error) => {
                let hint = hint_of(&error);
                let doing = format!("{name}: {id} failed verification");
                terminal.error(&CliError::failed(ErrorContext::new(doing, error)).maybe_hint(hint));
                code = ExitCode::Failed;
            }
        }
    }
    if code == ExitCode::Done {
        terminal.say("Opened, and compared with its sidecar and its own checksum. No etcd was started from it.");
    }
    Ok(code)
}

/// The good copies of a backup, in the order of the inventory. What is wrong with the others is said.
pub(super) fn copies_of(
    context: &Context,
    site: &Site,
    id: &BackupId,
) -> Result<Vec<(Store, Sidecar)>, CliError> {
    let mut good = Vec::new();
    for store in stores(site, settings_of(site, id)?) {
        let copies = match catalog::copies(&store, &id.site, &id.cluster) {
            Ok(copies) => copies,
            Err(error) => {
                context.terminal.warn(&format!("cannot read {}: {error}", store.name()));
                continue;
            }
        };
        let state = copies.into_iter().find(|copy| copy.id == *id).map(|copy| copy.state);
        let name = store.name();
        match state {
            Some(State::Good(known)) => good.push((store, *known)),
            Some(State::Broken(flaw)) => {
                context.terminal.warn(&format!("{name}: {id} is broken: {flaw}"));
            }
            Some(State::Unfinished) => context.terminal.warn(&format!(
                "{name}: {id} is unfinished: it is being taken, or whoever took it was stopped"
            )),
            None => context.terminal.warn(&format!("{name} does not have {id}")),
        }
    }
    if good.is_empty() {
        let message = format!("no target has a good copy of {id}");
        return Err(
            CliError::failed(message).hint("see which ones there are: quorate snapshot list")
        );
    }
    Ok(good)
}

/// What to do about a backup that was not opened.
pub(super) fn hint_of(error: &OpenError) -> Option<String> {
    Some(match error {
        OpenError::Unseal(StreamError::NoneFits { .. } | StreamError::NoIdentity) => {
            "give the private key of one of its recipients: --identity FILE".to_owned()
        }
        OpenError::Sealed(_) | OpenError::Plain(_) | OpenError::Trailer(_) | OpenError::Cut(_) => {
            "do not restore from it; take a new one: quorate snapshot take".to_owned()
        }
        OpenError::Unseal(_) | OpenError::Read(_) | OpenError::Write(_) => return None,
    })
}

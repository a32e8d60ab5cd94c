//! The copies of a backup in the targets of an inventory.

use engine::backups::catalog::{self, State};
use engine::backups::open::OpenError;
use engine::backups::{BackupId, Sidecar, Store};
use pki::seal::StreamError;

use super::list::unread;
use super::{settings_of, stores};
use crate::commands::Context;
use crate::error::CliError;
use crate::site::Site;

/// The good copies of a backup, in the order of the inventory. What is wrong with the others is reported.
pub(in crate::commands) fn copies_of(
    context: &Context,
    site: &Site,
    id: &BackupId,
) -> Result<Vec<(Store, Sidecar)>, CliError> {
    let (mut good, mut all_read) = (Vec::new(), true);
    for store in stores(context, site, settings_of(site, id)?) {
        let read = || catalog::copies(&store, &id.site, &id.cluster);
        let copies = match store.is_there().and_then(|()| read()) {
            Ok(copies) => copies,
            Err(error) => {
                context.terminal.error(&unread(&store, error));
                all_read = false;
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
                "{name}: {id} is unfinished: it is being taken, or the run that took it was stopped"
            )),
            None => context.terminal.warn(&format!("{name} does not have {id}")),
        }
    }
    if good.is_empty() {
        let message = match all_read {
            true => format!("no target has a good copy of {id}"),
            false => format!("no target that can be read has a good copy of {id}"),
        };
        return Err(
            CliError::failed(message).hint("see which ones there are: quorate snapshot list")
        );
    }
    Ok(good)
}

/// Tries one copy after the other until one succeeds, and reports those that fail; with what came of it, its sidecar.
///
/// # Errors
/// The last copy's, as `failed` puts it; or at once an error of `attempt` that is not about its copy.
pub(in crate::commands) fn first_good<T>(
    context: &Context,
    copies: Vec<(Store, Sidecar)>,
    mut attempt: impl FnMut(&Store, &Sidecar) -> Result<Result<T, OpenError>, CliError>,
    failed: impl Fn(&Store, OpenError) -> CliError,
) -> Result<(T, Sidecar), CliError> {
    let mut last = None;
    for (store, known) in copies {
        if let Some(error) = last.take() {
            context.terminal.error(&error);
            context.terminal.warn("trying the copy of another target");
        }
        match attempt(&store, &known)? {
            Ok(done) => return Ok((done, known)),
            Err(error) => last = Some(failed(&store, error)),
        }
    }
    Err(last.unwrap_or_else(|| CliError::failed("there is no good copy")))
}

/// What to do about a backup that was not opened.
pub(in crate::commands) fn hint_of(error: &OpenError) -> Option<String> {
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

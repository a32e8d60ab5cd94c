//! `quorate pki`

use clap::Subcommand;
use inventories::inventory::{Cluster, PkiSettings};
use inventories::{ClusterName, Inventory};
use pki::{CaKind, Recipient};
use time::OffsetDateTime;

use super::Context;
use crate::authorities::{AuthorityFolder, Ensured, Keeping};
use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use crate::terminal::Terminal;

mod reseal;

/// What to do with certificate authorities.
#[derive(Debug, Subcommand)]
pub enum PkiCommand {
    /// Make the CAs of clusters that have none; those that are there stay as they are
    ///
    /// Run it after a cluster was added to the inventory, and commit what it writes to pki/.
    #[command(after_long_help = "Examples:\n  quorate pki init")]
    Init,
    /// Seal the CA keys again, for the recipients that the inventory names now
    ///
    /// Run it after somebody joined or left [pki] recipients, as somebody who can open the keys, and commit what it
    /// writes to pki/. A key that was sealed before stays readable in the history of the repository: only new CAs help
    /// against somebody who copied it.
    #[command(
        after_long_help = "Examples:\n  quorate pki reseal\n  quorate pki reseal --identity ~/.ssh/id_ed25519"
    )]
    Reseal(reseal::ResealArgs),
}

pub(super) fn run(context: &Context, command: &PkiCommand) -> Result<ExitCode, CliError> {
    match command {
        PkiCommand::Init => {
            let site = context.site()?;
            make_authorities(&site.inventory, &site.authorities, &context.terminal)?;
            Ok(ExitCode::Done)
        }
        PkiCommand::Reseal(arguments) => reseal::run(context, arguments),
    }
}

/// Creates the CAs that the clusters of an inventory still lack, and prints which.
pub(super) fn make_authorities(
    inventory: &Inventory,
    folder: &AuthorityFolder,
    terminal: &Terminal,
) -> Result<(), CliError> {
    let keeping = keeping(&inventory.pki)?;
    let now = OffsetDateTime::now_utc();
    let mut made = false;
    for (name, cluster) in &inventory.clusters {
        let kinds = own_kinds(name, cluster);
        let place = folder.of(name);
        match folder.ensure(&inventory.site.name, name, kinds, &keeping, now)? {
            Ensured::Created => {
                made = true;
                terminal
                    .print(&format!("created the CAs of cluster {name} in {}", place.display()));
            }
            Ensured::AlreadyThere => {
                let message = format!("cluster {name} has its CAs in {} already", place.display());
                terminal.print(&message);
            }
        }
    }
    if made {
        match keeping {
            Keeping::Sealed(_) => {
                terminal.say("commit pki/: without the CAs nobody can renew a certificate");
            }
            Keeping::Plain => terminal.warn(
                "the CA keys are NOT sealed ([pki] plain-keys = true): anyone who reads pki/*/*.key \
                 can open and impersonate every cluster of the site; commit pki/*/*.crt and no key, \
                 and keep a copy of the keys in a safe place",
            ),
        }
    }
    Ok(())
}

/// A cluster that shares another's client CA has only a peer CA of its own.
fn own_kinds(name: &ClusterName, cluster: &Cluster) -> &'static [CaKind] {
    if cluster.client_ca == *name { &CaKind::ALL } else { &[CaKind::Peer] }
}

fn keeping(settings: &PkiSettings) -> Result<Keeping, CliError> {
    if settings.plain_keys {
        return Ok(Keeping::Plain);
    }
    let recipient = |text: &String| {
        Recipient::parse(text).map_err(|error| {
            let doing = format!("[pki] recipients: {text:?}");
            CliError::new(ExitCode::Inventory, ErrorContext::new(doing, error))
        })
    };
    settings.recipients.iter().map(recipient).collect::<Result<_, _>>().map(Keeping::Sealed)
}

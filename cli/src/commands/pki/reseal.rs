//! `quorate pki reseal`

use clap::Args;

use super::keeping;
use crate::authorities::{Keeping, Resealed};
use crate::commands::Context;
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::keys::{self, IdentityArgs, Sealed};

/// Arguments of `quorate pki reseal`.
#[derive(Debug, Args)]
pub struct ResealArgs {
    /// What opens the keys.
    #[command(flatten)]
    identity: IdentityArgs,
}

pub(super) fn run(context: &Context, arguments: &ResealArgs) -> Result<ExitCode, CliError> {
    let site = context.site()?;
    let settings = &site.inventory.pki;
    let Keeping::Sealed(recipients) = keeping(settings)? else {
        let message = "[pki] plain-keys = true: the CA keys are not sealed";
        return Err(CliError::new(ExitCode::Inventory, message)
            .hint("name who may open them: [pki] recipients"));
    };
    let terminal = &context.terminal;
    let identities = keys::identities(
        &settings.recipients,
        Sealed::CaKeys,
        &arguments.identity,
        terminal,
        &context.passphrases,
    )?;
    let mut is_changed = false;
    for cluster in site.inventory.clusters.keys() {
        let keys = match site.authorities.reseal(cluster, &recipients, &identities)? {
            Resealed::Now => {
                is_changed = true;
                "its CA keys are sealed for [pki] recipients now"
            }
            Resealed::Already => "its CA keys were sealed for [pki] recipients before",
            Resealed::Nothing => "it has no sealed CA key here",
        };
        terminal.print(&format!("cluster {cluster}: {keys}"));
    }
    if is_changed {
        terminal.say(
            "commit pki/. Whoever could open the keys before can still open those in the history of the repository.",
        );
    }
    Ok(ExitCode::Done)
}

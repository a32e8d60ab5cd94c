//! `quorate unlock`

use clap::Args;
use inventories::HostName;

use super::hosts::HostAccess;
use super::{Context, approval};
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::interrupt::Interrupts;
use engine::lock::holder;

/// Arguments of `quorate unlock`.
#[derive(Debug, Args)]
pub struct UnlockArgs {
    /// Free the lock without asking
    #[arg(short, long)]
    yes: bool,
}

pub(super) fn run(context: &Context, arguments: &UnlockArgs) -> Result<ExitCode, CliError> {
    let site = context.site()?;
    let spec = site.spec()?;
    let hosts = spec.hosts();
    context.block_on(async {
        let mut interrupts = Interrupts::listen().map_err(CliError::failed)?;
        let access = HostAccess::new(context, &site)?;
        let looking = async { Ok(look(context, &access, hosts).await) };
        let (locked, code) = interrupts.give_way(looking).await?;
        if locked.is_empty() {
            context.terminal.say(match code {
                ExitCode::Done => "No host is locked.",
                _ => "No host that answered is locked.",
            });
            return Ok(code);
        }
        if !arguments.yes {
            let question = "Do you want to free the lock?";
            interrupts.give_way(approval::ask(&context.terminal, question)).await?;
        }
        let freeing = async {
            for host in locked {
                holder(&access.pool, host, true).await.map_err(CliError::failed)?;
                context.terminal.print(&format!("{host}: free\n"));
            }
            Ok(code)
        };
        tokio::select! {
            code = freeing => code,
            () = interrupts.next() => {
                let message = "interrupted; hosts that are not named as free may still be locked";
                Err(CliError::new(ExitCode::Interrupted, message))
            }
        }
    })?
}

/// The hosts that are locked, each printed with its holder; those that can't be asked are warned of.
async fn look<'a>(
    context: &Context,
    access: &HostAccess,
    hosts: impl IntoIterator<Item = &'a HostName>,
) -> (Vec<&'a HostName>, ExitCode) {
    let (mut locked, mut code) = (Vec::new(), ExitCode::Done);
    for host in hosts {
        match holder(&access.pool, host, false).await {
            Ok(Some(who)) => {
                context.terminal.print(&format!("{host}: {who}\n"));
                locked.push(host);
            }
            Ok(None) => {}
            Err(error) => {
                context.terminal.warn(&error.to_string());
                code = code.first(ExitCode::Unreachable);
            }
        }
    }
    (locked, code)
}

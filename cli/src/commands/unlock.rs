//! `quorate unlock`

use clap::Args;

use super::hosts::Door;
use super::{Context, approval};
use crate::engine::lock::holder;
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::interrupt::Interrupts;

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
        let door = Door::of(context, &site)?;
        let mut code = ExitCode::Done;
        let mut locked = Vec::new();
        for host in hosts {
            match holder(&door.pool, host, false).await {
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
        if locked.is_empty() {
            context.terminal.say("No host is locked.");
            return Ok(code);
        }
        if !arguments.yes {
            let question = "Do you want to take the lock from its holder?";
            interrupts.give_way(approval::ask(&context.terminal, question)).await?;
        }
        for host in locked {
            holder(&door.pool, host, true).await.map_err(CliError::failed)?;
            context.terminal.print(&format!("{host}: free\n"));
        }
        Ok(code)
    })?
}

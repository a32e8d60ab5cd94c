//! Asking before anything is changed.

use inventories::inventory::Site;

use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use crate::terminal::Terminal;

/// Whether the operator named the site, where its inventory asks for that.
pub(super) fn confirm_site(site: &Site, confirmed: Option<&str>) -> Result<(), CliError> {
    let usage = |message: String| {
        let hint = format!("if you mean this site: --confirm {}", site.name);
        Err(CliError::new(ExitCode::Usage, message).hint(hint))
    };
    match confirmed {
        Some(name) if name == site.name.as_str() => Ok(()),
        Some(name) => {
            usage(format!("--confirm names {name:?}, and the inventory is of site {}", site.name))
        }
        None if site.confirm => {
            usage(format!("site {} has confirm = true, and --confirm is missing", site.name))
        }
        None => Ok(()),
    }
}

/// Asks whether to continue. Without a terminal there is nobody to ask.
pub(super) async fn ask(terminal: &Terminal, question: &str) -> Result<(), CliError> {
    if !terminal.can_ask() {
        let message = "there is no terminal to ask for approval";
        return Err(CliError::new(ExitCode::Usage, message).hint("approve without it: --yes"));
    }
    terminal.say_always(&format!("\n{question}\n  Only 'yes' will be accepted to approve.\n"));
    let answer = terminal
        .ask("  Enter a value: ")
        .await
        .map_err(|error| CliError::failed(ErrorContext::new("cannot read the answer", error)))?;
    if answer.as_deref() == Some("yes") {
        Ok(())
    } else {
        Err(CliError::failed("cancelled; nothing was changed"))
    }
}

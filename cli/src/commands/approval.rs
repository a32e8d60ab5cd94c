//! Asking before anything is changed.

use std::collections::BTreeSet;

use inventories::inventory::Site;
use planner::plan::Count;
use planner::{Plan, fingerprint};

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

/// The names that the plan wants confirmed and the operator did not give.
pub(super) fn unconfirmed<'n>(wanted: &'n BTreeSet<String>, given: &[String]) -> Vec<&'n str> {
    wanted.iter().filter(|name| !given.contains(name)).map(String::as_str).collect()
}

/// Refuses what approval alone is not enough for.
pub(super) fn refuse_unconfirmed(names: &[&str]) -> Result<(), CliError> {
    if names.is_empty() {
        return Ok(());
    }
    let flags: Vec<String> = names.iter().map(|name| format!("--confirm {name}")).collect();
    let message = format!("the plan's warnings about {} need a confirmation", names.join(", "));
    let hint = format!("read them; if you mean it, add: {}", flags.join(" "));
    Err(CliError::new(ExitCode::Usage, message).hint(hint))
}

/// Asks whether to continue. Without a terminal it can't ask.
pub(super) async fn ask(terminal: &Terminal, question: &str) -> Result<(), CliError> {
    ask_for(terminal, question, "yes").await
}

/// Asks for each of these names, or where there are none, for a yes.
pub(super) async fn ask_each(
    terminal: &Terminal,
    question: &str,
    names: &[&str],
) -> Result<(), CliError> {
    for word in if names.is_empty() { &["yes"] } else { names } {
        ask_for(terminal, question, word).await?;
    }
    Ok(())
}

/// Asks for a word that approves.
async fn ask_for(terminal: &Terminal, question: &str, word: &str) -> Result<(), CliError> {
    if !terminal.can_ask() {
        let message = "there is no terminal to ask for approval";
        return Err(CliError::new(ExitCode::Usage, message).hint("approve without it: --yes"));
    }
    terminal.say_always(&format!("\n{question}\n  Only '{word}' will be accepted to approve.\n"));
    let answer = terminal
        .ask("  Enter a value: ")
        .await
        .map_err(|error| CliError::failed(ErrorContext::new("cannot read the answer", error)))?;
    if answer.as_deref() == Some(word) {
        Ok(())
    } else {
        Err(CliError::failed("cancelled; nothing was changed"))
    }
}

/// The question with the sum of the plan beside it: a long plan has left the screen by then.
pub(super) fn question(plan: &Plan) -> String {
    let Count { add, change, destroy } = plan.count();
    let name = fingerprint::hash(plan);
    let name = fingerprint::short(&name);
    // The last words are those that readers of other plans know.
    format!(
        "Plan {name}: {add} to add, {change} to change, {destroy} to destroy.\nDo you want to perform these actions?"
    )
}

//! How a plan is approved, and what is noted of that.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::super::actor::one_line;
use super::super::plan::LayoutArgs;
use super::super::when;

/// How a plan is approved, the same for every command that changes hosts by one.
#[derive(Debug, Args)]
pub(in crate::commands) struct ConsentArgs {
    /// The hash of the plan that was reviewed: no other is applied
    #[arg(long, value_name = "HASH")]
    pub(super) expect: Option<String>,
    /// Apply the plan without asking; the plan is made and shown all the same
    #[arg(short, long)]
    pub(super) yes: bool,
    /// A name that must be given besides approving: the site's, for sites whose inventory says confirm = true; or what a
    /// warning of the plan is about, such as a host whose serving member is replaced (may be given again)
    #[arg(long, value_name = "NAME")]
    pub(super) confirm: Vec<String>,
    /// Wait so long for another apply that holds the lock, such as 90s, 15m or 2h (default: not at all)
    #[arg(long, value_name = "TIME", value_parser = when::span)]
    pub(super) lock_timeout: Option<Duration>,
    /// Why this is done, for the hosts' journals: `quorate history` shows it
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(super) reason: Option<String>,
    /// Whether the [hooks] of the inventory are run; needed when it does not ask, as with --yes
    #[arg(long, value_name = "WHETHER", env = "QUORATE_HOOKS")]
    pub(super) hooks: Option<HookChoice>,
    /// How the plan is laid out.
    #[command(flatten)]
    pub(in crate::commands) layout: LayoutArgs,
    /// Apply an inventory that is not committed
    #[arg(long)]
    pub(super) allow_dirty: bool,
    /// Apply an older commit of the inventory than the one that was applied last
    #[arg(long)]
    pub(super) allow_older: bool,
}

/// A reason of one line that fits into a journal; for clap.
fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err("say why, in a few words".to_owned()),
        1..=MOST_REASON => Ok(one_line(text)),
        _ => Err(format!("write at most {MOST_REASON} characters")),
    }
}

/// The longest reason, in characters.
const MOST_REASON: usize = 300;

/// Whether the inventory's hooks are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::commands) enum HookChoice {
    /// They are run
    Run,
    /// They are not run
    Skip,
}

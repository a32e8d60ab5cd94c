//! `quorate history`

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Context;
use super::hosts::Door;
use crate::engine::lock::journal;
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::report::json;

/// Arguments of `quorate history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// How many lines of each host's journal
    #[arg(short = 'n', long, value_name = "LINES", default_value_t = 100)]
    lines: u32,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// A line of a host's journal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub(super) struct Entry {
    at: String,
    #[serde(default)]
    host: String,
    who: String,
    plan: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    step: String,
    outcome: String,
}

pub(super) fn run(context: &Context, arguments: &HistoryArgs) -> Result<ExitCode, CliError> {
    let site = context.site()?;
    let spec = site.spec()?;
    let hosts = spec.hosts();
    let mut entries = Vec::new();
    let code = context.block_on(async {
        let door = Door::of(context, &site)?;
        let mut code = ExitCode::Done;
        for host in hosts {
            match journal(&door.pool, host, arguments.lines).await {
                Ok(text) => entries.extend(read(host.as_str(), &text)),
                Err(error) => {
                    context.terminal.warn(&error.to_string());
                    code = code.first(ExitCode::Unreachable);
                }
            }
        }
        Ok::<_, CliError>(code)
    })??;
    entries.sort();
    if arguments.json {
        json::print_document(&context.terminal, &entries)?;
    } else {
        for Entry { at, host: _, who, plan, commit, step, outcome } in &entries {
            let commit = commit.as_deref().and_then(|c| c.get(..12)).unwrap_or("-");
            context.terminal.print(&format!("{at}  {outcome:<8} {step}  {who} {plan} {commit}\n"));
        }
    }
    Ok(code)
}

/// A line that a crash of the host cut off is left out.
fn read(host: &str, text: &str) -> Vec<Entry> {
    text.lines()
        .filter_map(|line| serde_json::from_str::<Entry>(line).ok())
        .map(|entry| Entry { host: host.to_owned(), ..entry })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hostile;
    use proptest::prelude::*;

    const WHOLE: &str = r#"{"at":"2026-11-23T03:00:00Z","who":"a@b","plan":"0f","step":"etcd-1/claim","outcome":"done"}
{"at":"2026-11-23T03:00:01Z","who":"a@b","plan":"0f","commit":"c0ffee","step":"etcd-1/token","outcome":"begun"}
"#;

    /// A line of a journal says nothing of another host, and no damage makes two of one.
    fn check(text: &str) {
        let entries = read("etcd-1", text);
        assert!(entries.len() <= text.lines().count());
        assert!(entries.iter().all(|entry| entry.host == "etcd-1"));
    }

    #[test]
    fn the_corpus_is_read_without_panic() {
        for (name, bytes) in hostile::corpus("journal") {
            eprintln!("{name}");
            check(&String::from_utf8_lossy(&bytes));
        }
    }

    proptest! {
        #[test]
        fn a_damaged_journal_is_read_without_panic(text in hostile::damaged_text(&[WHOLE])) {
            check(&text);
        }
    }

    #[test]
    fn a_torn_line_is_left_out() {
        let whole = r#"{"at":"2026-11-23T03:00:00Z","who":"a@b","plan":"0f","step":"etcd-1/claim","outcome":"done"}"#;
        let entries = read("etcd-1", &format!("{whole}\n{{\"at\":\"2026"));
        assert_eq!(entries.len(), 1);
        assert_eq!((entries[0].host.as_str(), entries[0].outcome.as_str()), ("etcd-1", "done"));
    }
}

//! `quorate history`

use std::sync::Arc;

use clap::Args;
use inventories::HostName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Context;
use super::hosts::HostAccess;
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::report::json;
use engine::pool::Pool;
use engine::sessions::history;

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// How long the step took, of a line about its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    took_ms: Option<u64>,
}

pub(super) fn run(context: &Context, arguments: &HistoryArgs) -> Result<ExitCode, CliError> {
    let site = context.site()?;
    let spec = site.spec()?;
    let hosts = spec.hosts();
    let mut entries = Vec::new();
    let code = context.block_on(async {
        let access = HostAccess::of(context, &site)?;
        let lines = arguments.lines;
        let ask = |pool: Arc<Pool>, host: HostName| async move {
            history::last(&pool, &host, lines).await
        };
        let (answers, code) = access.ask_each(&context.terminal, hosts, ask).await;
        for (host, text) in answers {
            entries.extend(read(host.as_str(), &text));
        }
        Ok::<_, CliError>(code)
    })??;
    in_order(&mut entries);
    if arguments.json {
        json::print_document(&context.terminal, &entries)?;
    } else {
        for entry in &entries {
            context.terminal.print(&format!("{}\n", line(entry)));
        }
    }
    Ok(code)
}

/// By time, and as the host wrote them where it is the same.
fn in_order(entries: &mut [Entry]) {
    entries.sort_by(|a, b| (&a.at, &a.host).cmp(&(&b.at, &b.host)));
}

/// A line of the journal as a line of ours: what a host wrote must not look like two.
fn line(entry: &Entry) -> String {
    let Entry { at, host: _, who, plan, commit, step, outcome, took_ms: _ } = entry;
    let commit = commit.as_deref().and_then(|c| c.get(..12)).unwrap_or("-");
    let line = format!("{at}  {outcome:<8} {step}  {who} {plan} {commit}");
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A line that a crash of the host cut off is left out.
fn read(host: &str, text: &str) -> Vec<Entry> {
    text.lines()
        .filter_map(|line| serde_json::from_str::<Entry>(line).ok())
        .map(|entry| Entry { host: host.to_owned(), at: ended(&entry), ..entry })
        .collect()
}

/// When a line was written. The host wrote when its step was sent, and how long that took. An earlier quorate did
/// not have that noted.
fn ended(entry: &Entry) -> String {
    let sent = OffsetDateTime::parse(&entry.at, &Rfc3339).ok();
    let took =
        entry.took_ms.and_then(|ms| i64::try_from(ms).ok()).map(time::Duration::milliseconds);
    let ended =
        sent.zip(took).and_then(|(sent, took)| sent.checked_add(took)?.format(&Rfc3339).ok());
    ended.unwrap_or_else(|| entry.at.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use test_kit::hostile;

    const WHOLE: &str = r#"{"at":"2026-11-23T03:00:00Z","who":"a@b","plan":"0f","step":"etcd-1/register-host","outcome":"done"}
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
    fn a_step_ends_when_it_ended_and_not_when_it_was_sent() {
        let at = |took: &str| {
            let line = format!(
                r#"{{"at":"2026-11-23T23:59:59.5Z","who":"a@b","plan":"0f","step":"s"{took},"outcome":"done"}}"#
            );
            read("etcd-1", &line)[0].at.clone()
        };
        assert_eq!(at(r#","took_ms":1500"#), "2026-11-24T00:00:01Z");
        assert_eq!(at(""), "2026-11-23T23:59:59.5Z", "a line of an earlier program");
        let end_of_time = format!(r#","took_ms":{}"#, u64::MAX);
        assert_eq!(at(&end_of_time), "2026-11-23T23:59:59.5Z");
    }

    #[test]
    fn a_torn_line_is_left_out() {
        let whole = r#"{"at":"2026-11-23T03:00:00Z","who":"a@b","plan":"0f","step":"etcd-1/register-host","outcome":"done"}"#;
        let entries = read("etcd-1", &format!("{whole}\n{{\"at\":\"2026"));
        assert_eq!(entries.len(), 1);
        assert_eq!((entries[0].host.as_str(), entries[0].outcome.as_str()), ("etcd-1", "done"));
    }

    #[test]
    fn a_line_of_a_host_stays_one_line() {
        let forged = r#"{"at":"1","who":"a\n2  done     etcd-1/main/restart","plan":"0f\r\u0085\u001b[2K","step":"s","outcome":"done"}"#;
        let entries = read("etcd-1", forged);
        let said = line(&entries[0]);
        assert!(!said.contains(char::is_control), "{said:?}");
        assert!(said.starts_with("1  done     s  a 2  done"), "{said:?}");
    }

    #[test]
    fn a_step_begins_before_it_ends() {
        let line = |at: &str, outcome: &str| {
            format!(r#"{{"at":"{at}","who":"a@b","plan":"0f","step":"s","outcome":"{outcome}"}}"#)
        };
        let text =
            [line("2", "begun"), line("2", "already"), line("1", "begun"), line("1", "done")];
        let mut entries = read("etcd-1", &text.join("\n"));
        in_order(&mut entries);
        let outcomes: Vec<&str> = entries.iter().map(|entry| entry.outcome.as_str()).collect();
        assert_eq!(outcomes, ["begun", "done", "begun", "already"]);
    }
}

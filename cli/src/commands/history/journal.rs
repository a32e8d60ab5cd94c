//! A host's journal, line by line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A line of a host's journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(in crate::commands) struct Entry {
    pub(super) at: String,
    #[serde(default)]
    pub(super) host: String,
    pub(super) who: String,
    pub(super) plan: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) commit: Option<String>,
    /// What the lines of one apply have in common, on all hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<String>,
    /// Why the operator did it; only of an apply as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// The step, or the command for an apply as a whole.
    pub(super) step: String,
    pub(super) outcome: String,
    /// How long it took, of a line about an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) took_ms: Option<u64>,
}

/// A line that a crash of the host cut off is left out.
pub(super) fn read(host: &str, text: &str) -> Vec<Entry> {
    text.lines()
        .filter_map(|line| serde_json::from_str::<Entry>(line).ok())
        .map(|entry| Entry { host: host.to_owned(), at: ended(&entry), ..entry })
        .collect()
}

/// By time, and as the host wrote them where it is the same.
pub(super) fn in_order(entries: &mut [Entry]) {
    entries.sort_by(|a, b| (&a.at, &a.host).cmp(&(&b.at, &b.host)));
}

/// A line of the journal as a line of ours: what a host wrote must not look like two.
pub(super) fn line(entry: &Entry) -> String {
    let Entry { at, host, who, plan, commit, run: _, reason, step, outcome, took_ms: _ } = entry;
    let commit = commit.as_deref().and_then(|c| c.get(..12)).unwrap_or("-");
    // The name of a step begins with its host; that of a whole apply has none.
    let step = if entry.is_whole() { format!("{host}: {step}") } else { step.clone() };
    let reason = reason.as_ref().map(|reason| format!("  {reason}")).unwrap_or_default();
    one_line(&format!("{at}  {outcome:<8} {step}  {who} {plan} {commit}{reason}"))
}

/// Text of a host on one line.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl Entry {
    /// Whether it is about an apply as a whole, and not about a step.
    pub(super) fn is_whole(&self) -> bool {
        !self.step.contains('/')
    }

    /// Whether something begins here.
    pub(super) fn begins(&self) -> bool {
        self.outcome == "begun"
    }

    /// The cluster of a step that is about one: `HOST/CLUSTER/VERB`.
    pub(super) fn cluster(&self) -> Option<&str> {
        let mut parts = self.step.splitn(3, '/').skip(1);
        let (cluster, _verb) = (parts.next()?, parts.next()?);
        Some(cluster)
    }

    /// When it was written.
    pub(super) fn time(&self) -> Option<OffsetDateTime> {
        OffsetDateTime::parse(&self.at, &Rfc3339).ok()
    }
}

/// When a line was written. The host wrote when its step was sent, and how long that took. An earlier quorate did
/// not have that noted.
fn ended(entry: &Entry) -> String {
    let took =
        entry.took_ms.and_then(|ms| i64::try_from(ms).ok()).map(time::Duration::milliseconds);
    let ended = entry
        .time()
        .zip(took)
        .and_then(|(sent, took)| sent.checked_add(took)?.format(&Rfc3339).ok());
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
        assert!(said.starts_with("1  done     etcd-1: s  a 2  done"), "{said:?}");
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

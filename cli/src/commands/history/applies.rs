//! How each apply ended, from the lines that it left on its hosts.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::journal::{Entry, one_line};
use crate::report::columns::table;

/// An apply, or another command that changed hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(in crate::commands) struct Apply {
    /// When it began.
    at: String,
    who: String,
    plan: String,
    commit: Option<String>,
    /// `apply`, `defrag`, or the step of a command that is one step.
    command: String,
    reason: Option<String>,
    outcome: String,
    /// How long it took; `null` while it runs, or where it was killed.
    took_ms: Option<u64>,
    #[schemars(with = "Vec<String>")]
    hosts: BTreeSet<String>,
    #[schemars(with = "Vec<String>")]
    clusters: BTreeSet<String>,
    /// How many steps ended.
    steps: usize,
    /// The steps that failed or were refused.
    #[schemars(with = "Vec<String>")]
    failed: BTreeSet<String>,
}

/// How far apart two lines of an earlier quorate, which did not note the run, may be in one apply.
const PAUSE: Duration = Duration::HOUR;

/// The applies that these lines are of, oldest first. The lines are in order.
pub(super) fn of(entries: &[Entry]) -> Vec<Apply> {
    let mut groups: Vec<Vec<&Entry>> = Vec::new();
    for entry in entries {
        match groups.iter_mut().rev().find(|group| belongs(group, entry)) {
            Some(group) => group.push(entry),
            None => groups.push(vec![entry]),
        }
    }
    groups.iter().map(|group| Apply::from_entries(group)).collect()
}

fn belongs(group: &[&Entry], entry: &Entry) -> bool {
    let (Some(first), Some(last)) = (group.first(), group.last()) else { return false };
    if entry.run.is_some() || first.run.is_some() {
        return first.run == entry.run;
    }
    let key = |entry: &Entry| {
        // A command that is one step has no plan, so its step tells it from others.
        let step = (entry.plan == "-").then(|| entry.step.clone());
        (entry.who.clone(), entry.plan.clone(), entry.commit.clone(), step)
    };
    let apart = last.time().zip(entry.time()).map(|(last, next)| next - last);
    key(first) == key(entry) && apart.is_none_or(|apart| apart < PAUSE)
}

impl Apply {
    fn from_entries(group: &[&Entry]) -> Self {
        let first = group.iter().min_by_key(|entry| &entry.at);
        let text = |of: fn(&Entry) -> &String| first.map(|e| of(e).clone()).unwrap_or_default();
        let whole = group.iter().find(|entry| entry.is_whole());
        let steps = || group.iter().filter(|entry| !entry.is_whole());
        let ended = |entry: &&&&Entry| !entry.begins();
        let is_bad =
            |entry: &&&&Entry| !["done", "already", "begun"].contains(&entry.outcome.as_str());
        let (outcome, took_ms) = outcome(group);
        Self {
            at: text(|entry| &entry.at),
            who: text(|entry| &entry.who),
            plan: text(|entry| &entry.plan),
            commit: first.and_then(|entry| entry.commit.clone()),
            command: match whole {
                Some(whole) => whole.step.clone(),
                None if group.iter().all(|entry| entry.plan == "-") => {
                    let verb = |step: String| step.rsplit('/').next().map(str::to_owned);
                    verb(text(|entry| &entry.step)).unwrap_or_default()
                }
                None => "apply".to_owned(),
            },
            reason: whole.and_then(|entry| entry.reason.clone()),
            outcome,
            took_ms,
            hosts: group.iter().map(|entry| entry.host.clone()).collect(),
            clusters: steps().filter_map(|entry| entry.cluster()).map(str::to_owned).collect(),
            steps: steps().collect::<Vec<_>>().iter().filter(ended).count(),
            failed: steps()
                .collect::<Vec<_>>()
                .iter()
                .filter(is_bad)
                .map(|entry| entry.step.clone())
                .collect(),
        }
    }

    /// When it began.
    pub(super) fn time(&self) -> Option<OffsetDateTime> {
        OffsetDateTime::parse(&self.at, &time::format_description::well_known::Rfc3339).ok()
    }

    /// Whether a step of it was about one of these clusters.
    pub(super) fn touched(&self, clusters: &[String]) -> bool {
        clusters.is_empty() || clusters.iter().any(|name| self.clusters.contains(name))
    }
}

/// How it ended, and how long it took. Without a line about its end it was killed or still runs; an earlier
/// quorate wrote none, so there its steps decide.
fn outcome(group: &[&Entry]) -> (String, Option<u64>) {
    let whole = || group.iter().filter(|entry| entry.is_whole());
    if let Some(end) = whole().find(|entry| !entry.begins()) {
        return (end.outcome.clone(), end.took_ms);
    }
    let begun: BTreeSet<&str> =
        group.iter().filter(|entry| entry.begins()).map(|entry| entry.step.as_str()).collect();
    let ended: BTreeSet<&str> =
        group.iter().filter(|entry| !entry.begins()).map(|entry| entry.step.as_str()).collect();
    let is_good = |entry: &&Entry| ["done", "already", "begun"].contains(&entry.outcome.as_str());
    if whole().next().is_some() || !begun.is_subset(&ended) {
        return ("unfinished".to_owned(), None);
    }
    let times = || group.iter().filter_map(|entry| entry.time());
    let took = times().max().zip(times().min()).map(|(last, first)| last - first);
    let took = took.and_then(|took| u64::try_from(took.whole_milliseconds()).ok());
    let word = if group.iter().all(is_good) { "done" } else { "failed" };
    (word.to_owned(), took)
}

/// A line each, newest last.
pub(super) fn text(applies: &[Apply]) -> String {
    let head = ["STARTED", "WHO", "COMMIT", "HOSTS", "STEPS", "TOOK", "OUTCOME", "WHAT"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(applies.iter().map(row));
    table(&rows).join("\n")
}

fn row(apply: &Apply) -> [String; 8] {
    let commit = apply.commit.as_deref().and_then(|commit| commit.get(..12)).unwrap_or("-");
    let reason = apply.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    // Hosts write their time in fractions of a second.
    let at = apply.at.get(..19).map_or_else(|| apply.at.clone(), |seconds| format!("{seconds}Z"));
    [
        at,
        apply.who.clone(),
        commit.to_owned(),
        apply.hosts.len().to_string(),
        apply.steps.to_string(),
        apply.took_ms.map_or_else(|| "-".to_owned(), took),
        apply.outcome.clone(),
        format!("{}{reason}", apply.command),
    ]
    .map(|cell| one_line(&cell))
}

/// A duration, short.
fn took(milliseconds: u64) -> String {
    match milliseconds / 1000 {
        seconds if seconds < 60 => format!("{:.1} s", milliseconds as f64 / 1000.0),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::super::journal::{in_order, read};
    use super::*;

    fn entries(lines: &[(&str, &str)]) -> Vec<Entry> {
        let mut all: Vec<Entry> =
            lines.iter().flat_map(|(host, line)| read(host, &format!("{{{line}}}"))).collect();
        assert_eq!(all.len(), lines.len());
        in_order(&mut all);
        all
    }

    const WHO: &str = r#""who":"ann@desk","plan":"0f","commit":"25a319a8b3f5c0ffee""#;

    fn step(second: u32, run: &str, step: &str, end: &str) -> String {
        let run = if run.is_empty() { String::new() } else { format!(r#","run":"{run}""#) };
        format!(r#""at":"2026-11-29T03:00:{second:02}Z",{WHO}{run},"step":"{step}",{end}"#)
    }

    #[test]
    fn an_apply_is_one_line_whatever_hosts_it_was_on() {
        let lines = [
            ("etcd-1", step(0, "a", "apply", r#""reason":"quota","outcome":"begun""#)),
            ("etcd-2", step(0, "a", "apply", r#""reason":"quota","outcome":"begun""#)),
            ("etcd-1", step(1, "a", "etcd-1/main/unit", r#""outcome":"begun""#)),
            ("etcd-1", step(1, "a", "etcd-1/main/unit", r#""took_ms":500,"outcome":"done""#)),
            ("etcd-2", step(3, "b", "apply", r#""outcome":"begun""#)),
            ("etcd-2", step(2, "a", "etcd-2/host", r#""outcome":"begun""#)),
            ("etcd-2", step(2, "a", "etcd-2/host", r#""took_ms":1,"outcome":"refused""#)),
            (
                "etcd-1",
                step(0, "a", "apply", r#""reason":"quota","took_ms":65000,"outcome":"partial""#),
            ),
        ];
        let lines: Vec<(&str, &str)> = lines.iter().map(|(h, l)| (*h, l.as_str())).collect();
        let applies = of(&entries(&lines));
        assert_eq!(applies.len(), 2);
        assert_eq!(applies[0].failed, BTreeSet::from(["etcd-2/host".to_owned()]));
        assert!(applies[0].touched(&["main".to_owned()]) && !applies[0].touched(&["x".to_owned()]));
        let said = text(&applies);
        let rows: Vec<&str> = said.lines().collect();
        assert_eq!(
            rows[1].split_whitespace().collect::<Vec<_>>().join(" "),
            "2026-11-29T03:00:00Z ann@desk 25a319a8b3f5 2 2 1 min 5 s partial apply: quota"
        );
        assert!(rows[2].contains(" - "), "{said}");
        assert!(rows[2].ends_with("unfinished  apply"), "{said}");
    }

    #[test]
    fn an_earlier_program_s_applies_are_told_apart_by_plan_and_time() {
        let lines = [
            ("etcd-1", step(0, "", "etcd-1/host", r#""outcome":"begun""#)),
            ("etcd-1", step(4, "", "etcd-1/host", r#""outcome":"done""#)),
            ("etcd-1", step(9, "", "etcd-1/main/unit", r#""outcome":"begun""#)),
        ];
        let mut lines: Vec<(&str, String)> = lines.into_iter().collect();
        let one = |lines: &[(&str, String)]| {
            let lines: Vec<(&str, &str)> = lines.iter().map(|(h, l)| (*h, l.as_str())).collect();
            of(&entries(&lines))
        };
        assert_eq!(one(&lines)[0].outcome, "unfinished");
        lines.pop();
        assert_eq!((one(&lines)[0].outcome.as_str(), one(&lines)[0].took_ms), ("done", Some(4000)));
        let later = step(0, "", "etcd-1/host", r#""outcome":"failed""#).replace("T03", "T05");
        lines.push(("etcd-1", later));
        let outcomes: Vec<String> = one(&lines).into_iter().map(|apply| apply.outcome).collect();
        assert_eq!(outcomes, ["done", "failed"]);
    }

    #[test]
    fn a_purge_is_a_line_of_its_own() {
        let line = |end: &str| {
            format!(
                r#""at":"2026-11-29T03:00:00Z","who":"a@b","plan":"-","step":"etcd-1/main/purge-x",{end}"#
            )
        };
        let (begun, done) = (line(r#""outcome":"begun""#), line(r#""took_ms":3,"outcome":"done""#));
        let applies = of(&entries(&[("etcd-1", &begun), ("etcd-1", &done)]));
        assert_eq!(applies.len(), 1);
        assert_eq!((applies[0].command.as_str(), applies[0].outcome.as_str()), ("purge-x", "done"));
    }
}

//! `quorate snapshot list`

use std::io;

use engine::backups::catalog::{self, Copy, State};
use engine::backups::{Sidecar, Store};
use inventories::ClusterName;
use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{chosen, stores};
use crate::commands::Context;
use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use crate::report::columns::{bytes, table};
use crate::report::json;
use crate::site::Site;

/// A backup in one target, as JSON has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(in crate::commands) struct Entry {
    id: String,
    cluster: String,
    /// Where it is, as the inventory has it.
    target: String,
    /// When it was started, RFC 3339 in UTC.
    time: String,
    state: Word,
    /// Why it is broken; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// The rest is absent unless it is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    /// The snapshot's size in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etcd_version: Option<String>,
    /// Whether the cluster had a quorum.
    #[serde(skip_serializing_if = "Option::is_none")]
    quorum: Option<bool>,
    /// What was proven of it: `stored`, `checked` or `opened`.
    #[serde(skip_serializing_if = "Option::is_none")]
    grade: Option<String>,
    /// When it was opened and an etcd started from it, RFC 3339 in UTC; absent if nobody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    opened: Option<String>,
}

/// A state as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Good,
    Unfinished,
    Broken,
}

/// A backup and the target that has it.
pub(super) struct Found {
    pub(super) store: Store,
    pub(super) copy: Copy,
}

pub(super) fn run(
    context: &Context,
    named: &[ClusterName],
    json: bool,
) -> Result<ExitCode, CliError> {
    let site = context.site()?;
    let (found, code) = look(context, &site, named)?;
    if json {
        let entries: Vec<Entry> = found.iter().map(entry).collect();
        json::print_document(&context.terminal, &entries)?;
    } else if found.is_empty() && code == ExitCode::Failed {
        context.terminal.say("Whether there are backups is unknown: a target can't be read.");
    } else if found.is_empty() {
        context.terminal.say("No target has a backup. Take one: quorate snapshot take");
    } else {
        show(context, &found, OffsetDateTime::now_utc());
    }
    Ok(code)
}

/// The backups in all targets, by name; targets that can't be read are named.
pub(super) fn look(
    context: &Context,
    site: &Site,
    named: &[ClusterName],
) -> Result<(Vec<Found>, ExitCode), CliError> {
    let (mut found, mut code) = (Vec::new(), ExitCode::Done);
    for (cluster, backups) in chosen(site, named)? {
        for store in stores(context, site, backups) {
            if store.is_missing() {
                let name = store.name();
                context.terminal.warn(&format!(
                    "{name}: there is no such folder: it is not mounted, or no backup has been taken yet"
                ));
            }
            match catalog::copies(&store, &site.inventory.site.name, cluster) {
                Ok(copies) => {
                    let of_store = |copy| Found { store: store.clone(), copy };
                    found.extend(copies.into_iter().map(of_store));
                }
                Err(error) => {
                    context.terminal.error(&unread(&store, error));
                    code = ExitCode::Failed;
                }
            }
        }
    }
    found.sort_by(|a, b| (&a.copy.id, a.store.name()).cmp(&(&b.copy.id, b.store.name())));
    Ok((found, code))
}

/// A target that can't be read, and what to look at.
pub(super) fn unread(store: &Store, error: io::Error) -> CliError {
    let message = format!("cannot read {}", store.name());
    let advice = store.advice_on(&error);
    CliError::failed(ErrorContext::new(message, error)).maybe_hint(advice)
}

fn entry(Found { store, copy }: &Found) -> Entry {
    let (state, why) = match &copy.state {
        State::Good(_) => (Word::Good, None),
        State::Unfinished => (Word::Unfinished, None),
        State::Broken(flaw) => (Word::Broken, Some(flaw.to_string())),
    };
    let known = copy.sidecar();
    Entry {
        id: copy.id.to_string(),
        cluster: copy.id.cluster.to_string(),
        target: store.name().to_owned(),
        time: copy.id.time.format(&Rfc3339).unwrap_or_default(),
        state,
        why,
        revision: known.map(|known| known.revision),
        bytes: known.map(|known| known.size),
        etcd_version: known.map(|known| known.etcd_version.clone()),
        quorum: known.map(|known| known.quorum),
        grade: copy.grade().map(|grade| grade.as_str().to_owned()),
        opened: copy.opening.as_ref().map(|opening| opening.time.clone()),
    }
}

fn show(context: &Context, found: &[Found], now: OffsetDateTime) {
    let head = ["TIME", "AGE", "REVISION", "SIZE", "ETCD", "GRADE", "WHERE", "ID"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(found.iter().map(|found| row(found, now)));
    context.terminal.print(&format!("{}\n", table(&rows).join("\n")));
    for Found { store, copy } in found {
        if let State::Broken(flaw) = &copy.state {
            context.terminal.warn(&format!("{} in {} is broken: {flaw}", copy.id, store.name()));
        }
    }
}

fn row(Found { store, copy }: &Found, now: OffsetDateTime) -> [String; 8] {
    let time = copy.id.time;
    let day = format!("{} {:02}:{:02}Z", time.date(), time.hour(), time.minute());
    let age = age(now - time);
    let (place, id) = (store.name().to_owned(), copy.id.to_string());
    let nothing = || "-".to_owned();
    let word = |grade: &str| [nothing(), nothing(), nothing(), grade.to_owned()];
    let [revision, size, etcd, grade] = match &copy.state {
        State::Unfinished => word("unfinished"),
        State::Broken(_) => word("broken"),
        State::Good(known) => {
            let Sidecar { revision, size, etcd_version, quorum, grade, .. } = &**known;
            let quorum = if *quorum { "" } else { ", no quorum" };
            let grade = format!("{}{quorum}", copy.grade().unwrap_or(*grade).as_str());
            [revision.to_string(), bytes(*size), etcd_version.clone(), grade]
        }
    };
    [day, age, revision, size, etcd, grade, place, id]
}

/// An age in one unit.
pub(super) fn age(age: time::Duration) -> String {
    let plural = |count: i64, unit: &str| {
        let end = if count == 1 { "" } else { "s" };
        format!("{count} {unit}{end}")
    };
    match (age.whole_days(), age.whole_hours(), age.whole_minutes()) {
        (days @ 2.., ..) => plural(days, "day"),
        (_, hours @ 5.., _) => plural(hours, "hour"),
        (_, hours @ 2.., minutes) if minutes % 60 == 0 => plural(hours, "hour"),
        (.., minutes @ 0..) => plural(minutes, "minute"),
        _ => "in the future".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_in_one_unit() {
        let shown = [0, 1, 150, 120, 2879, 2880, -1].map(|m| age(time::Duration::minutes(m)));
        let expected = [
            "0 minutes",
            "1 minute",
            "150 minutes",
            "2 hours",
            "47 hours",
            "2 days",
            "in the future",
        ];
        assert_eq!(shown, expected);
    }
}

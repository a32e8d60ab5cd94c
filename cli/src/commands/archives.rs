//! `quorate archives`

use std::collections::BTreeSet;
use std::sync::Arc;

use clap::{Args, Subcommand};
use inventories::HostName;
use planner::facts::set_aside;
use schemars::JsonSchema;
use serde::Serialize;
use time::{OffsetDateTime, macros::format_description};

use super::actor::actor;
use super::hosts::{HostAccess, code_of};
use super::{Context, approval};
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::interrupt::Interrupts;
use crate::report::columns::{bytes, table};
use crate::report::json;
use crate::site::Site;
use engine::pool::Pool;
use engine::sessions::archives::{self, Archive};

/// What to do with archives.
#[derive(Debug, Subcommand)]
pub enum ArchivesCommand {
    /// List the archives on all hosts, with their age and size
    #[command(
        after_long_help = "Examples:\n  quorate archives list\n  quorate archives list --cluster main --json"
    )]
    List {
        /// Which ones.
        #[command(flatten)]
        of: Which,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Delete archives permanently
    ///
    /// Shows the archives, asks, and deletes them. There is no way back: if a backup is missing or broken,
    /// an archive may be the only copy of its data.
    #[command(
        after_long_help = "Examples:\n  quorate archives purge --older-than 30\n  quorate archives purge --host etcd-2 --yes"
    )]
    Purge {
        /// Which ones.
        #[command(flatten)]
        of: Which,
        /// Delete them without asking
        #[arg(short, long)]
        yes: bool,
        /// The site's name, for sites whose inventory says confirm = true
        #[arg(long, value_name = "SITE")]
        confirm: Option<String>,
    },
}

/// Which archives a command is about; all, unless it is narrowed.
#[derive(Debug, Args)]
pub struct Which {
    /// Only those of this cluster, which need not be in the inventory any more (may be given again)
    #[arg(long, value_name = "NAME")]
    cluster: Vec<String>,
    /// Only those on this host (may be given again)
    #[arg(long, value_name = "NAME")]
    host: Vec<HostName>,
    /// Only those that were set aside more than so many days ago
    #[arg(long, value_name = "DAYS")]
    older_than: Option<u32>,
}

/// An archive, as JSON has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Entry {
    host: String,
    cluster: String,
    name: String,
    /// Since when it is there; absent where its name does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    bytes: u64,
}

pub(super) fn run(context: &Context, command: &ArchivesCommand) -> Result<ExitCode, CliError> {
    let site = context.site()?;
    let (ArchivesCommand::List { of, .. } | ArchivesCommand::Purge { of, .. }) = command;
    let hosts = of.hosts(&site)?;
    context.block_on(async {
        let mut interrupts = Interrupts::listen().map_err(CliError::failed)?;
        let access = HostAccess::new(context, &site)?;
        let now = OffsetDateTime::now_utc();
        let looking = async { Ok(look(context, &access, &hosts, of, now).await) };
        let (found, code) = interrupts.give_way(looking).await?;
        match command {
            ArchivesCommand::List { json: true, .. } => {
                let entries: Vec<Entry> = found.iter().map(entry).collect();
                json::print_document(&context.terminal, &entries)?;
                Ok(code)
            }
            ArchivesCommand::List { json: false, .. } => {
                show(context, &found, now, code);
                Ok(code)
            }
            ArchivesCommand::Purge { yes, confirm, .. } => {
                approval::confirm_site(&site.inventory.site, confirm.as_deref())?;
                show(context, &found, now, code);
                if found.is_empty() {
                    return Ok(code);
                }
                if !yes {
                    let count = found.len();
                    let question = match count {
                        1 => "Do you want to permanently delete this archive?".to_owned(),
                        _ => format!("Do you want to permanently delete these {count} archives?"),
                    };
                    interrupts.give_way(approval::ask(&context.terminal, &question)).await?;
                }
                let purged = purge(context, &access, &found);
                tokio::select! {
                    ended = purged => Ok(code.first(ended)),
                    () = interrupts.next() => {
                        let message = "interrupted; archives that are not named as deleted may still be there";
                        Err(CliError::new(ExitCode::Interrupted, message).hint("quorate archives list"))
                    }
                }
            }
        }
    })?
}

impl Which {
    fn hosts(&self, site: &Site) -> Result<Vec<HostName>, CliError> {
        let known = &site.inventory.hosts;
        if let Some(unknown) = self.host.iter().find(|name| !known.contains_key(*name)) {
            let message = format!("--host {unknown}: the inventory has no such host");
            let names: Vec<&str> = known.keys().map(HostName::as_str).collect();
            let hint = format!("there are: {}", names.join(", "));
            return Err(CliError::new(ExitCode::Usage, message).hint(hint));
        }
        let wanted: BTreeSet<&HostName> = self.host.iter().collect();
        let all = known.keys().filter(|name| wanted.is_empty() || wanted.contains(name));
        Ok(all.cloned().collect())
    }

    /// An archive whose name does not say how old it is, is never old enough.
    fn takes(&self, archive: &Archive, now: OffsetDateTime) -> bool {
        let is_old = self.older_than.is_none_or(|days| {
            set_aside(&archive.name).is_some_and(|at| (now - at).whole_days() >= i64::from(days))
        });
        is_old && (self.cluster.is_empty() || self.cluster.contains(&archive.cluster))
    }
}

/// The archives of these hosts that the command is about.
async fn look(
    context: &Context,
    access: &HostAccess,
    hosts: &[HostName],
    of: &Which,
    now: OffsetDateTime,
) -> (Vec<(HostName, Archive)>, ExitCode) {
    let ask = |pool: Arc<Pool>, host: HostName| async move { archives::list(&pool, &host).await };
    let (answers, code) = access.ask_each(&context.terminal, hosts, ask).await;
    let mut found = Vec::new();
    for (host, archives) in answers {
        let taken = archives.into_iter().filter(|archive| of.takes(archive, now));
        found.extend(taken.map(|archive| (host.clone(), archive)));
    }
    (found, code)
}

async fn purge(context: &Context, access: &HostAccess, found: &[(HostName, Archive)]) -> ExitCode {
    let (who, mut code) = (actor(), ExitCode::Done);
    for (host, archive) in found {
        let Archive { cluster, name, bytes: _ } = archive;
        match archives::purge(&access.pool, host, archive, &who).await {
            Ok(()) => context.terminal.print(&format!("{host}: deleted {cluster}/{name}\n")),
            Err(error) => {
                context.terminal.warn(&format!("{error}; {cluster}/{name} may still be there"));
                code = code.first(code_of(&error));
            }
        }
    }
    code
}

fn show(context: &Context, found: &[(HostName, Archive)], now: OffsetDateTime, code: ExitCode) {
    if found.is_empty() {
        context.terminal.say(match code {
            ExitCode::Done => "No such archive is on any host.",
            _ => "No such archive is on any host that answered.",
        });
        return;
    }
    let mut rows = vec![["HOST", "CLUSTER", "AGE", "SIZE", "NAME"].map(str::to_owned)];
    rows.extend(found.iter().map(|(host, archive)| {
        let Archive { cluster, name, bytes: size } = archive;
        let age = age(set_aside(&archive.name), now);
        [host.to_string(), cluster.clone(), age, bytes(*size), name.clone()]
    }));
    let lines = table(&rows).join("\n");
    context.terminal.print(&format!("{lines}\n"));
    let total: u64 = found.iter().map(|(_, archive)| archive.bytes).sum();
    context.terminal.say(&format!(
        "{} in {}. Archives hold everything that was in etcd, Kubernetes Secrets included.",
        bytes(total),
        if found.len() == 1 { "1 archive".to_owned() } else { format!("{} archives", found.len()) }
    ));
}

fn entry((host, archive): &(HostName, Archive)) -> Entry {
    let rfc3339 = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    Entry {
        host: host.to_string(),
        cluster: archive.cluster.clone(),
        name: archive.name.clone(),
        since: set_aside(&archive.name).and_then(|at| at.format(&rfc3339).ok()),
        bytes: archive.bytes,
    }
}

fn age(at: Option<OffsetDateTime>, now: OffsetDateTime) -> String {
    let Some(at) = at else { return "unknown".to_owned() };
    let age = now - at;
    match (age.whole_days(), age.whole_hours()) {
        (1, _) => "1 day".to_owned(),
        (days, _) if days > 1 => format!("{days} days"),
        (_, 1) => "1 hour".to_owned(),
        (_, hours) if hours > 1 => format!("{hours} hours"),
        _ => "under an hour".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn archive(name: &str) -> Archive {
        Archive { cluster: "main".to_owned(), name: name.to_owned(), bytes: 1 }
    }

    #[test]
    fn only_what_is_known_to_be_old_is_old() {
        let now = datetime!(2026-12-28 12:00 UTC);
        let of = Which { cluster: Vec::new(), host: Vec::new(), older_than: Some(30) };
        assert!(of.takes(&archive("20261128T120000Z-2baa"), now));
        assert!(!of.takes(&archive("20261128T120001Z-2baa"), now));
        assert!(!of.takes(&archive("handmade"), now));
        assert!(!of.takes(&archive("20270101T000000Z-2baa"), now), "a host's clock was ahead");
        let of = Which { cluster: vec!["events".to_owned()], older_than: None, ..of };
        assert!(!of.takes(&archive("20261128T120000Z-2baa"), now));
    }

    #[test]
    fn ages_are_in_whole_units() {
        let now = datetime!(2026-12-28 12:00 UTC);
        let shown = [
            "20261128T120000Z-a",
            "20261227T110000Z-a",
            "20261228T100000Z-a",
            "20261228T115900Z-a",
        ]
        .map(|name| age(set_aside(name), now));
        assert_eq!(shown, ["30 days", "1 day", "2 hours", "under an hour"]);
        assert_eq!(age(None, now), "unknown");
    }
}

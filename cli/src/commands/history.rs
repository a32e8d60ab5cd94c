//! `quorate history`

use std::collections::BTreeSet;
use std::sync::Arc;

use clap::Args;
use inventories::{ClusterName, HostName};
use planner::Selection;
use time::OffsetDateTime;

use super::hosts::HostAccess;
use super::{Context, selection, when};
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::report::json;
use engine::pool::Pool;
use engine::sessions::history;

mod applies;
mod journal;

pub(super) use applies::Apply;
pub(super) use journal::Entry;

/// Arguments of `quorate history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// How many applies, the newest ones (default: 20); with --steps: how many lines of each host's journal (default: 100)
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    last: Option<u32>,
    /// Show each step, as it began and as it ended
    #[arg(long)]
    steps: bool,
    /// Only what began since then: 15m, 2h or 3d ago, a date, or a time such as 2026-11-29T03:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = when::moment)]
    since: Option<OffsetDateTime>,
    /// Only what was done for this cluster (may be given again)
    #[arg(long, value_name = "NAME")]
    cluster: Vec<ClusterName>,
    /// Ask only this host (may be given again)
    #[arg(long, value_name = "NAME")]
    host: Vec<HostName>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// All that a host keeps, in lines: it drops its oldest lines beyond that.
const WHOLE: u32 = 25_000;

/// How many lines of a host an apply has at most, mostly.
const OF_AN_APPLY: u32 = 100;

pub(super) fn run(context: &Context, arguments: &HistoryArgs) -> Result<ExitCode, CliError> {
    let site = context.site()?;
    let spec = site.spec()?;
    let asked =
        Selection { clusters: BTreeSet::new(), hosts: arguments.host.iter().cloned().collect() };
    selection::of_the_site(&asked, &spec)?;
    let hosts = spec.hosts().into_iter().filter(|host| asked.takes_host(host));
    let lines = arguments.lines();
    let mut entries = Vec::new();
    let code = context.block_on(async {
        let access = HostAccess::new(context, &site)?;
        let ask = |pool: Arc<Pool>, host: HostName| async move {
            history::last(&pool, &host, lines).await
        };
        let (answers, code) = access.ask_each(&context.terminal, hosts, ask).await;
        for (host, text) in answers {
            entries.extend(journal::read(host.as_str(), &text));
        }
        Ok::<_, CliError>(code)
    })??;
    journal::in_order(&mut entries);
    if arguments.steps {
        entries.retain(|entry| arguments.takes(entry));
        show(context, arguments.json, &entries, |entries| {
            entries.iter().map(|entry| journal::line(entry) + "\n").collect()
        })?;
    } else {
        let applies = arguments.narrowed(applies::of(&entries));
        show(context, arguments.json, &applies, applies::text)?;
    }
    Ok(code)
}

fn show<T: serde::Serialize>(
    context: &Context,
    as_json: bool,
    all: &[T],
    text: impl Fn(&[T]) -> String,
) -> Result<(), CliError> {
    match (as_json, all) {
        (true, _) => json::print_document(&context.terminal, &all)?,
        (false, []) => context.terminal.say("Nothing was done on these hosts, or not then."),
        (false, _) => context.terminal.print(&text(all)),
    }
    Ok(())
}

impl HistoryArgs {
    /// How many lines of a journal are read.
    fn lines(&self) -> u32 {
        let is_narrowed = self.since.is_some() || !self.cluster.is_empty();
        match (self.steps, self.last) {
            (true, None) if is_narrowed => WHOLE,
            (true, last) => last.unwrap_or(100),
            (false, _) if is_narrowed => WHOLE,
            (false, last) => last.unwrap_or(20).saturating_mul(OF_AN_APPLY).min(WHOLE),
        }
    }

    fn clusters(&self) -> Vec<String> {
        self.cluster.iter().map(ToString::to_string).collect()
    }

    fn is_since(&self, at: Option<OffsetDateTime>) -> bool {
        self.since.is_none_or(|since| at.is_some_and(|at| at >= since))
    }

    /// Whether a line is shown.
    fn takes(&self, entry: &Entry) -> bool {
        let of_cluster =
            || entry.cluster().is_some_and(|of| self.clusters().iter().any(|c| c == of));
        self.is_since(entry.time()) && (self.cluster.is_empty() || of_cluster())
    }

    /// The newest of those that are asked for.
    fn narrowed(&self, mut applies: Vec<Apply>) -> Vec<Apply> {
        let clusters = self.clusters();
        applies.retain(|apply| self.is_since(apply.time()) && apply.touched(&clusters));
        let most = usize::try_from(self.last.unwrap_or(20)).unwrap_or(usize::MAX);
        applies.split_off(applies.len().saturating_sub(most))
    }
}

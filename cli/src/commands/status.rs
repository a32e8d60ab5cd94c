//! `quorate status`

use std::time::Duration;

use clap::{Args, ValueEnum};
use inventories::ClusterName;

use super::planning::{Asked, PolicyArgs};
use super::snapshot::times;
use super::{Context, plan};
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::interrupt::Interrupts;
use crate::report::json;
use crate::report::status::{self, Detail, Status, Thresholds};
use crate::site::Site;
use engine::hosts::Timed;
use time::OffsetDateTime;

/// Arguments of `quorate status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Print the status as one JSON document
    #[arg(long, conflicts_with_all = ["format", "watch"])]
    json: bool,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Only this cluster (may be given again)
    #[arg(long, value_name = "NAME")]
    cluster: Vec<ClusterName>,
    /// Time the members' disks and the round trips between them as well
    #[arg(long)]
    preflight: bool,
    /// Look again every so many seconds (default: 10), until you press Ctrl-C
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "10", value_parser = clap::value_parser!(u64).range(1..=86400))]
    watch: Option<u64>,
    /// Exit with 2 where something needs attention and nothing is unhealthy
    #[arg(long)]
    detailed_exitcode: bool,
    /// What needs attention.
    #[command(flatten)]
    limits: LimitArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For the textfile collector of Prometheus
    Prometheus,
}

/// From when on something needs attention.
#[derive(Debug, Args)]
#[command(next_help_heading = "Thresholds of what needs attention")]
struct LimitArgs {
    /// A certificate or a CA expires within so many days
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    warn_days: u32,
    /// A member is so many entries of the log behind
    #[arg(long, value_name = "ENTRIES", default_value_t = 1000)]
    warn_lag: u64,
    /// A database uses so many percent of its quota
    #[arg(long, value_name = "PERCENT", default_value_t = 80, value_parser = clap::value_parser!(u8).range(1..=100))]
    warn_quota: u8,
    /// Fewer megabytes are free for a member's data
    #[arg(long, value_name = "MB", default_value_t = 2000)]
    warn_free_mb: u64,
    /// So many percent of a database are free pages, and at least 100 MB
    #[arg(long, value_name = "PERCENT", default_value_t = 50, value_parser = clap::value_parser!(u8).range(1..=100))]
    warn_fragmented: u8,
    /// The last apply of a host is so many days ago (default: never)
    #[arg(long, value_name = "DAYS")]
    warn_apply_days: Option<u32>,
}

impl LimitArgs {
    fn thresholds(&self) -> Thresholds {
        Thresholds {
            days: self.warn_days,
            lag: self.warn_lag,
            quota_percent: self.warn_quota,
            free_megabytes: self.warn_free_mb,
            fragmented_percent: self.warn_fragmented,
            apply_days: self.warn_apply_days,
        }
    }
}

pub(super) fn run(context: &Context, arguments: &StatusArgs) -> Result<ExitCode, CliError> {
    let Some(seconds) = arguments.watch else {
        return show(context, arguments, Page::Only);
    };
    loop {
        // What can't be shown now may be there in ten seconds: a host that reboots, a file that is edited.
        match show(context, arguments, Page::Next) {
            Err(error) if error.kind == ExitCode::Interrupted => return Ok(error.kind),
            Err(error) => context.terminal.error(&error),
            Ok(_) => {}
        }
        let is_interrupted = context.block_on(async {
            let mut interrupts = Interrupts::listen().map_err(CliError::failed)?;
            tokio::select! {
                () = interrupts.next() => Ok::<_, CliError>(true),
                () = tokio::time::sleep(Duration::from_secs(seconds)) => Ok(false),
            }
        })??;
        if is_interrupted {
            return Ok(ExitCode::Interrupted);
        }
    }
}

/// Whether there was a page before this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    Only,
    Next,
}

fn show(context: &Context, arguments: &StatusArgs, page: Page) -> Result<ExitCode, CliError> {
    let timed = if arguments.preflight { Timed::All } else { Timed::Nothing };
    let allowed = PolicyArgs::of_clusters(&arguments.cluster);
    let planned = plan::connect_and_plan(context, &Asked::Inventory(&allowed), timed).inspect_err(
        |error| {
            if arguments.json {
                json::print_error(&context.terminal, error);
            }
        },
    )?;
    let detail = if arguments.detailed_exitcode { Detail::Attention } else { Detail::Health };
    let (spec, facts, report) = (&planned.spec, &planned.facts, &planned.shown().report);
    let status = Status::new(spec, facts, report, timed);
    let status = status.attend((spec, facts, report), &arguments.limits.thresholds(), detail);
    let code = status.code();
    if page == Page::Next {
        context.terminal.turn_page();
    }
    match arguments.format {
        _ if arguments.json => json::print_document(&context.terminal, &status)?,
        Format::Text => {
            let terminal = &context.terminal;
            let text = status::text(&status, terminal.style(), terminal.columns());
            terminal.print_wrapped(&text);
        }
        Format::Prometheus => {
            let site = Site::load(&context.inventory)?;
            let looking = times::of_site(context, &site, OffsetDateTime::now_utc());
            let backups = context.block_on(looking)?;
            context.terminal.print(&status::prometheus(&status, facts, &backups));
        }
    }
    Ok(code)
}

//! `quorate defrag`

use clap::{ArgGroup, Args};
use inventories::ClusterName;
use planner::plan::DefragRule;
use planner::policy::Maintenance;
use planner::{Policy, SiteSpec, fingerprint, text};

use super::apply::{self, ConsentArgs, Order, Output};
use super::planning::{self, Asked, words};
use super::selection::SelectionArgs;
use super::{Context, plan};
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::keys::IdentityArgs;
use crate::report::json;
use crate::report::plan_document::PlanDocument;
use crate::report::verdict::verdict;
use engine::hosts::Timed;

/// Arguments of `quorate defrag`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("unasked").args(["yes", "dry_run"]))]
pub struct DefragArgs {
    /// Show what would be done, and change nothing
    #[arg(long, conflicts_with = "expect")]
    dry_run: bool,
    /// How it is approved.
    #[command(flatten)]
    consent: ConsentArgs,
    /// Print what is done as one JSON object per line; with --dry-run, the plan as one JSON document
    #[arg(long, requires = "unasked")]
    json: bool,
    /// What is allowed.
    #[command(flatten)]
    policy: DefragPolicyArgs,
}

/// When a database is worth it, and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(super) struct DefragPolicyArgs {
    /// Leave a database as it is unless this share of it is free
    #[arg(
        long,
        value_name = "PERCENT",
        default_value_t = DefragRule::default().min_free_percent,
        value_parser = clap::value_parser!(u8).range(0..=100)
    )]
    min_free_percent: u8,
    /// Leave a database as it is unless at least this many MB of it are free
    #[arg(
        long,
        value_name = "MB",
        default_value_t = DefragRule::default().min_free_bytes / BYTES_A_MB,
        value_parser = clap::value_parser!(u64).range(0..=1_000_000)
    )]
    min_free_mb: u64,
    /// Let this cluster lose its quorum while a member is unavailable (may be given again)
    #[arg(long, value_name = "CLUSTER")]
    allow_outage: Vec<ClusterName>,
    /// What the plan is narrowed to.
    #[command(flatten)]
    selection: SelectionArgs,
}

/// As etcdctl counts.
const BYTES_A_MB: u64 = 1_000_000;

impl DefragPolicyArgs {
    fn rule(&self) -> DefragRule {
        DefragRule {
            min_free_percent: self.min_free_percent,
            min_free_bytes: self.min_free_mb * BYTES_A_MB,
        }
    }

    /// The policy, for clusters that the site has.
    pub(super) fn policy(&self, spec: &SiteSpec) -> Result<Policy, CliError> {
        let policy = Policy {
            allow_outage: self.allow_outage.iter().cloned().collect(),
            maintenance: Some(Maintenance::Defragment(self.rule())),
            selection: self.selection.selection(),
            ..Policy::default()
        };
        planning::of_the_site(policy, spec)
    }

    /// The same as words of a command line, each after a blank: what is as by default is left out.
    pub(super) fn words(&self) -> String {
        let Self { min_free_percent, min_free_mb, allow_outage, selection } = self;
        let DefragRule { min_free_percent: percent, min_free_bytes } = DefragRule::default();
        let percent = (*min_free_percent != percent).then_some(min_free_percent);
        let megabytes = (min_free_mb * BYTES_A_MB != min_free_bytes).then_some(min_free_mb);
        words("--min-free-percent", percent.as_slice())
            + &words("--min-free-mb", megabytes.as_slice())
            + &words("--allow-outage", allow_outage)
            + &selection.words()
    }
}

pub(super) fn run(context: &Context, arguments: &DefragArgs) -> Result<ExitCode, CliError> {
    let asked = Asked::Defragment(&arguments.policy);
    if arguments.dry_run {
        return show(context, arguments, &asked);
    }
    apply::carry_out(
        context,
        &Order {
            asked,
            saved: None,
            consent: &arguments.consent,
            // It issues no certificate, so it opens no CA.
            identity: &IdentityArgs::default(),
            output: Output::of(arguments.json),
        },
    )
}

/// The plan, with the exit codes of `quorate plan`.
fn show(
    context: &Context,
    arguments: &DefragArgs,
    asked: &Asked<'_>,
) -> Result<ExitCode, CliError> {
    let planned = plan::make(context, asked, Timed::Nothing).inspect_err(|error| {
        if arguments.json {
            json::print_error(&context.terminal, error);
        }
    })?;
    let plan = &planned.plan;
    let code = verdict(plan);
    if arguments.json {
        json::print_document(&context.terminal, &PlanDocument::new(plan, code))?;
        return Ok(code);
    }
    context.terminal.print(&text::plan(plan, context.terminal.style()));
    if !plan.steps.is_empty() {
        let hash = fingerprint::hash(plan);
        let command = format!("{} --expect {}", asked.command(), fingerprint::short(&hash));
        context.terminal.say(&format!("To perform exactly these actions: {command}"));
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        policy: DefragPolicyArgs,
    }

    fn parsed(line: &str) -> DefragPolicyArgs {
        Line::try_parse_from(line.split(' ')).unwrap().policy
    }

    #[test]
    fn the_command_that_is_printed_asks_for_the_same_plan() {
        for line in [
            "quorate",
            "quorate --min-free-percent 5 --min-free-mb 0",
            "quorate --min-free-mb 20 --allow-outage main --allow-outage events",
            "quorate --cluster main --host etcd-1",
        ] {
            let asked = parsed(line);
            assert_eq!(format!("quorate{}", asked.words()), line);
        }
    }

    #[test]
    fn without_flags_the_rule_is_the_planner_s() {
        assert_eq!(parsed("quorate").rule(), DefragRule::default());
    }
}

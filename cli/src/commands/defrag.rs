//! `quorate defrag`

use clap::Args;
use inventories::ClusterName;
use planner::plan::DefragRule;
use planner::policy::Maintenance;
use planner::{Policy, SiteSpec};

use super::Context;
use super::maintenance::MaintenanceArgs;
use super::planning::{self, Asked};
use super::selection::SelectionArgs;
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::flags::words;
use crate::keys::IdentityArgs;

/// Arguments of `quorate defrag`.
#[derive(Debug, Args)]
pub struct DefragArgs {
    /// How it is shown or approved.
    #[command(flatten)]
    maintenance: MaintenanceArgs,
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
    /// If this cluster ran out of space, remove all revisions but the newest first (may be given again)
    #[arg(long, value_name = "CLUSTER")]
    compact_now: Vec<ClusterName>,
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
            compact_now: self.compact_now.iter().cloned().collect(),
            maintenance: Some(Maintenance::Defragment(self.rule())),
            selection: self.selection.narrowed().selection(),
            ..Policy::default()
        };
        planning::of_the_site(policy, spec)
    }

    /// The same as words of a command line, each after a blank: what is as by default is left out.
    pub(super) fn words(&self) -> String {
        let Self { min_free_percent, min_free_mb, allow_outage, compact_now, selection } = self;
        let DefragRule { min_free_percent: percent, min_free_bytes } = DefragRule::default();
        let percent = (*min_free_percent != percent).then_some(min_free_percent);
        let megabytes = (min_free_mb * BYTES_A_MB != min_free_bytes).then_some(min_free_mb);
        words("--min-free-percent", percent)
            + &words("--min-free-mb", megabytes)
            + &words("--allow-outage", allow_outage)
            + &words("--compact-now", compact_now)
            + &selection.narrowed().words()
    }
}

pub(super) fn run(context: &Context, arguments: &DefragArgs) -> Result<ExitCode, CliError> {
    let DefragArgs { maintenance, policy } = arguments;
    // It issues no certificate, so it opens no CA.
    maintenance.run(context, Asked::Defragment(policy), &IdentityArgs::default(), None)
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
            "quorate --compact-now main",
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

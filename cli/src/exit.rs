//! Exit codes: the result of a run, for scripts.

use serde::Serialize;

/// The result of a run. The numbers are an interface: they do not change.
///
/// clap's own code for a usage error is 2, which is "changes" here, so usage errors are 64, as in
/// `sysexits.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum ExitCode {
    /// Done, or nothing to do.
    Done = 0,
    /// An error, and nothing was changed; for `status`: something is unhealthy.
    Failed = 1,
    /// There are changes to apply, or something needs attention; only with `--detailed-exitcode`.
    Changes = 2,
    /// The plan is stale: the hosts or the inventory have changed since it was made.
    Stale = 3,
    /// Some host could not be reached.
    Unreachable = 4,
    /// Somebody else holds the lock.
    Locked = 5,
    /// A part was applied; the rest failed or not started.
    Partial = 6,
    /// Refused as unsafe or unsupported; nothing was changed.
    Blocked = 8,
    /// What can be done now was applied; the rest is blocked or held back.
    Incomplete = 9,
    /// The command line is wrong, or lacks a flag.
    Usage = 64,
    /// The inventory, or a file beside it, is wrong.
    Inventory = 65,
    /// Interrupted by Ctrl-C or SIGTERM.
    Interrupted = 130,
}

impl ExitCode {
    /// Every code, by number.
    pub const ALL: [ExitCode; 12] = [
        ExitCode::Done,
        ExitCode::Failed,
        ExitCode::Changes,
        ExitCode::Stale,
        ExitCode::Unreachable,
        ExitCode::Locked,
        ExitCode::Partial,
        ExitCode::Blocked,
        ExitCode::Incomplete,
        ExitCode::Usage,
        ExitCode::Inventory,
        ExitCode::Interrupted,
    ];

    /// The number that the process ends with.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The code as a word, as JSON output gives it.
    pub fn reason(self) -> &'static str {
        match self {
            ExitCode::Done => "done",
            ExitCode::Failed => "failed",
            ExitCode::Changes => "changes",
            ExitCode::Stale => "stale",
            ExitCode::Unreachable => "unreachable",
            ExitCode::Locked => "locked",
            ExitCode::Partial => "partial",
            ExitCode::Blocked => "blocked",
            ExitCode::Incomplete => "incomplete",
            ExitCode::Usage => "usage",
            ExitCode::Inventory => "inventory",
            ExitCode::Interrupted => "interrupted",
        }
    }

    /// What the code means, in one sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            ExitCode::Done => "Done, or nothing to do.",
            ExitCode::Failed => {
                "An error, and nothing was changed. For `status`: something is unhealthy."
            }
            ExitCode::Changes => {
                "There are changes to apply. For `status`: something needs attention. Only with `--detailed-exitcode`."
            }
            ExitCode::Stale => {
                "The plan is stale: the hosts or the inventory have changed since it was made."
            }
            ExitCode::Unreachable => "Some host could not be reached.",
            ExitCode::Locked => "Somebody else holds the lock.",
            ExitCode::Partial => "Some steps were applied; the rest failed or never started.",
            ExitCode::Blocked => "Refused as unsafe or unsupported; nothing was changed.",
            ExitCode::Incomplete => {
                "Everything that can be done now was applied; the rest is blocked or held back."
            }
            ExitCode::Usage => "The command line is wrong, or lacks a flag.",
            ExitCode::Inventory => "The inventory, or a file beside it, is wrong.",
            ExitCode::Interrupted => "Interrupted by Ctrl-C or SIGTERM.",
        }
    }

    /// The one that is reported where several hold: what the operator must act on first.
    pub fn first(self, other: ExitCode) -> ExitCode {
        if other.rank() < self.rank() { other } else { self }
    }

    fn rank(self) -> usize {
        PRECEDENCE.iter().position(|code| *code == self).unwrap_or(PRECEDENCE.len())
    }
}

/// The order of [`ExitCode::first`]. A failure that changed nothing says less than why it failed,
/// and [`ExitCode::Done`] is left where nothing else holds.
pub const PRECEDENCE: [ExitCode; 12] = [
    ExitCode::Usage,
    ExitCode::Inventory,
    ExitCode::Locked,
    ExitCode::Stale,
    ExitCode::Interrupted,
    ExitCode::Partial,
    ExitCode::Incomplete,
    ExitCode::Blocked,
    ExitCode::Unreachable,
    ExitCode::Failed,
    ExitCode::Changes,
    ExitCode::Done,
];

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_several_hold_the_documented_order_decides() {
        let order = [65, 5, 3, 130, 6, 9, 8, 4, 2];
        let code = |number: u8| ExitCode::ALL.into_iter().find(|c| c.number() == number).unwrap();
        for (rank, before) in order.iter().enumerate() {
            for after in &order[rank..] {
                assert_eq!(code(*before).first(code(*after)), code(*before));
                assert_eq!(code(*after).first(code(*before)), code(*before));
            }
        }
        for any in ExitCode::ALL {
            assert!(PRECEDENCE.contains(&any), "{any:?} has no rank");
            assert_eq!(ExitCode::Done.first(any), any);
        }
    }

    #[test]
    fn the_help_names_every_code_by_its_word() {
        use clap::CommandFactory as _;
        let help = crate::args::Cli::command().render_help().to_string().replace('\n', " ");
        for code in ExitCode::ALL {
            let words = code.reason().replace('-', " ");
            let said = format!("{} {words}", code.number());
            assert!(help.contains(&said), "{said} is missing in: {help}");
        }
    }

    #[test]
    fn the_word_in_json_is_the_reason() {
        for code in ExitCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.reason());
        }
    }

    #[test]
    fn every_code_is_documented() {
        let docs = include_str!("../../docs/exit-codes.md");
        for code in ExitCode::ALL {
            let row = format!("| {} | `{}` | {} |", code.number(), code.reason(), code.meaning());
            assert!(docs.contains(&row), "docs/exit-codes.md lacks this row:\n{row}");
        }
        let is_code = |line: &&str| {
            line.strip_prefix("| ")
                .is_some_and(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        };
        let rows = docs.lines().filter(is_code).count();
        assert_eq!(rows, ExitCode::ALL.len(), "a row that no code stands behind");
        let order = PRECEDENCE.map(|code| code.number().to_string()).join(", ");
        assert!(docs.contains(&order), "docs/exit-codes.md lacks the order: {order}");
    }
}

//! All figures of a run, for programs and for people.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::first_apply::FirstApply;
use crate::hop::Hop;
use crate::noop::Noop;
use crate::planning::Planned;
use crate::roll::Roll;

/// All figures of a run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Results {
    pub(crate) noop: Vec<Noop>,
    pub(crate) first_apply: Option<FirstApply>,
    pub(crate) roll: Option<Roll>,
    pub(crate) hop: Option<Hop>,
    pub(crate) planning: Vec<Planned>,
}

/// Prints a line.
pub(crate) fn say(line: &str) {
    // A reader that went away is not worth an error.
    let _ = writeln!(io::stdout(), "{line}");
}

impl Results {
    /// Prints the tables that README shows.
    pub(crate) fn print(&self) {
        if !self.noop.is_empty() {
            say("\nA plan without changes, beside as many `ssh HOST true` at once (ours / ssh)\n");
            let head = [
                "hosts",
                "RTT ms",
                "ours s (median / p95 / slowest)",
                "ssh s (median / p95 / slowest)",
                "p95 ratio",
                "CPU here s",
                "CPU of the hosts s",
                "MB",
                "a host",
            ];
            table(head, self.noop.iter().map(Noop::row));
        }
        if let Some(first) = &self.first_apply {
            say("\nThe first apply of three members, beside doing the same by hand\n");
            let head = ["ours s (median / p95 / slowest)", "by hand s", "ratio"];
            table(head, [first.row()]);
        }
        if let Some(roll) = &self.roll {
            say("\nA roll of three members, beside bare restarts of each\n");
            let head = [
                "ours s (median / p95 / slowest)",
                "bare s (median / p95 / slowest)",
                "ratio",
                "write gap ms",
                "bare write gap ms",
            ];
            table(head, [roll.row()]);
        }
        if let Some(hop) = &self.hop {
            say(
                "\nA change of minor of three members, up and down, beside bare restarts of each\n",
            );
            let head = [
                "up s (median / p95 / slowest)",
                "down s (median / p95 / slowest)",
                "bare s (median / p95 / slowest)",
                "ratio up",
                "ratio down",
            ];
            table(head, [hop.row()]);
        }
        if !self.planning.is_empty() {
            say("\nPlanning alone, in clusters of five\n");
            let head = ["hosts", "nothing to do s", "everything to do s", "MB"];
            table(head, self.planning.iter().map(Planned::row));
        }
    }
}

fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    say(&format!("| {} |", head.join(" | ")));
    say(&format!("|{}", " --- |".repeat(N)));
    for row in rows {
        say(&format!("| {} |", row.join(" | ")));
    }
}

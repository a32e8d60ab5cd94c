//! The last apply, the current one, and what changed since.

use std::collections::{BTreeMap, BTreeSet};

use inventories::HostName;

use super::{Paint, Style, now};
use crate::facts::Holder;
use crate::report::{LastApply, LockedHosts, PlanReport};
use crate::since::Moved;

pub(super) fn lines(report: &PlanReport, style: Style) -> Vec<String> {
    let several = report.last_applies.len() > 1;
    let mut lines: Vec<String> =
        report.last_applies.iter().map(|last| last_apply(last, several, style)).collect();
    for LockedHosts { holder: Holder { owner, since, why }, hosts } in &report.locked {
        let label = style.paint(Paint::Yellow, "locked");
        lines.push(format!("{label} by {owner} since {since}: {why} ({})", names(hosts)));
    }
    lines
}

fn last_apply(last: &LastApply, several: bool, style: Style) -> String {
    let LastApply { hosts, at, by, plan, commit, dirty, outcome } = last;
    let commit = commit.as_ref().map_or(String::new(), |commit| {
        let dirty = if *dirty { " with changes that were not committed" } else { "" };
        format!(", commit {}{dirty}", commit.short())
    });
    let on = if several { format!(" ({})", names(hosts)) } else { String::new() };
    let label = style.paint(Paint::Dim, "last apply");
    format!("{label} {at} by {by}, plan {plan}{commit}: {outcome}{on}")
}

fn names(hosts: &BTreeSet<HostName>) -> String {
    hosts.iter().map(|host| host.as_str()).collect::<Vec<_>>().join(", ")
}

/// What moved on the hosts since the last apply, without a plan.
pub fn moved(report: &PlanReport, moved: &BTreeMap<HostName, Moved>, style: Style) -> String {
    let mut out = Vec::new();
    now::clusters(report, style, &mut out);
    out.extend(lines(report, style));
    out.push(String::new());
    let (mut any, mut all_known) = (false, true);
    for (host, moved) in moved {
        match moved {
            Moved::Known(lines) => {
                any |= !lines.is_empty();
                let label = style.paint(Paint::Yellow, "moved");
                out.extend(lines.iter().map(|line| format!("{label} {line}")));
            }
            Moved::Unknown(why) => {
                all_known = false;
                out.push(format!("{} {host}: {why}", style.paint(Paint::Red, "not known")));
            }
        }
    }
    if !any {
        out.push(match all_known {
            true => "Nothing changed on the hosts since the last apply.".to_owned(),
            false => "Nothing changed on the hosts whose changes are known.".to_owned(),
        });
    }
    out.join("\n") + "\n"
}

//! The whole plan, in the order of an operator's questions: how is it now, what changes and why,
//! what does it do to the quorum, what can't be undone, what will clients notice.

use super::{Page, Paint, Style, blocked, narrowed, now, since, steps};
use crate::plan::Plan;
use crate::report::{Finding, Hop, Purpose};

/// Renders a plan.
pub fn plan(plan: &Plan, page: Page) -> String {
    let style = page.style;
    let mut out = Vec::new();
    now::clusters(&plan.report, style, &mut out);
    out.extend(since::lines(&plan.report, style));
    section(&mut out, narrowed::lines(plan, style));
    section(&mut out, findings(&plan.report.warnings, "warning", Paint::Yellow, style));
    section(&mut out, findings(&plan.report.unmanaged, "unmanaged", Paint::Dim, style));
    section(&mut out, findings(&plan.report.waiting, "waiting", Paint::Dim, style));
    section(&mut out, blocked(&plan.report.blocked, style));
    section(&mut out, findings(&plan.report.held, "held back", Paint::Red, style));
    section(&mut out, steps::steps(plan, page));
    section(&mut out, hops(plan, style));
    section(&mut out, consequences(plan, style));
    section(&mut out, vec![summary(plan, style)]);
    out.join("\n") + "\n"
}

fn section(out: &mut Vec<String>, lines: Vec<String>) {
    if !lines.is_empty() {
        out.push(String::new());
        out.extend(lines);
    }
}

/// Findings, one or two lines each: the situation, and what to do. Hosts about which the same is found share them.
pub fn findings<'a>(
    found: impl IntoIterator<Item = &'a Finding>,
    word: &str,
    paint: Paint,
    style: Style,
) -> Vec<String> {
    let mut groups: Vec<(&Finding, Vec<&str>)> = Vec::new();
    for finding in found {
        let host = finding.host.as_ref().map(|host| host.as_str());
        match groups.last_mut() {
            Some((first, hosts)) if is_found_again(first, finding) => hosts.extend(host),
            Some(_) | None => groups.push((finding, host.into_iter().collect())),
        }
    }
    groups.iter().flat_map(|(first, hosts)| lines_of(first, hosts, word, paint, style)).collect()
}

/// Whether the same is found on another host.
pub(super) fn is_found_again(first: &Finding, other: &Finding) -> bool {
    let Finding { code, host, cluster, message, hint } = first;
    let same = (code, cluster, message, hint)
        == (&other.code, &other.cluster, &other.message, &other.hint);
    same && host.is_some() && other.host.is_some()
}

/// A finding about these hosts.
pub(super) fn lines_of(
    finding: &Finding,
    hosts: &[&str],
    word: &str,
    paint: Paint,
    style: Style,
) -> Vec<String> {
    let Finding { code, host: _, cluster, message, hint } = finding;
    let place = match (hosts, cluster) {
        ([], Some(cluster)) => format!("{cluster}: "),
        ([], None) => String::new(),
        (hosts, Some(cluster)) => format!("{} ({cluster}): ", hosts.join(", ")),
        (hosts, None) => format!("{}: ", hosts.join(", ")),
    };
    let mut lines = vec![format!("{}: {place}{message} [{code}]", style.paint(paint, word))];
    lines.extend(hint.iter().map(|hint| format!("  hint: {}", hint.replace('\n', "\n    "))));
    lines
}

/// The hops to another minor. The first of each cluster is in this plan.
fn hops(plan: &Plan, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    for Hop { cluster, number, of, from, to, changes, clients, undo } in &plan.report.hops {
        let when = match number {
            1 => "in this plan".to_owned(),
            _ => format!("in the same apply, once hop {} is proven", number - 1),
        };
        let heading = format!("hop {number} of {of}: {cluster}: etcd {from} -> {to}");
        lines.push(format!("{}, {when}", style.paint(Paint::Bold, &heading)));
        lines.extend(changes.iter().map(|change| format!("  changes: {change}")));
        lines.extend((*number > 1).then(|| format!("  clients: {clients}")));
        lines.push(format!("  can be undone: {undo}"));
    }
    lines
}

fn consequences(plan: &Plan, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    for note in &plan.report.quorum {
        lines.push(format!(
            "{} {}: {}: {} up, {} needed, margin {}",
            style.paint(Paint::Bold, "quorum"),
            note.cluster,
            note.what,
            note.up,
            note.needed,
            note.up.saturating_sub(note.needed)
        ));
    }
    for text in &plan.report.one_way {
        lines.push(format!("{} {text}", style.paint(Paint::Red, "can't be undone:")));
    }
    for text in &plan.report.clients {
        lines.push(format!("{} {text}", style.paint(Paint::Bold, "clients:")));
    }
    lines
}

fn summary(plan: &Plan, style: Style) -> String {
    let (blocked, held) = (plan.report.blocked.len(), plan.report.held.len());
    if plan.steps.is_empty() && blocked > 0 {
        let text =
            format!("Plan blocked: {}, nothing will be changed.", counted(blocked, "problem"));
        return style.paint(Paint::Red, &text);
    }
    if plan.steps.is_empty() && held > 0 {
        let text = format!("Nothing can be done now: {} held back.", counted(held, "change"));
        return style.paint(Paint::Red, &text);
    }
    if plan.steps.is_empty() {
        let text = if !plan.report.unseen.is_empty() {
            "No changes on the hosts that could be checked."
        } else if plan.report.purpose == Purpose::Defragment {
            "No changes. No database is worth defragmenting."
        } else if plan.report.purpose == Purpose::Destroy {
            "No changes. Nothing of the cluster is left on its hosts."
        } else if plan.report.purpose == Purpose::Remove {
            "No changes. Nothing of the cluster is left on the host."
        } else if plan.selection.is_everything() {
            "No changes. Your clusters match the inventory."
        } else {
            "No changes to what was selected."
        };
        return style.paint(Paint::Green, text);
    }
    let count = plan.count();
    let summary = format!(
        "Plan: {} to add, {} to change, {} to destroy.",
        count.add, count.change, count.destroy
    );
    let mut summary = style.paint(Paint::Bold, &summary);
    if blocked + held > 0 {
        let blocked = (blocked > 0).then(|| counted(blocked, "problem"));
        let held = (held > 0).then(|| counted(held, "change") + " held back");
        let rest: Vec<String> = blocked.into_iter().chain(held).collect();
        summary += &style.paint(Paint::Red, &format!(" The rest waits: {}.", rest.join(", ")));
    }
    summary
}

/// A number and what it counts.
pub(crate) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

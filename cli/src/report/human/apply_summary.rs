//! The end of an apply for people: the root cause first, then what finished, what did not begin, and
//! how the clusters are now.

use std::fmt::Write as _;

use planner::progress::Outcome;
use planner::report::Purpose;
use planner::text::{self, Paint, Style, cluster_now};
use planner::{Plan, SiteSpec, Step};

use super::why;
use crate::exit::ExitCode;
use crate::report::apply::ApplySummary;
use crate::report::endpoints;
use crate::report::verdict::Changed;

/// What to read when an apply is over, and what to run next.
pub fn apply_summary(summary: &ApplySummary<'_>, spec: &SiteSpec, style: Style) -> String {
    let mut text = match summary.is_complete() {
        true => success(summary, spec, style),
        false => failure(summary, style),
    };
    text += &left(summary.plan(), style);
    text
}

/// What is still blocked or held back, so that the last lines alone do not look as if everything were done.
fn left(plan: &Plan, style: Style) -> String {
    let mut lines = text::blocked(&plan.report.blocked, style);
    lines.extend(text::findings(&plan.report.held, "held back", Paint::Red, style));
    if lines.is_empty() {
        return String::new();
    }
    let head = style.paint(Paint::Red, "Not done, and still waiting:");
    format!("\n{head}\n{}\n", lines.join("\n"))
}

fn success(summary: &ApplySummary<'_>, spec: &SiteSpec, style: Style) -> String {
    let count = summary.count();
    let (head, paint) = match summary.plan().report.refused().next() {
        None => (format!("{} complete!", work(summary)), Paint::Green),
        Some(_) => ("Applied everything that can be applied now:".to_owned(), Paint::Yellow),
    };
    let totals = format!(
        "{} {} added, {} changed, {} destroyed.",
        head, count.add, count.change, count.destroy
    );
    let mut text = format!("\n{}{}\n\n", style.paint(paint, &totals), time(summary));
    if summary.plan().report.purpose == Purpose::Defragment {
        text.push_str("Next:\n  quorate status\n");
        return text;
    }
    if summary.plan().report.purpose == Purpose::Restore {
        text.push_str(
            "Next:\n  quorate status\n  start the clients that were stopped: API servers first, controllers last\n",
        );
        return text;
    }
    if summary.plan().report.purpose == Purpose::Destroy {
        text.push_str(
            "Next:\n  take the cluster out of the inventory; its folder in pki/ too, once nobody needs its backups\n  \
             quorate archives list\n",
        );
        return text;
    }
    if summary.plan().report.purpose == Purpose::Remove {
        text.push_str("Next:\n  quorate archives list\n");
        return text;
    }
    for cluster in summary.clusters(spec) {
        let name = &cluster.name;
        let _ = writeln!(text, "Endpoints of {name}: {}", endpoints(cluster).join(","));
    }
    // Where there are several, the cluster has to be named.
    let cluster = match spec.clusters.len() {
        1 => "",
        _ => "--cluster NAME ",
    };
    let _ = write!(
        text,
        "\nNext:\n  \
         quorate status\n  \
         quorate etcdctl {cluster}-- member list -w table\n  \
         quorate client-cert {cluster}--cn NAME --out DIR\n",
    );
    text
}

fn failure(summary: &ApplySummary<'_>, style: Style) -> String {
    let mut text = String::from("\n");
    for (step, error) in summary.failures() {
        let _ = writeln!(text, "{}: {}", style.paint(Paint::Red, "root cause"), step.id);
        for line in error.iter().flat_map(|error| why(error, style)) {
            let _ = writeln!(text, "    {line}");
        }
        let skipped = summary.skipped_because_of(&step.id);
        if !skipped.is_empty() {
            let _ = writeln!(text, "    not started because of it: {}", names(&skipped));
        }
    }
    let not_started = summary.steps(|outcome| *outcome == Outcome::NotStarted);
    if !not_started.is_empty() {
        let _ = writeln!(text, "interrupted before these started: {}", names(&not_started));
    }
    let finished = summary.steps(|outcome| matches!(outcome, Outcome::Done | Outcome::AlreadyDone));
    if !finished.is_empty() {
        let _ = writeln!(text, "finished: {}", names(&finished));
    }
    let head = match (summary.code(), summary.changed()) {
        (ExitCode::Interrupted, _) => "interrupted.",
        (ExitCode::Partial, Changed::Something) => "failed; some steps were applied.",
        (ExitCode::Partial, Changed::Nothing) => {
            "failed; the step that failed may have changed something."
        }
        _ => "failed; nothing was changed.",
    };
    let head = format!("{} {head}", work(summary));
    let _ = writeln!(text, "\n{}{}", style.paint(Paint::Red, &head), time(summary));
    for (name, now) in &summary.now {
        let _ = writeln!(text, "{}", cluster_now(name, now, style));
    }
    text.push_str(match summary.plan().report.purpose {
        Purpose::Inventory => "Run the same apply again: it continues from here.\n",
        Purpose::Defragment | Purpose::Restore | Purpose::Destroy | Purpose::Remove => {
            "Run the same command again: it continues from here.\n"
        }
    });
    text
}

/// What finished.
fn work(summary: &ApplySummary<'_>) -> &'static str {
    match summary.plan().report.purpose {
        Purpose::Inventory => "Apply",
        Purpose::Defragment => "Defragmentation",
        Purpose::Restore => "Restore",
        Purpose::Destroy | Purpose::Remove => "Removal",
    }
}

fn names(steps: &[&Step]) -> String {
    let names: Vec<String> = steps.iter().map(|step| step.id.to_string()).collect();
    names.join(", ")
}

fn time(summary: &ApplySummary<'_>) -> String {
    format!(" ({:.1} s)", summary.elapsed.as_secs_f64())
}

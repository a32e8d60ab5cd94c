//! How each cluster is now: the first thing that a reader of a plan wants to know.

use inventories::ClusterName;

use super::{Paint, Style};
use crate::report::{ClusterNow, Formation, PlanReport};

pub(super) fn clusters(report: &PlanReport, style: Style, out: &mut Vec<String>) {
    for (name, now) in &report.clusters {
        out.push(cluster(name, now, style));
        for (host, state) in &now.down {
            out.push(format!("  {} {host}: {state}", style.paint(Paint::Red, "down")));
        }
        for alarm in &now.alarms {
            out.push(format!("  {} {alarm}", style.paint(Paint::Red, "alarm")));
        }
    }
    for (host, why) in &report.unseen {
        out.push(format!("{} {host}: {why}", style.paint(Paint::Red, "not seen")));
    }
}

/// One cluster in one line.
pub fn cluster(name: &ClusterName, now: &ClusterNow, style: Style) -> String {
    let name = style.paint(Paint::Bold, &format!("Cluster {name}"));
    let voters = now.quorum.voters;
    match now.formation {
        Formation::Absent => format!("{name}: not formed yet, {voters} member(s) wanted"),
        Formation::Begun => {
            format!(
                "{name}: a bootstrap was begun and never had a quorum, {voters} member(s) wanted"
            )
        }
        Formation::Elsewhere => {
            format!("{name}: formed before, and not on the hosts of its members")
        }
        Formation::Unknown => format!("{name}: not known, because not every host could be seen"),
        Formation::Formed => {
            let leader = now
                .leader
                .as_ref()
                .map_or_else(|| "no leader".to_owned(), |leader| format!("leader {leader}"));
            let quorum = now.quorum;
            let state = if !quorum.holds() {
                style.paint(Paint::Red, "no quorum")
            } else if quorum.healthy < quorum.voters {
                style.paint(Paint::Yellow, "degraded")
            } else {
                style.paint(Paint::Green, "healthy")
            };
            format!(
                "{name}: {state}, {} of {voters} members up, {leader}; {} needed, margin {}",
                quorum.healthy,
                quorum.size(),
                quorum.margin()
            )
        }
    }
}

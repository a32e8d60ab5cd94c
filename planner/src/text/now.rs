//! How each cluster is now: the first thing that a reader of a plan wants to know.

use std::collections::BTreeMap;

use inventories::ClusterName;

use super::counted;
use super::{Paint, Style};
use crate::report::{ClusterNow, Formation, Led, PlanReport, Standing};

pub(super) fn clusters(report: &PlanReport, style: Style, out: &mut Vec<String>) {
    for (name, now) in &report.clusters {
        out.push(cluster(name, now, style));
        for (host, state) in &now.down {
            out.push(format!("  {} {host}: {state}", style.paint(Paint::Red, "down")));
        }
        for (host, progress) in &now.late {
            out.push(format!(
                "  {} {host}: {}",
                style.paint(Paint::Yellow, "late"),
                late(*progress)
            ));
        }
        for alarm in &now.alarms {
            out.push(format!("  {} {alarm}", style.paint(Paint::Red, "alarm")));
        }
    }
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (host, why) in &report.unseen {
        by_reason.entry(why).or_default().push(host.as_str());
    }
    let mut unreachable: Vec<(String, &str)> =
        by_reason.into_iter().map(|(why, hosts)| (hosts.join(", "), why)).collect();
    unreachable.sort();
    for (hosts, why) in unreachable {
        out.push(format!("{} {hosts}: {why}", style.paint(Paint::Red, "unreachable")));
    }
}

/// The leader, and how it is known where the leader itself did not report it.
pub fn leader(now: &ClusterNow) -> String {
    let name = now.leader.as_ref().map(ToString::to_string).unwrap_or_default();
    match now.led {
        Led::Itself => format!("leader {name}"),
        Led::Unseen => format!("leader {name} (its host was not reached)"),
        Led::Silent => format!("leader {name} (it did not answer; the others name it)"),
        Led::Unnamed => "a leader of unknown name".to_owned(),
        Led::Nobody => "no leader".to_owned(),
        Led::Unknown => "leader not known".to_owned(),
    }
}

/// How far a member is that has much to catch up.
pub fn late((applied, of): (u64, u64)) -> String {
    format!("it has applied {applied} of {of} entries of the log")
}

/// One cluster in one line.
pub fn cluster(name: &ClusterName, now: &ClusterNow, style: Style) -> String {
    let name = style.paint(Paint::Bold, &format!("Cluster {name}"));
    let voters = now.quorum.voters;
    match now.formation {
        Formation::Absent => {
            format!("{name}: not formed yet, {} wanted", counted(voters, "member"))
        }
        Formation::Started => {
            format!(
                "{name}: a bootstrap was started and never had a quorum, {} wanted",
                counted(voters, "member")
            )
        }
        Formation::Elsewhere => {
            format!("{name}: formed before, but its members' hosts have no trace of it")
        }
        Formation::Unknown => format!("{name}: not known, because some hosts could not be checked"),
        Formation::Formed => {
            let leader = leader(now);
            let quorum = now.quorum;
            let state = match now.standing() {
                Standing::Healthy => style.paint(Paint::Green, "healthy"),
                Standing::Alarmed => style.paint(Paint::Red, "alarm raised"),
                Standing::Degraded => style.paint(Paint::Yellow, "degraded"),
                Standing::Lost => style.paint(Paint::Red, "no quorum"),
                Standing::NotKnown => {
                    let state = format!("quorum not known ({} not reached)", now.unseen);
                    style.paint(Paint::Yellow, &state)
                }
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

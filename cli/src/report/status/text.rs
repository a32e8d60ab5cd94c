//! A status for people: one headline and one table a cluster, then what is wrong.

use planner::report::Formation;
use planner::text::{Paint, Style};

use super::member::{CertificateState, MemberState, MemberStatus};
use super::{ClusterStatus, Status, api_server};
use crate::report::columns::{bytes, table_within};

const COLUMNS: [&str; 8] =
    ["MEMBER", "STATE", "ROLE", "VERSION", "DB SIZE", "RAFT LAG", "CERTIFICATES", "ENDPOINT"];

/// What a narrow terminal does without, the first one first: endpoint, version, size, lag, role.
const SPARED: [usize; 5] = [7, 3, 4, 5, 2];

/// The status as text, for a terminal of so many columns, or as wide as it is.
pub fn text(status: &Status, style: Style, width: Option<usize>) -> String {
    let of = |(name, cluster): (&String, &ClusterStatus)| of_cluster(name, cluster, style, width);
    let mut parts: Vec<String> = status.clusters.iter().map(of).collect();
    parts.extend(api_server::text(&status.api_servers, style));
    parts.join("\n")
}

fn of_cluster(name: &str, cluster: &ClusterStatus, style: Style, width: Option<usize>) -> String {
    let (paint, word) = match (cluster.problems.is_empty(), cluster.attention.is_empty()) {
        (true, true) => (Paint::Green, "healthy"),
        (true, false) => (Paint::Yellow, "healthy, needs attention"),
        (false, _) => (Paint::Red, "unhealthy"),
    };
    let leader = &cluster.led;
    let mut lines = vec![format!(
        "{}: {}, {} of {} members up, {leader}, {} needed, margin {}",
        style.paint(Paint::Bold, &format!("Cluster {name}")),
        style.paint(paint, word),
        cluster.healthy,
        cluster.voters,
        cluster.needed,
        cluster.margin
    )];
    if cluster.formation != Formation::Absent {
        let mut rows = vec![COLUMNS.map(str::to_owned)];
        rows.extend(cluster.members.iter().map(|(name, member)| row(name, member)));
        lines.extend(table_within(&rows, &SPARED, width.unwrap_or(usize::MAX)));
    }
    if let Some(preflight) = &cluster.preflight {
        lines.extend(preflight.text(style));
    }
    lines.extend(cluster.archived.iter().map(|archive| format!("archived: {archive}")));
    for warning in &cluster.warnings {
        lines.push(format!("{}: {warning}", style.paint(Paint::Yellow, "warning")));
    }
    for needs in &cluster.attention {
        lines.push(format!("{}: {needs}", style.paint(Paint::Yellow, "attention")));
    }
    for problem in &cluster.problems {
        lines.push(format!("{}: {problem}", style.paint(Paint::Red, "problem")));
    }
    lines.join("\n") + "\n"
}

fn row(name: &str, member: &MemberStatus) -> [String; 8] {
    let unknown = || "-".to_owned();
    let role = match (member.leader, member.learner) {
        (true, _) => "leader",
        (false, true) => "learner",
        (false, false) if member.member_id.is_some() => "voter",
        (false, false) => "-",
    };
    [
        name.to_owned(),
        match member.state {
            MemberState::Up => "up",
            MemberState::Down => "DOWN",
            MemberState::NotYet => "not yet",
            MemberState::Unreachable => "UNREACHABLE",
        }
        .to_owned(),
        role.to_owned(),
        member.version.clone().unwrap_or_else(unknown),
        member.db_size_bytes.map_or_else(unknown, bytes),
        member.raft_lag.map_or_else(unknown, |lag| lag.to_string()),
        certificates(member),
        member.endpoint.clone(),
    ]
}

/// The one that ends first stands for all.
fn certificates(member: &MemberStatus) -> String {
    if !member.missing_files.is_empty() {
        return "MISSING".to_owned();
    }
    let Some(first) = member.certificates.iter().min_by_key(|c| c.days_left) else {
        return "-".to_owned();
    };
    match first.state {
        CertificateState::Valid => format!("{} days", first.days_left),
        CertificateState::RenewDue => format!("{} days, renew", first.days_left),
        CertificateState::Expired => "EXPIRED".to_owned(),
        CertificateState::NotYetValid => "NOT YET VALID".to_owned(),
    }
}

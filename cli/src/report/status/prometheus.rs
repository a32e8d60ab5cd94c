//! A status for the textfile collector of Prometheus' node exporter. Times are absolute: an alert compares them with
//! the time of the server, so that a file that is no longer written grows old instead of looking healthy.

use std::fmt::Write as _;

use inventories::ClusterName;
use planner::SiteFacts;
use planner::facts::Observed;
use planner::report::Formation;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{ClusterStatus, MemberState, Status};

/// A sample's labels and value.
type Sample = (Vec<(&'static str, String)>, String);

/// What is written, and what each says: the names are an interface, as alerts rely on them.
pub const METRICS: [(&str, &str); 21] = [
    ("quorate_status_timestamp_seconds", "When quorate observed the hosts."),
    ("quorate_cluster_formed", "Whether the cluster is formed, where that is known."),
    ("quorate_cluster_voters", "Members with a vote."),
    ("quorate_cluster_members_up", "Voters that answer and know a leader."),
    ("quorate_cluster_margin", "How many more members may fail."),
    ("quorate_cluster_leader", "Whether a member is known to lead."),
    ("quorate_cluster_alarms", "Alarms that are raised."),
    ("quorate_cluster_problems", "Lines that quorate status calls a problem."),
    ("quorate_cluster_attention", "Lines that quorate status says need attention."),
    ("quorate_ca_not_after_timestamp_seconds", "When a CA expires."),
    ("quorate_member_reachable", "Whether quorate could observe the member's host."),
    ("quorate_member_up", "Whether the member answers and knows a leader."),
    ("quorate_member_raft_lag_entries", "Entries of the log that the member has not applied."),
    ("quorate_member_db_size_bytes", "Size of the database."),
    ("quorate_member_db_in_use_bytes", "Bytes of the database that hold something."),
    ("quorate_member_quota_bytes", "What the database may take."),
    ("quorate_member_data_free_bytes", "Bytes that are free for the member's data."),
    ("quorate_certificate_not_after_timestamp_seconds", "When a member's certificate expires."),
    ("quorate_last_apply_timestamp_seconds", "When the last apply of a host started."),
    (
        "quorate_backup_newest_timestamp_seconds",
        "When the newest good backup in a target was taken.",
    ),
    (
        "quorate_backup_opened_timestamp_seconds",
        "When the newest backup that was opened was taken.",
    ),
];

/// When the newest backups of a cluster in one of its targets were taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupTime {
    /// Of which cluster.
    pub cluster: ClusterName,
    /// The target, as the inventory writes it.
    pub target: String,
    /// The newest good one, if there is one.
    pub newest: Option<OffsetDateTime>,
    /// The newest one that somebody opened, if there is one.
    pub opened: Option<OffsetDateTime>,
}

/// The status in the text format of Prometheus.
pub fn prometheus(status: &Status, facts: &SiteFacts, backups: &[BackupTime]) -> String {
    let mut out = String::new();
    for (name, help) in METRICS {
        let samples = samples(name, status, (facts, backups));
        if samples.is_empty() {
            continue;
        }
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in samples {
            let site = ("site", status.site.clone());
            let labels: Vec<String> = std::iter::once(&site)
                .chain(&labels)
                .map(|(key, value)| format!("{key}=\"{}\"", escaped(value)))
                .collect();
            let _ = writeln!(out, "{name}{{{}}} {value}", labels.join(","));
        }
    }
    out
}

fn samples(
    metric: &str,
    status: &Status,
    (facts, backups): (&SiteFacts, &[BackupTime]),
) -> Vec<Sample> {
    match metric {
        "quorate_backup_newest_timestamp_seconds" => of_backups(backups, |one| one.newest),
        "quorate_backup_opened_timestamp_seconds" => of_backups(backups, |one| one.opened),
        "quorate_status_timestamp_seconds" => vec![(Vec::new(), seconds(facts.observed_at))],
        "quorate_last_apply_timestamp_seconds" => last_applies(facts),
        _ => status.clusters.iter().flat_map(|(name, c)| of_cluster(metric, name, c)).collect(),
    }
}

fn of_backups(
    backups: &[BackupTime],
    time: impl Fn(&BackupTime) -> Option<OffsetDateTime>,
) -> Vec<Sample> {
    let one = |backup: &BackupTime| {
        let cluster = ("cluster", backup.cluster.to_string());
        Some((vec![cluster, ("target", backup.target.clone())], seconds(time(backup)?)))
    };
    backups.iter().filter_map(one).collect()
}

fn last_applies(facts: &SiteFacts) -> Vec<Sample> {
    let one = |(host, seen): (&inventories::HostName, &Observed<planner::HostFacts>)| {
        let applied = seen.known()?.applied.known()?;
        let at = OffsetDateTime::parse(&applied.at, &Rfc3339).ok()?;
        Some((vec![("host", host.to_string())], seconds(at)))
    };
    facts.hosts.iter().filter_map(one).collect()
}

fn of_cluster(metric: &str, name: &str, cluster: &ClusterStatus) -> Vec<Sample> {
    let labels = |more: &[(&'static str, &str)]| {
        let own = std::iter::once(("cluster", name.to_owned()));
        own.chain(more.iter().map(|(key, value)| (*key, (*value).to_owned()))).collect::<Vec<_>>()
    };
    let whole = |value: String| vec![(labels(&[]), value)];
    let value = match metric {
        // A cluster that could not be observed is not reported as unformed.
        "quorate_cluster_formed" if cluster.formation == Formation::Unknown => return Vec::new(),
        "quorate_cluster_formed" => flag(cluster.is_formed()),
        "quorate_cluster_voters" => cluster.voters.to_string(),
        "quorate_cluster_members_up" => cluster.healthy.to_string(),
        "quorate_cluster_margin" => cluster.margin.to_string(),
        "quorate_cluster_leader" => flag(cluster.leader.is_some()),
        "quorate_cluster_alarms" => cluster.alarms.len().to_string(),
        "quorate_cluster_problems" => cluster.problems.len().to_string(),
        "quorate_cluster_attention" => cluster.attention.len().to_string(),
        "quorate_ca_not_after_timestamp_seconds" => {
            let of = |ca: &super::attention::AuthorityStatus| {
                (labels(&[("ca", ca.kind)]), seconds(ca.ends))
            };
            return cluster.authorities.iter().map(of).collect();
        }
        _ => return of_members(metric, cluster, labels),
    };
    whole(value)
}

fn of_members(
    metric: &str,
    cluster: &ClusterStatus,
    labels: impl Fn(&[(&'static str, &str)]) -> Vec<(&'static str, String)>,
) -> Vec<Sample> {
    let mut samples = Vec::new();
    for (name, member) in &cluster.members {
        let own = || labels(&[("member", name)]);
        let number = |value: Option<u64>| value.map(|value| value.to_string());
        let value = match metric {
            "quorate_member_reachable" => Some(flag(member.state != MemberState::Unreachable)),
            // quorate does not know whether a member on an unreachable host runs, so there is no sample.
            "quorate_member_up" if member.state == MemberState::Unreachable => None,
            "quorate_member_up" => Some(flag(member.state == MemberState::Up)),
            "quorate_member_raft_lag_entries" => number(member.raft_lag),
            "quorate_member_db_size_bytes" => number(member.db_size_bytes),
            "quorate_member_db_in_use_bytes" => number(member.db_in_use_bytes),
            "quorate_member_quota_bytes" => number(member.quota_bytes),
            "quorate_member_data_free_bytes" => number(member.data_free_bytes),
            _ => {
                for certificate in &member.certificates {
                    let labels = labels(&[("member", name), ("file", certificate.file)]);
                    samples.push((labels, seconds(certificate.ends)));
                }
                None
            }
        };
        samples.extend(value.map(|value| (own(), value)));
    }
    samples
}

fn flag(is_so: bool) -> String {
    u8::from(is_so).to_string()
}

fn seconds(at: OffsetDateTime) -> String {
    at.unix_timestamp().to_string()
}

/// As a label's value has it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

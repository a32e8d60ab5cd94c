//! Alert rules for Prometheus. What quorate writes has absolute times, and each rule compares them with the server's
//! time; what is missing has a rule of its own. What etcd itself tells is alerted on by the meaning of etcd's own
//! mixin.

use std::fmt::Write as _;

use inventories::Inventory;
use planner::SiteSpec;
use planner::spec::ClusterSpec;

mod backups;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Severity {
    /// Somebody gets up for it.
    Critical,
    /// Somebody looks the next day.
    Warning,
}

impl Severity {
    fn word(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
        }
    }
}

/// A rule.
struct Alert {
    name: &'static str,
    expr: String,
    pending: &'static str,
    severity: Severity,
    summary: String,
}

/// How long a status may be old: a writer is to run every few minutes.
const STALE_SECONDS: u32 = 3600;

/// All rules of a site as a file.
pub(super) fn of(spec: &SiteSpec, inventory: &Inventory, job: &str) -> String {
    let site = spec.site.to_string();
    let mut out = String::from(
        "# Made by: quorate monitoring rules. Make it again when the inventory changes.\ngroups:\n",
    );
    group(&mut out, &format!("quorate-{site}"), &of_site(&site));
    for cluster in spec.clusters.values() {
        let name = format!("quorate-{site}-{}", cluster.name);
        let mut alerts = of_cluster(&site, cluster);
        let settings = inventory.clusters.get(&cluster.name);
        if let Some(backups) = settings.and_then(|settings| settings.backups.as_ref()) {
            alerts.extend(backups::alerts(&site, &cluster.name, backups));
        }
        group(&mut out, &name, &alerts);
        group(&mut out, &format!("etcd-{site}-{}", cluster.name), &of_etcd(&site, job, cluster));
    }
    out
}

fn group(out: &mut String, name: &str, alerts: &[Alert]) {
    // JSON's texts are YAML's as well.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let _ = writeln!(out, "- name: {}\n  rules:", quoted(name));
    for Alert { name, expr, pending, severity, summary } in alerts {
        let _ = writeln!(
            out,
            "  - alert: {name}\n    expr: {}\n    for: {pending}\n    labels:\n      severity: {}\n    \
             annotations:\n      summary: {}",
            quoted(expr),
            severity.word(),
            quoted(summary),
        );
    }
}

fn of_site(site: &str) -> Vec<Alert> {
    let at = format!("{{site=\"{site}\"}}");
    let seconds = STALE_SECONDS;
    vec![
        Alert {
            name: "QuorateStatusMissing",
            expr: format!("absent(quorate_status_timestamp_seconds{at})"),
            pending: "15m",
            severity: Severity::Critical,
            summary: format!("nothing writes the status of site {site}"),
        },
        Alert {
            name: "QuorateStatusOld",
            expr: format!("time() - quorate_status_timestamp_seconds{at} > {seconds}"),
            pending: "5m",
            severity: Severity::Critical,
            summary: format!("the status of site {site} is older than an hour: its writer died"),
        },
        Alert {
            name: "QuorateApplyOld",
            expr: format!("time() - quorate_last_apply_timestamp_seconds{at} > 90 * 86400"),
            pending: "1h",
            severity: Severity::Warning,
            summary: "the last apply of host {{ $labels.host }} began more than 90 days ago: quorate plan".to_owned(),
        },
    ]
}

fn of_cluster(site: &str, cluster: &ClusterSpec) -> Vec<Alert> {
    let name = &cluster.name;
    let at = format!("{{site=\"{site}\",cluster=\"{name}\"}}");
    let alert = |name, expr: String, pending, severity, summary: &str| Alert {
        name,
        expr,
        pending,
        severity,
        summary: summary.to_owned(),
    };
    let (critical, warning) = (Severity::Critical, Severity::Warning);
    let mut alerts = vec![
        alert(
            "QuorateNoQuorum",
            // An unreachable cluster may or may not be formed, and that is no reason for silence.
            format!(
                "2 * quorate_cluster_members_up{at} <= quorate_cluster_voters{at} unless quorate_cluster_formed{at} == 0"
            ),
            "2m",
            critical,
            &format!("cluster {name} has no quorum, or quorate can't see it"),
        ),
        alert(
            "QuorateNoMargin",
            format!("quorate_cluster_voters{at} > 2 and quorate_cluster_margin{at} == 0"),
            "10m",
            critical,
            &format!("cluster {name}: one more failure is an outage"),
        ),
        alert(
            "QuorateMemberDown",
            format!("quorate_member_up{at} == 0"),
            "10m",
            warning,
            "member {{ $labels.member }} is down",
        ),
        alert(
            "QuorateMemberUnreachable",
            format!("quorate_member_reachable{at} == 0"),
            "15m",
            warning,
            "quorate can't log in to the host of member {{ $labels.member }}",
        ),
        alert(
            "QuorateAlarm",
            format!("quorate_cluster_alarms{at} > 0"),
            "1m",
            critical,
            &format!("etcd raised an alarm in cluster {name}: quorate etcdctl -- alarm list"),
        ),
        alert(
            "QuorateProblem",
            format!("quorate_cluster_problems{at} > 0"),
            "15m",
            warning,
            &format!("quorate status names a problem of cluster {name}"),
        ),
        alert(
            "QuorateAttention",
            format!("quorate_cluster_attention{at} > 0"),
            "1h",
            warning,
            &format!("quorate status says that cluster {name} needs attention"),
        ),
        alert(
            "QuorateCertificateEnds",
            format!("quorate_certificate_not_after_timestamp_seconds{at} - time() < 30 * 86400"),
            "1h",
            warning,
            "{{ $labels.file }} of member {{ $labels.member }} expires within 30 days: quorate apply",
        ),
        alert(
            "QuorateCertificateEndsSoon",
            format!("quorate_certificate_not_after_timestamp_seconds{at} - time() < 7 * 86400"),
            "1h",
            critical,
            "{{ $labels.file }} of member {{ $labels.member }} expires within 7 days: quorate apply",
        ),
        alert(
            "QuorateCaEnds",
            format!("quorate_ca_not_after_timestamp_seconds{at} - time() < 180 * 86400"),
            "1h",
            warning,
            &format!("the {{{{ $labels.ca }}}} CA of cluster {name} expires within 180 days"),
        ),
        alert(
            "QuorateQuotaUsed",
            format!("quorate_member_db_size_bytes{at} / quorate_member_quota_bytes{at} > 0.8"),
            "15m",
            warning,
            "the database of member {{ $labels.member }} uses 80 % of its quota",
        ),
        alert(
            "QuorateDiskFull",
            format!("quorate_member_data_free_bytes{at} < 2e9"),
            "15m",
            warning,
            "less than 2 GB are free for the data of member {{ $labels.member }}",
        ),
    ];
    // A member that left no line is known by the inventory alone.
    alerts.extend(cluster.members.keys().map(|member| Alert {
        name: "QuorateMemberMissing",
        expr: format!(
            "absent(quorate_member_reachable{{site=\"{site}\",cluster=\"{name}\",member=\"{member}\"}})"
        ),
        pending: "15m",
        severity: Severity::Critical,
        summary: format!("the status has no line of member {member}: is it written for this inventory?"),
    }));
    alerts
}

fn of_etcd(site: &str, job: &str, cluster: &ClusterSpec) -> Vec<Alert> {
    let name = &cluster.name;
    let labels = format!("job=\"{job}\",site=\"{site}\",cluster=\"{name}\"");
    let at = format!("{{{labels}}}");
    let needed = cluster.members.len() / 2 + 1;
    let p99 = |of: &str| format!("histogram_quantile(0.99, rate({of}_bucket{at}[5m]))");
    let alert = |name, expr: String, pending, severity, summary: &str| Alert {
        name,
        expr,
        pending,
        severity,
        summary: summary.to_owned(),
    };
    let (critical, warning) = (Severity::Critical, Severity::Warning);
    let member = "{{ $labels.member }}";
    let mut alerts = vec![
        alert(
            "EtcdInsufficientMembers",
            // The sum over no target at all is nothing, and not 0.
            format!("(sum(up{at} == bool 1) or vector(0)) < {needed}"),
            "3m",
            critical,
            &format!("fewer than {needed} members of cluster {name} answer"),
        ),
        alert(
            "EtcdMemberDown",
            format!("up{at} == 0"),
            "10m",
            warning,
            &format!("member {member} does not answer"),
        ),
        alert(
            "EtcdNoLeader",
            format!("etcd_server_has_leader{at} == 0"),
            "1m",
            critical,
            &format!("member {member} knows no leader"),
        ),
        alert(
            "EtcdLeaderChanges",
            format!("max(increase(etcd_server_leader_changes_seen_total{at}[15m])) >= 4"),
            "5m",
            warning,
            &format!("cluster {name} changed its leader 4 times in 15 minutes"),
        ),
        alert(
            "EtcdSlowFsync",
            format!("{} > 0.5", p99("etcd_disk_wal_fsync_duration_seconds")),
            "10m",
            warning,
            &format!("slow disk: p99 fsync of member {member} is above 0.5 s"),
        ),
        alert(
            "EtcdSlowCommit",
            format!("{} > 0.25", p99("etcd_disk_backend_commit_duration_seconds")),
            "10m",
            warning,
            &format!("slow disk: p99 commit of member {member} is above 0.25 s"),
        ),
        alert(
            "EtcdSlowPeers",
            format!("{} > 0.15", p99("etcd_network_peer_round_trip_time_seconds")),
            "10m",
            warning,
            &format!("the round trip from member {member} to a peer is above 0.15 s"),
        ),
        alert(
            "EtcdFailedProposals",
            format!("rate(etcd_server_proposals_failed_total{at}[15m]) > 5"),
            "15m",
            warning,
            &format!("more than 5 proposals a second fail at member {member}"),
        ),
        alert(
            "EtcdQuotaLow",
            format!(
                "etcd_mvcc_db_total_size_in_bytes{at} / etcd_server_quota_backend_bytes{at} > 0.95"
            ),
            "10m",
            critical,
            &format!("the database of member {member} uses 95 % of its quota: writes end soon"),
        ),
        alert(
            "EtcdDatabaseGrows",
            format!(
                "predict_linear(etcd_mvcc_db_total_size_in_bytes{at}[4h], 4 * 3600) > etcd_server_quota_backend_bytes{at}"
            ),
            "10m",
            warning,
            &format!("the database of member {member} reaches its quota within 4 hours"),
        ),
        alert(
            "EtcdFragmented",
            format!(
                "etcd_mvcc_db_total_size_in_use_in_bytes{at} / etcd_mvcc_db_total_size_in_bytes{at} < 0.5 and etcd_mvcc_db_total_size_in_use_in_bytes{at} > 104857600"
            ),
            "10m",
            warning,
            &format!("half of the database of member {member} is free pages: quorate defrag"),
        ),
    ];
    alerts.extend(cluster.members.keys().map(|member| Alert {
        name: "EtcdTargetMissing",
        expr: format!("absent(up{{{labels},member=\"{member}\"}})"),
        pending: "15m",
        severity: Severity::Warning,
        summary: format!(
            "nothing scrapes the metrics of member {member}: quorate monitoring targets"
        ),
    }));
    alerts
}

#[cfg(test)]
mod tests {
    use crate::report::status::METRICS;

    const SOURCE: &str = concat!(include_str!("rules/backups.rs"), include_str!("rules.rs"));

    #[test]
    fn every_metric_that_a_rule_reads_is_written() {
        let rules = SOURCE.split("#[cfg(test)]").next().unwrap();
        let mut read = 0;
        for (at, _) in rules.match_indices("quorate_") {
            let name: String =
                rules[at..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            assert!(METRICS.iter().any(|(known, _)| *known == name), "{name}");
            read += 1;
        }
        assert!(read > 10);
    }
}

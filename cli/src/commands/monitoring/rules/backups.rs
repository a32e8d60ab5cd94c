//! Rules about the age of a cluster's backups, as old as the inventory lets them be.

use std::time::Duration;

use inventories::{Backups, ClusterName};

use super::{Alert, Severity};

pub(super) fn alerts(site: &str, cluster: &ClusterName, backups: &Backups) -> Vec<Alert> {
    let of = format!("site=\"{site}\",cluster=\"{cluster}\"");
    let mut alerts = Vec::new();
    if let Some(most) = backups.max_age {
        alerts.push(old(
            "QuorateBackupOld",
            &format!("max by (target) (quorate_backup_newest_timestamp_seconds{{{of}}})"),
            most,
            format!(
                "the newest good backup of cluster {cluster} in {{{{ $labels.target }}}} is too old"
            ),
        ));
    }
    if let Some(most) = backups.max_age_opened {
        alerts.push(old(
            "QuorateBackupUnopened",
            &format!("max(quorate_backup_opened_timestamp_seconds{{{of}}})"),
            most,
            format!("nobody opened a backup of cluster {cluster} lately: quorate snapshot verify"),
        ));
    }
    // A target that can't be read, or has no good backup, leaves no line.
    alerts.extend(backups.to.iter().map(|target| Alert {
        name: "QuorateBackupMissing",
        expr: format!(
            "absent(quorate_backup_newest_timestamp_seconds{{{of},target={}}})",
            serde_json::Value::from(target.to_string())
        ),
        pending: "1h",
        severity: Severity::Critical,
        summary: format!("no good backup of cluster {cluster} is known to be in {target}"),
    }));
    alerts
}

fn old(name: &'static str, newest: &str, most: Duration, summary: String) -> Alert {
    Alert {
        name,
        expr: format!("time() - {newest} > {}", most.as_secs()),
        pending: "15m",
        severity: Severity::Critical,
        summary,
    }
}

//! A restore that was started and not finished: until it is, the cluster is left alone.

use std::collections::BTreeMap;

use inventories::HostName;

use crate::facts::{HostFacts, Observed, RestorePhase, RestoreRecord, SiteFacts};
use crate::report::{Finding, FindingCode, PlanReport};
use crate::spec::ClusterSpec;
use crate::stops::Stops;

/// What an unfinished restore leaves to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// Everything: old data is in its place, if there is any.
    Everything,
    /// Nothing: some of the data is archived, and some is restored.
    Nothing,
}

/// Reports the records of a restore on the hosts of a cluster.
pub(crate) fn check(cluster: &ClusterSpec, facts: &SiteFacts, report: &mut PlanReport) -> Left {
    let record = |(host, seen): (_, &Observed<HostFacts>)| {
        let own = seen.known()?.clusters.get(&cluster.name)?;
        Some((host, own.restore.known().cloned()?))
    };
    let records: BTreeMap<&HostName, RestoreRecord> =
        facts.hosts.iter().filter_map(record).collect();
    let Some(furthest) = records.values().max_by_key(|record| record.phase) else {
        return Left::Everything;
    };
    let name = &cluster.name;
    let again = format!(
        "quorate restore --cluster {name} --from sha256:{} --clients-stopped {name}\n\
         if the snapshot was a file and no backup, name the file instead",
        furthest.sha256
    );
    let finding = |code, message, hint| Finding {
        code,
        host: None,
        cluster: Some(name.clone()),
        message,
        hint: Some(hint),
    };
    let at = |phase: RestorePhase| -> Vec<&str> {
        let at = records.iter().filter(|(_, record)| record.phase == phase);
        at.map(|(host, _)| host.as_str()).collect()
    };
    if furthest.phase == RestorePhase::Staged {
        let hosts = at(RestorePhase::Staged).join(", ");
        let message = format!(
            "a restore was prepared on {hosts} but not carried out; this plan leaves it alone"
        );
        let layout = templates::Layout::new(name);
        let hint = format!(
            "to continue: {again}\nto discard it, run on each of these hosts: rm -r {} {}",
            layout.restored_dir(),
            layout.restore_record()
        );
        report.waiting.push(finding(FindingCode::RestorePrepared, message, hint));
        return Left::Everything;
    }
    let parts = [
        ("restored data on", at(RestorePhase::Placed)),
        ("archived data on", at(RestorePhase::SetAside)),
        ("old data on", at(RestorePhase::Staged)),
    ];
    let parts: Vec<String> = (parts.into_iter())
        .filter(|(_, hosts)| !hosts.is_empty())
        .map(|(what, hosts)| format!("{what} {}", hosts.join(", ")))
        .collect();
    let message = format!("a restore was started but not finished: {}", parts.join("; "));
    let hint = format!("finish it: {again}");
    report.block(
        finding(FindingCode::RestoreUnfinished, message, hint),
        [Stops::Cluster(name.clone())],
    );
    Left::Nothing
}

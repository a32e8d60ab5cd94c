//! What a restore means: for the data, for clients, and until when there is a way back.

use inventories::HostName;

use super::stand::At;
use super::{Subject, loss, revisions};
use crate::decide::preflight;
use crate::quorum::Quorum;
use crate::report::{Finding, FindingCode, PlanReport, QuorumNote};
use crate::text::age;

pub(super) fn tell(subject: &Subject<'_>, report: &mut PlanReport) {
    let (cluster, snapshot) = (&subject.cluster.name, &subject.request.snapshot);
    if subject.stand.is_placed() {
        report.clients.push(format!(
            "cluster {cluster}: every member has the restored data; this plan starts them and proves the cluster healthy"
        ));
        report.warnings.extend(lost_since(subject));
        return;
    }
    let members = subject.cluster.members.len();
    report.quorum.push(QuorumNote {
        cluster: cluster.clone(),
        what: "restore, with every member stopped".to_owned(),
        up: 0,
        needed: Quorum { voters: members, healthy: 0 }.size(),
    });
    let revision =
        snapshot.revision.map_or("of unknown revision".to_owned(), |at| format!("revision {at}"));
    let taken = snapshot.taken.map(|taken| format!(", taken {}", stamp(taken)));
    let layout = subject.cluster.members.values().next().map(|one| one.member.layout());
    let kept = layout.map(|layout| layout.archive_dir()).unwrap_or_default();
    report.one_way.push(format!(
        "snapshot {} replaces the data of cluster {cluster}: {revision}{}, {}; each member's old data is archived on its \
         host in {kept}",
        snapshot.name,
        taken.unwrap_or_default(),
        preflight::bytes(snapshot.bytes),
    ));
    let age = snapshot.taken.map(|taken| age(subject.facts.observed_at - taken));
    let age = age.map(|age| format!("the snapshot is {age} old"));
    for told in age.into_iter().chain(loss::told(subject)) {
        report.clients.push(format!("cluster {cluster}: {told}"));
    }
    report
        .clients
        .push(format!("cluster {cluster}: down from stop-for-restore until prove succeeds"));
    if !subject.stand.has_started() {
        report.clients.push(format!(
            "cluster {cluster}: until the first set-aside nothing is lost, and quorate apply starts the old members again; \
             after that, only the same command continues"
        ));
    }
    for one in subject.former.iter().filter(|one| one.is_there()) {
        report.one_way.push(format!(
            "member {} of cluster {cluster} is no longer in `members`: its data is archived on its host in {kept}; its unit or \
             pod and its keys are removed",
            one.host
        ));
    }
    report.warnings.extend(warnings(subject));
}

fn warnings(subject: &Subject<'_>) -> Vec<Finding> {
    let warn = |code, message: String, hint: &str| Finding {
        code,
        host: None,
        cluster: Some(subject.cluster.name.clone()),
        message,
        hint: Some(hint.to_owned()),
    };
    let mut found = Vec::new();
    if subject.request.snapshot.etcd_version.is_none() {
        found.push(warn(
            FindingCode::SnapshotVersion,
            format!(
                "the snapshot does not say which etcd version made it; quorate restores it with the tools of {}",
                subject.cluster.version
            ),
            "a backup that quorate took knows it",
        ));
    }
    if revisions::bump(subject).is_none() {
        found.push(warn(
            FindingCode::DataLoss,
            format!(
                "etcd {} restores at the snapshot's own revision: caches and watches that saw later ones miss changes",
                subject.cluster.version
            ),
            "restart every kubelet and every controller after the restore",
        ));
    }
    found
}

/// Members of the restored cluster that have lost their data while it served.
fn lost_since(subject: &Subject<'_>) -> Vec<Finding> {
    let is_lost = |host: &&HostName| subject.stand.at(host) == At::Lost;
    let lost = subject.cluster.members.keys().filter(is_lost);
    let told = |host: &HostName| Finding {
        code: FindingCode::LostMember,
        host: Some(host.clone()),
        cluster: Some(subject.cluster.name.clone()),
        message: "this member lost its data after the restored cluster started".to_owned(),
        hint: Some(format!(
            "let this plan end the restore\nthen replace the member: quorate apply --replace {host}"
        )),
    };
    lost.map(told).collect()
}

fn stamp(at: time::OffsetDateTime) -> String {
    let at = at.replace_nanosecond(0).unwrap_or(at);
    at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
}

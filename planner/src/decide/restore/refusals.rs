//! Why a cluster can't be restored now: everything at once, before anything is done.

use inventories::HostName;

use super::{Subject, absent, alarms, clients, loss, others, revisions, room};
use crate::decide::assess::View;
use crate::decide::runtime;
use crate::facts::{MemberFacts, Observed, RestorePhase};
use crate::policy::MAX_REVISION;
use crate::report::{Finding, FindingCode, PlanReport};
use crate::spec::{ClusterSpec, SiteSpec};
use crate::stops::Stops;

/// Removes the findings that a restore is the answer to, and those that ask something of forming or of converging
/// that no restore needs.
pub(super) fn keep_what_counts(
    views: &[(&ClusterSpec, View<'_>)],
    site: &SiteSpec,
    report: &mut PlanReport,
) {
    let is_readable = |own: &&MemberFacts| match &own.marker {
        Observed::Known(marker) => marker.site == site.site,
        Observed::Absent => true,
        Observed::Unknown(_) => false,
    };
    let mut members = views.iter().flat_map(|(_, view)| view.members.values().copied());
    let markers_are_ours = members.all(|own| is_readable(&own));
    let is_answered = |finding: &Finding| match finding.code {
        FindingCode::LostMember
        | FindingCode::FormedBefore
        | FindingCode::FormedOtherwise
        | FindingCode::BegunOtherwise
        | FindingCode::Bootstrap
        | FindingCode::Corrupt
        | FindingCode::TwoClusters
        | FindingCode::ChangingMembers
        | FindingCode::ChangingAddress
        | FindingCode::ChangingVersion
        | FindingCode::UpgradeWaits
        | FindingCode::NotAVoter
        | FindingCode::Dns
        | FindingCode::SlowDisk
        | FindingCode::DiskUntimed
        // A host that was not reached is reported in the words of a restore.
        | FindingCode::Unseen => true,
        FindingCode::Marker => markers_are_ours,
        _ => false,
    };
    report.blocked.retain(|blocked| !is_answered(&blocked.finding));
    report.warnings.retain(|finding| !is_answered(finding));
    report.held.clear();
}

/// Adds every reason of this cluster.
pub(super) fn check(subject: &Subject<'_>, report: &mut PlanReport) {
    let mut found = Vec::new();
    found.extend(absent::found(subject));
    found.extend(unreadable(subject));
    found.extend(of_others(subject));
    found.extend(half_done(subject));
    found.extend(other_minor(subject));
    found.extend(loss::refused(subject));
    found.extend(too_high(subject));
    found.extend(alarms::corrupt(subject));
    found.extend(clients::not_stopped(subject));
    found.extend(others::unnamed(subject));
    found.extend(room::above_quota(subject));
    found.extend(room::too_small(subject));
    found.extend(runtime::waits_for_kubelet(subject.cluster, subject.members.iter()));
    for finding in found {
        report.block(finding, [Stops::Cluster(subject.cluster.name.clone())]);
    }
}

pub(super) fn finding(
    subject: &Subject<'_>,
    host: Option<&HostName>,
    code: FindingCode,
    message: String,
    hint: String,
) -> Finding {
    let cluster = Some(subject.cluster.name.clone());
    Finding { code, host: host.cloned(), cluster, message, hint: Some(hint) }
}

/// What a restore relies on must be known.
fn unreadable(subject: &Subject<'_>) -> Vec<Finding> {
    let is_known = |host: &HostName| subject.members.iter().any(|member| member.name == host);
    let members = subject.view.members.keys().copied().filter(|host| !is_known(host));
    let former = subject.former.iter().filter(|one| one.is_unreadable()).map(|one| one.host);
    let message =
        "could not read everything that a restore needs to know about this host".to_owned();
    let hint = "check the host: its disk may be failing".to_owned();
    let told =
        |host| finding(subject, Some(host), FindingCode::NotKnown, message.clone(), hint.clone());
    members.chain(former).map(told).collect()
}

/// A former member's host may be another site's by now.
fn of_others(subject: &Subject<'_>) -> Vec<Finding> {
    let former = subject.former.iter();
    former
        .filter_map(|one| Some((one.host, one.other_site(&subject.site.site)?)))
        .map(|(host, site)| {
            let message = format!(
                "this host has data of a cluster {}, but belongs to site {site}",
                subject.cluster.name
            );
            let hint =
                "find out who owns it; quorate never stops members of another site".to_owned();
            finding(subject, Some(host), FindingCode::OtherSite, message, hint)
        })
        .collect()
}

fn half_done(subject: &Subject<'_>) -> Option<Finding> {
    let (first, others) = (subject.stand.others.values().next()?, &subject.stand.others);
    let name = &subject.cluster.name;
    if subject.request.allow_data_loss.contains(name) {
        return None;
    }
    let placed = others.values().any(|record| record.phase == RestorePhase::Placed);
    let how = if placed { "is half done" } else { "has archived the old data" };
    let hosts: Vec<&str> = others.keys().map(|host| host.as_str()).collect();
    let message = format!(
        "another restore {how} on {}; its snapshot has sha256 {}",
        hosts.join(", "),
        first.sha256
    );
    let hint = format!(
        "finish that restore first, with its snapshot: quorate restore --cluster {name} --from sha256:{}\n\
         to abandon it, add: --allow-data-loss {name}",
        first.sha256
    );
    Some(finding(subject, None, FindingCode::RestoreUnfinished, message, hint))
}

fn other_minor(subject: &Subject<'_>) -> Option<Finding> {
    let made_by = subject.request.snapshot.etcd_version?;
    let wanted = subject.cluster.version;
    (made_by.minor() != wanted.minor()).then(|| {
        let place = subject.cluster.place_of("version");
        let message =
            format!("the snapshot was taken from etcd {made_by}, but the inventory wants {wanted}");
        let hint = format!(
            "set version = \"{}.N\" in {}:{} and restore\nthen upgrade: docs/upgrade.md",
            made_by.minor(),
            place.file,
            place.line
        );
        finding(subject, None, FindingCode::SnapshotVersion, message, hint)
    })
}

/// etcd counts revisions in 63 bits, and panics or starts from zero beyond. One number that somebody forged leads there.
fn too_high(subject: &Subject<'_>) -> Option<Finding> {
    (revisions::floor(subject) > MAX_REVISION).then(|| {
        let (source, revision) = revisions::highest_source(subject);
        let message = format!(
            "{source} has revision {revision}: restored data would have to start above it, and etcd can't count that far"
        );
        let hint = "no cluster reaches such a revision on its own: find out who wrote that number, and correct it";
        finding(subject, None, FindingCode::RevisionTooHigh, message, hint.to_owned())
    })
}

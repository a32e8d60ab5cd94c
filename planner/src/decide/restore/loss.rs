//! What a restore loses, or may lose. The plan names every loss, even if the operator allowed it: they may have meant
//! another one.

use super::Subject;
use super::refusals::finding;
use super::revisions;
use crate::report::{Finding, FindingCode};

/// What a restore loses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lost {
    /// So many revisions before the one that the cluster has now.
    Revisions { now: u64, count: u64 },
    /// The snapshot's revision is unknown.
    Unknown { now: u64 },
    /// How new the data on these hosts is, is unknown: their members do not answer.
    Silent { hosts: Vec<String> },
    /// What a newer backup holds.
    Backup { newer: u64 },
    /// There is a backup that may be newer.
    OtherBackup { revision: u64 },
    /// These targets could not be read.
    Unread { targets: Vec<String> },
}

/// All of it.
pub(super) fn losses(subject: &Subject<'_>) -> Vec<Lost> {
    let Subject { request, stand, .. } = subject;
    let (now, revision) = (revisions::of_old_data(subject), request.snapshot.revision);
    let mut found = Vec::new();
    match (now, revision) {
        (Some(now), Some(revision)) if now > revision => {
            found.push(Lost::Revisions { now, count: now - revision });
        }
        (Some(now), None) => found.push(Lost::Unknown { now }),
        (Some(_) | None, _) => {}
    }
    let hosts = revisions::silent(subject);
    if !hosts.is_empty() {
        found.push(Lost::Silent { hosts });
    }
    // What was backed up since is another matter once old data is archived: by then it may be the restored data.
    if stand.has_started() {
        return found;
    }
    match (request.highest_known, revision) {
        (0, _) => {}
        (newer, Some(revision)) if newer > revision => found.push(Lost::Backup { newer }),
        (revision, None) => found.push(Lost::OtherBackup { revision }),
        (_, Some(_)) => {}
    }
    if !request.unread.is_empty() {
        found.push(Lost::Unread { targets: request.unread.iter().cloned().collect() });
    }
    found
}

/// What the operator must allow.
pub(super) fn refused(subject: &Subject<'_>) -> Vec<Finding> {
    let name = &subject.cluster.name;
    if subject.request.allow_data_loss.contains(name) {
        return Vec::new();
    }
    let refuse = |lost: Lost| {
        let first = match &lost {
            Lost::Revisions { .. } | Lost::Unknown { .. } => {
                format!("back up the current data first: quorate snapshot take --cluster {name}")
            }
            Lost::Silent { .. } => {
                format!("see whether that data can be saved: quorate recover --cluster {name}")
            }
            Lost::Unread { .. } => {
                format!("make every target readable: quorate snapshot list --cluster {name}")
            }
            Lost::Backup { .. } => {
                format!("restore the newest one: quorate snapshot list --cluster {name}")
            }
            Lost::OtherBackup { .. } => {
                format!("restore a backup instead: quorate snapshot list --cluster {name}")
            }
        };
        let hint = format!("{first}\nthen, to accept the loss, add: --allow-data-loss {name}");
        finding(subject, None, FindingCode::DataLoss, refusal(&lost), hint)
    };
    losses(subject).into_iter().map(refuse).collect()
}

fn refusal(lost: &Lost) -> String {
    match lost {
        Lost::Revisions { now, count } => format!(
            "the cluster is at revision {now}: a restore loses the {count} revisions written since the snapshot"
        ),
        Lost::Unknown { now } => format!(
            "the cluster is at revision {now}, and the snapshot's revision is unknown: a restore may lose data"
        ),
        Lost::Silent { hosts } => format!(
            "no answer from {}, which has data: it may be newer than the snapshot",
            hosts.join(", ")
        ),
        Lost::Backup { newer } => format!(
            "there is a newer backup, of revision {newer}: what it holds beyond the snapshot is lost"
        ),
        Lost::OtherBackup { revision } => format!(
            "there is a backup of revision {revision}, and the snapshot's revision is unknown: that backup may be newer"
        ),
        Lost::Unread { targets } => format!(
            "can't read {}: a newer backup may be there, and a revision above those that the restored data gets",
            targets.join(", ")
        ),
    }
}

/// The same in a plan that was allowed to lose it, each a sentence without a full stop.
pub(super) fn told(subject: &Subject<'_>) -> Vec<String> {
    let losses = losses(subject);
    let answers = |lost: &Lost| matches!(lost, Lost::Revisions { .. } | Lost::Unknown { .. });
    let none =
        (!losses.iter().any(answers)).then(|| "no member that answers has newer data".to_owned());
    none.into_iter().chain(losses.iter().map(accepted)).collect()
}

fn accepted(lost: &Lost) -> String {
    match lost {
        Lost::Revisions { now, count } => {
            format!("the cluster is at revision {now}, and {count} revisions are lost")
        }
        Lost::Unknown { now } => {
            format!("the cluster is at revision {now}; how many revisions are lost is unknown")
        }
        Lost::Silent { hosts } => {
            format!("no answer from {}, which may have newer data", hosts.join(", "))
        }
        Lost::Backup { newer } => format!(
            "a newer backup has revision {newer}; what it holds beyond the snapshot is not restored"
        ),
        Lost::OtherBackup { revision } => {
            format!("a backup has revision {revision}; whether the snapshot is older is unknown")
        }
        Lost::Unread { targets } => {
            format!("{} could not be read and may have a newer backup", targets.join(", "))
        }
    }
}

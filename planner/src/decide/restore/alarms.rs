//! Alarms are data: a snapshot brings back those that were raised when it was taken. That there was no space left is
//! cleared once the members run; nobody wants data back that was found to be corrupt.

use std::collections::BTreeSet;

use super::Subject;
use super::refusals::finding;
use crate::decide::quota;
use crate::facts::ALARM;
use crate::plan::{Action, Quota, Step, StepId, StepKind, Verb, Why};
use crate::report::{Finding, FindingCode};

/// The ids of the members that raised alarms of a kind: those in the snapshot, and those that restored members show.
fn raised(subject: &Subject<'_>, kind: &str) -> BTreeSet<String> {
    let in_snapshot = subject.request.snapshot.alarms.iter();
    let in_snapshot = in_snapshot.map(|alarm| alarm.strip_prefix(ALARM).unwrap_or(alarm));
    let shown = subject.view.now.alarms.iter().filter(|_| subject.stand.is_placed());
    let all = in_snapshot.chain(shown.map(String::as_str));
    let id = |alarm: &str| Some(alarm.strip_prefix(kind)?.strip_prefix(" of member ")?.to_owned());
    all.filter_map(id).collect()
}

pub(super) fn corrupt(subject: &Subject<'_>) -> Option<Finding> {
    let ids = raised(subject, "CORRUPT");
    (!ids.is_empty()).then(|| {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let message = format!("the snapshot holds the alarm CORRUPT of member {}", ids.join(", "));
        let hint = format!(
            "restore a backup from before: quorate snapshot list --cluster {}",
            subject.cluster.name
        );
        finding(subject, None, FindingCode::Corrupt, message, hint)
    })
}

/// Clears what is raised for want of space: until then no write proves the cluster healthy.
pub(super) fn disarm(subject: &Subject<'_>, starts: &[StepId]) -> Option<Step> {
    let alarms = raised(subject, "NOSPACE");
    let first = subject.members.first().filter(|_| !alarms.is_empty())?;
    let mut endpoints = subject.cluster.endpoints_from(first.name);
    let quotas = subject.cluster.members.iter().filter_map(|(host, one)| {
        let endpoint = endpoints.remove(host)?;
        Some((host.clone(), Quota { endpoint, bytes: quota::wanted(&one.member) }))
    });
    let kind =
        StepKind::Disarm { alarms, quotas: quotas.collect(), version: subject.cluster.version };
    let why = Why::Drift { changes: vec!["the cluster refuses writes until then".to_owned()] };
    Some(first.step(Verb::Disarm, Action::Run, kind, why).after(starts.iter().cloned()))
}

//! Why members can't be taken down now.

use inventories::HostName;

use super::{Candidate, is_started};
use crate::decide::assess::View;
use crate::decide::member_context::MemberContext;
use crate::decide::{canary, runtime, upgrade};
use crate::policy::Policy;
use crate::report::{Finding, FindingCode};
use crate::stops::{Changes, Permitted};

/// Why the restarts of a cluster can't start now.
pub(super) fn held(
    view: &View<'_>,
    members: &[MemberContext<'_>],
    candidates: &[Candidate<'_, '_>],
    (policy, scope): (&Policy, &Permitted<'_>),
) -> Option<Finding> {
    let cluster = members.first()?.cluster;
    let names: Vec<&str> = candidates.iter().map(|c| c.member.name.as_str()).collect();
    let verb = if names.len() == 1 { "needs" } else { "need" };
    let needs = format!("{} {verb} a restart", names.join(", "));
    if let Some(held) = canary::held(cluster, view, &needs) {
        return Some(held);
    }
    if view.now.alarms.iter().any(|alarm| alarm.contains("CORRUPT")) {
        return Some(Finding {
            code: FindingCode::RollUnderAlarm,
            host: None,
            cluster: Some(cluster.name.clone()),
            message: format!("{needs}, but the cluster has a CORRUPT alarm"),
            hint: Some(format!(
                "quorate apply --cluster {} replaces the corrupt member and clears the alarm\nthen run it again for the restart",
                cluster.name
            )),
        });
    }
    let out_of_space = view.now.alarms.iter().any(|alarm| alarm.contains("NOSPACE"));
    let raises_quota = |candidate: &Candidate<'_, '_>| {
        candidate.reasons.iter().any(|reason| reason.is_about("quota-backend-bytes"))
    };
    if out_of_space && !candidates.iter().all(raises_quota) {
        return Some(Finding {
            code: FindingCode::RollUnderAlarm,
            host: None,
            cluster: Some(cluster.name.clone()),
            message: format!("{needs}, but the cluster has a NOSPACE alarm"),
            hint: Some(upgrade::way_out_of_no_space(cluster, view).unwrap_or_else(|| {
                "raise quota-backend-bytes, or run quorate defrag first".to_owned()
            })),
        });
    }
    if let Some(finding) = runtime::waits_for_kubelet(cluster, candidates.iter().map(|c| c.member))
    {
        return Some(Finding { message: format!("{needs}, but {}", finding.message), ..finding });
    }
    let hosts: Vec<&HostName> = candidates.iter().map(Candidate::host).collect();
    // It restarts first, while all others hold the quorum: waiting for itself, it would wait for ever.
    let mut down =
        candidates.iter().map(Candidate::host).filter(|host| view.now.down.contains_key(*host));
    let alone = down.next().filter(|_| view.now.down.len() == 1);
    waits(view, members, (policy, scope), (&hosts, alone), &needs)
}

/// Why the members on these hosts can't be taken down now. `needs` says what would take them down.
pub(crate) fn waits(
    view: &View<'_>,
    members: &[MemberContext<'_>],
    (policy, scope): (&Policy, &Permitted<'_>),
    (hosts, alone): (&[&HostName], Option<&HostName>),
    needs: &str,
) -> Option<Finding> {
    let cluster = members.first()?.cluster;
    let hold = |code, message: String, hint: String| {
        Some(Finding {
            code,
            host: None,
            cluster: Some(cluster.name.clone()),
            message,
            hint: Some(hint),
        })
    };
    if scope.changes == Changes::Stopped {
        return hold(
            FindingCode::RollWaits,
            format!("{needs}, but a blocked finding stops restarts in this cluster"),
            format!("resolve what is blocked for {} above", cluster.name),
        );
    }
    if policy.allow_outage.contains(&cluster.name) {
        return None;
    }
    if view.now.quorum.voters <= 2 {
        return hold(
            FindingCode::NeedsOutage,
            format!("{needs}, and a restart costs this cluster its quorum while it lasts"),
            format!("quorate apply --allow-outage {}", cluster.name),
        );
    }
    let started = |host: &HostName| {
        members.iter().any(|member| member.name == host && is_started(member, scope))
    };
    let unseen = view.unseen.iter().map(|host| format!("{host} is reachable"));
    let unhealthy = view.now.down.keys().filter(|host| !started(host) && Some(*host) != alone);
    // It may itself be taken down, and no other meanwhile.
    let late = view.now.late.iter().filter(|(host, _)| hosts.iter().any(|other| other != host));
    let late = late.map(|(host, (applied, of))| {
        format!("{host} has caught up, which has applied {applied} of {of} entries of the log")
    });
    let unhealthy = unhealthy.map(|host| format!("{host} is healthy"));
    let missing: Vec<String> = unseen.chain(unhealthy).chain(late).collect();
    if !missing.is_empty() {
        return hold(
            FindingCode::RollWaits,
            format!(
                "{needs}, and wait{} until {}: quorate never takes a second member down",
                if hosts.len() == 1 { "s" } else { "" },
                missing.join(" and ")
            ),
            format!(
                "bring it back; quorate status says what is wrong with it\n\
                 only if the cluster may lose its quorum meanwhile: quorate apply --allow-outage {}",
                cluster.name
            ),
        );
    }
    None
}

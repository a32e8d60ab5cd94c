//! Replacing a member that serves by a new one on its own host. Nobody stands in for it meanwhile, so it is done only
//! while all others are healthy, and only if the operator names the host twice.

use std::collections::BTreeMap;

use inventories::HostName;

use crate::decide::assess::View;
use crate::decide::corrupt;
use crate::decide::leaving::Leaving;
use crate::decide::member_context::MemberContext;
use crate::decide::membership::{Joining, majority};
use crate::facts::ListedMember;
use crate::plan::{Action, Guard, Leaver, Step, StepKind, Verb, Why};
use crate::report::{Finding, FindingCode, PlanReport};
use crate::spec::ClusterSpec;

/// Whether it is the member of this row that serves on the host.
pub(crate) fn serves(view: &View<'_>, host: &HostName, row: &ListedMember) -> bool {
    let etcd = view.members.get(host).and_then(|member| member.etcd.known());
    let is_it = etcd.is_some_and(|etcd| etcd.leader.is_some() && etcd.member_id == row.id);
    is_it && !row.learner && !view.strangers.contains(host)
}

/// Why it can't be replaced now, and what to do.
pub(crate) fn refusal(
    cluster: &ClusterSpec,
    view: &View<'_>,
    (host, id): (&HostName, &str),
) -> Option<(String, String)> {
    let refused = |why: &str, hint: &str| Some((why.to_owned(), hint.to_owned()));
    if view.now.quorum.voters == 1 {
        return refused(
            "it is the only member, and its cluster would end with it",
            "name other hosts in `members` beside it and apply; then take it out of `members`",
        );
    }
    let marker = view.members.get(host).and_then(|member| member.marker.known());
    if marker.is_none_or(|marker| marker.member_id != id) {
        return refused(
            "the host has no record of this member: an earlier apply is not finished",
            "quorate apply, without --replace",
        );
    }
    let changes = view.joining.iter().filter(|(other, _)| **other != host).map(|(other, _)| other);
    let leaves =
        view.leaving.iter().filter(|(_, one)| Leaving::is_listed(one)).map(|(other, _)| other);
    let changes: Vec<&str> = changes.chain(leaves).map(|other| other.as_str()).collect();
    if !changes.is_empty() {
        let why = format!("it serves, and these join or leave as well: {}", changes.join(", "));
        return refused(&why, "change one member at a time: apply the other change first");
    }
    let healthy = view.answers().filter(|(other, etcd)| {
        *other != host
            && etcd.leader.is_some()
            && !etcd.learner
            && !view.now.late.contains_key(*other)
    });
    let (healthy, others) = (healthy.count(), view.now.quorum.voters - 1);
    (healthy < others).then(|| {
        let why = format!("it serves, and of the {others} others only {healthy} are healthy");
        (why, format!("bring the others back first: quorate status --cluster {}", cluster.name))
    })
}

/// Says what it means, and has the operator confirm it. One that is corrupt must go.
pub(crate) fn tell(
    cluster: &ClusterSpec,
    view: &View<'_>,
    host: &HostName,
    report: &mut PlanReport,
) {
    let Some(Joining::Serving(id)) = view.joining.get(host) else { return };
    if corrupt::is_named(view, id) {
        return;
    }
    let others = view.now.quorum.voters - 1;
    let (needed, margin) = (majority(others), others - majority(others));
    let fails = match margin {
        0 => "if one of them fails meanwhile, the cluster takes no writes until it is back"
            .to_owned(),
        margin => {
            format!("it survives {margin} failure{} meanwhile", if margin == 1 { "" } else { "s" })
        }
    };
    report.confirm.insert(host.to_string());
    report.warnings.push(Finding {
        code: FindingCode::ReplacesServing,
        host: Some(host.clone()),
        cluster: Some(cluster.name.clone()),
        message: format!(
            "this member serves, and it is removed before its host gets a new one: until that one votes, the cluster \
             needs {needed} of {others} members (margin {margin}), and {fails}"
        ),
        hint: Some(format!(
            "to approve it all the same: --confirm {host}\n\
             safer: name another host in `members` instead of {host}. It gets the data and a vote first, then {host} \
             is removed\n\
             to move the data to another disk: stop etcd, copy the data directory, mount the copy in its place, then \
             quorate apply. The member keeps its id"
        )),
    });
}

/// Takes it off the list: a leader hands over, and then the host of another member asks for the removal.
pub(crate) fn steps(
    view: &View<'_>,
    (member, id): (&MemberContext<'_>, &str),
    asker: &MemberContext<'_>,
    others: &BTreeMap<HostName, String>,
    guard: Guard,
) -> Vec<Step> {
    let (others, version) = (others.clone(), member.cluster.version);
    let mut steps = Vec::new();
    if view.now.leader.as_ref() == Some(member.name) {
        let kind = StepKind::MoveLeader {
            endpoint: member.wanted.member.loopback_client_url().to_string(),
            others: others.clone(),
            version,
        };
        let note = "it hands over before it is removed".to_owned();
        steps.push(member.step(Verb::MoveLeader, Action::Run, kind, Why::Safety { note }));
    }
    let kind = StepKind::RemoveListed {
        id: id.to_owned(),
        leaver: Leaver::Serves,
        peer_url: member.wanted.member.peer_url().to_string(),
        others,
        version,
    };
    let why = Why::Drift { changes: vec![format!("--replace names {}", member.name)] };
    let remove = asker.step(Verb::RemoveListed(id.to_owned()), Action::Delete, kind, why);
    steps.push(remove.guarded(guard));
    steps
}

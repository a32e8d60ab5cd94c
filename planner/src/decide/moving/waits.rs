//! What moves wait for, and what waits for moves.

use inventories::HostName;

use super::names;
use crate::decide::assess::View;
use crate::decide::certificates;
use crate::decide::leaving::Leaving;
use crate::decide::member_context::MemberContext;
use crate::facts::MemberFacts;
use crate::plan::{Step, Verb};
use crate::report::{Finding, FindingCode};
use crate::spec::{ClusterSpec, MemberSpec};

/// What is held back until all members are where the inventory has them; `what` says it.
pub(crate) fn holds(cluster: &ClusterSpec, code: FindingCode, what: &str) -> Option<Finding> {
    let names: Vec<&str> = names(cluster).iter().map(|host| host.as_str()).collect();
    (!names.is_empty()).then(|| Finding {
        code,
        host: None,
        cluster: Some(cluster.name.clone()),
        message: format!("{what}, but not before these members have moved: {}", names.join(", ")),
        hint: Some(
            "apply this plan, if it has steps, and plan again; or change addresses and `members` in separate applies"
                .to_owned(),
        ),
    })
}

/// Removals wait until all have moved: those that stay are asked where the inventory has them.
pub(crate) fn before_removals(view: &View<'_>, members: &[MemberContext<'_>]) -> Option<Finding> {
    let leaves = view.leaving.values().any(Leaving::is_listed);
    let first = members.first().filter(|_| leaves)?;
    holds(first.cluster, FindingCode::RemovalWaits, "a member is to be removed")
}

/// Nobody moves before the certificates of all that move name both places. `steps` are those of the certificates.
pub(crate) fn before_moves(members: &[MemberContext<'_>], steps: &[Step]) -> Option<Finding> {
    let cluster = members.first()?.cluster;
    let held = |message: String, hint: String| Finding {
        code: FindingCode::RollWaits,
        host: None,
        cluster: Some(cluster.name.clone()),
        message,
        hint: Some(hint),
    };
    let unlisted = |member: &MemberContext<'_>| {
        member.wanted.moves_from.as_ref().is_some_and(|from| !from.is_listed)
    };
    if members.iter().any(unlisted) && members.iter().any(|member| member.facts.forbids_us()) {
        let message = "members move, but etcd's own authentication refuses quorate's certificate, and only root may \
                       change a peer URL";
        let hint = format!("restore the former addresses in {}", cluster.place.file);
        return Some(held(message.to_owned(), hint));
    }
    // Those of a process of another account come in its own turn, which is early enough where it alone moves.
    let alone = names(cluster).len() == 1;
    let in_its_turn = |member: &MemberContext<'_>| {
        member.is_cut_off() || (alone && member.runs_as_another().is_some())
    };
    let are_planned = |member: &MemberContext<'_>| {
        certificates::changes(member, member.now).is_empty()
            || steps.iter().any(|step| step.id == member.id(Verb::Certificates))
    };
    let lacks = |member: &&MemberContext<'_>| {
        member.wanted.moves_from.is_some() && !in_its_turn(member) && !are_planned(member)
    };
    let lacks: Vec<&MemberContext<'_>> = members.iter().filter(lacks).collect();
    let hint = match lacks.iter().any(|member| member.runs_as_another().is_some()) {
        true => format!(
            "it still runs under its previous account. Restore the addresses in {}, apply, then change them again",
            cluster.place.file
        ),
        false => format!("quorate apply --cluster {}", cluster.name),
    };
    let lacks: Vec<&str> = lacks.iter().map(|member| member.name.as_str()).collect();
    (!lacks.is_empty()).then(|| {
        let message = format!(
            "members are due to move, but these lack certificates for their old and new addresses: {}",
            lacks.join(", ")
        );
        held(message, hint)
    })
}

/// Whether a member serves clients at a place that it is to leave.
pub(crate) fn leaves_clients(wanted: &MemberSpec, own: &MemberFacts) -> bool {
    let Some(from) = &wanted.moves_from else { return false };
    // A host that lost its only address serves no client there. Facts do not cover a separate client address.
    let is_gone = from.is_cut_off && from.client.ip() == from.peer.ip();
    from.client != wanted.member.client_url().socket() && own.is_up() && !is_gone
}

/// No member leaves a place where an API server may look for it that this plan leaves as it is, unless that one lists
/// the new place too.
pub(crate) fn still_listed(view: &View<'_>, members: &[MemberContext<'_>]) -> Option<Finding> {
    let cluster = members.first()?.cluster;
    let leave: Vec<&MemberContext<'_>> =
        members.iter().filter(|one| leaves_clients(one.wanted, one.facts)).collect();
    if leave.is_empty() {
        return None;
    }
    let joined = |hosts: Vec<&HostName>| {
        hosts.iter().map(|host| host.as_str()).collect::<Vec<_>>().join(", ")
    };
    let who = joined(leave.iter().map(|member| member.name).collect());
    let held = |message: String, hint: String| Finding {
        code: FindingCode::RollWaits,
        host: None,
        cluster: Some(cluster.name.clone()),
        message: format!("{who} can't move now: {message}"),
        hint: Some(hint),
    };
    if let Some(other) = &view.changes_first {
        let message = format!(
            "the API servers that use it get their list after the members of {other} have changed"
        );
        return Some(held(message, "quorate apply, then plan again".to_owned()));
    }
    let places: Vec<(String, String)> = leave
        .iter()
        .filter_map(|member| {
            let old = member.wanted.moves_from.as_ref()?.client;
            Some((format!("https://{old}"), member.wanted.member.client_url().to_string()))
        })
        .collect();
    let keepers = view.left.lists_any(|servers| {
        places.iter().any(|(old, new)| servers.contains(old) && !servers.contains(new))
    });
    (!keepers.is_empty())
        .then(|| held(keepers.why("may look for it at its old place only"), keepers.hint()))
}

//! The proof that a cluster has reached the minor that its members run: at the end of a change of minor, or of one whose
//! run was killed before its proof. A note on a host says so until the proof is made there. From 3.6 on, members also
//! tell how far the cluster has come.

use std::collections::BTreeSet;

use inventories::{HostName, Minor};

use crate::decide::assess::View;
use crate::decide::leave;
use crate::decide::member_context::MemberContext;
use crate::facts::{MemberFacts, Observed};
use crate::plan::{Action, Step, StepKind, Verb, Why};
use crate::stops::Permitted;

/// The proof that all members have arrived, where this plan, which restarts these, brings all of them there.
pub(super) fn step(
    asker: &MemberContext<'_>,
    members: &[MemberContext<'_>],
    restarted: &BTreeSet<&HostName>,
    (action, note): (Action, String),
) -> Option<Step> {
    let cluster = asker.cluster;
    let arrives = |host: &HostName| {
        let member = members.iter().find(|member| member.name == host);
        let etcd = member.and_then(|member| member.facts.etcd.known());
        let is_there = etcd.is_some_and(|etcd| etcd.version == cluster.version.to_string());
        restarted.contains(host) || is_there
    };
    if !cluster.members.keys().all(arrives) {
        return None;
    }
    let kind = StepKind::ProveVersion {
        endpoints: cluster.endpoints_from(asker.name),
        version: cluster.version,
    };
    Some(asker.step(Verb::ProveVersion, action, kind, Why::Safety { note }))
}

/// The proof that an earlier run owes.
pub(crate) fn owed(
    view: &View<'_>,
    members: &[MemberContext<'_>],
    restarted: &BTreeSet<&HostName>,
    scope: &Permitted<'_>,
) -> Option<Step> {
    let to = members.first()?.cluster.version.minor();
    let left = members.iter().find_map(|member| left(member.facts, to));
    if members.iter().any(|member| is_noted(member.facts)) {
        let left = left.unwrap_or(Left::Unproven);
        return step(noted(view, members, scope)?, members, restarted, left.told(to));
    }
    step(leave::asker(view, members, scope)?, members, restarted, left?.told(to))
}

/// The member whose host noted that a proof is due: the note goes with the proof that is made there.
pub(super) fn noted<'p, 'a>(
    view: &View<'_>,
    members: &'p [MemberContext<'a>],
    scope: &Permitted<'_>,
) -> Option<&'p MemberContext<'a>> {
    members.iter().find(|member| is_noted(member.facts) && leave::may_ask(view, member, scope))
}

fn is_noted(member: &MemberFacts) -> bool {
    !member.proof_due.is_absent()
}

/// Whether the change to this minor is still to be proven on this member's host. A note that can't be read may be about
/// any.
pub(super) fn is_due(member: &MemberFacts, of: Minor) -> bool {
    match &member.proof_due {
        Observed::Known(noted) => *noted == of,
        Observed::Absent => false,
        Observed::Unknown(_) => true,
    }
}

/// Why a cluster has not reached a minor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// A downgrade was enabled, to this minor where that is known, and the inventory wants another one.
    Downgrade(Option<Minor>),
    /// A member's database is not of that minor yet.
    Storage,
    /// A run ended before it had compared the members' data, or found that they differ.
    Unproven,
}

impl Left {
    fn told(self, to: Minor) -> (Action, String) {
        match self {
            Left::Downgrade(Some(target)) => (
                Action::Update,
                format!(
                    "a downgrade to etcd {target} is enabled, and the inventory wants {to}: it is cancelled"
                ),
            ),
            Left::Downgrade(None) => (
                Action::Update,
                format!("a downgrade is enabled, and the inventory wants {to}: it is cancelled"),
            ),
            Left::Storage => (
                Action::Check,
                "an earlier run stopped before the cluster had agreed on the new version"
                    .to_owned(),
            ),
            Left::Unproven => (
                Action::Check,
                "an earlier run stopped before it had proven the change of version".to_owned(),
            ),
        }
    }
}

/// What a member reports that shows that its cluster has not reached a minor. One that formed its cluster reaches it by
/// itself, in the seconds after.
pub(super) fn left(member: &MemberFacts, to: Minor) -> Option<Left> {
    let etcd = member.etcd.known()?;
    if to < Minor::V3_6 || etcd.minor() != Some(to) {
        return None;
    }
    match &etcd.downgrade {
        Observed::Known(target) if *target != to => return Some(Left::Downgrade(Some(*target))),
        Observed::Unknown(_) => return Some(Left::Downgrade(None)),
        Observed::Known(_) | Observed::Absent => {}
    }
    let running = member.running.known()?;
    let forms = running.iter().any(|argument| argument == "--initial-cluster-state=new");
    (!forms && etcd.storage != Observed::Known(to)).then_some(Left::Storage)
}

//! The turns of members that move while they are down. Those that run move among the restarts.

use std::collections::{BTreeMap, BTreeSet};

use inventories::HostName;

use super::{client_urls, update};
use crate::decide::assess::View;
use crate::decide::member_context::MemberContext;
use crate::decide::trials;
use crate::plan::{Guard, Others, Step, StepId, Verb};

/// The other members are a quorum: a member that is down costs nothing when its peers look for it elsewhere.
fn others_are_a_quorum(
    member: &MemberContext<'_>,
    view: &View<'_>,
    moved: &BTreeSet<&HostName>,
) -> Guard {
    let mut members = client_urls(member.cluster, moved);
    members.remove(member.name);
    let others = Others {
        members,
        needed: view.now.quorum.size(),
        version: member.cluster.version,
        cluster_id: view.now.cluster_id.clone(),
    };
    Guard::OthersHealthy { clusters: BTreeMap::from([(member.cluster.name.clone(), others)]) }
}

/// Members that are down and move, one after the other: each is listed where it will be, started there, and is back
/// before the next one.
pub(crate) struct Turns<'p> {
    before: BTreeSet<StepId>,
    moved: BTreeSet<&'p HostName>,
}

impl<'p> Turns<'p> {
    /// Turns after these steps, and after the certificates of all members.
    pub(crate) fn after(before: &BTreeSet<StepId>, members: &[MemberContext<'_>]) -> Self {
        // Those of a process of another account come in its own turn.
        let own_turn = |member: &&MemberContext<'_>| member.runs_as_another().is_some();
        let certificates = members.iter().filter(|member| !own_turn(member));
        let certificates = certificates.map(|member| member.id(Verb::Certificates));
        let before = before.iter().cloned().chain(certificates).chain(trials::all(members));
        Self { before: before.collect(), moved: BTreeSet::new() }
    }

    /// Makes a turn of the steps that start a member which is down; `rejoin` waits until it is back.
    pub(crate) fn take(
        &mut self,
        member: &MemberContext<'p>,
        view: &View<'_>,
        steps: &mut Vec<Step>,
        rejoin: Step,
    ) {
        let guard = others_are_a_quorum(member, view, &self.moved);
        steps.extend(update(member, &self.moved, guard));
        let is_turn = |step: &Step| {
            matches!(step.id.verb, Verb::UpdatePeerUrl | Verb::Unit | Verb::DropIns | Verb::Start)
        };
        for step in steps.iter_mut().filter(|step| is_turn(step)) {
            step.after.extend(self.before.iter().cloned());
        }
        self.before = BTreeSet::from([rejoin.id.clone()]);
        self.moved.insert(member.name);
        steps.push(rejoin);
    }

    /// The members that have moved when all turns are over.
    pub(crate) fn moved(&self) -> &BTreeSet<&'p HostName> {
        &self.moved
    }
}

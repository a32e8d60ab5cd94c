//! The steps that bring a formed cluster back to what is wanted: a list of concerns, planned one after the other.

mod proof;
mod quorum;
mod repair;
mod restarts;

use std::collections::BTreeSet;

use inventories::HostName;
use templates::RenderError;

use crate::decide::assess::View;
use crate::decide::corrupt;
use crate::decide::discovery;
use crate::decide::join::{self, Joins};
use crate::decide::leave::{self, Leaves};
use crate::decide::member_context::MemberContext;
use crate::decide::moving;
use crate::decide::order;
use crate::decide::readdress;
use crate::decide::strays;
use crate::decide::trials;
use crate::plan::{Step, StepId, Verb};
use crate::policy::Policy;
use crate::report::PlanReport;
use crate::selection;
use crate::stops::{Changes, Permitted};
pub(crate) use repair::may_start;
use restarts::Restarts;

/// What every concern of a cluster is planned from.
struct Ground<'g> {
    view: &'g View<'g>,
    /// The members whose hosts were seen.
    members: &'g [MemberContext<'g>],
    /// The disruptive steps of clusters on the same hosts: one at a time holds across them too.
    elsewhere: &'g BTreeSet<StepId>,
    policy: &'g Policy,
    scope: &'g Permitted<'g>,
}

impl<'g> Ground<'g> {
    fn is_joining(&self, host: &HostName) -> bool {
        self.view.joining.contains_key(host)
    }

    /// The members on whose hosts something may be done, but for those that join.
    fn taken(&self) -> impl Iterator<Item = &'g MemberContext<'g>> + '_ {
        let takes = |member: &&MemberContext<'_>| {
            self.scope.takes_host(member.name) && !self.is_joining(member.name)
        };
        self.members.iter().filter(takes)
    }

    /// Those of them that took part in the cluster.
    fn old(&self) -> impl Iterator<Item = &'g MemberContext<'g>> + '_ {
        self.taken().filter(|member| self.view.was_member(member.name, member.facts))
    }

    /// Those of them that a stopped bootstrap left behind.
    fn late(&self) -> impl Iterator<Item = &'g MemberContext<'g>> + '_ {
        self.taken().filter(|member| !self.view.was_member(member.name, member.facts))
    }

    /// The member from whose host the cluster is proven healthy.
    fn prover(&self) -> Option<&'g MemberContext<'g>> {
        self.members.iter().find(|member| self.scope.is_open(member.name))
    }
}

/// What the concerns have planned so far, as far as later ones depend on it.
struct Draft<'g> {
    steps: Vec<Step>,
    leaves: Option<Leaves<'g, 'g>>,
    joins: Option<Joins<'g, 'g>>,
    /// The removals of members that are on no host of the inventory.
    strays: Vec<Step>,
    restarts: Restarts<'g>,
    /// The turns of members that are down and move.
    moves: moving::Turns<'g>,
    /// Members that get their marker once the cluster is proven.
    unmarked: Vec<&'g MemberContext<'g>>,
}

type Concern = for<'g> fn(&Ground<'g>, &mut Draft<'g>, &mut PlanReport) -> Result<(), RenderError>;

/// In the order in which they are decided: each may rely on what those before it found. When a step is done is said by
/// what it waits for, and not by its place here.
const CONCERNS: &[Concern] = &[
    who_changes,
    restarts::due,
    trust,
    removals_by_id,
    restarts::turns,
    repair::members,
    repair::left_behind,
    names,
    membership,
    repair::stuck_kubelets,
    proof::proven,
    restarts::take_turns,
    close,
    quorum::missing,
];

/// Plans for the members of a formed cluster whose hosts were seen. `after` are the disruptive
/// steps of clusters on the same hosts.
pub(crate) fn steps(
    view: &View<'_>,
    members: &[MemberContext<'_>],
    after: &BTreeSet<StepId>,
    (policy, scope): (&Policy, &Permitted<'_>),
    report: &mut PlanReport,
) -> Result<Vec<Step>, RenderError> {
    let ground = Ground { view, members, elsewhere: after, policy, scope };
    let mut draft = Draft {
        steps: Vec::new(),
        leaves: None,
        joins: None,
        strays: Vec::new(),
        restarts: Restarts::default(),
        moves: moving::Turns::after(after, members),
        unmarked: Vec::new(),
    };
    for concern in CONCERNS {
        concern(&ground, &mut draft, report)?;
    }
    Ok(draft.steps)
}

/// The members that leave and join in this plan.
fn who_changes<'g>(
    ground: &Ground<'g>,
    draft: &mut Draft<'g>,
    report: &mut PlanReport,
) -> Result<(), RenderError> {
    let Ground { view, members, scope, .. } = *ground;
    draft.leaves = match moving::before_removals(view, members) {
        None => leave::ready(view, members, scope, report),
        Some(waits) => {
            report.held.push(waits);
            None
        }
    };
    draft.joins = join::ready(view, members, scope, draft.leaves.as_ref(), report);
    Ok(())
}

/// New certificates, and their trials.
fn trust<'g>(
    ground: &Ground<'g>,
    draft: &mut Draft<'g>,
    report: &mut PlanReport,
) -> Result<(), RenderError> {
    let old: Vec<&MemberContext<'_>> = ground.old().collect();
    draft.steps = trials::steps(ground.view, &old, ground.members, ground.scope, report);
    Ok(())
}

/// Members on no host of the inventory, which the operator has removed by their ids.
fn removals_by_id<'g>(
    ground: &Ground<'g>,
    draft: &mut Draft<'g>,
    report: &mut PlanReport,
) -> Result<(), RenderError> {
    let Ground { view, members, elsewhere, policy, scope } = *ground;
    draft.strays = strays::steps(view, members, (policy, scope), elsewhere, report);
    Ok(())
}

/// Members that the cluster still lists by their names in DNS.
fn names<'g>(
    ground: &Ground<'g>,
    draft: &mut Draft<'g>,
    _: &mut PlanReport,
) -> Result<(), RenderError> {
    if ground.scope.changes == Changes::Allowed {
        let left = readdress::left(ground.view, ground.members, ground.scope, &draft.steps);
        draft.steps.extend(left);
    }
    Ok(())
}

/// Members that failed go first, then others join, and then those go that serve.
fn membership<'g>(
    ground: &Ground<'g>,
    draft: &mut Draft<'g>,
    report: &mut PlanReport,
) -> Result<(), RenderError> {
    let Ground { view, members, policy, scope, .. } = *ground;
    let Draft { steps, leaves, joins, strays, unmarked, .. } = draft;
    let mut before = ground.elsewhere.clone();
    let joined = joins.as_ref().map_or(0, |joins| joins.hosts().count()) == view.joining.len();
    let repair = corrupt::repair(view, members, (policy, scope), joined, report);
    before.extend(repair.compare.iter().map(|step| step.id.clone()));
    for stray in strays.iter_mut() {
        stray.after.extend(before.iter().cloned());
    }
    before.extend(strays.iter().map(|step| step.id.clone()));
    steps.append(strays);
    steps.extend(repair.compare);
    if let Some(leaves) = leaves {
        let first = leaves.first(view, &before, report);
        before.extend(first.iter().map(|step| step.id.clone()));
        steps.extend(first);
    }
    steps.extend(repair.clear.map(|clear| clear.after(before.iter().cloned())));
    if let Some(joins) = joins {
        steps.extend(joins.steps(view, &before, report)?);
        let joins = |member: &&MemberContext<'_>| joins.hosts().any(|host| host == member.name);
        unmarked.extend(members.iter().filter(joins));
    }
    if let Some(leaves) = leaves {
        steps.extend(leaves.last(view, joins.as_ref(), &before, report));
        let decommissioned = leaves.decommission(steps, report);
        steps.extend(decommissioned);
    }
    leave::save_first(view, members, scope, steps, report);
    Ok(())
}

/// What only the forming was for goes, and so does a proof that this plan alone can't give.
fn close<'g>(
    ground: &Ground<'g>,
    draft: &mut Draft<'g>,
    report: &mut PlanReport,
) -> Result<(), RenderError> {
    let Ground { members, scope, .. } = *ground;
    let steps = &mut draft.steps;
    if is_whole(members, steps) && scope.is_everything() {
        let closing = discovery::closing(members, steps, report);
        steps.extend(closing);
    }
    let left = |member: &MemberContext<'_>| !member.facts.is_up() && !scope.selects(member.name);
    if let Some(first) = members.first().filter(|_| members.iter().any(left)) {
        order::complete(steps, first.site);
        selection::without_proof(steps);
    }
    Ok(())
}

/// Whether every member has found its place in the cluster, or will with these steps.
fn is_whole(members: &[MemberContext<'_>], steps: &[Step]) -> bool {
    let found = |member: &MemberContext<'_>| {
        member.facts.has_log() || steps.iter().any(|step| step.id == member.id(Verb::Start))
    };
    let all = members.first().map_or(0, |first| first.cluster.members.len());
    members.len() == all && members.iter().all(found)
}

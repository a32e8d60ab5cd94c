//! New members of a formed cluster, one after the other: each is prepared, added as a learner, started, promoted once
//! it has caught up, and recorded. What an earlier run did already is not done again. A failed member goes first.

mod notes;
mod waits;

use std::collections::{BTreeMap, BTreeSet};

use inventories::HostName;
use inventories::inventory::Runtime;
use templates::{Formation, Member, PeerUrl, RenderError};

use crate::decide::assess::View;
use crate::decide::ensure;
use crate::decide::form;
use crate::decide::leave::{self, Leaves};
use crate::decide::member_context::MemberContext;
use crate::decide::membership::{Joining, survivors};
use crate::decide::replacing;
use crate::decide::runtime;
use crate::plan::{Action, FormationState, Guard, Others, Step, StepId, StepKind, Verb, Why};
use crate::report::{Finding, FindingCode, PlanReport};
use crate::spec::MemberSpec;
use crate::stops::Permitted;
use waits::waits;

/// The members that join in this plan, in their order, and what each of them asks.
pub(crate) struct Joins<'p, 'a> {
    newcomers: Vec<(&'p MemberContext<'a>, &'p Joining)>,
    /// The member whose host asks the others to remove one that serves.
    asker: Option<&'p MemberContext<'a>>,
    /// The client URLs of the voters that answer.
    others: BTreeMap<HostName, String>,
    /// How many of these a quorum needs when the first failed one is removed: enough after the others, too.
    needed: usize,
    /// The hosts of the members that are listed and have not failed.
    listed: BTreeSet<&'a HostName>,
    cluster_id: Option<String>,
    /// Members that are listed and leave after all have joined, and where their peers find them.
    leaving: BTreeMap<HostName, PeerUrl>,
    /// How many have a vote when the first one joins.
    voters: usize,
}

/// The members that can join now. Why the others can't is held in the report.
pub(crate) fn ready<'p, 'a>(
    view: &'p View<'_>,
    members: &'p [MemberContext<'a>],
    scope: &Permitted<'_>,
    leaves: Option<&Leaves<'_, '_>>,
    report: &mut PlanReport,
) -> Option<Joins<'p, 'a>> {
    let cluster = members.first()?.cluster;
    let list = view.listed()?;
    let mut newcomers: Vec<(&MemberContext<'_>, &Joining)> = members
        .iter()
        .filter(|member| scope.may_change(member.name))
        .filter_map(|member| Some((member, view.joining.get(member.name)?)))
        .collect();
    // What closes the others is a finding of its own.
    if newcomers.is_empty() {
        return None;
    }
    let leaves_first: Vec<&str> = leaves.into_iter().flat_map(Leaves::first_ids).collect();
    // A join that was started is finished, and one that takes a failed member's place makes no difference.
    let is_more = |(member, place): &(&MemberContext<'_>, &Joining)| {
        **place == Joining::Unlisted && !view.replaces.contains(member.name)
    };
    let even = leave::even(cluster).filter(|_| newcomers.iter().any(is_more));
    let (odd, hint) = even.unzip();
    let why = || waits(cluster, view, members, (&newcomers, &leaves_first), scope);
    let asker = leave::asker(view, members, scope);
    let serves = |place: &Joining| matches!(place, Joining::Serving(_));
    let is_alone = asker.is_none() && newcomers.iter().any(|(_, place)| serves(place));
    let alone =
        || is_alone.then(|| "no other host that may be changed has a healthy member".to_owned());
    if let Some(why) = odd.or_else(why).or_else(alone) {
        let names: Vec<&str> = newcomers.iter().map(|(member, _)| member.name.as_str()).collect();
        let again = || "resolve this, and plan again".to_owned();
        report.held.push(Finding {
            code: FindingCode::JoinWaits,
            host: None,
            cluster: Some(cluster.name.clone()),
            message: format!("{} can't join now: {why}", names.join(", ")),
            hint: Some(hint.unwrap_or_else(again)),
        });
        return None;
    }
    let (healthy, needed) = survivors(view, list, &goes(&newcomers));
    let url =
        |host: &HostName| cluster.members.get(host).map(|m| m.member.client_url().to_string());
    let others = healthy.into_iter().filter_map(|host| Some((host.clone(), url(host)?))).collect();
    // etcd has one learner at a time: the one that is on its way comes first.
    newcomers.sort_by_key(|(member, place)| {
        let turn = match place {
            Joining::Learner => 0,
            Joining::Added(_) => 1,
            Joining::Failed(_) | Joining::Serving(_) | Joining::Unlisted => 2,
        };
        (turn, member.name)
    });
    let listed = cluster.members.keys().filter(|host| match view.joining.get(*host) {
        None | Some(Joining::Learner | Joining::Added(_)) => true,
        Some(Joining::Failed(_) | Joining::Serving(_) | Joining::Unlisted) => false,
    });
    let (listed, cluster_id) = (listed.collect(), view.now.cluster_id.clone());
    let leave_last = view
        .leaving
        .iter()
        .filter(|(_, one)| one.id().is_some_and(|id| !leaves_first.contains(&id)));
    let leaving = leave_last.filter_map(|(host, one)| Some(((*host).clone(), one.peer_url()?)));
    let gone = list.iter().filter(|row| !row.learner && leaves_first.contains(&row.id.as_str()));
    let voters = view.now.quorum.voters.saturating_sub(gone.count());
    let leaving = leaving.collect();
    Some(Joins { newcomers, asker, others, needed, listed, cluster_id, leaving, voters })
}

/// The ids of those that are removed before anybody is added.
fn goes<'j>(newcomers: &[(&MemberContext<'_>, &'j Joining)]) -> Vec<&'j str> {
    newcomers.iter().filter_map(|(_, place)| place.goes()).collect()
}

impl Joins<'_, '_> {
    /// Where clients find those that join.
    pub(crate) fn urls(&self) -> BTreeMap<HostName, String> {
        let url = |member: &MemberContext<'_>| member.wanted.member.client_url().to_string();
        self.newcomers.iter().map(|(member, _)| (member.name.clone(), url(member))).collect()
    }

    /// Their hosts.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = &HostName> {
        self.newcomers.iter().map(|(member, _)| member.name)
    }

    /// All steps but the proof and the markers. `after` is what must have ended before the membership changes.
    pub(crate) fn steps(
        &self,
        view: &View<'_>,
        after: &BTreeSet<StepId>,
        report: &mut PlanReport,
    ) -> Result<Vec<Step>, RenderError> {
        let mut steps = Vec::new();
        let mut before = after.clone();
        let votes = |id: &str| {
            let mut list = view.listed().into_iter().flatten();
            list.any(|listed| listed.id == *id && !listed.learner)
        };
        let mut voters = self.voters;
        // All failed ones go first: etcd adds no member while a member that it lists is not connected.
        for (member, place) in &self.newcomers {
            steps.extend(form::beside_runtime(member));
            let Some(id) = place.goes() else { continue };
            voters = voters.saturating_sub(usize::from(votes(id)));
            for step in self.removal(view, member, place) {
                let step = step.after(before.iter().cloned());
                before = BTreeSet::from([step.id.clone()]);
                steps.push(step);
            }
            self.note_removal(member, (place, id), report);
        }
        report.clients.extend(self.growth(view));
        let mut listed = self.listed.clone();
        let up = self.others.len() + self.leaving.len() + 1;
        for (up, (member, place)) in (up..).zip(&self.newcomers) {
            listed.insert(member.name);
            if matches!(place, Joining::Unlisted) && has_traces(member) {
                report.one_way.push(format!(
                    "what an earlier member of cluster {} left on {} is archived in {}",
                    member.cluster.name,
                    member.name,
                    member.wanted.member.layout().archive_dir()
                ));
            }
            steps.extend(self.join(member, place, &listed, &before)?);
            if member.runtime() == Runtime::Systemd {
                steps.extend(form::finalize(member)?);
            }
            before = BTreeSet::from([member.id(Verb::Promote)]);
            // One that somebody added manually may be a voter already.
            voters += usize::from(!matches!(place, Joining::Added(id) if votes(id)));
            report.quorum.push(self.addition(member, up, voters));
        }
        Ok(steps)
    }

    /// The member as it is rendered while it joins: with the list that etcd compares with its own.
    fn spec_of(&self, member: &MemberContext<'_>, listed: &BTreeSet<&HostName>) -> MemberSpec {
        let mut initial_cluster = member.wanted.member.formation.initial_cluster().clone();
        initial_cluster.retain(|host, _| listed.contains(host));
        initial_cluster.extend(self.leaving.clone());
        let formation = Formation::Existing { initial_cluster };
        let rendered = Member { formation, ..member.wanted.member.clone() };
        MemberSpec { member: rendered, ..member.wanted.clone() }
    }

    /// Takes the one that goes off the list.
    fn removal(&self, view: &View<'_>, member: &MemberContext<'_>, place: &Joining) -> Vec<Step> {
        match (place, self.asker) {
            (Joining::Failed(id), _) => vec![self.remove(member, id)],
            (Joining::Serving(id), Some(asker)) => {
                let guard = leave::guard(
                    member.cluster,
                    self.cluster_id.clone(),
                    self.others.clone(),
                    self.others.len(),
                );
                replacing::steps(view, (member, id), asker, &self.others, guard)
            }
            _ => Vec::new(),
        }
    }

    fn remove(&self, member: &MemberContext<'_>, id: &str) -> Step {
        let kind = StepKind::RemoveMember {
            id: id.to_owned(),
            endpoint: member.wanted.member.loopback_client_url().to_string(),
            others: self.others.clone(),
            version: member.cluster.version,
        };
        let why =
            Why::Drift { changes: vec!["the member failed, and --replace names it".to_owned()] };
        let others = Others {
            members: self.others.clone(),
            needed: self.needed,
            version: member.cluster.version,
            cluster_id: self.cluster_id.clone(),
        };
        let clusters = BTreeMap::from([(member.cluster.name.clone(), others)]);
        member
            .step(Verb::RemoveMember, Action::Delete, kind, why)
            .guarded(Guard::OthersHealthy { clusters })
    }

    /// From the list that may lack the member to a voter. `listed` are the members that the list has by then.
    fn join(
        &self,
        member: &MemberContext<'_>,
        place: &Joining,
        listed: &BTreeSet<&HostName>,
        before: &BTreeSet<StepId>,
    ) -> Result<Vec<Step>, RenderError> {
        let (others, version) = (self.others.clone(), member.cluster.version);
        let peer_url = member.wanted.member.peer_url().to_string();
        let mut steps = Vec::new();
        let is_new = matches!(place, Joining::Failed(_) | Joining::Serving(_) | Joining::Unlisted);
        let leaves = match place {
            Joining::Failed(_) | Joining::Serving(_) => true,
            Joining::Unlisted => has_traces(member),
            Joining::Added(id) => is_of_another(member, id),
            Joining::Learner => false,
        };
        if leaves {
            let kind = StepKind::ForgetMember {
                peer_url: peer_url.clone(),
                others: others.clone(),
                version,
            };
            let note = "a member must never start with another member's data".to_owned();
            let step = member.step(Verb::ForgetMember, Action::Delete, kind, Why::Safety { note });
            steps.push(step.after(before.iter().cloned()));
        }
        if is_new {
            let kind = StepKind::AddLearner {
                peer_url: peer_url.clone(),
                others: others.clone(),
                version,
            };
            let step = member.step(Verb::AddLearner, Action::Create, kind, member.why_wanted());
            steps.push(step.after(before.iter().cloned()));
        }
        let wanted = self.spec_of(member, listed);
        let newcomer =
            MemberContext { wanted: &wanted, formed_unit: Default::default(), ..*member };
        // With a log of its own it starts as every member does.
        let state = match member.facts.has_log() && !leaves {
            true => FormationState::Existing,
            false => FormationState::Joining,
        };
        let is_started = !member.facts.is_up() || leaves;
        if is_started {
            // What was forgotten is also disabled.
            let step = match runtime::prepared(&newcomer, state, None)? {
                None if leaves => runtime::written(&newcomer, state)?,
                step => step,
            };
            steps.extend(step);
            let by = runtime::launch(&newcomer, state)?;
            let by = if leaves { by.from_nothing() } else { by };
            let kind = StepKind::StartMember { by };
            let step = newcomer.step(Verb::Start, Action::Run, kind, member.why_wanted());
            steps.extend(ensure::drop_ins(member));
            steps.push(
                step.guarded(Guard::HasLogOrNeverFormed)
                    .after(before.iter().cloned())
                    .after(runtime::kubelet_for_start(member)),
            );
        }
        if member.runtime() == Runtime::StaticPod {
            let joins = is_started && state == FormationState::Joining;
            let by = runtime::launch(member, FormationState::Existing)?;
            let identity = newcomer.wanted.pod(FormationState::Joining)?.identity().to_owned();
            let wanted = member.wanted_text(FormationState::Existing, None)?;
            let is_final = |text: &str| runtime::is_same_pod(text, &wanted);
            let by = if joins { by.in_place_of(&identity) } else { by };
            if joins || (!is_started && !member.text().is_some_and(is_final)) {
                let note = "a pod has no witness: before it votes, it can't start without its log";
                let why = Why::Safety { note: note.to_owned() };
                let kind = StepKind::RestartMember { by };
                let step = member.step(Verb::Restart, Action::Run, kind, why);
                let first = [member.id(Verb::Start)];
                steps.push(step.guarded(Guard::HasLog).after(before.iter().cloned()).after(first));
            }
        }
        let kind = StepKind::PromoteMember {
            endpoint: member.wanted.member.loopback_client_url().to_string(),
            peer_url,
            others,
            version,
        };
        let note = "a learner has no vote until it has the data".to_owned();
        let step = member.step(Verb::Promote, Action::Update, kind, Why::Safety { note });
        steps.push(step.guarded(Guard::HasLog).after(before.iter().cloned()));
        Ok(steps)
    }
}

/// Whether what is on the host is known to be another member's than the one of this id.
fn is_of_another(member: &MemberContext<'_>, id: &str) -> bool {
    member.facts.marker.known().is_some_and(|marker| marker.member_id != id)
}

/// Whether an earlier member left something on the host that a new one must not start with.
fn has_traces(member: &MemberContext<'_>) -> bool {
    let facts = member.facts;
    facts.had_quorum() || facts.has_log() || !facts.token.is_absent() || facts.is_up()
}

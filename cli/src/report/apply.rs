//! What an apply came to, folded from its events.

use std::collections::BTreeMap;
use std::time::Duration;

use inventories::ClusterName;
use planner::plan::{Action, Count, Plan};
use planner::progress::Outcome;
use planner::report::ClusterNow;
use planner::spec::ClusterSpec;
use planner::{SiteFacts, SiteSpec, Step, StepId, cluster_now};

use crate::engine::event::Event;
use crate::engine::hosts::{StepError, StepErrorKind};
use crate::exit::ExitCode;

/// What an apply left on the hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// Certainly nothing.
    None,
    /// Something, or nobody knows.
    Some,
}

/// How far an apply came, and why not further.
#[derive(Debug)]
pub struct Ending<'a> {
    plan: &'a Plan,
    outcomes: BTreeMap<StepId, Outcome>,
    errors: BTreeMap<StepId, StepError>,
    /// How long the apply took.
    pub elapsed: Duration,
    /// How the clusters that it worked on were found after it.
    pub now: BTreeMap<ClusterName, ClusterNow>,
}

impl<'a> Ending<'a> {
    /// An apply of which nothing has happened.
    pub fn of(plan: &'a Plan) -> Self {
        Self {
            plan,
            outcomes: BTreeMap::new(),
            errors: BTreeMap::new(),
            elapsed: Duration::ZERO,
            now: BTreeMap::new(),
        }
    }

    /// The clusters that the plan was made for.
    pub fn clusters<'s>(&'s self, spec: &'s SiteSpec) -> impl Iterator<Item = &'s ClusterSpec> {
        self.plan.selection.of(spec)
    }

    /// Takes in what happened.
    pub fn fold(&mut self, event: Event) {
        if let Event::StepFinished { id, outcome, error, .. } = event {
            self.errors.extend(error.map(|error| (id.clone(), error)));
            self.outcomes.insert(id, outcome);
        }
    }

    /// Takes in what was seen after the last step. Of a step that serves whole hosts, every cluster
    /// with a member there is told.
    pub fn look_back(&mut self, spec: &SiteSpec, facts: &SiteFacts) {
        let concerns = |step: &Step, cluster: &ClusterSpec| match &step.cluster {
            Some(name) => *name == cluster.name,
            None => cluster.members.contains_key(&step.host),
        };
        let now: BTreeMap<_, _> = self
            .clusters(spec)
            .filter(|cluster| self.plan.steps.iter().any(|step| concerns(step, cluster)))
            .map(|cluster| (cluster.name.clone(), cluster_now(cluster, facts)))
            .collect();
        self.now = now;
    }

    /// Steps that ended in one of these ways, in the plan's order.
    pub fn steps(&self, ended: impl Fn(&Outcome) -> bool) -> Vec<&'a Step> {
        let wanted = |step: &&Step| self.outcomes.get(&step.id).is_some_and(&ended);
        self.plan.steps.iter().filter(wanted).collect()
    }

    /// The steps that failed, which are the root causes, and why.
    pub fn failures(&self) -> Vec<(&'a Step, Option<&StepError>)> {
        let failed = self.steps(|outcome| *outcome == Outcome::Failed);
        failed.into_iter().map(|step| (step, self.errors.get(&step.id))).collect()
    }

    /// The steps that never began because another one failed.
    pub fn skipped_because_of(&self, root: &StepId) -> Vec<&'a Step> {
        self.steps(|outcome| matches!(outcome, Outcome::Skipped { because } if because == root))
    }

    /// What was made, changed and taken away.
    pub fn count(&self) -> Count {
        let mut count = Count::default();
        for step in self.steps(|outcome| *outcome == Outcome::Done) {
            match step.action {
                Action::Create => count.add += 1,
                Action::Update | Action::Run => count.change += 1,
                Action::Delete => count.destroy += 1,
                Action::Replace => {
                    count.add += 1;
                    count.destroy += 1;
                }
                Action::Check => {}
            }
        }
        count
    }

    /// Whether the hosts are certainly as they were before.
    pub fn trace(&self) -> Trace {
        let changed = |step: &&Step| {
            step.action != Action::Check && self.outcomes.get(&step.id) == Some(&Outcome::Done)
        };
        let harmless =
            |error: Option<&StepError>| error.is_some_and(|error| error.kind.changed_nothing());
        let failed = self.failures().into_iter().any(|(_, error)| !harmless(error));
        if failed || self.plan.steps.iter().any(|step| changed(&step)) {
            Trace::Some
        } else {
            Trace::None
        }
    }

    /// The exit code that this ending means.
    pub fn code(&self) -> ExitCode {
        let mut code = ExitCode::Done;
        if !self.steps(|outcome| *outcome == Outcome::NotStarted).is_empty() {
            code = code.first(ExitCode::Interrupted);
        }
        for (_, error) in self.failures() {
            code = code.first(match error.map(|error| &error.kind) {
                Some(StepErrorKind::Unreachable(_) | StepErrorKind::Away(_)) => {
                    ExitCode::Unreachable
                }
                // It may have been done, so saying that nothing was changed would be a guess.
                Some(StepErrorKind::Unknown(_) | StepErrorKind::Lost(_)) => ExitCode::Partial,
                Some(_) | None => ExitCode::Failed,
            });
        }
        if code != ExitCode::Done && self.count() != Count::default() {
            code = code.first(ExitCode::Partial);
        }
        code
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use planner::StepKind;
    use planner::plan::{Guard, Why};
    use planner::report::PlanReport;

    fn plan(steps: &[(&str, Action)]) -> Plan {
        let step = |(id, action): &(&str, Action)| Step {
            id: StepId((*id).to_owned()),
            host: "h".parse().unwrap(),
            cluster: None,
            action: *action,
            kind: StepKind::CreateAccount,
            guard: Guard::Nothing,
            after: Default::default(),
            why: Why::Unfinished,
        };
        let steps = steps.iter().map(step).collect();
        let (site, report) = ("s".parse().unwrap(), PlanReport::default());
        Plan { site, selection: Default::default(), steps, report }
    }

    type End = (Action, Outcome, Option<StepErrorKind>);

    fn code(ends: &[End]) -> ExitCode {
        ended(ends, |ending| ending.code())
    }

    fn trace(ends: &[End]) -> Trace {
        ended(ends, |ending| ending.trace())
    }

    fn ended<T>(ends: &[End], of: impl Fn(&Ending<'_>) -> T) -> T {
        let names = ["a", "b", "c"];
        let steps: Vec<_> = ends.iter().zip(names).map(|(end, name)| (name, end.0)).collect();
        let plan = plan(&steps);
        let mut ending = Ending::of(&plan);
        for ((_, outcome, kind), name) in ends.iter().zip(names) {
            let host = "h".parse().unwrap();
            let (words, hint) = (Vec::new(), None);
            let error = kind.as_ref().map(|kind| StepError { host, kind: copy(kind), words, hint });
            ending.fold(Event::StepFinished {
                id: StepId(name.to_owned()),
                outcome: outcome.clone(),
                elapsed: Duration::ZERO,
                note: None,
                error,
            });
        }
        of(&ending)
    }

    fn copy(kind: &StepErrorKind) -> StepErrorKind {
        match kind {
            StepErrorKind::Guard(why) => StepErrorKind::Guard(why.clone()),
            StepErrorKind::Failed(why) => StepErrorKind::Failed(why.clone()),
            StepErrorKind::Lost(why) => StepErrorKind::Lost(why.clone()),
            StepErrorKind::Away(why) => StepErrorKind::Away(why.clone()),
            StepErrorKind::Unknown(why) => StepErrorKind::Unknown(why.clone()),
            StepErrorKind::Unreachable(why) => StepErrorKind::Unreachable(why.clone()),
            StepErrorKind::Local(why) => StepErrorKind::Local(why.clone()),
        }
    }

    #[test]
    fn the_exit_code_says_whether_anything_was_changed() {
        let why = || "x".to_owned();
        let failed = || (Action::Create, Outcome::Failed, Some(StepErrorKind::Failed(why())));
        let gone = || (Action::Create, Outcome::Failed, Some(StepErrorKind::Away(why())));
        let lost = || (Action::Create, Outcome::Failed, Some(StepErrorKind::Lost(why())));
        let done = || (Action::Create, Outcome::Done, None);
        let looked = || (Action::Check, Outcome::Done, None);
        let already = || (Action::Create, Outcome::AlreadyDone, None);
        let never = || (Action::Create, Outcome::NotStarted, None);

        assert_eq!(code(&[done(), looked()]), ExitCode::Done);
        assert_eq!(code(&[failed()]), ExitCode::Failed);
        assert_eq!(code(&[already(), looked(), failed()]), ExitCode::Failed);
        assert_eq!(code(&[done(), failed()]), ExitCode::Partial);
        assert_eq!(code(&[gone()]), ExitCode::Unreachable);
        assert_eq!(code(&[done(), gone()]), ExitCode::Partial);
        assert_eq!(code(&[lost()]), ExitCode::Partial);
        assert_eq!(code(&[done(), failed(), never()]), ExitCode::Interrupted);
        assert_eq!(code(&[never()]), ExitCode::Interrupted);
    }

    /// A commit counts as applied as soon as anything of it may be on a host.
    #[test]
    fn only_an_apply_that_certainly_changed_nothing_leaves_no_trace() {
        let failed = |kind| (Action::Create, Outcome::Failed, Some(kind));
        let why = || "x".to_owned();
        let never = || (Action::Create, Outcome::NotStarted, None);
        let looked = || (Action::Check, Outcome::Done, None);
        for kind in [
            StepErrorKind::Local(why()),
            StepErrorKind::Guard(why()),
            StepErrorKind::Away(why()),
            StepErrorKind::Unreachable(why()),
        ] {
            assert_eq!(trace(&[looked(), failed(kind), never()]), Trace::None);
        }
        for kind in [
            StepErrorKind::Failed(why()),
            StepErrorKind::Lost(why()),
            StepErrorKind::Unknown(why()),
        ] {
            assert_eq!(trace(&[failed(kind)]), Trace::Some);
        }
        let done = (Action::Update, Outcome::Done, None);
        assert_eq!(trace(&[done, failed(StepErrorKind::Local(why()))]), Trace::Some);
    }
}

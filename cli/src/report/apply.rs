//! The result of an apply, folded from its events.

use std::collections::BTreeMap;
use std::time::Duration;

use inventories::ClusterName;
use planner::plan::{Action, Count, Leaves, Plan};
use planner::progress::Outcome;
use planner::report::ClusterNow;
use planner::spec::ClusterSpec;
use planner::{SiteFacts, SiteSpec, Step, StepId, cluster_now};

use crate::exit::ExitCode;
use crate::report::verdict::{self, Changed};
use engine::event::Event;
use engine::hosts::{StepError, StepErrorKind};

/// What an apply left on the hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// Certainly nothing.
    None,
    /// Something, or that is unknown.
    Some,
}

/// How far an apply came, and why not further.
#[derive(Debug)]
pub struct ApplySummary<'a> {
    plan: &'a Plan,
    outcomes: BTreeMap<StepId, Outcome>,
    errors: BTreeMap<StepId, StepError>,
    /// How long the apply took.
    pub elapsed: Duration,
    /// How the clusters that it worked on were found after it.
    pub now: BTreeMap<ClusterName, ClusterNow>,
}

impl<'a> ApplySummary<'a> {
    /// An apply before its first step.
    pub fn new(plan: &'a Plan) -> Self {
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
        self.plan.selection.planned_clusters(spec)
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
        let concerns = |step: &Step, cluster: &ClusterSpec| match step.cluster() {
            Some(name) => *name == cluster.name,
            None => cluster.members.contains_key(step.host()),
        };
        let now: BTreeMap<_, _> = self
            .clusters(spec)
            .filter(|cluster| self.plan.steps.iter().any(|step| concerns(step, cluster)))
            .filter_map(|cluster| {
                Some((cluster.name.clone(), cluster_now(spec, &cluster.name, facts)?))
            })
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

    /// The steps that did not start because another one failed.
    pub fn skipped_because_of(&self, root: &StepId) -> Vec<&'a Step> {
        self.steps(|outcome| matches!(outcome, Outcome::Skipped { because } if because == root))
    }

    /// What was created, changed and destroyed.
    pub fn count(&self) -> Count {
        self.steps(|outcome| *outcome == Outcome::Done).into_iter().collect()
    }

    /// Whether the hosts are certainly as they were before.
    pub fn trace(&self) -> Trace {
        let changed = |step: &&Step| {
            step.action != Action::Check && self.outcomes.get(&step.id) == Some(&Outcome::Done)
        };
        let failed = self
            .failures()
            .into_iter()
            .any(|(step, error)| left_by_failure(step, error) == Leaves::Something);
        if failed || self.plan.steps.iter().any(|step| changed(&step)) {
            Trace::Some
        } else {
            Trace::None
        }
    }

    /// The plan that was applied.
    pub fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// Whether every step of the plan was done.
    pub fn is_complete(&self) -> bool {
        let ended = |outcome: &Outcome| matches!(outcome, Outcome::Done | Outcome::AlreadyDone);
        self.outcomes.values().all(ended)
    }

    /// Whether the apply changed something, as far as is known.
    pub fn changed(&self) -> Changed {
        if self.count() == Count::default() { Changed::Nothing } else { Changed::Something }
    }

    /// The exit code that it means.
    pub fn code(&self) -> ExitCode {
        if self.is_complete() {
            return verdict::of_all_done(self.plan, self.changed());
        }
        let mut code = ExitCode::Done;
        if !self.steps(|outcome| *outcome == Outcome::NotStarted).is_empty() {
            code = code.first(ExitCode::Interrupted);
        }
        for (step, error) in self.failures() {
            code = code.first(of_failure(step, error));
        }
        if code != ExitCode::Done && self.changed() == Changed::Something {
            code = code.first(ExitCode::Partial);
        }
        if !self.plan.report.unseen.is_empty() {
            code = code.first(ExitCode::Unreachable);
        }
        code
    }
}

/// The exit code of a step that failed. Where it may have changed something first, saying that nothing was
/// changed would be a guess.
fn of_failure(step: &Step, error: Option<&StepError>) -> ExitCode {
    match (error.map(|error| &error.kind), left_by_failure(step, error)) {
        (Some(StepErrorKind::Unreachable(_) | StepErrorKind::Away(_)), _) => ExitCode::Unreachable,
        (_, Leaves::Something) => ExitCode::Partial,
        (_, Leaves::Nothing) => ExitCode::Failed,
    }
}

/// What a step that failed may have left on its host.
fn left_by_failure(step: &Step, error: Option<&StepError>) -> Leaves {
    match error.map(|error| &error.kind) {
        Some(kind) if kind.changed_nothing() => Leaves::Nothing,
        Some(StepErrorKind::Failed(_)) => step.kind.leaves(),
        Some(_) | None => Leaves::Something,
    }
}

#[cfg(test)]
mod tests;

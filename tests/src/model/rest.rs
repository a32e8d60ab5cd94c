//! What is left to do of a plan that is being executed.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use engine::hosts::Bindings;
use planner::plan::{Action, Launch, Why};
use planner::progress::{Outcome, Progress};
use planner::{Plan, Step, StepId, StepKind};

use super::walk::Order;

/// A plan, and how far it was executed.
#[derive(Debug, Clone)]
pub(super) struct Rest {
    /// The command that made the plan.
    pub(super) command: usize,
    pub(super) plan: Rc<Plan>,
    pub(super) bindings: Rc<Bindings>,
    ended: Vec<(StepId, Outcome)>,
}

impl Rest {
    /// A plan of which nothing was executed.
    pub(super) fn new(command: usize, plan: Plan, bindings: Bindings) -> Self {
        Self { command, plan: Rc::new(plan), bindings: Rc::new(bindings), ended: Vec::new() }
    }

    /// The same after one more step ended.
    pub(super) fn after(&self, id: &StepId, outcome: Outcome) -> Self {
        let mut after = self.clone();
        after.ended.push((id.clone(), outcome));
        after
    }

    /// The executor's own machine, brought to this point.
    fn progress(&self) -> Progress {
        let mut progress = Progress::new(&self.plan);
        for (id, outcome) in &self.ended {
            assert!(progress.take(id), "{id} may run");
            progress.finish(id, outcome.clone());
        }
        progress
    }

    /// The steps that did not end yet, and of these the ones that may begin.
    pub(super) fn left(&self, order: Order) -> Left<'_> {
        let mut progress = self.progress();
        let ended = progress.outcomes();
        let open = |step: &&Step| !ended.contains_key(&step.id);
        let waiting: Vec<&Step> = self.plan.steps.iter().filter(open).collect();
        let mut ready = BTreeSet::new();
        while let Some(id) = progress.take_ready() {
            ready.insert(id);
        }
        let mut ready: Vec<&Step> =
            waiting.iter().filter(|step| ready.contains(&step.id)).copied().collect();
        if order == Order::PreparationsInTurn
            && let Some(first) = ready.iter().find(|step| prepares(step)).copied()
        {
            ready = vec![first];
        }
        Left { waiting, ready }
    }
}

/// Steps of a plan that did not end.
pub(super) struct Left<'p> {
    /// All of them.
    pub(super) waiting: Vec<&'p Step>,
    /// Those that may begin now, and of which each is a different future.
    pub(super) ready: Vec<&'p Step>,
}

impl Left<'_> {
    /// Whether any of them needs the token of a bootstrap or of a restore.
    pub(super) fn need_tokens(&self) -> bool {
        let needs = |step: &&Step| {
            matches!(
                step.kind,
                StepKind::StoreToken
                    | StepKind::WriteUnit { .. }
                    | StepKind::StartMember { by: Launch::Pod { .. } }
                    | StepKind::StageRestore(_)
                    | StepKind::StopForRestore { .. }
                    | StepKind::SetAsideForRestore { .. }
                    | StepKind::PlaceRestore { .. }
                    | StepKind::EndRestore { .. }
            )
        };
        self.waiting.iter().any(needs)
    }
}

/// Whether a step touches nothing but its own host's files.
fn prepares(step: &Step) -> bool {
    matches!(
        step.kind,
        StepKind::RegisterHost { .. }
            | StepKind::CreateAccount { .. }
            | StepKind::InstallRelease { .. }
            | StepKind::PrepareDirectories { .. }
            | StepKind::InstallCertificates { .. }
            | StepKind::StoreToken
    )
}

/// A step without what does not decide what it does: why it is in a plan, and after what.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Deed(pub(super) Step);

impl Deed {
    pub(super) fn from_step(step: &Step) -> Self {
        Self(Step {
            action: Action::Check,
            why: Why::Unfinished,
            after: BTreeSet::new(),
            ..step.clone()
        })
    }
}

impl Hash for Deed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

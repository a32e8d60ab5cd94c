//! How far a plan is executed: which steps may run now, and what a failure stops. A pure machine;
//! whoever drives it does the doing.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::plan::{Plan, StepId};

/// How a step ended, or why it never began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It had been done before, and was left as it is.
    AlreadyDone,
    /// It failed.
    Failed,
    /// It never began, because of the step named.
    Skipped {
        /// The step that failed: the root cause, not the nearest one.
        because: StepId,
    },
    /// It never began, because the run was told to stop.
    NotStarted,
}

/// A plan being executed.
#[derive(Debug, Clone)]
pub struct Progress {
    waiting: BTreeMap<StepId, BTreeSet<StepId>>,
    followers: BTreeMap<StepId, Vec<StepId>>,
    running: BTreeSet<StepId>,
    outcomes: BTreeMap<StepId, Outcome>,
    stopping: bool,
}

impl Progress {
    /// A plan of which nothing has been executed.
    pub fn of(plan: &Plan) -> Self {
        let mut followers: BTreeMap<StepId, Vec<StepId>> = BTreeMap::new();
        for step in &plan.steps {
            for before in &step.after {
                followers.entry(before.clone()).or_default().push(step.id.clone());
            }
        }
        let waiting = plan.steps.iter().map(|step| (step.id.clone(), step.after.clone())).collect();
        Self {
            waiting,
            followers,
            running: BTreeSet::new(),
            outcomes: BTreeMap::new(),
            stopping: false,
        }
    }

    /// Takes the next step that may run now; the smallest name first. `None` where none may.
    pub fn take_ready(&mut self) -> Option<StepId> {
        if self.stopping {
            return None;
        }
        let ready = self.waiting.iter().find(|(_, before)| before.is_empty())?.0.clone();
        self.waiting.remove(&ready);
        self.running.insert(ready.clone());
        Some(ready)
    }

    /// Takes this very step, whatever else may run now. False where it may not run.
    pub fn take(&mut self, id: &StepId) -> bool {
        let may = !self.stopping && self.waiting.get(id).is_some_and(BTreeSet::is_empty);
        if may {
            self.waiting.remove(id);
            self.running.insert(id.clone());
        }
        may
    }

    /// Records how a running step ended. A failure skips everything that depends on it.
    pub fn finish(&mut self, id: &StepId, outcome: Outcome) {
        self.running.remove(id);
        let failed = outcome == Outcome::Failed;
        self.outcomes.insert(id.clone(), outcome);
        if failed {
            self.skip_followers(id);
            return;
        }
        for follower in self.followers.get(id).into_iter().flatten() {
            if let Some(before) = self.waiting.get_mut(follower) {
                before.remove(id);
            }
        }
    }

    fn skip_followers(&mut self, root: &StepId) {
        let mut doomed = self.followers.get(root).cloned().unwrap_or_default();
        while let Some(id) = doomed.pop() {
            if self.waiting.remove(&id).is_some() {
                doomed.extend(self.followers.get(&id).cloned().unwrap_or_default());
                self.outcomes.insert(id, Outcome::Skipped { because: root.clone() });
            }
        }
    }

    /// Lets the running steps finish and begins no more.
    pub fn stop(&mut self) {
        self.stopping = true;
        for id in std::mem::take(&mut self.waiting).into_keys() {
            self.outcomes.insert(id, Outcome::NotStarted);
        }
    }

    /// Steps that are being executed.
    pub fn running(&self) -> &BTreeSet<StepId> {
        &self.running
    }

    /// Whether nothing runs and nothing can begin any more.
    pub fn is_over(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }

    /// How each step ended.
    pub fn outcomes(&self) -> &BTreeMap<StepId, Outcome> {
        &self.outcomes
    }
}

//! How far a plan is executed: which steps may run now, and what a failure stops. A pure machine;
//! its caller does the work.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::plan::{Plan, StepId};

/// How a step ended, or why it not started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It had been done before, and was left as it is.
    AlreadyDone,
    /// It failed.
    Failed,
    /// It not started, because of the step named.
    Skipped {
        /// The step that failed: the root cause, not the nearest one.
        because: StepId,
    },
    /// It did not start, because the run was interrupted.
    NotStarted,
}

/// A plan being executed.
#[derive(Debug, Clone)]
pub struct Progress {
    waiting: BTreeMap<StepId, BTreeSet<StepId>>,
    followers: BTreeMap<StepId, Vec<StepId>>,
    running: BTreeSet<StepId>,
    outcomes: BTreeMap<StepId, Outcome>,
}

impl Progress {
    /// A plan before its first step.
    pub fn new(plan: &Plan) -> Self {
        let mut followers: BTreeMap<StepId, Vec<StepId>> = BTreeMap::new();
        for step in &plan.steps {
            for before in &step.after {
                followers.entry(before.clone()).or_default().push(step.id.clone());
            }
        }
        let waiting = plan.steps.iter().map(|step| (step.id.clone(), step.after.clone())).collect();
        Self { waiting, followers, running: BTreeSet::new(), outcomes: BTreeMap::new() }
    }

    /// Takes the next step that may run now; the smallest name first. `None` where none may.
    pub fn take_ready(&mut self) -> Option<StepId> {
        let ready = self.waiting.iter().find(|(_, before)| before.is_empty())?.0.clone();
        self.waiting.remove(&ready);
        self.running.insert(ready.clone());
        Some(ready)
    }

    /// Takes this very step, whatever else may run now. False where it may not run.
    pub fn take(&mut self, id: &StepId) -> bool {
        let may = self.waiting.get(id).is_some_and(BTreeSet::is_empty);
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

    /// Lets the running steps finish and starts no more.
    pub fn stop(&mut self) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Action, Guard, Step, StepKind, Verb, Why};
    use crate::report::PlanReport;
    use crate::selection::Selection;

    fn id(name: &str) -> StepId {
        StepId::for_host(&name.parse().unwrap(), Verb::Kubelet)
    }

    /// Steps by name, each with those that it comes after.
    fn progress(steps: &[(&str, &[&str])]) -> Progress {
        let step = |(name, after): &(&str, &[&str])| Step {
            id: id(name),
            action: Action::Create,
            kind: StepKind::CreateAccount { name: Default::default() },
            guard: Guard::Nothing,
            after: after.iter().map(|before| id(before)).collect(),
            why: Why::Unfinished,
        };
        let steps = steps.iter().map(step).collect();
        Progress::new(&Plan {
            site: "s".parse().unwrap(),
            selection: Selection::default(),
            steps,
            report: PlanReport::default(),
        })
    }

    #[test]
    fn a_step_begins_when_all_before_it_have_ended_well() {
        let mut progress = progress(&[("a", &[]), ("b", &[]), ("c", &["a", "b"])]);
        assert_eq!(progress.take_ready(), Some(id("a")));
        assert_eq!(progress.take_ready(), Some(id("b")));
        assert_eq!(progress.take_ready(), None);
        progress.finish(&id("a"), Outcome::AlreadyDone);
        assert_eq!(progress.take_ready(), None);
        assert!(!progress.take(&id("c")) && !progress.take(&id("b")));
        progress.finish(&id("b"), Outcome::Done);
        assert!(!progress.is_over());
        assert!(progress.take(&id("c")));
        assert_eq!(progress.running(), &BTreeSet::from([id("c")]));
        progress.finish(&id("c"), Outcome::Done);
        assert!(progress.is_over());
        let ends = [Outcome::AlreadyDone, Outcome::Done, Outcome::Done];
        assert_eq!(progress.outcomes().values().cloned().collect::<Vec<_>>(), ends);
    }

    #[test]
    fn a_failure_skips_all_that_follows_and_is_named_as_the_cause() {
        let mut progress = progress(&[("a", &[]), ("b", &["a"]), ("c", &["b"]), ("d", &[])]);
        progress.take_ready();
        progress.finish(&id("a"), Outcome::Failed);
        let skipped = Outcome::Skipped { because: id("a") };
        assert_eq!(progress.outcomes()[&id("b")], skipped);
        assert_eq!(progress.outcomes()[&id("c")], skipped);
        assert_eq!(progress.take_ready(), Some(id("d")), "what does not depend on it continues");
        assert_eq!(progress.take_ready(), None);
    }

    #[test]
    fn after_a_stop_nothing_begins_and_what_runs_is_waited_for() {
        let mut progress = progress(&[("a", &[]), ("b", &["a"]), ("c", &[])]);
        progress.take_ready();
        progress.stop();
        assert_eq!(progress.take_ready(), None);
        assert!(!progress.take(&id("c")) && !progress.is_over());
        assert_eq!(progress.outcomes()[&id("b")], Outcome::NotStarted);
        progress.finish(&id("a"), Outcome::Done);
        assert!(progress.is_over());
        assert_eq!(progress.outcomes()[&id("a")], Outcome::Done);
        assert_eq!(progress.outcomes()[&id("c")], Outcome::NotStarted);
    }
}

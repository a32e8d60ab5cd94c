//! Where an operator may look before the next member has its turn.

use std::collections::BTreeSet;

use super::{Action, ApiServerStep, Plan, Step, StepId, StepKind};

impl Plan {
    /// The steps that end the turn of a member or an API server, if another host's turn waits for it.
    pub fn pauses(&self) -> BTreeSet<StepId> {
        let is_end = |step: &&Step| {
            matches!(
                step.kind,
                StepKind::AwaitRejoin { .. }
                    | StepKind::TryCertificates { .. }
                    | StepKind::PromoteMember { .. }
                    | StepKind::ApiServer(ApiServerStep::AwaitReady { .. })
            )
        };
        let next = |end: &&Step| {
            self.steps.iter().any(|step| {
                step.after.contains(&end.id)
                    && step.host() != end.host()
                    && step.action != Action::Check
            })
        };
        let ends = self.steps.iter().filter(is_end).filter(next);
        ends.map(|step| step.id.clone()).collect()
    }
}

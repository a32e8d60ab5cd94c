//! Binds what no plan holds because it is random.

use std::collections::BTreeSet;

use inventories::ClusterName;
use planner::facts::{Observed, SiteFacts};
use planner::plan::{FormationState, Launch};
use planner::{Plan, StepKind, restore_token};
use templates::BootstrapToken;

use super::hosts::Bindings;

/// The system's generator gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("can't draw a random bootstrap token: {0}")]
pub struct BindError(getrandom::Error);

/// Gives every cluster that the plan forms its bootstrap token: the one that a host already stores,
/// so that an interrupted bootstrap resumes with its identity; a new one where there is none, or where the
/// plan discards the bootstrap. The planner chooses by the same rule.
/// A cluster that is restored gets the token of that restore.
pub fn tokens(plan: &Plan, facts: &SiteFacts) -> Result<Bindings, BindError> {
    let mut bindings = Bindings::default();
    for cluster in forming(plan) {
        let token = match stored(plan, facts, cluster) {
            Some(token) => token,
            None => random()?,
        };
        bindings.tokens.insert(cluster.clone(), token);
    }
    for cluster in restored(plan) {
        let token = match restore_token(plan, facts, cluster) {
            Some(token) => token,
            None => random()?,
        };
        bindings.tokens.insert(cluster.clone(), token);
    }
    Ok(bindings)
}

/// The clusters that the plan restores. The stored token of a bootstrap is not theirs: with it, members of the old
/// cluster could speak to the new one.
fn restored(plan: &Plan) -> BTreeSet<&ClusterName> {
    let restores = |kind: &StepKind| matches!(kind, StepKind::EndRestore { .. });
    plan.steps.iter().filter(|s| restores(&s.kind)).filter_map(|s| s.cluster()).collect()
}

/// The clusters that are given a new token: no host stores one that counts.
pub fn starting_bootstraps<'p>(plan: &'p Plan, facts: &SiteFacts) -> BTreeSet<&'p ClusterName> {
    let mut forming = forming(plan);
    forming.retain(|cluster| stored(plan, facts, cluster).is_none());
    forming
}

/// The clusters whose token a step of the plan needs.
fn forming(plan: &Plan) -> BTreeSet<&ClusterName> {
    let forms = |kind: &StepKind| match kind {
        StepKind::StoreToken | StepKind::OpenDiscovery { .. } => true,
        StepKind::WriteUnit { formation, .. }
        | StepKind::StartMember { by: Launch::Pod { formation, .. } } => {
            *formation == FormationState::New
        }
        _ => false,
    };
    plan.steps.iter().filter(|s| forms(&s.kind)).filter_map(|s| s.cluster()).collect()
}

fn stored(plan: &Plan, facts: &SiteFacts, cluster: &ClusterName) -> Option<BootstrapToken> {
    let discarded = plan
        .steps
        .iter()
        .any(|step| step.kind == StepKind::DiscardBootstrap && step.cluster() == Some(cluster));
    if discarded {
        return None;
    }
    let members = facts.hosts.values().filter_map(Observed::known);
    members.filter_map(|host| host.clusters.get(cluster)?.token.known()).next().cloned()
}

fn random() -> Result<BootstrapToken, BindError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(BindError)?;
    Ok(BootstrapToken::from_random(bytes))
}

#[cfg(test)]
mod tests;

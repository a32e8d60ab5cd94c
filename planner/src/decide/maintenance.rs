//! Plans for work that no inventory asks for: the same findings as ever, the steps of that work, and one line about
//! what else is due.

use std::collections::BTreeMap;

use templates::RenderError;

use super::planner::{self, Assessed};
use crate::decide::defrag::{self, Due};
use crate::decide::{destroy, remove, restore};
use crate::facts::SiteFacts;
use crate::plan::{DefragRule, Step, StepId, StepKind};
use crate::policy::{Maintenance, Policy};
use crate::report::{Finding, FindingCode, Formation, PlanReport, Purpose};
use crate::spec::SiteSpec;
use crate::stops::Permitted;

/// The steps of that work for the selected clusters.
pub(super) fn decide(
    spec: &SiteSpec,
    facts: &SiteFacts,
    policy: &Policy,
    maintenance: &Maintenance,
) -> Result<(BTreeMap<StepId, Step>, PlanReport), RenderError> {
    match maintenance {
        Maintenance::Defragment(rule) => defragment(spec, facts, policy, *rule),
        Maintenance::Restore(request) => restore::decide(spec, facts, policy, request),
        Maintenance::Destroy(request) => Ok(destroy::decide(spec, facts, policy, request)),
        Maintenance::Remove(request) => Ok(remove::decide(spec, facts, policy, request)),
    }
}

fn defragment(
    spec: &SiteSpec,
    facts: &SiteFacts,
    policy: &Policy,
    rule: DefragRule,
) -> Result<(BTreeMap<StepId, Step>, PlanReport), RenderError> {
    let ordinary = Policy { maintenance: None, ..policy.clone() };
    let (due, _) = planner::decide(spec, facts, &ordinary)?;
    let Assessed { judged, views, mut report } = planner::assessed(spec, facts, policy);
    report.purpose = Purpose::Defragment;
    let (mut steps, mut turns) = (Vec::new(), Vec::new());
    for (cluster, view) in views {
        let formation = view.now.formation;
        let blocked = report.blocked.clone();
        // What is not formed has no database yet.
        let scope = (formation == Formation::Formed)
            .then(|| Permitted::for_cluster(cluster, formation, &policy.selection, &blocked));
        if let Some(scope) = scope.flatten() {
            let members = planner::members(spec, cluster, &view, facts);
            let after = planner::sharing_hosts(cluster, &turns);
            let choices = (policy, &scope, rule);
            let due = Due { steps: &due };
            let planned = defrag::steps(&view, &members, &after, choices, &due, &mut report)?;
            turns.extend(planner::ends(&planned));
            steps.extend(planned);
        }
        report.clusters.insert(cluster.name.clone(), view.now);
    }
    planner::unmanaged(spec, facts, &judged, &[], &mut report);
    let steps = planner::ordered(steps, spec);
    report.waiting.extend(left_for_apply(&due, &steps));
    Ok((steps, report))
}

/// What the inventory asks for and this plan leaves out.
fn left_for_apply(
    due: &BTreeMap<StepId, Step>,
    planned: &BTreeMap<StepId, Step>,
) -> Option<Finding> {
    let only_looks = |step: &Step| matches!(step.kind, StepKind::ProveHealthy { .. });
    let left = due.values().filter(|step| !planned.contains_key(&step.id) && !only_looks(step));
    let count = left.count();
    let (steps, are, them) =
        if count == 1 { ("step", "is", "it") } else { ("steps", "are", "them") };
    (count > 0).then(|| Finding {
        code: FindingCode::LeftForApply,
        host: None,
        cluster: None,
        message: format!("{count} other {steps} {are} due, and this plan leaves {them} out"),
        hint: Some("quorate plan".to_owned()),
    })
}

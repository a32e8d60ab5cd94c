//! A formed cluster without a quorum whose members all run: no step brings a quorum back, and a plan without steps must not
//! read as if all were well. It is where votes are on hosts that the inventory's members are not on, or where members
//! do not reach each other.

use std::collections::BTreeSet;

use inventories::HostName;
use templates::RenderError;

use super::{Draft, Ground};
use crate::decide::assess::View;
use crate::report::{Finding, FindingCode, PlanReport, Standing};
use crate::spec::ClusterSpec;
use crate::stops::Stops;

/// Reports a lost quorum if this plan does nothing for the cluster and nothing else says why.
pub(super) fn missing<'g>(
    ground: &Ground<'g>,
    draft: &mut Draft<'g>,
    report: &mut PlanReport,
) -> Result<(), RenderError> {
    let Ground { view, members, scope, .. } = *ground;
    let Some(cluster) = members.first().map(|first| first.cluster) else { return Ok(()) };
    let is_whole = cluster.members.keys().all(|host| scope.selects(host));
    let is_lost = view.listed().is_none() && view.now.standing() == Standing::Lost;
    if !draft.steps.is_empty() || !is_whole || !is_lost {
        return Ok(());
    }
    let blocked = report.blocked.iter().map(|blocked| &blocked.finding);
    let is_about_it = |finding: &Finding| finding.cluster.as_ref() == Some(&cluster.name);
    if blocked.chain(&report.held).any(is_about_it) {
        return Ok(());
    }
    let finding = Finding {
        code: FindingCode::NoQuorum,
        host: None,
        cluster: Some(cluster.name.clone()),
        message: "no member that answers knows a leader, so nothing can be changed, and there is nothing to start or repair"
            .to_owned(),
        hint: Some(hint(cluster, view)),
    };
    report.block(finding, [Stops::Changes(cluster.name.clone())]);
    Ok(())
}

fn hint(cluster: &ClusterSpec, view: &View<'_>) -> String {
    let recover = format!(
        "see what is left, and the next command: quorate recover --cluster {}",
        cluster.name
    );
    let former = cluster.former.keys().chain(view.elsewhere.unseen.keys().copied());
    let former: BTreeSet<&str> = former.map(HostName::as_str).collect();
    if !former.is_empty() {
        let former: Vec<&str> = former.into_iter().collect();
        return format!(
            "a member on {} may still have a vote: if its data is there, bring it back\n{recover}",
            former.join(", ")
        );
    }
    match cluster.members.len() {
        1 => recover,
        _ => format!("check that the members reach each other's peer ports\n{recover}"),
    }
}

//! Taking what a removed member left off its host, where it is the member's own and the host this site's.

use inventories::HostName;

use super::{Leaves, One, why};
use crate::decide::leaving::{Found, Leaving};
use crate::facts::Observed;
use crate::plan::{Action, Step, StepId, StepKind, Verb};
use crate::report::{Finding, FindingCode, PlanReport};

impl Leaves<'_, '_> {
    /// The steps that clear the hosts of those that are removed by then, one after the other. What else is left alone
    /// is reported.
    pub(crate) fn decommission(&self, planned: &[Step], report: &mut PlanReport) -> Vec<Step> {
        let is_planned = |id: &StepId| planned.iter().any(|step| step.id == *id);
        let all = self.first.iter().chain(&self.last).chain(&self.removed);
        let all = all.filter(|(_, one)| self.removal(one).is_none_or(|id| is_planned(&id)));
        let mut steps: Vec<Step> = Vec::new();
        for one in all {
            match self.left_alone(one.1) {
                None => {
                    // The removal reports it itself.
                    if !one.1.is_listed() {
                        report.one_way.push(self.cleared(one));
                    }
                    steps.push(self.clear(one, steps.last().map(|step| step.id.clone())));
                }
                // The removal reports it, or quorate does not know whether anything is left.
                Some(_) if one.1.found == Found::Nothing => {}
                Some(why) => report.unmanaged.push(self.left(one.0, why)),
            }
        }
        steps
    }

    fn cleared(&self, (host, one): &One<'_>) -> String {
        format!(
            "what a removed member of cluster {} left on {host} is archived in {}, and its unit or pod and its keys are \
             removed",
            self.asker.cluster.name,
            one.wanted.member.layout().archive_dir()
        )
    }

    fn clear(&self, (host, one): &One<'_>, before: Option<StepId>) -> Step {
        let kind = StepKind::DecommissionMember {
            peer_url: one.wanted.member.peer_url().to_string(),
            others: self.stay.clone(),
            version: self.asker.cluster.version,
        };
        let id = StepId::for_member(host, &self.asker.cluster.name, Verb::Decommission);
        let step = self.asker.step(Verb::Decommission, Action::Delete, kind, why(host, one));
        Step { id, ..step }.after(self.removal(one).into_iter().chain(before))
    }

    /// Why what is on its host is left alone.
    pub(super) fn left_alone(&self, one: &Leaving<'_>) -> Option<&'static str> {
        let ours = |site: &Observed<_>| site.known() == Some(&self.asker.site.site);
        match one.found {
            Found::Nothing => Some("unreachable; the next apply that reaches it archives the data"),
            Found::Others => Some("it is another member's, or another cluster's of the same name"),
            Found::Unreadable => Some("it can't be read"),
            Found::Its if !one.site.is_some_and(ours) => {
                Some("the host is not registered with this site")
            }
            Found::Its => None,
        }
    }

    fn left(&self, host: &HostName, why: &str) -> Finding {
        let cluster = &self.asker.cluster.name;
        Finding {
            code: FindingCode::NotAMember,
            host: Some(host.clone()),
            cluster: Some(cluster.clone()),
            message: format!(
                "this host is no longer a member, and what it has of one stays: {why}"
            ),
            hint: Some("quorate leaves it alone".to_owned()),
        }
    }
}

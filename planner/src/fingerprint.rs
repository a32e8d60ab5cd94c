//! What decided a plan, as lines that can be compared and explained: a saved plan is refused when
//! one of them moved, and the refusal names it. Measurements are not among them: a plan does not go
//! stale because a disk filled by a megabyte. Leader and membership are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use inventories::ClusterName;
use pki::Sha256Digest;

use crate::decide::firewall;
use crate::decide::preflight::cost;
use crate::facts::walk::{self, Fact};
use crate::facts::{HostFacts, Observed, SiteFacts};
use crate::plan::Plan;
use crate::report::Finding;

/// The facts that decided, by name. Values are short: long contents stand as digests.
pub type Fingerprint = BTreeMap<String, String>;

/// The name of a plan: equal for equal steps with equal lasting costs, no matter who plans them and when.
pub fn hash(plan: &Plan) -> String {
    let Plan { site, selection, steps, report } = plan;
    let refused: Vec<&str> = report.refused().map(|finding| finding.code.as_str()).collect();
    // Writing a plan as JSON fails for no plan: its keys are texts, its numbers whole.
    let plan = (site, selection, steps, refused, &report.one_way);
    let later: Vec<_> = report.hops.iter().filter(|hop| hop.number > 1).collect();
    let text = match later[..] {
        [] => serde_json::to_string(&plan),
        _ => serde_json::to_string(&(plan, later)),
    };
    let text = text.unwrap_or_default();
    Sha256Digest::hash(text.as_bytes()).to_string()
}

/// The first characters of a plan's hash, for people and for `--expect`.
pub fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

/// Everything about the hosts that decided a plan.
pub fn of(facts: &SiteFacts, plan: &Plan) -> Fingerprint {
    let mut print = Fingerprint::new();
    for (name, host) in &facts.hosts {
        match host {
            // What a narrowed plan is not about does not make it stale.
            Observed::Known(host) => {
                let judged = |cluster: &ClusterName| plan.report.clusters.contains_key(cluster);
                print.extend(of_host(name.as_str(), host, judged));
            }
            // Why it can't be seen may read differently each time; that it can't is the fact.
            Observed::Absent | Observed::Unknown(_) => {
                print.insert(format!("{name}: seen"), "no".to_owned());
            }
        }
    }
    let report = &plan.report;
    // A disk is timed again in each look: near a threshold its warning comes and goes, as clients do. It decides
    // only where it refuses.
    let comes_and_goes =
        |warning: &&Finding| cost::is_timed(warning.code) || firewall::is_of_clients(warning.code);
    let warnings = report.warnings.iter().filter(|warning| !comes_and_goes(warning));
    for Finding { code, host, cluster, message: _, hint: _ } in warnings.chain(report.refused()) {
        let mut key = String::from("verdict");
        for part in [host.as_ref().map(|h| h.as_str()), cluster.as_ref().map(|c| c.as_str())] {
            let _ = write!(key, " {}", part.unwrap_or("-"));
        }
        print.insert(format!("{key} {code}"), "found".to_owned());
    }
    print
}

/// What moved between two looks, one line each.
pub fn moved(then: &Fingerprint, now: &Fingerprint) -> Vec<String> {
    let keys: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let show = |value: Option<&String>| value.map_or("nothing", String::as_str).to_owned();
    keys.into_iter()
        .filter(|key| then.get(*key) != now.get(*key))
        .map(|key| format!("{key}: {} -> {}", show(then.get(key)), show(now.get(key))))
        .collect()
}

/// The lines of one host, and of the clusters on it that are asked for.
pub(crate) fn of_host(
    name: &str,
    host: &HostFacts,
    judged: impl Fn(&ClusterName) -> bool,
) -> Fingerprint {
    let clusters = host.clusters.iter().filter(|(cluster, _)| judged(cluster));
    let members = clusters
        .map(|(cluster, member)| lines(format!("{name} ({cluster})"), walk::member(member)));
    lines(name.to_owned(), walk::host(host)).chain(members.flatten()).collect()
}

fn lines(whose: String, facts: Vec<Fact<'_>>) -> impl Iterator<Item = (String, String)> {
    let lines = facts.into_iter().filter_map(|fact| fact.line);
    lines.map(move |(name, value)| (format!("{whose}: {name}"), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Action, Guard, Launch, Step, StepKind, Why};
    use crate::report::FindingCode;
    use crate::report::{Blocked, PlanReport};
    use crate::selection::Selection;

    fn step() -> Step {
        Step {
            id: "etcd-1/main/start".parse().unwrap(),
            action: Action::Run,
            kind: StepKind::StartMember { by: Launch::Unit },
            guard: Guard::HasLog,
            after: BTreeSet::new(),
            why: Why::Unfinished,
        }
    }

    fn plan(steps: Vec<Step>, report: PlanReport) -> Plan {
        Plan { site: "prod".parse().unwrap(), selection: Selection::default(), steps, report }
    }

    fn finding(code: FindingCode) -> Finding {
        Finding { code, host: None, cluster: None, message: String::new(), hint: None }
    }

    #[test]
    fn every_field_of_a_step_is_in_the_hash() {
        // Taken apart by name, so that a new field does not compile until it has a line below.
        let Step { id, action, kind, guard, after, why } = step();
        let others = [
            Step { id: "etcd-1/main/restart".parse().unwrap(), ..step() },
            Step { id: "etcd-2/main/start".parse().unwrap(), ..step() },
            Step { id: "etcd-1/other/start".parse().unwrap(), ..step() },
            Step { action: Action::Create, ..step() },
            Step { kind: StepKind::RestartMember { by: Launch::Unit }, ..step() },
            Step { guard: Guard::Nothing, ..step() },
            Step { after: BTreeSet::from(["etcd-1/register-host".parse().unwrap()]), ..step() },
            Step { why: Why::Safety { note: "so it must be".to_owned() }, ..step() },
        ];
        let same = Step { id, action, kind, guard, after, why };
        let hash_of = |step: &Step| hash(&plan(vec![step.clone()], PlanReport::default()));
        let mut hashes: BTreeSet<String> = others.iter().map(hash_of).collect();
        assert_eq!(hashes.len(), others.len());
        assert!(hashes.insert(hash_of(&same)));
        assert_eq!(hash_of(&same), hash_of(&step()));
    }

    #[test]
    fn site_selection_and_refusals_are_in_the_hash_and_words_are_not() {
        let empty = plan(Vec::new(), PlanReport::default());
        let blocked = |finding| {
            let blocked = Blocked { finding, stops: BTreeSet::new() };
            PlanReport { blocked: vec![blocked], ..PlanReport::default() }
        };
        let refused = plan(Vec::new(), blocked(finding(FindingCode::NoCa)));
        let worded = Finding { message: "another day".to_owned(), ..finding(FindingCode::NoCa) };
        let held =
            PlanReport { held: vec![finding(FindingCode::RollWaits)], ..PlanReport::default() };
        let elsewhere = Plan { site: "lab".parse().unwrap(), ..empty.clone() };
        let hosts = BTreeSet::from(["etcd-1".parse().unwrap()]);
        let narrowed =
            Plan { selection: Selection { hosts, ..Selection::default() }, ..empty.clone() };
        let hashes = [&empty, &refused, &plan(Vec::new(), held), &elsewhere, &narrowed].map(hash);
        assert_eq!(BTreeSet::from(hashes).len(), 5);
        assert_eq!(hash(&plan(Vec::new(), blocked(worded))), hash(&refused));
    }
}

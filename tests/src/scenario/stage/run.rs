//! An apply in a scenario, told in few lines.

use std::collections::BTreeMap;

use engine::bind;
use engine::event::Event;
use engine::hosts::Bindings;
use planner::progress::Outcome;
use planner::text::{self, Page, Style};
use planner::{Plan, StepId, not_announced};
use quorate::report::apply::ApplySummary;
use quorate::report::human;
use templates::BootstrapToken;

use super::{Scene, Told};
use crate::sim::{Crash, Loss, Repeat, Sim};
use crate::story::{execute_in, execute_on};

/// Each step with what must be done before, the essential part only.
pub(super) fn steps(plan: &Plan) -> String {
    let edges = planner::graph::essential_edges(&plan.steps);
    let line = |step: &planner::Step| {
        let before: Vec<String> = edges
            .iter()
            .filter(|(_, to)| *to == step.id)
            .map(|(from, _)| from.to_string())
            .collect();
        let after = if before.is_empty() { String::new() } else { " after ".to_owned() };
        format!("{:>3} {}{after}{}\n", step.action.symbol(), step.id, before.join(", "))
    };
    plan.steps.iter().map(line).collect()
}

impl Scene {
    /// One apply; of several hops to another minor, one after the other.
    pub(super) fn apply(&mut self, options: &[&str]) -> Told {
        let first = self.plan();
        let mut out = self.apply_one(options)?;
        let mut hops = first.report.hops.iter().filter(|hop| hop.number > 1).map(|hop| hop.number);
        let mut before = first.clone();
        while options.is_empty() && !out.contains("failed") && hops.next().is_some() {
            let next = self.plan();
            let others = not_announced(&before, &next);
            if !others.is_empty() {
                return Ok(format!("{out}not announced: {}\n", others.join("; ")));
            }
            out += &self.apply_one(options)?;
            before = next;
        }
        Ok(out)
    }

    fn apply_one(&mut self, options: &[&str]) -> Told {
        let spec = self.spec();
        let facts = self.facts(&spec);
        let plan = self.plan();
        if plan.steps.is_empty() && !plan.report.blocked.is_empty() {
            return Ok(text::plan(&plan, Page::PLAIN));
        }
        let bindings = bind::tokens(&plan, &facts).map_err(|error| error.to_string())?;
        let bindings = self.reproducible(bindings, &facts);
        if let [option] = *options
            && let Some(id) = option.strip_prefix("lost=")
        {
            return self.apply_losing(&plan, bindings, id);
        }
        let crash = crash(&plan, options)?;
        let mut failures = Vec::new();
        let listen = |event| {
            if let Event::StepFinished { id, error: Some(error), .. } = event {
                failures.push((id, error));
            }
        };
        let world = self.world.clone();
        let (world, report) = execute_in(world, &plan, bindings, 1, crash, Repeat::Once, listen);
        self.world = world;
        if crash.is_none() {
            let found = self.facts(&spec);
            self.records.extend(planner::records(&spec, &plan, &found, &self.policy));
        }
        let mut out = totals(&report.outcomes);
        if crash.is_some() {
            out += &format!("quorate was {}\n", options.join(" ").replace('=', " "));
        } else {
            out.extend(failures.iter().map(|(id, error)| format!("failed {id}: {error}\n")));
        }
        Ok(out)
    }

    /// The host of this step is lost as the step begins, and does not come back. Answers with what
    /// people read at the end.
    fn apply_losing(&mut self, plan: &Plan, bindings: Bindings, id: &str) -> Told {
        let number = position(plan, id)?;
        let spec = self.spec();
        let mut summary = ApplySummary::new(plan);
        let sim = Sim::losing(self.world.clone(), BTreeMap::from([(number, Loss::Forever)]));
        let (mut world, _) = execute_on(&sim, plan, bindings, 1, |event| summary.fold(event));
        if let Some(host) = world.hosts.get_mut(plan.steps[number].host()) {
            host.reachable = false;
        }
        self.world = world;
        summary.look_back(&spec, &self.facts(&spec));
        Ok(human::apply_summary(&summary, &spec, Style::Plain))
    }

    /// Tokens that nobody drew yet are counted instead, so that ids are the same in every run.
    fn reproducible(&mut self, drawn: Bindings, facts: &planner::SiteFacts) -> Bindings {
        let stored = |token: &BootstrapToken| {
            let hosts = facts.hosts.values().filter_map(|host| host.known());
            let mut members = hosts.flat_map(|host| host.clusters.values());
            members.any(|member| {
                let restored = member.restore.known().map(|record| &record.token);
                [member.token.known(), restored].contains(&Some(token))
            })
        };
        let mut replace = |token: BootstrapToken| {
            if stored(&token) {
                return token;
            }
            self.bootstraps += 1;
            BootstrapToken::from_random([self.bootstraps; 16])
        };
        let tokens =
            drawn.tokens.clone().into_iter().map(|(name, token)| (name, replace(token))).collect();
        Bindings { tokens, ..drawn }
    }
}

fn position(plan: &Plan, id: &str) -> Result<usize, String> {
    let position = plan.steps.iter().position(|step| step.id == id);
    position.ok_or_else(|| format!("the plan has no step {id}"))
}

/// With one step at a time, steps run in the order of the plan.
fn crash(plan: &Plan, options: &[&str]) -> Result<Option<Crash>, String> {
    let [option] = *options else { return Ok(None) };
    let (when, id) = option.split_once('=').ok_or("no such option")?;
    let number = position(plan, id)?;
    match when {
        "killed-before" => Ok(Some(Crash::Before(number))),
        "killed-within" => Ok(Some(Crash::Within(number))),
        "killed-after" => Ok(Some(Crash::After(number))),
        _ => Err("no such option".to_owned()),
    }
}

fn totals(outcomes: &BTreeMap<StepId, Outcome>) -> String {
    let count = |wanted: fn(&Outcome) -> bool| outcomes.values().filter(|o| wanted(o)).count();
    let done = count(|outcome| matches!(outcome, Outcome::Done));
    let already = count(|outcome| matches!(outcome, Outcome::AlreadyDone));
    let failed = count(|outcome| matches!(outcome, Outcome::Failed));
    let never = outcomes.len() - done - already - failed;
    let part = |count: usize, word: &str| (count > 0).then(|| format!("{count} {word}"));
    let parts = [
        part(done, "done"),
        part(already, "done already"),
        part(failed, "failed"),
        part(never, "not started"),
    ];
    format!("steps: {}\n", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

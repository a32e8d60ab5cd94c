//! `quorate plan`

use std::path::PathBuf;

use clap::Args;
use inventories::ClusterName;
use planner::text::{Hosts, Page};
use planner::{Plan, fingerprint, text};

use super::Context;
use super::hosts::HostAccess;
use super::planning::{self, Asked, Planned, PolicyArgs};
use super::snapshot::freshness;
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::interrupt::Interrupts;
use crate::provenance::{self, Checkout};
use crate::report::json;
use crate::report::plan_document::PlanDocument;
use crate::report::verdict::{self, verdict};
use crate::saved_plan::SavedPlan;
use engine::hosts::Timed;
use time::OffsetDateTime;

mod refresh;

/// Arguments of `quorate plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Print the plan as one JSON document
    #[arg(long)]
    json: bool,
    /// Exit with 2 where there are changes to apply
    #[arg(long)]
    detailed_exitcode: bool,
    /// Show the files that are written, whole, with what changes in them
    #[arg(long, conflicts_with = "json")]
    diff: bool,
    /// Say what moved on the hosts since the last apply, and plan nothing
    #[arg(long, conflicts_with_all = ["diff", "out"])]
    refresh_only: bool,
    /// Save what is planned, for `quorate apply FILE`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How it is laid out.
    #[command(flatten)]
    layout: LayoutArgs,
    /// What is allowed.
    #[command(flatten)]
    policy: PolicyArgs,
}

/// How a plan is laid out, the same for every command that shows one.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct LayoutArgs {
    /// Show the steps of each host by themselves, in full; hosts with equal steps share lines otherwise
    #[arg(long)]
    expand: bool,
}

impl LayoutArgs {
    pub(super) fn hosts(self) -> Hosts {
        if self.expand { Hosts::Expanded } else { Hosts::Folded }
    }
}

pub(super) fn run(context: &Context, arguments: &PlanArgs) -> Result<ExitCode, CliError> {
    let timed = if arguments.refresh_only { Timed::Nothing } else { Timed::Forming };
    let asked = Asked::Inventory(&arguments.policy);
    let planned = connect_and_plan(context, &asked, timed).inspect_err(|error| {
        if arguments.json {
            json::print_error(&context.terminal, error);
        }
    })?;
    if arguments.refresh_only {
        return refresh::run(context, &planned, arguments);
    }
    let plan = &planned.plan;
    let code = match arguments.detailed_exitcode {
        true => verdict::detailed(plan),
        false => verdict(plan),
    };
    if let Some(path) = &arguments.out {
        let text = text::plan(plan, Page { hosts: arguments.layout.hosts(), ..Page::PLAIN });
        SavedPlan::new(plan, &planned.facts, &planned.policy).shown_as(text).write(path)?;
    }
    let shown = planned.shown();
    if arguments.json {
        json::print_document(&context.terminal, &PlanDocument::new(&shown, code))?;
    } else {
        context
            .terminal
            .print_wrapped(&text::plan(&shown, context.terminal.page(arguments.layout.hosts())));
        if arguments.diff {
            context.terminal.print(&text::files(plan, &planned.facts, context.terminal.style()));
        }
        how_to_apply(context, arguments, plan);
        if plan.needs_ca_keys() {
            context
                .terminal
                .say("apply needs the CA keys. If they are sealed and your key is not in ~/.ssh: --identity FILE.");
        }
    }
    Ok(code)
}

/// How to apply exactly what was shown.
fn how_to_apply(context: &Context, arguments: &PlanArgs, plan: &Plan) {
    if plan.steps.is_empty() {
        return;
    }
    let hash = fingerprint::hash(plan);
    let command = match &arguments.out {
        Some(path) => format!("quorate apply {}", path.display()),
        None => {
            let asked = Asked::Inventory(&arguments.policy);
            format!("{} --expect {}", asked.command(), fingerprint::short(&hash))
        }
    };
    context.terminal.print(&format!("To perform exactly these actions: {command}\n"));
}

/// Shows what a command of its own would do, with the exit codes of `quorate plan`.
pub(super) fn show(
    context: &Context,
    asked: &Asked<'_>,
    hosts: Hosts,
    as_json: bool,
) -> Result<ExitCode, CliError> {
    let planned = connect_and_plan(context, asked, Timed::Nothing).inspect_err(|error| {
        if as_json {
            json::print_error(&context.terminal, error);
        }
    })?;
    let plan = &planned.plan;
    let code = verdict(plan);
    if as_json {
        json::print_document(&context.terminal, &PlanDocument::new(plan, code))?;
        return Ok(code);
    }
    context.terminal.print_wrapped(&text::plan(plan, context.terminal.page(hosts)));
    if !plan.steps.is_empty() {
        let hash = fingerprint::hash(plan);
        let command = format!("{} --expect {}", asked.command(), fingerprint::short(&hash));
        context.terminal.print(&format!("To perform exactly these actions: {command}\n"));
    }
    Ok(code)
}

/// Looks and plans, and changes nothing.
pub(super) fn connect_and_plan(
    context: &Context,
    asked: &Asked<'_>,
    timed: Timed,
) -> Result<Planned, CliError> {
    let site = asked.site(&context.inventory)?;
    context.terminal.diagnostics(&site.warnings);
    let checkout = Checkout::for_site(&site);
    let resealing = site.authorities.sealed_for_others(&site.inventory);
    for warning in checkout.warnings().iter().chain(&resealing) {
        context.terminal.warn(warning);
    }
    let spec = site.spec()?;
    let policy = asked.policy(&spec)?;
    context.block_on(async {
        let access = HostAccess::new(context, &site)?;
        let hosts = access.hosts();
        let mut interrupts = Interrupts::listen().map_err(CliError::failed)?;
        let planned = interrupts
            .give_way(planning::observe_and_plan(context, spec, &hosts, policy, timed))
            .await;
        access.say_cost(&context.terminal).await;
        let mut planned = planned?;
        let Planned { spec, policy, .. } = &planned;
        let selected =
            |name: &ClusterName| policy.selection.planned_clusters(spec).any(|c| c.name == *name);
        let looking = freshness::findings(context, &site, selected, OffsetDateTime::now_utc());
        planned.beside = interrupts.give_way(async { Ok(looking.await) }).await?;
        if let Err(error) = newer_than(&checkout, &planned) {
            context.terminal.warn(&provenance::warning(&error));
        }
        Ok(planned)
    })?
}

/// Whether the checkout is at least as new as what the hosts were given last, as an apply asks.
fn newer_than(checkout: &Checkout, planned: &Planned) -> Result<(), CliError> {
    let Some(provenance) = checkout.known() else { return Ok(()) };
    let hosts = planned.facts.hosts.keys().cloned().collect();
    provenance.refuse_older(&planning::commits(&hosts, &planned.facts)?)
}

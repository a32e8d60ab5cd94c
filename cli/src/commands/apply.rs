//! `quorate apply`

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use inventories::HostName;
use inventories::inventory::Hooks;
use planner::SiteFacts;
use time::OffsetDateTime;

use super::hosts::HostAccess;
use super::planning::{self, Asked, Planned, PolicyArgs};
use super::{Context, approval};
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::interrupt::Interrupts;
use crate::keys::{self, IdentityArgs, OpenAuthorities};
use crate::provenance::Checkout;
use crate::report::reporter::Reporter;
use crate::report::verdict::verdict;
use crate::saved_plan::{self, SavedPlan};
use crate::site::Site;
pub(super) use consent::ConsentArgs;
use consent::HookChoice;
use engine::backups::restorable::Restorable;
use engine::hosts::Timed;
pub(super) use pace::Pause;
use settling::is_stopped;

mod consent;
mod discovery;
mod execution;
mod formed;
mod hooks;
mod locked;
mod pace;
mod record;
mod settling;
mod under_lock;

/// Arguments of `quorate apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// A plan that `quorate plan --out` saved: exactly that is applied, without asking
    #[arg(value_name = "PLAN", conflicts_with_all = ["expect", "allow_outage", "allow_reform", "allow_no_backup", "allow_slow_disk", "allow_switch", "replace", "replace_certificates", "remove_member", "cluster", "host"])]
    saved: Option<PathBuf>,
    /// How it is approved.
    #[command(flatten)]
    consent: ConsentArgs,
    /// Ask after each member whether to continue with the next one
    #[arg(long, conflicts_with = "json")]
    pause: bool,
    /// Print what is done as one JSON object per line
    #[arg(long)]
    json: bool,
    /// What opens the CAs.
    #[command(flatten)]
    identity: IdentityArgs,
    /// What is allowed.
    #[command(flatten)]
    policy: PolicyArgs,
}

/// What a command wants done on the hosts.
pub(super) struct Order<'a> {
    pub(super) asked: Asked<'a>,
    /// The plan that was saved, and that is done instead of a new one.
    pub(super) saved: Option<&'a Path>,
    pub(super) consent: &'a ConsentArgs,
    pub(super) pause: Pause,
    pub(super) identity: &'a IdentityArgs,
    /// The snapshot that is restored.
    pub(super) snapshot: Option<&'a Arc<Restorable>>,
    pub(super) output: Output,
}

impl Order<'_> {
    /// The operator's own programs around it, which belong to `apply` alone. An inventory runs nothing here without a
    /// word of the operator.
    fn hooks(&self, site: &Site) -> Result<Hooks, CliError> {
        let hooks = &site.inventory.hooks;
        let is_asked = !self.consent.yes && self.saved.is_none();
        match (&self.asked, self.consent.hooks) {
            (
                Asked::Defragment(_) | Asked::Restore(_) | Asked::Destroy(_) | Asked::Remove(_),
                _,
            )
            | (_, Some(HookChoice::Skip)) => Ok(Hooks::default()),
            (Asked::Inventory(_), Some(HookChoice::Run)) => Ok(hooks.clone()),
            (Asked::Inventory(_), None) if is_asked || *hooks == Hooks::default() => {
                Ok(hooks.clone())
            }
            (Asked::Inventory(_), None) => Err(hooks::unapproved()),
        }
    }
}

/// The reader of an apply's report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    People,
    Json,
}

impl Output {
    /// What `--json` says.
    pub(super) fn from_flag(json: bool) -> Self {
        if json { Output::Json } else { Output::People }
    }
}

pub(super) fn run(context: &Context, arguments: &ApplyArgs) -> Result<ExitCode, CliError> {
    // A saved plan asks nothing.
    if arguments.json && !arguments.consent.yes && arguments.saved.is_none() {
        let message = "--json asks nothing, so it needs --yes or a saved plan";
        return Err(CliError::new(ExitCode::Usage, message));
    }
    if arguments.pause && !context.terminal.can_ask() {
        let message = "--pause asks between members, and there is no terminal to ask at";
        return Err(CliError::new(ExitCode::Usage, message)
            .hint("run it at a terminal, or leave out --pause"));
    }
    let order = Order {
        asked: Asked::Inventory(&arguments.policy),
        saved: arguments.saved.as_deref(),
        consent: &arguments.consent,
        pause: if arguments.pause { Pause::BetweenMembers } else { Pause::Never },
        identity: &arguments.identity,
        snapshot: None,
        output: Output::from_flag(arguments.json),
    };
    carry_out(context, &order)
}

/// Looks, plans, asks, and does it.
pub(super) fn carry_out(context: &Context, order: &Order<'_>) -> Result<ExitCode, CliError> {
    let reporter = RefCell::new(match order.output {
        Output::Json => Reporter::json(&context.terminal),
        Output::People => Reporter::human(&context.terminal, order.consent.layout.hosts()),
    });
    let ended = context.block_on(apply(context, order, &reporter)).and_then(|ended| ended);
    reporter.borrow_mut().end(&ended);
    ended
}

async fn apply(
    context: &Context,
    order: &Order<'_>,
    reporter: &RefCell<Reporter<'_>>,
) -> Result<ExitCode, CliError> {
    let mut interrupts = Interrupts::listen().map_err(CliError::failed)?;
    let site = order.asked.site(&context.inventory)?;
    reporter.borrow_mut().warnings(&site.warnings);
    let checkout = Checkout::for_site(&site);
    if order.consent.allow_dirty {
        checkout.warnings().iter().for_each(|warning| context.terminal.warn(warning));
    } else {
        checkout.refuse_dirty()?;
    }
    let access = HostAccess::new(context, &site)?;
    let run = Run { context, order, reporter, site, checkout, access };
    match run.approve(&mut interrupts).await? {
        Approval::Nothing(code) => Ok(code),
        Approval::Given(approved) => run.perform(*approved, &mut interrupts).await,
    }
}

/// One apply: what stays as it is from the first look to the end.
struct Run<'a, 'r> {
    context: &'a Context,
    order: &'a Order<'a>,
    reporter: &'a RefCell<Reporter<'r>>,
    site: Site,
    checkout: Checkout,
    access: HostAccess,
}

/// What the operator says to a plan, who is asked only where there is something to do.
enum Approval {
    Nothing(ExitCode),
    Given(Box<Approved>),
}

/// A plan that may be done.
struct Approved {
    planned: Planned,
    review: Review,
    /// Rejecting a plan costs no passphrase: the keys are opened after the approval.
    authorities: OpenAuthorities,
}

/// Whether an operator reviewed the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Review {
    /// Only this plan is done.
    Reviewed,
    /// It gives way to a newer one.
    Unreviewed,
}

impl Run<'_, '_> {
    /// Looks, plans, shows and asks.
    async fn approve(&self, interrupts: &mut Interrupts) -> Result<Approval, CliError> {
        let Self { context, order, reporter, site, checkout, access } = self;
        let consent = order.consent;
        let spec = site.spec()?;
        order.hooks(site)?;
        let saved = order.saved.map(SavedPlan::read).transpose()?;
        let policy = match &saved {
            Some(saved) => planning::of_the_site(saved.policy(), &spec)?,
            None => order.asked.policy(&spec)?,
        };
        let of_plan = planning::confirmable(&policy);
        let of_site = consent.confirm.iter().find(|name| !of_plan.contains(*name));
        approval::confirm_site(&site.inventory.site, of_site.map(String::as_str))?;
        let hosts = access.hosts();
        let looking = planning::observe_and_plan(context, spec, &hosts, policy, Timed::Forming);
        let mut planned = interrupts.give_way(looking).await?;
        if saved.is_none() && is_stopped(&planned.plan) && !planned.plan.report.locked.is_empty() {
            planned = interrupts.give_way(self.after_another(planned)).await?;
        }
        let code = verdict(&planned.plan);
        reporter.borrow_mut().planned(&planned.plan, code);
        if let Some(saved) = &saved {
            saved.check(&planned.plan, &planned.facts)?;
        }
        if let Some(expected) = &consent.expect {
            saved_plan::expect(&planned.plan, expected)?;
        }
        if planned.plan.steps.is_empty() {
            return Ok(Approval::Nothing(code));
        }
        // It is checked again under the lock; checking here spares the operator a useless question.
        refuse_older(checkout, consent, &locked::hosts(&planned)?, &planned.facts)?;
        discovery::passwords(site, &planned.plan)?;
        hooks::announce(&context.terminal, &order.hooks(site)?);
        let unconfirmed = approval::unconfirmed(&planned.plan.report.confirm, &consent.confirm);
        if consent.yes || saved.is_some() {
            approval::refuse_unconfirmed(&unconfirmed)?;
        } else {
            let question = approval::question(&planned.plan);
            let asking = approval::ask_each(&context.terminal, &question, &unconfirmed);
            interrupts.give_way(asking).await?;
        }
        let authorities = open(context, order.identity, site, &planned)?;
        let review = if consent.yes && saved.is_none() && consent.expect.is_none() {
            Review::Unreviewed
        } else {
            Review::Reviewed
        };
        Ok(Approval::Given(Box::new(Approved { planned, review, authorities })))
    }
}

/// Opens the CAs that the plan's certificates are issued by; none where it issues none.
fn open(
    context: &Context,
    identity: &IdentityArgs,
    site: &Site,
    planned: &Planned,
) -> Result<OpenAuthorities, CliError> {
    let now = OffsetDateTime::now_utc();
    keys::open(site, planned.plan.issuers(), identity, &context.terminal, &context.passphrases, now)
}

/// Refuses to go back to an inventory that is older than what these hosts were given last.
fn refuse_older(
    checkout: &Checkout,
    consent: &ConsentArgs,
    hosts: &BTreeSet<HostName>,
    facts: &SiteFacts,
) -> Result<(), CliError> {
    match checkout.known() {
        Some(provenance) if !consent.allow_older => {
            provenance.refuse_older(&planning::commits(hosts, facts)?)
        }
        Some(_) | None => Ok(()),
    }
}

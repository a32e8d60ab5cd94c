//! `quorate apply`

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use inventories::HostName;
use pki::CaKind;
use planner::{SiteFacts, StepKind, fingerprint};
use time::OffsetDateTime;

use super::hosts::HostAccess;
use super::planning::{self, Asked, Planned, PolicyArgs};
use super::{Context, approval};
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::interrupt::Interrupts;
use crate::keys::{self, IdentityArgs, OpenAuthorities};
use crate::provenance::Checkout;
use crate::report::apply::Trace;
use crate::report::reporter::Reporter;
use crate::report::verdict::verdict;
use crate::saved_plan::{self, SavedPlan};
use crate::site::Site;
use engine::bind;
use engine::hosts::Timed;
use engine::lock::{Claim, Lock};
use execution::{Executed, execute_plan};

mod discovery;
mod execution;
mod formed;
mod locked;
mod record;

/// Arguments of `quorate apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// A plan that `quorate plan --out` saved: exactly that is applied, without asking
    #[arg(value_name = "PLAN", conflicts_with_all = ["expect", "allow_outage", "allow_reform", "allow_slow_disk", "replace", "cluster", "host"])]
    saved: Option<PathBuf>,
    /// How it is approved.
    #[command(flatten)]
    consent: ConsentArgs,
    /// Print what is done as one JSON object per line
    #[arg(long, requires = "yes")]
    json: bool,
    /// What opens the CAs.
    #[command(flatten)]
    identity: IdentityArgs,
    /// What is allowed.
    #[command(flatten)]
    policy: PolicyArgs,
}

/// How a plan is approved, the same for every command that changes hosts by one.
#[derive(Debug, Args)]
pub(super) struct ConsentArgs {
    /// The hash of the plan that was reviewed: no other is applied
    #[arg(long, value_name = "HASH")]
    expect: Option<String>,
    /// Apply the plan without asking; the plan is made and shown all the same
    #[arg(short, long)]
    yes: bool,
    /// The site's name, for sites whose inventory says confirm = true
    #[arg(long, value_name = "SITE")]
    confirm: Option<String>,
    /// Apply an inventory that is not committed
    #[arg(long)]
    allow_dirty: bool,
    /// Apply an older commit of the inventory than the one that was applied last
    #[arg(long)]
    allow_older: bool,
}

/// What a command wants done on the hosts.
pub(super) struct Order<'a> {
    pub(super) asked: Asked<'a>,
    /// The plan that was saved, and that is done instead of a new one.
    pub(super) saved: Option<&'a Path>,
    pub(super) consent: &'a ConsentArgs,
    pub(super) identity: &'a IdentityArgs,
    pub(super) output: Output,
}

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    People,
    Json,
}

impl Output {
    /// What `--json` says.
    pub(super) fn of(json: bool) -> Self {
        if json { Output::Json } else { Output::People }
    }
}

pub(super) fn run(context: &Context, arguments: &ApplyArgs) -> Result<ExitCode, CliError> {
    let order = Order {
        asked: Asked::Inventory(&arguments.policy),
        saved: arguments.saved.as_deref(),
        consent: &arguments.consent,
        identity: &arguments.identity,
        output: Output::of(arguments.json),
    };
    carry_out(context, &order)
}

/// Looks, plans, asks, and does it.
pub(super) fn carry_out(context: &Context, order: &Order<'_>) -> Result<ExitCode, CliError> {
    let reporter = RefCell::new(match order.output {
        Output::Json => Reporter::json(&context.terminal),
        Output::People => Reporter::human(&context.terminal),
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
    let site = Site::load(&context.inventory)?;
    reporter.borrow_mut().warnings(&site.warnings);
    approval::confirm_site(&site.inventory.site, order.consent.confirm.as_deref())?;
    let checkout = Checkout::of(&site);
    if order.consent.allow_dirty {
        checkout.warnings().iter().for_each(|warning| context.terminal.warn(warning));
    } else {
        checkout.refuse_dirty()?;
    }
    let access = HostAccess::of(context, &site)?;
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
    /// Looking and saying no costs nobody a passphrase: they are opened after that.
    authorities: OpenAuthorities,
}

/// Whether somebody looked at the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Review {
    /// Only this plan is done.
    Reviewed,
    /// It gives way to a newer one.
    Unreviewed,
}

/// A plan that may be done on hosts that nobody else changes, made after they were locked.
struct Locked<'a> {
    lock: &'a Lock,
    claim: Claim,
    planned: Planned,
    authorities: OpenAuthorities,
}

impl Run<'_, '_> {
    /// Looks, plans, shows and asks.
    async fn approve(&self, interrupts: &mut Interrupts) -> Result<Approval, CliError> {
        let Self { context, order, reporter, site, checkout, access } = self;
        let consent = order.consent;
        let spec = site.spec()?;
        let saved = order.saved.map(SavedPlan::read).transpose()?;
        let policy = match &saved {
            Some(saved) => planning::of_the_site(saved.policy(), &spec)?,
            None => order.asked.policy(&spec)?,
        };
        let hosts = access.hosts();
        let looking = planning::make(context, spec, &hosts, policy, Timed::Forming);
        let planned = interrupts.give_way(looking).await?;
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
        // Under the lock it is asked again; here it costs nobody an answer.
        refuse_older(checkout, consent, &locked::hosts(&planned)?, &planned.facts)?;
        discovery::passwords(site, &planned.plan)?;
        if !consent.yes && saved.is_none() {
            interrupts.give_way(approval::ask(&context.terminal, QUESTION)).await?;
        }
        let authorities = open(context, order.identity, site, &planned)?;
        let review = if consent.yes && saved.is_none() && consent.expect.is_none() {
            Review::Unreviewed
        } else {
            Review::Reviewed
        };
        Ok(Approval::Given(Box::new(Approved { planned, review, authorities })))
    }

    /// Takes the lock, does the plan, and gives the lock back however that ends.
    async fn perform(
        &self,
        approved: Approved,
        interrupts: &mut Interrupts,
    ) -> Result<ExitCode, CliError> {
        let taking = locked::take(self.context, &self.access.pool, &approved.planned);
        let (mut lock, claim) = interrupts.give_way(taking).await?;
        let ended = async {
            let locked = self.look_again(approved, &lock, claim, interrupts).await?;
            if locked.planned.plan.steps.is_empty() {
                return Ok(verdict(&locked.planned.plan));
            }
            self.execute(locked, interrupts).await
        };
        let ended = ended.await;
        // What is not given back ends by itself.
        let _ = interrupts.unless_twice(lock.free()).await;
        ended
    }

    /// Plans once more: somebody may have been at work between the look and the lock, if only what a killed run left
    /// behind. A plan that nobody reviewed gives way to the newer one.
    async fn look_again<'l>(
        &self,
        approved: Approved,
        lock: &'l Lock,
        claim: Claim,
        interrupts: &mut Interrupts,
    ) -> Result<Locked<'l>, CliError> {
        let Approved { planned: before, review, authorities } = approved;
        let hosts = self.access.hosts();
        let mut planned = interrupts.give_way(before.again(self.context, &hosts)).await?;
        // Who holds it is us.
        planned.plan.report.locked.clear();
        let held = lock.generations.keys().cloned().collect();
        refuse_older(&self.checkout, self.order.consent, &held, &planned.facts)?;
        if fingerprint::hash(&planned.plan) != fingerprint::hash(&before.plan) {
            if review == Review::Reviewed {
                let reviewed = SavedPlan::of(&before.plan, &before.facts, &before.policy);
                reviewed.check(&planned.plan, &planned.facts)?;
            }
            self.context.terminal.say("The hosts have changed; the plan is now:");
            self.reporter.borrow_mut().planned(&planned.plan, verdict(&planned.plan));
        }
        Ok(Locked { lock, claim, planned, authorities })
    }

    /// Binds what no plan holds, does the steps, and lets the hosts remember what came of it.
    async fn execute(
        &self,
        locked: Locked<'_>,
        interrupts: &mut Interrupts,
    ) -> Result<ExitCode, CliError> {
        let Self { context, reporter, site, checkout, access, .. } = self;
        let Locked { lock, claim, planned, authorities } = locked;
        let mut bindings = bind::tokens(&planned.plan, &planned.facts).map_err(CliError::failed)?;
        bindings.passwords = discovery::passwords(site, &planned.plan)?;
        interrupts.give_way(discovery::begin(&planned, &mut bindings)).await?;
        let applied = record::of(&claim, &planned.plan, checkout.known());
        interrupts.give_way(record::begin(lock, &applied)).await?;
        let doing = access.with_authorities(authorities);
        let doing = Arc::new(doing.fenced(locked::fence(lock, &planned, &applied)));
        let work = (&planned, bindings);
        let Executed { code, trace, facts } =
            execute_plan(context, doing, work, lock, interrupts, reporter).await?;
        let remember = async {
            match trace {
                Trace::Some => record::end(lock, &applied, &facts, code).await,
                Trace::None => record::as_before(lock, &planned.facts).await,
            }
        };
        for untold in interrupts.unless_twice(remember).await.into_iter().flatten() {
            context.terminal.warn(&format!("can't record what was applied: {untold}"));
        }
        formed::keep(context, site, &planned, &facts);
        Ok(code)
    }
}

/// Opens the CAs that the plan's certificates are issued by; none where it issues none.
fn open(
    context: &Context,
    identity: &IdentityArgs,
    site: &Site,
    planned: &Planned,
) -> Result<OpenAuthorities, CliError> {
    let mut wanted = BTreeSet::new();
    for step in &planned.plan.steps {
        if let StepKind::InstallCertificates { signers, .. } = &step.kind {
            wanted.insert((signers.peer.cluster.clone(), CaKind::Peer));
            wanted.insert((signers.client.cluster.clone(), CaKind::Client));
        }
    }
    let now = OffsetDateTime::now_utc();
    keys::open(site, wanted, identity, &context.terminal, &context.passphrases, now)
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

/// The words that readers of other plans know.
const QUESTION: &str = "Do you want to perform these actions?";

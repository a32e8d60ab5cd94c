//! `quorate apply`

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use inventories::HostName;
use pki::CaKind;
use planner::{SiteFacts, StepKind, fingerprint};
use time::OffsetDateTime;
use tokio::sync::watch;

use super::hosts::HostAccess;
use super::planning::{self, Planned, PolicyArgs};
use super::{Context, approval};
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::interrupt::Interrupts;
use crate::keys::{self, IdentityArgs, OpenAuthorities};
use crate::provenance::Checkout;
use crate::report::apply::{Ending, Trace};
use crate::report::reporter::Reporter;
use crate::report::verdict::verdict;
use crate::saved_plan::{self, SavedPlan};
use crate::site::Site;
use engine::bind;
use engine::execute::{ApplyReport, execute};
use engine::hosts::{Bindings, Hosts, Timed};
use engine::lock::Lock;

mod discovery;
mod formed;
mod locked;
mod record;

/// Arguments of `quorate apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// A plan that `quorate plan --out` saved: exactly that is applied, without asking
    #[arg(value_name = "PLAN", conflicts_with_all = ["expect", "allow_outage", "allow_reform", "allow_slow_disk", "cluster", "host"])]
    saved: Option<PathBuf>,
    /// The hash of the plan that was reviewed: no other is applied
    #[arg(long, value_name = "HASH")]
    expect: Option<String>,
    /// Apply the plan without asking; the plan is made and shown all the same
    #[arg(short, long)]
    yes: bool,
    /// Print what is done as one JSON object per line
    #[arg(long, requires = "yes")]
    json: bool,
    /// The site's name, for sites whose inventory says confirm = true
    #[arg(long, value_name = "SITE")]
    confirm: Option<String>,
    /// What opens the CAs.
    #[command(flatten)]
    identity: IdentityArgs,
    /// Apply an inventory that is not committed
    #[arg(long)]
    allow_dirty: bool,
    /// Apply an older commit of the inventory than the one that was applied last
    #[arg(long)]
    allow_older: bool,
    /// What is allowed.
    #[command(flatten)]
    policy: PolicyArgs,
}

pub(super) fn run(context: &Context, arguments: &ApplyArgs) -> Result<ExitCode, CliError> {
    let reporter = RefCell::new(if arguments.json {
        Reporter::json(&context.terminal)
    } else {
        Reporter::human(&context.terminal)
    });
    let ended = context.block_on(apply(context, arguments, &reporter)).and_then(|ended| ended);
    reporter.borrow_mut().end(&ended);
    ended
}

async fn apply(
    context: &Context,
    arguments: &ApplyArgs,
    reporter: &RefCell<Reporter<'_>>,
) -> Result<ExitCode, CliError> {
    let mut interrupts = Interrupts::listen().map_err(CliError::failed)?;
    let site = Site::load(&context.inventory)?;
    reporter.borrow_mut().warnings(&site.warnings);
    approval::confirm_site(&site.inventory.site, arguments.confirm.as_deref())?;
    let checkout = Checkout::of(&site);
    if arguments.allow_dirty {
        checkout.warnings().iter().for_each(|warning| context.terminal.warn(warning));
    } else {
        checkout.refuse_dirty()?;
    }
    let spec = site.spec()?;
    let access = HostAccess::of(context, &site)?;
    let saved = arguments.saved.as_deref().map(SavedPlan::read).transpose()?;
    let allowed = saved.as_ref().map_or(&arguments.policy, SavedPlan::policy);
    let hosts = access.hosts();
    let planned =
        interrupts.give_way(planning::make(context, spec, &hosts, allowed, Timed::Forming)).await?;
    let code = verdict(&planned.plan);
    reporter.borrow_mut().planned(&planned.plan, code);
    if let Some(saved) = &saved {
        saved.check(&planned.plan, &planned.facts)?;
    }
    if let Some(expected) = &arguments.expect {
        saved_plan::expect(&planned.plan, expected)?;
    }
    if planned.plan.steps.is_empty() {
        return Ok(code);
    }
    // Under the lock it is asked again; here it costs nobody an answer.
    refuse_older(&checkout, arguments, &locked::hosts(&planned)?, &planned.facts)?;
    discovery::passwords(&site, &planned.plan)?;
    if !arguments.yes && saved.is_none() {
        interrupts.give_way(approval::ask(&context.terminal, QUESTION)).await?;
    }
    // Looking and saying no costs nobody a passphrase.
    let authorities = open(context, arguments, &site, &planned)?;
    let unreviewed = arguments.yes && saved.is_none() && arguments.expect.is_none();
    let taking = locked::take(context, &access.pool, &planned);
    let (mut lock, claim) = interrupts.give_way(taking).await?;
    let ended = async {
        // Somebody may have been at work between the look and the lock, if only what a killed run
        // left behind. A plan that nobody reviewed gives way to the newer one.
        let mut again = interrupts.give_way(planned.again(context, &hosts)).await?;
        // Who holds it is us.
        again.plan.report.locked.clear();
        let held = lock.generations.keys().cloned().collect();
        refuse_older(&checkout, arguments, &held, &again.facts)?;
        if fingerprint::hash(&again.plan) != fingerprint::hash(&planned.plan) {
            if !unreviewed {
                SavedPlan::of(&planned.plan, &planned.facts, allowed)
                    .check(&again.plan, &again.facts)?;
            }
            context.terminal.say("The hosts have changed; the plan is now:");
            reporter.borrow_mut().planned(&again.plan, verdict(&again.plan));
        }
        if again.plan.steps.is_empty() {
            return Ok(verdict(&again.plan));
        }
        let mut bindings = bind::tokens(&again.plan, &again.facts).map_err(CliError::failed)?;
        bindings.passwords = discovery::passwords(&site, &again.plan)?;
        interrupts.give_way(discovery::begin(&again, &mut bindings)).await?;
        let applied = record::of(&claim, &again.plan, checkout.known());
        interrupts.give_way(record::begin(&lock, &applied)).await?;
        let doing = access.with_authorities(authorities);
        let doing = Arc::new(doing.fenced(locked::fence(&lock, &again, &applied)));
        let Executed { code, trace, facts } =
            execute_plan(context, doing, (&again, bindings), &lock, &mut interrupts, reporter)
                .await?;
        let remember = async {
            match trace {
                Trace::Some => record::end(&lock, &applied, &facts, code).await,
                Trace::None => record::as_before(&lock, &again.facts).await,
            }
        };
        for untold in interrupts.unless_twice(remember).await.into_iter().flatten() {
            context.terminal.warn(&format!("can't record what was applied: {untold}"));
        }
        formed::keep(context, &site, &again, &facts);
        Ok(code)
    };
    let ended = ended.await;
    // What is not given back ends by itself.
    let _ = interrupts.unless_twice(lock.free()).await;
    ended
}

/// Opens the CAs that the plan's certificates are issued by; none where it issues none.
fn open(
    context: &Context,
    arguments: &ApplyArgs,
    site: &Site,
    planned: &Planned,
) -> Result<OpenAuthorities, CliError> {
    let mut wanted = BTreeSet::new();
    for step in &planned.plan.steps {
        if let (StepKind::InstallCertificates { client_ca, .. }, Some(cluster)) =
            (&step.kind, step.cluster())
        {
            wanted.insert((cluster.clone(), CaKind::Peer));
            wanted.insert((client_ca.clone(), CaKind::Client));
        }
    }
    let now = OffsetDateTime::now_utc();
    keys::open(site, wanted, &arguments.identity, &context.terminal, &context.passphrases, now)
}

/// Refuses to go back to an inventory that is older than what these hosts were given last.
fn refuse_older(
    checkout: &Checkout,
    arguments: &ApplyArgs,
    hosts: &BTreeSet<HostName>,
    facts: &SiteFacts,
) -> Result<(), CliError> {
    match checkout.known() {
        Some(provenance) if !arguments.allow_older => {
            provenance.refuse_older(&planning::commits(hosts, facts)?)
        }
        Some(_) | None => Ok(()),
    }
}

/// What came of a plan that was executed.
struct Executed {
    code: ExitCode,
    trace: Trace,
    facts: SiteFacts,
}

async fn execute_plan<H: Hosts>(
    context: &Context,
    hosts: Arc<H>,
    (planned, bindings): (&Planned, Bindings),
    lock: &Lock,
    interrupts: &mut Interrupts,
    reporter: &RefCell<Reporter<'_>>,
) -> Result<Executed, CliError> {
    let begun = Instant::now();
    let ending = RefCell::new(Ending::of(&planned.plan));
    let (stop, stopped) = watch::channel(false);
    let emit = |event| {
        reporter.borrow_mut().event(&event);
        ending.borrow_mut().fold(event);
    };
    let doing = Arc::clone(&hosts);
    let work = execute(&planned.plan, doing, bindings, context.parallelism.steps, stopped, emit);
    let lost = drive(work, &stop, lock, interrupts, reporter).await?;
    let mut ending = ending.into_inner();
    ending.elapsed = begun.elapsed();
    let facts = look_back(context, &*hosts, planned, lock, interrupts).await;
    ending.look_back(&planned.spec, &facts);
    reporter.borrow_mut().ending(&ending, &planned.spec);
    if let Some(why) = lost {
        let message = format!("the lock was lost, so no further step was started: {why}");
        return Err(CliError::new(ending.code().first(ExitCode::Locked), message));
    }
    Ok(Executed { code: ending.code(), trace: ending.trace(), facts })
}

/// How the hosts are after an apply. Nothing is known where that takes too long, or somebody
/// interrupts: what the apply came to is told then without it.
async fn look_back<H: Hosts>(
    context: &Context,
    hosts: &H,
    planned: &Planned,
    lock: &Lock,
    interrupts: &mut Interrupts,
) -> SiteFacts {
    let look = planning::observe(context, &planned.spec, hosts, Timed::Nothing);
    let given_up = tokio::select! {
        facts = look => return facts,
        () = interrupts.next() => None,
        () = tokio::time::sleep(LONGEST_LOOK) => None,
        why = lock.lost() => Some(why),
    };
    context.terminal.clear();
    if let Some(why) = given_up {
        context.terminal.warn(&format!("the lock was lost after the last step: {why}"));
    }
    SiteFacts {
        observed_at: planned.facts.observed_at,
        hosts: BTreeMap::new(),
        misled: BTreeMap::new(),
        bystanders: BTreeMap::new(),
    }
}

/// Lets an apply run. The first interrupt lets it come to its end in an orderly way; the second
/// leaves at once. Where the lock is lost meanwhile, says why.
async fn drive(
    work: impl Future<Output = ApplyReport>,
    stop: &watch::Sender<bool>,
    lock: &Lock,
    interrupts: &mut Interrupts,
    reporter: &RefCell<Reporter<'_>>,
) -> Result<Option<String>, CliError> {
    let mut work = std::pin::pin!(work);
    let mut lock_lost = std::pin::pin!(lock.lost());
    let mut lost = None;
    loop {
        tokio::select! {
            _ = &mut work => return Ok(lost),
            why = &mut lock_lost, if lost.is_none() => {
                lost = Some(why);
                stop.send_replace(true);
            }
            () = interrupts.next() => {
                if *stop.borrow() {
                    let message = "interrupted twice; what was running may be half done";
                    return Err(CliError::new(ExitCode::Interrupted, message)
                        .hint("the next quorate plan looks at what is there"));
                }
                stop.send_replace(true);
            }
            () = tokio::time::sleep(TICK) => reporter.borrow_mut().tick(),
        }
    }
}

/// The words that readers of other plans know.
const QUESTION: &str = "Do you want to perform these actions?";

/// How long the look after the last step may take. One host's look is given up after a minute.
const LONGEST_LOOK: Duration = Duration::from_secs(90);

/// How often what moves on the terminal is drawn again.
const TICK: Duration = Duration::from_millis(100);

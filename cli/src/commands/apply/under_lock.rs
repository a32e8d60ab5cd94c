//! What an apply does under its lock: it looks again, and does the plan; on a way over several minors of etcd, one plan
//! after the other.

use std::collections::BTreeSet;
use std::sync::Arc;

use engine::bind;
use engine::hosts::Bindings;
use engine::lock::{Claim, Lock, Work};
use planner::{fingerprint, not_announced};

use super::super::planning::Planned;
use super::execution::{Executed, execute_plan};
use super::hooks::{Around, Event};
use super::pace::Pause;
use super::record::Noted;
use super::settling::{SETTLING, is_stopped, settled};
use super::{
    Approved, Review, Run, approval, discovery, formed, locked, open, record, refuse_older,
};
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::interrupt::Interrupts;
use crate::keys::OpenAuthorities;
use crate::report::apply::Trace;
use crate::report::verdict::verdict;
use crate::saved_plan::SavedPlan;

/// A plan that may be executed on locked hosts, made after they were locked.
struct Locked<'a> {
    lock: &'a Lock,
    claim: Claim,
    planned: Planned,
    authorities: OpenAuthorities,
}

/// A plan that was done.
struct Done<'a> {
    lock: &'a Lock,
    claim: Claim,
    planned: Planned,
}

impl Run<'_, '_> {
    /// Takes the lock, does the plan, and gives the lock back however that ends.
    pub(super) async fn perform(
        &self,
        approved: Approved,
        interrupts: &mut Interrupts,
    ) -> Result<ExitCode, CliError> {
        let consent = self.order.consent;
        let patience = consent.lock_timeout.unwrap_or_default();
        let reason = consent.reason.as_deref();
        let pool = &self.access.pool;
        let taking = locked::take(self.context, pool, &approved.planned, reason, patience);
        let (mut lock, claim) = interrupts.give_way(taking).await?;
        let ended = async {
            let mut locked = self.look_again(approved, &lock, claim, interrupts).await?;
            loop {
                if locked.planned.plan.steps.is_empty() {
                    return Ok(verdict(&locked.planned.plan));
                }
                let (code, done) = self.execute(locked, interrupts).await?;
                let has_more = done.planned.plan.report.hops.iter().any(|hop| hop.number > 1);
                if code != ExitCode::Done || !has_more {
                    return Ok(code);
                }
                locked = self.next_hop(done, interrupts).await?;
            }
        };
        let ended = ended.await;
        // A lock that is not given back expires.
        let _ = interrupts.unless_twice(lock.free()).await;
        ended
    }

    /// Plans once more: the hosts may have changed between the observation and the lock, if only by what a killed run left
    /// behind. A plan that no operator reviewed is replaced by the newer one.
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
        if is_stopped(&planned.plan)
            && (!lock.expired.is_empty() || !before.plan.report.locked.is_empty())
        {
            planned = interrupts.give_way(self.after_another(planned)).await?;
        }
        // We hold it ourselves.
        planned.plan.report.locked.clear();
        let held = lock.generations.keys().cloned().collect();
        refuse_older(&self.checkout, self.order.consent, &held, &planned.facts)?;
        if fingerprint::hash(&planned.plan) != fingerprint::hash(&before.plan) {
            if review == Review::Reviewed {
                let reviewed = SavedPlan::new(&before.plan, &before.facts, &before.policy);
                reviewed.check(&planned.plan, &planned.facts)?;
            }
            let approved: Vec<String> = before.plan.report.confirm.iter().cloned().collect();
            let wanted = &planned.plan.report.confirm;
            approval::refuse_unconfirmed(&approval::unconfirmed(wanted, &approved))?;
            self.context.terminal.say("The hosts have changed; the plan is now:");
            self.reporter.borrow_mut().planned(&planned.plan, verdict(&planned.plan));
        }
        Ok(Locked { lock, claim, planned, authorities })
    }

    /// Plans the next hop to another minor, under the same lock. It was approved with the first one, so it has to be what
    /// was said then. A member that lags or answers late closes a gate for a moment only: what is different has to stay so.
    async fn next_hop<'l>(
        &self,
        done: Done<'l>,
        interrupts: &mut Interrupts,
    ) -> Result<Locked<'l>, CliError> {
        let Done { lock, claim, planned: before } = done;
        let hosts = self.access.hosts();
        let look = async || {
            let planned = before.again(self.context, &hosts).await?;
            let others = not_announced(&before.plan, &planned.plan);
            Ok((others.is_empty(), (planned, others)))
        };
        let (mut planned, others) = interrupts.give_way(settled(SETTLING, look)).await?;
        planned.plan.report.locked.clear();
        if !others.is_empty() {
            let message = format!(
                "the next hop is not what was approved, so it was not started:\n  {}",
                others.join("\n  ")
            );
            return Err(CliError::new(ExitCode::Stale, message)
                .hint("review what is left to do, and continue: quorate apply"));
        }
        self.reporter.borrow_mut().planned(&planned.plan, verdict(&planned.plan));
        let authorities = open(self.context, self.order.identity, &self.site, &planned)?;
        Ok(Locked { lock, claim, planned, authorities })
    }

    /// Binds what no plan holds, does the steps, and lets the hosts remember what came of it.
    async fn execute<'l>(
        &self,
        locked: Locked<'l>,
        interrupts: &mut Interrupts,
    ) -> Result<(ExitCode, Done<'l>), CliError> {
        let Self { context, site, checkout, .. } = self;
        let Locked { lock, claim, planned, authorities } = locked;
        let mut bindings = bind::tokens(&planned.plan, &planned.facts).map_err(CliError::failed)?;
        bindings.passwords = discovery::passwords(site, &planned.plan)?;
        interrupts.give_way(discovery::begin(&planned, &mut bindings)).await?;
        let applied = record::of(&claim, &planned.plan, checkout.known());
        let reason = self.order.consent.reason.clone();
        let work = Work { command: locked::command(&planned.plan), reason };
        let noted = Noted::new(applied, work);
        let hooks = self.order.hooks(site)?;
        let around = Around { hooks, folder: site.folder(), terminal: &context.terminal };
        let reason = self.order.consent.reason.as_deref();
        let event = || Event::before(&planned.plan, &noted.record, reason);
        around.begin(event(), interrupts).await?;
        let work = (&planned, bindings, authorities);
        let ended = self.do_steps(lock, &noted, work, interrupts).await;
        around.end(event(), &ended, interrupts).await;
        Ok((ended?, Done { lock, claim, planned }))
    }

    async fn do_steps(
        &self,
        lock: &Lock,
        noted: &Noted,
        (planned, bindings, authorities): (&Planned, Bindings, OpenAuthorities),
        interrupts: &mut Interrupts,
    ) -> Result<ExitCode, CliError> {
        let Self { context, reporter, site, access, .. } = self;
        interrupts.give_way(record::begin(lock, noted)).await?;
        let doing = access.with_authorities(authorities);
        let doing = match self.order.snapshot {
            Some(snapshot) => doing.restoring(Arc::clone(snapshot)),
            None => doing,
        };
        let doing = Arc::new(doing.fenced(locked::fence(lock, planned, &noted.record)));
        let pauses = match self.order.pause {
            Pause::BetweenMembers => planned.plan.pauses(),
            Pause::Never => BTreeSet::new(),
        };
        let work = (planned, bindings, pauses);
        let Executed { code, trace, facts } =
            execute_plan(context, doing, work, lock, interrupts, reporter).await?;
        let remember = async {
            match trace {
                Trace::Some => record::end(lock, noted, &facts, code).await,
                Trace::None => record::as_before(lock, noted, &planned.facts, code).await,
            }
        };
        for untold in interrupts.unless_twice(remember).await.into_iter().flatten() {
            context.terminal.warn(&format!("can't record what was applied: {untold}"));
        }
        formed::keep(context, site, planned, &facts);
        Ok(code)
    }
}

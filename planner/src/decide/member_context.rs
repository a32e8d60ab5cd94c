//! One member of one cluster, as the functions of the decision are given it, and how its steps are made.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeSet;

use inventories::{AccountName, HostName};
use templates::{RenderError, UnitText};
use time::OffsetDateTime;

use crate::decide::sandbox;
use crate::facts::{HostFacts, MemberFacts};
use crate::plan::{Action, FormationState, Guard, PlaceRef, Step, StepId, StepKind, Verb, Why};
use crate::spec::{ClusterSpec, MemberSpec, SiteSpec};

/// One member as the decision sees it: what is wanted of it, in which cluster and on which host, and what was seen there.
pub(crate) struct MemberContext<'a> {
    pub(crate) site: &'a SiteSpec,
    pub(crate) cluster: &'a ClusterSpec,
    pub(crate) name: &'a HostName,
    pub(crate) wanted: &'a MemberSpec,
    pub(crate) host: &'a HostFacts,
    pub(crate) facts: &'a MemberFacts,
    pub(crate) now: OffsetDateTime,
    /// Whether the operator wants its certificates replaced, whatever they are.
    pub(crate) reissue: bool,
    /// The unit of a formed cluster, rendered once: that is much of what a plan costs.
    pub(crate) formed_unit: OnceCell<UnitText>,
}

impl MemberContext<'_> {
    /// The unit that it should have.
    pub(crate) fn unit(&self, state: FormationState) -> Result<Cow<'_, UnitText>, RenderError> {
        Ok(match (state, self.formed_unit.get()) {
            (FormationState::New | FormationState::Joining, _) => {
                Cow::Owned(self.wanted.unit(state, &sandbox::lacks(self.host))?)
            }
            (FormationState::Existing, Some(text)) => Cow::Borrowed(text),
            (FormationState::Existing, None) => {
                let text = self.wanted.unit(state, &sandbox::lacks(self.host))?;
                Cow::Borrowed(self.formed_unit.get_or_init(|| text))
            }
        })
    }

    /// The account that its process has, where that is not the one that its files belong to.
    pub(crate) fn runs_as_another(&self) -> Option<u32> {
        let is = *self.facts.runs_as.known()?;
        (self.facts.is_up() && self.host.runs_as_another(self.facts, self.account())).then_some(is)
    }

    /// The account that it is to run as.
    pub(crate) fn account(&self) -> &AccountName {
        &self.wanted.member.account
    }

    /// The step that creates that account.
    pub(crate) fn account_id(&self) -> StepId {
        self.host_id(Verb::Account(self.account().clone()))
    }

    /// The step that installs its release.
    pub(crate) fn release_id(&self) -> StepId {
        self.host_id(Verb::InstallEtcd(self.cluster.version))
    }

    /// Whether its process still has the configuration folder that was replaced, and sees nothing of what is
    /// written to the new one; or whether nobody can reach it any more where it listens, so that no connection to it
    /// would show what certificates are worth.
    pub(crate) fn is_cut_off(&self) -> bool {
        let moves_from = self.wanted.moves_from.as_ref();
        let is_away = moves_from.is_some_and(|from| from.is_cut_off);
        self.facts.is_up() && (self.facts.folder_replaced || is_away)
    }

    /// The name of a step of this member.
    pub(crate) fn id(&self, verb: Verb) -> StepId {
        StepId::for_member(self.name, &self.cluster.name, verb)
    }

    /// The name of a step that serves every member of this host.
    pub(crate) fn host_id(&self, verb: Verb) -> StepId {
        StepId::for_host(self.name, verb)
    }

    pub(crate) fn why_wanted(&self) -> Why {
        Why::Wanted { place: Some(PlaceRef::from(self.cluster.place_of("members"))) }
    }

    pub(crate) fn step(&self, verb: Verb, action: Action, kind: StepKind, why: Why) -> Step {
        Step { id: self.id(verb), action, kind, guard: Guard::Nothing, after: BTreeSet::new(), why }
    }

    pub(crate) fn host_step(&self, verb: Verb, action: Action, kind: StepKind, why: Why) -> Step {
        Step { id: self.host_id(verb.clone()), ..self.step(verb, action, kind, why) }
    }
}

//! The steps that clear a host of a member which goes for good, in their order: nobody uses it, it stops, its data is set
//! aside, and what quorate wrote for it goes.

use std::collections::{BTreeMap, BTreeSet};

use inventories::HostName;

use crate::plan::{Action, Guard, Step, StepId, StepKind, Verb, Why};
use crate::spec::{ClusterSpec, MemberSpec};

/// A member on its host.
pub(super) struct Clearing<'a> {
    pub(super) host: &'a HostName,
    pub(super) cluster: &'a ClusterSpec,
    pub(super) wanted: &'a MemberSpec,
}

impl Clearing<'_> {
    pub(super) fn look(&self, note: &str) -> Step {
        self.step(Verb::LookForClients, Action::Check, StepKind::LookForClients, note)
    }

    /// Stops it, unless one of `others` answers.
    pub(super) fn stop(&self, others: BTreeMap<HostName, String>) -> Step {
        let version = self.cluster.version;
        let kind = StepKind::StopForRestore { staged: None, others, version };
        let note = "no data is archived while a member runs";
        self.step(Verb::StopForRestore, Action::Run, kind, note)
    }

    pub(super) fn archive(&self, others: BTreeMap<HostName, String>) -> Step {
        let version = self.cluster.version;
        let kind = StepKind::SetAsideForRestore { staged: None, others, version };
        let note = "nothing is deleted: quorate archives purge does that";
        self.step(Verb::SetAside, Action::Delete, kind, note)
    }

    /// Where `others` is empty, the whole cluster goes; else they must not list it.
    pub(super) fn decommission(&self, others: BTreeMap<HostName, String>) -> Step {
        let note = match others.is_empty() {
            true => "by its marker the same command finds what is left, so that goes last",
            false => "it asks the others first, and refuses while they list the member",
        };
        let peer_url = self.wanted.member.peer_url().to_string();
        let version = self.cluster.version;
        let kind = StepKind::DecommissionMember { peer_url, others, version };
        self.step(Verb::Decommission, Action::Delete, kind, note)
    }

    fn step(&self, verb: Verb, action: Action, kind: StepKind, note: &str) -> Step {
        Step {
            id: StepId::for_member(self.host, &self.cluster.name, verb),
            action,
            kind,
            guard: Guard::Nothing,
            after: BTreeSet::new(),
            why: Why::Safety { note: note.to_owned() },
        }
    }
}

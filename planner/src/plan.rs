//! The plan: a directed acyclic graph of steps that is a value. It can be shown, hashed, saved,
//! checked and executed, and it holds no secret and nothing random.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use inventories::inventory::Place;
use inventories::{ClusterName, EtcdVersion, HostName, SiteName};
use pki::CaKind;
use serde::Serialize;
use serde::ser::SerializeStruct as _;

use crate::report::PlanReport;
use crate::selection::Selection;

mod apiserver;
mod defragment;
mod discovery;
mod effect;
mod fetch;
mod id;
mod kind;
mod launch;
mod pauses;
mod restore;
mod signers;
mod space;
mod trial;
mod verb;

pub use apiserver::ApiServerStep;
pub use defragment::{BYTES_A_SECOND, DatabaseSize, DefragRule, DefragWay, LONGEST_ONLINE};
pub use discovery::DiscoveryService;
pub use effect::{Effect, Leaves};
pub use fetch::Fetch;
pub use id::{Scope, StepId, StepIdError};
pub use kind::StepKind;
pub use launch::{FormationState, Launch, Leaver, Replaced, RunningPod};
pub use restore::{StagedSnapshot, Staging};
pub use signers::{Signer, Signers};
pub use space::{CompactTo, MOST_IN_USE_PERCENT, Quota};
pub use trial::{Silence, Swap};
pub use verb::Verb;

/// What will be done, in an order that respects every dependency, and what was found on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The site that the plan is for.
    pub site: SiteName,
    /// What of the site it was made for.
    pub selection: Selection,
    /// Steps, each after everything it depends on.
    pub steps: Vec<Step>,
    /// How things are, what is refused, and what waits.
    pub report: PlanReport,
}

impl Plan {
    /// Whether there is nothing to do, nothing refused and nothing held back.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.report.blocked.is_empty() && self.report.held.is_empty()
    }

    /// The step of this name.
    pub fn step(&self, id: &StepId) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == *id)
    }

    /// How many steps create, change and destroy.
    pub fn count(&self) -> Count {
        self.steps.iter().collect()
    }

    /// Whether executing needs the CA keys.
    pub fn needs_ca_keys(&self) -> bool {
        !self.issuers().is_empty()
    }

    /// The CAs by which the plan's certificates are issued.
    pub fn issuers(&self) -> BTreeSet<(ClusterName, CaKind)> {
        let mut issuers = BTreeSet::new();
        for step in &self.steps {
            match &step.kind {
                StepKind::InstallCertificates { signers, .. } => {
                    issuers.insert((signers.peer.cluster.clone(), CaKind::Peer));
                    issuers.insert((signers.client.cluster.clone(), CaKind::Client));
                }
                StepKind::ApiServer(ApiServerStep::Certificate { signer, .. }) => {
                    issuers.insert((signer.cluster.clone(), CaKind::Client));
                }
                _ => {}
            }
        }
        issuers
    }
}

/// Totals of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Count {
    /// Things made.
    pub add: usize,
    /// Things changed in place.
    pub change: usize,
    /// Things destroyed.
    pub destroy: usize,
}

impl<'s> FromIterator<&'s Step> for Count {
    fn from_iter<I: IntoIterator<Item = &'s Step>>(steps: I) -> Self {
        let mut count = Self::default();
        for step in steps {
            match step.action {
                Action::Create => count.add += 1,
                Action::Update | Action::Run => count.change += 1,
                Action::Delete => count.destroy += 1,
                Action::Replace => {
                    count.add += 1;
                    count.destroy += 1;
                }
                Action::Check => {}
            }
        }
        count
    }
}

/// One thing to do on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Stable name: where it runs, what it serves there, what it does.
    pub id: StepId,
    /// What it means for the thing it touches.
    pub action: Action,
    /// What it does.
    pub kind: StepKind,
    /// What must hold on the host at the moment of doing, checked in the same script.
    pub guard: Guard,
    /// Steps that must have succeeded before.
    pub after: BTreeSet<StepId>,
    /// Why it is in the plan.
    pub why: Why,
}

impl Step {
    /// The host it runs on.
    pub fn host(&self) -> &HostName {
        &self.id.host
    }

    /// The cluster of the member that it serves; `None` where it serves every member of the host.
    pub fn cluster(&self) -> Option<&ClusterName> {
        self.id.scope.cluster()
    }
}

impl Serialize for Step {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { id, action, kind, guard, after, why } = self;
        let mut step = serializer.serialize_struct("Step", 8)?;
        step.serialize_field("id", id)?;
        step.serialize_field("host", self.host())?;
        step.serialize_field("cluster", &self.cluster())?;
        step.serialize_field("action", action)?;
        step.serialize_field("kind", kind)?;
        step.serialize_field("guard", guard)?;
        step.serialize_field("after", after)?;
        step.serialize_field("why", why)?;
        step.end()
    }
}

/// What a step means for the thing it touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Makes what is not there.
    Create,
    /// Changes what is there, in place.
    Update,
    /// Removes and creates again.
    Replace,
    /// Removes.
    Delete,
    /// Starts or restarts a process.
    Run,
    /// Only looks.
    Check,
}

impl Action {
    /// The symbol that plan readers know.
    pub fn symbol(self) -> &'static str {
        match self {
            Action::Create => "+",
            Action::Update => "~",
            Action::Replace => "-/+",
            Action::Delete => "-",
            Action::Run => ">",
            Action::Check => "?",
        }
    }

    /// The word that goes with the symbol, so that colour and symbol are never alone.
    pub fn word(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Update => "update",
            Action::Replace => "replace",
            Action::Delete => "destroy",
            Action::Run => "run",
            Action::Check => "check",
        }
    }
}

/// What must hold on the host at the moment of doing. It is checked in the same script as the
/// action: a guard that is checked only when planning loses quorum to whatever happens between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "must", rename_all = "kebab-case")]
pub enum Guard {
    /// Nothing: the step is safe whatever happened since the plan.
    Nothing,
    /// This host does not belong to another site.
    HostIsFree,
    /// The member on this host never had a quorum and carries no marker.
    NeverFormed,
    /// The file is what the plan saw: absent, or of this digest.
    FileIs {
        /// Path on the host.
        path: String,
        /// sha256 in hex; `None` for absent.
        sha256: Option<String>,
    },
    /// The member has its write-ahead log.
    HasLog,
    /// In each of these clusters this many of the other members are healthy, as they report themselves at
    /// this moment. A cluster whose outage was allowed is not among them.
    OthersHealthy {
        /// The clusters of which the step may take a member down.
        clusters: BTreeMap<ClusterName, Others>,
    },
    /// The member has its write-ahead log, or never had a quorum and carries no marker: it has
    /// nothing to forget.
    HasLogOrNeverFormed,
}

/// The members of a cluster that must hold its quorum while another one is down. A healthy one
/// answers, knows a leader, is no learner, belongs to this cluster and has caught up with the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Others {
    /// Their names and client URLs.
    pub members: BTreeMap<HostName, String>,
    /// How many must be healthy.
    pub needed: usize,
    /// The release whose `etcdctl` asks.
    pub version: EtcdVersion,
    /// The cluster that they must belong to, by etcd's id in hex; `None` where it has none yet.
    pub cluster_id: Option<String>,
}

/// Why a step is in the plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "because", rename_all = "kebab-case")]
pub enum Why {
    /// The inventory asks for what is not there yet.
    Wanted {
        /// Where it asks.
        place: Option<PlaceRef>,
    },
    /// What is there differs from what the inventory asks for.
    Drift {
        /// What differs, one line each.
        changes: Vec<String>,
    },
    /// An earlier run stopped before this.
    Unfinished,
    /// It makes what follows safe.
    Safety {
        /// In which way.
        note: String,
    },
}

/// A place in an inventory, as plans show it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PlaceRef {
    /// File.
    pub file: String,
    /// Line, counted from 1.
    pub line: u32,
}

impl From<&Place> for PlaceRef {
    fn from(place: &Place) -> Self {
        Self { file: place.file.clone(), line: place.line }
    }
}

impl fmt::Display for PlaceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::Action::{Check, Create, Delete, Replace, Run, Update};

    /// Readers of JSON and graphs see these.
    #[test]
    fn every_action_has_its_word_and_its_symbol() {
        let actions = [Create, Update, Replace, Delete, Run, Check];
        let words = ["create", "update", "replace", "destroy", "run", "check"];
        assert_eq!(actions.map(super::Action::word), words);
        assert_eq!(actions.map(super::Action::symbol), ["+", "~", "-/+", "-", ">", "?"]);
    }
}

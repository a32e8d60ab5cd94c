//! The one door to the hosts of a site.

use std::collections::BTreeMap;
use std::future::Future;

use inventories::{ClusterName, HostName};
use planner::{SiteFacts, SiteSpec, Step};
use templates::BootstrapToken;

/// The hosts of a site: they can be looked at, and a step can be done on one of them.
///
/// Production speaks SSH; the simulator in `tests/` keeps a world in memory and refuses whatever a
/// real host would refuse.
pub trait Hosts: Send + Sync + 'static {
    /// Looks at every host that the clusters of `spec` use. A host that can't be seen is an answer,
    /// not an error.
    fn observe(&self, spec: &SiteSpec, timed: Timed) -> impl Future<Output = SiteFacts> + Send;

    /// Checks the step's guard on its host and does the step, in one script.
    fn run(
        &self,
        step: &Step,
        bindings: &Bindings,
    ) -> impl Future<Output = Result<Done, StepError>> + Send;

    /// After an attempt at a step whose connection was lost: waits for its host, for a bounded time,
    /// and sees to it that nothing of that attempt runs any more, or ever will. Then the step may be
    /// done again.
    fn reconnect(&self, step: &Step) -> impl Future<Output = Result<(), StepError>> + Send;
}

/// Of which clusters disks and round trips are timed in a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timed {
    /// Of none.
    Nothing,
    /// Of those that are not formed: what a plan needs. A look at formed clusters writes nothing.
    Forming,
    /// Of all of them.
    All,
}

/// Values that no plan holds because they are random: bound once, when an apply begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bindings {
    /// The bootstrap token of each cluster that is not formed yet: the one that a host already
    /// stores, or a new one.
    pub tokens: BTreeMap<ClusterName, BootstrapToken>,
}

/// What a step that did not fail did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// What it says.
    Changed,
    /// Nothing: all was as wanted already.
    Already,
}

/// Why a step failed, on which host.
#[derive(Debug, thiserror::Error)]
#[error("{host}: {kind}")]
pub struct StepError {
    /// The host.
    pub host: HostName,
    /// What happened.
    pub kind: StepErrorKind,
    /// The host's own words: a unit's journal, etcd's log line. Stripped of control characters.
    pub words: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
}

/// What happened to a step that failed.
#[derive(Debug, thiserror::Error)]
pub enum StepErrorKind {
    /// What the plan relied on is no longer so. Nothing was changed.
    #[error("not done, because {0}")]
    Guard(String),
    /// The host tried and failed.
    #[error("{0}")]
    Failed(String),
    /// The connection broke while the step ran: whether it was done is not known.
    #[error("the connection was lost while the step ran ({0}); whether it was done is not known")]
    Lost(String),
    /// The host was reached before, and is not at the moment; nothing was changed.
    #[error("not reached: {0}")]
    Away(String),
    /// The host gave no whole answer: whether the step was done is not known. The next plan looks.
    #[error("whether it was done is not known: {0}")]
    Unknown(String),
    /// The host does not let us in; nothing was changed.
    #[error("not reached: {0}")]
    Unreachable(String),
    /// It could not be prepared on the operator's side; nothing was changed.
    #[error("{0}")]
    Local(String),
}

impl StepErrorKind {
    /// Why the connection is lost, where that is all that is wrong.
    pub fn lost(&self) -> Option<&str> {
        match self {
            StepErrorKind::Lost(why) | StepErrorKind::Away(why) => Some(why),
            StepErrorKind::Guard(_)
            | StepErrorKind::Failed(_)
            | StepErrorKind::Unknown(_)
            | StepErrorKind::Unreachable(_)
            | StepErrorKind::Local(_) => None,
        }
    }
}

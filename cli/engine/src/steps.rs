//! What each kind of step does on its host: one script, or several that belong together. One file a subject.

pub(crate) mod api_server;
pub(crate) mod bootstrap;
pub mod certificates;
pub(crate) mod defrag;
pub(crate) mod discovery;
pub(crate) mod host;
pub(crate) mod kubeadm;
pub(crate) mod marker;
pub(crate) mod membership;
pub(crate) mod pods;
pub(crate) mod proof;
pub(crate) mod recording;
pub(crate) mod release;
pub(crate) mod restore;
pub(crate) mod roll;
pub(crate) mod space;
pub(crate) mod trial;
pub(crate) mod unit;
pub(crate) mod upgrade;

use std::ops::Deref;

use inventories::ClusterName;
use planner::Step;
use templates::Layout;

/// A step that serves one member, and where that member's files are.
pub(crate) struct MemberStep<'a> {
    step: &'a Step,
    /// The member's cluster.
    pub(crate) cluster: &'a ClusterName,
    /// The member's paths.
    pub(crate) layout: Layout,
}

impl<'a> MemberStep<'a> {
    pub(crate) fn new(step: &'a Step, cluster: &'a ClusterName) -> Self {
        Self { step, cluster, layout: Layout::new(cluster) }
    }
}

impl Deref for MemberStep<'_> {
    type Target = Step;

    fn deref(&self) -> &Step {
        self.step
    }
}

//! Facts that block something, and what each is about: told here once more, apart from the planner.

use std::collections::BTreeSet;

use inventories::{ClusterName, HostName};
use planner::facts::{HostFacts, MemberFacts, Observed};
use planner::spec::ClusterSpec;
use planner::{Plan, SiteFacts, SiteSpec, Step, StepId, StepKind};
use proptest::prelude::*;

/// What blocks something of a formed cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blockade {
    /// A member raises the alarm that its data is corrupt.
    Corrupt,
    /// A member answers as one of another cluster.
    OtherCluster,
    /// A program is missing on a host.
    MissingTool,
    /// A host belongs to another site.
    OtherSite,
    /// A member's disk is empty.
    LostLog,
}

/// Any of them.
pub fn blockades() -> impl Strategy<Value = Blockade> {
    use Blockade::{Corrupt, LostLog, MissingTool, OtherCluster, OtherSite};
    prop::sample::select(&[Corrupt, OtherCluster, MissingTool, OtherSite, LostLog][..])
}

impl Blockade {
    /// Applies it to a host's member of a cluster. Returns whether it could.
    pub fn apply_to(self, facts: &mut SiteFacts, name: &HostName, cluster: &ClusterName) -> bool {
        let Some(Observed::Known(host)) = facts.hosts.get_mut(name) else { return false };
        let HostFacts { machine, site, clusters, .. } = host;
        let Some(member) = clusters.get_mut(cluster) else { return false };
        let answers = match &mut member.etcd {
            Observed::Known(etcd) => Some(etcd),
            Observed::Absent | Observed::Unknown(_) => None,
        };
        match (self, answers) {
            (Blockade::Corrupt, Some(etcd)) => {
                etcd.errors.push(format!("alarm CORRUPT of member {}", etcd.member_id));
            }
            (Blockade::OtherCluster, Some(etcd)) => etcd.cluster_id = "77".to_owned(),
            (Blockade::Corrupt | Blockade::OtherCluster, None) => return false,
            (Blockade::MissingTool, _) => drop(machine.missing_tools.replace("tar".to_owned())),
            (Blockade::OtherSite, _) => match "other".parse() {
                Ok(other) => *site = Observed::Known(other),
                Err(_) => return false,
            },
            (Blockade::LostLog, _) => lose(member),
        }
        true
    }

    /// Whether it is about a step itself.
    fn is_about(
        self,
        step: &Step,
        name: &HostName,
        cluster: &ClusterName,
        spec: &SiteSpec,
    ) -> bool {
        let of_cluster = step.cluster() == Some(cluster);
        // A step for a whole host is there for each of the clusters on it, an account for those that run as it.
        let serves = |other: &ClusterSpec| {
            other.members.get(step.host()).is_some_and(|member| match &step.kind {
                StepKind::CreateAccount { name } => member.member.account == *name,
                _ => true,
            })
        };
        let for_it_alone = step.cluster().is_none()
            && spec.clusters.values().all(|other| other.name == *cluster || !serves(other));
        match self {
            Blockade::Corrupt | Blockade::OtherCluster => of_cluster || for_it_alone,
            Blockade::MissingTool | Blockade::OtherSite => *step.host() == *name,
            Blockade::LostLog => {
                (of_cluster && (*step.host() == *name || changes(&step.kind)))
                    || (for_it_alone && *step.host() == *name)
            }
        }
    }

    /// The steps of a plan made without it that may be missing now: those that it is about, and those of
    /// the same cluster that need them.
    pub fn stopped<'p>(
        self,
        plan: &'p Plan,
        (name, cluster): (&HostName, &ClusterName),
        spec: &SiteSpec,
    ) -> BTreeSet<&'p StepId> {
        let mut stopped: BTreeSet<&StepId> = BTreeSet::new();
        for step in &plan.steps {
            // Turns between clusters are no needs.
            let needs = |id: &&StepId| {
                let of = plan.step(id).and_then(|first| first.cluster());
                stopped.contains(id) && (of.is_none() || of == step.cluster())
            };
            let needs_stopped = step.after.iter().any(|id| needs(&id));
            if needs_stopped || self.is_about(step, name, cluster, spec) {
                stopped.insert(&step.id);
            }
        }
        // A unit is written for the restart that follows it.
        let restarts = |unit: &Step| {
            let mut after = plan.steps.iter().filter(|step| step.after.contains(&unit.id));
            after.any(|step| stopped.contains(&step.id))
        };
        let settings = |kind: &StepKind| {
            matches!(kind, StepKind::WriteUnit { .. } | StepKind::MoveDropIns { .. })
        };
        let units = plan.steps.iter().filter(|step| settings(&step.kind) && restarts(step));
        let units: Vec<&StepId> = units.map(|step| &step.id).collect();
        stopped.extend(units);
        stopped
    }
}

fn lose(member: &mut MemberFacts) {
    (member.data, member.running) = (Observed::Absent, Observed::Absent);
    (member.pod, member.quorum_seen) = (Observed::Absent, true);
    member.etcd = Observed::Unknown("connection refused".to_owned());
    if let Observed::Known(unit) = &mut member.unit {
        (unit.active, unit.sub, unit.main_pid) = ("inactive".into(), "dead".into(), 0);
    }
}

/// Whether a step takes a member down, or is there for one that does.
fn changes(kind: &StepKind) -> bool {
    matches!(
        kind,
        StepKind::RestartMember { .. }
            | StepKind::Defragment { .. }
            | StepKind::StopOldRuntime { .. }
            | StepKind::MoveLeader { .. }
            | StepKind::NoteRestart
            | StepKind::NoteProof { .. }
            | StepKind::AwaitRejoin { .. }
            | StepKind::ProveHealthy { .. }
            | StepKind::TryCertificates { .. }
            | StepKind::ForgetDiscovery
            | StepKind::CloseDiscovery { .. }
            | StepKind::ListByAddress { .. }
    )
}

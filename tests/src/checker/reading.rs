//! A plan beside the facts that it was made from, and the questions that rules ask of both.

use std::collections::{BTreeMap, BTreeSet};

use inventories::{ClusterName, EtcdVersion, HostName};
use planner::facts::{HostFacts, MemberFacts};
use planner::plan::{Effect, Guard};
use planner::spec::ClusterSpec;
use planner::{Observed, Plan, SiteFacts, SiteSpec, Step, StepId, StepKind};
use templates::Layout;
use templates::layout::PkiFile;

/// A plan, what was wanted and what was seen.
pub(super) struct Reading<'a> {
    pub(super) plan: &'a Plan,
    pub(super) spec: &'a SiteSpec,
    pub(super) facts: &'a SiteFacts,
    /// Everything that must have ended before each step begins.
    before: BTreeMap<&'a StepId, BTreeSet<&'a StepId>>,
}

/// What was seen of the things that a member's start needs.
pub(super) struct Here {
    pub(super) version: EtcdVersion,
    pub(super) directories: bool,
    pub(super) certificates: bool,
    pub(super) release: bool,
    pub(super) unit: bool,
}

impl<'a> Reading<'a> {
    pub(super) fn new(plan: &'a Plan, spec: &'a SiteSpec, facts: &'a SiteFacts) -> Self {
        let mut before: BTreeMap<&StepId, BTreeSet<&StepId>> = BTreeMap::new();
        for step in &plan.steps {
            let mut all: BTreeSet<&StepId> = step.after.iter().collect();
            for direct in &step.after {
                all.extend(before.get(direct).into_iter().flatten().copied());
            }
            before.insert(&step.id, all);
        }
        Self { plan, spec, facts, before }
    }

    /// Names that are given twice, and dependencies on what does not come earlier.
    pub(super) fn disorder(&self) -> Vec<String> {
        let mut known = BTreeSet::new();
        let mut found = Vec::new();
        for step in &self.plan.steps {
            for id in step.after.iter().filter(|id| !known.contains(*id)) {
                found.push(format!("{}: it comes after {id}, which is not before it", step.id));
            }
            if !known.insert(&step.id) {
                found.push(format!("{}: two steps have this name", step.id));
            }
        }
        found
    }

    /// The steps of a kind.
    pub(super) fn steps(&self, is: impl Fn(&StepKind) -> bool) -> Vec<&'a Step> {
        self.plan.steps.iter().filter(|step| is(&step.kind)).collect()
    }

    /// The steps of a kind on the host of a step, for its cluster or for the whole host.
    pub(super) fn makers(&self, of: &Step, is: &dyn Fn(&StepKind) -> bool) -> Vec<&'a Step> {
        let near = |step: &&Step| {
            step.host() == of.host() && (step.cluster() == of.cluster() || step.cluster().is_none())
        };
        self.plan.steps.iter().filter(near).filter(|step| is(&step.kind)).collect()
    }

    /// Whether one step has ended before another begins.
    pub(super) fn is_before(&self, first: &Step, second: &Step) -> bool {
        self.before[&second.id].contains(&first.id)
    }

    /// The cluster that a step serves.
    pub(super) fn cluster(&self, step: &Step) -> &'a ClusterSpec {
        let name = step.cluster().unwrap_or_else(|| panic!("{} has no cluster", step.id));
        self.cluster_named(name)
    }

    pub(super) fn host(&self, host: &HostName) -> Option<&'a HostFacts> {
        self.facts.hosts.get(host)?.known()
    }

    pub(super) fn member(&self, host: &HostName, cluster: &ClusterName) -> Option<&'a MemberFacts> {
        self.host(host)?.clusters.get(cluster)
    }

    /// The member that a step serves, as it was seen.
    pub(super) fn seen(&self, step: &Step) -> Option<&'a MemberFacts> {
        self.member(step.host(), step.cluster()?)
    }

    /// Whether anything on any host says that the cluster once had a quorum.
    pub(super) fn is_formed(&self, cluster: &ClusterSpec) -> bool {
        let mut members = cluster.members.keys().filter_map(|h| self.member(h, &cluster.name));
        members.any(|member| {
            member.quorum_seen
                || !matches!(member.marker, Observed::Absent)
                || member.etcd.known().is_some_and(|etcd| etcd.leader.is_some())
        })
    }

    /// Whether a step leaves enough members of a cluster that answer at that moment.
    pub(super) fn keeps_quorum(&self, step: &Step, cluster: &ClusterName) -> bool {
        let voters = self.spec.clusters[cluster].members.len();
        let Guard::OthersHealthy { clusters } = &step.guard else { return false };
        clusters.get(cluster).is_some_and(|others| {
            others.needed > voters / 2
                && others.members.len() >= others.needed
                && !others.members.contains_key(step.host())
        })
    }

    /// The clusters of which a step can take a running member down.
    pub(super) fn reaches(&self, step: &Step) -> BTreeSet<&'a ClusterName> {
        let here = self.host(step.host()).map(|host| &host.clusters).into_iter().flatten();
        let in_pod = |(_, member): &(&ClusterName, &MemberFacts)| !member.pod.is_absent();
        match step.kind.effect() {
            Effect::Nothing
            | Effect::NextStart
            | Effect::Unready
            | Effect::Leadership
            | Effect::Connections => BTreeSet::new(),
            Effect::Files if !self.runs_as_another(step) => BTreeSet::new(),
            Effect::Files | Effect::Down if self.is_stopped_before(step) => BTreeSet::new(),
            Effect::Down
                if !self.takes_down(step) || self.is_leftover(step) || self.has_no_vote(step) =>
            {
                BTreeSet::new()
            }
            Effect::Files | Effect::Down => {
                step.cluster().iter().map(|name| self.name_of(name)).collect()
            }
            Effect::EveryPod => here.filter(in_pod).map(|(name, _)| name).collect(),
        }
    }

    /// Whether the member of a step has a process of an account that is not etcd's now.
    pub(super) fn runs_as_another(&self, step: &Step) -> bool {
        let cluster = step.cluster().map(|name| self.cluster_named(name));
        let wanted = cluster.and_then(|cluster| cluster.members.get(step.host()));
        let account = self
            .host(step.host())
            .zip(wanted)
            .and_then(|(host, wanted)| host.account(&wanted.member.account).known());
        let is = self.seen(step).and_then(|member| member.runs_as.known());
        self.runs(step) && is != account.map(|account| &account.ids.user)
    }

    /// Whether a step only clears what is left of a runtime that no longer runs the member.
    fn is_leftover(&self, step: &Step) -> bool {
        let StepKind::StopOldRuntime { from, .. } = &step.kind else { return false };
        self.seen(step).is_some_and(|member| member.runs_by() != Some(*from))
    }

    /// Whether the member of a step is promoted only later: nobody counts on it.
    pub(super) fn has_no_vote(&self, step: &Step) -> bool {
        let promotes = |kind: &StepKind| matches!(kind, StepKind::PromoteMember { .. });
        self.makers(step, &promotes).iter().any(|promote| self.is_before(step, promote))
    }

    fn name_of(&self, name: &ClusterName) -> &'a ClusterName {
        &self.cluster_named(name).name
    }

    fn cluster_named(&self, name: &ClusterName) -> &'a ClusterSpec {
        &self.spec.clusters[name]
    }

    /// Whether a restart only ends the bootstrap of a cluster that a restart must cost its quorum, and on
    /// which nobody relies yet.
    pub(super) fn ends_a_bootstrap(&self, restart: &Step) -> bool {
        let cluster = self.cluster(restart);
        cluster.members.len() <= 2 && !self.is_formed(cluster) && restart.guard == Guard::HasLog
    }

    /// Whether the member of a step runs.
    pub(super) fn runs(&self, step: &Step) -> bool {
        self.seen(step).is_some_and(MemberFacts::is_up)
    }

    /// Whether an earlier step stops the member of a step for a restore.
    pub(super) fn is_stopped_before(&self, step: &Step) -> bool {
        let stops = self.makers(step, &super::restoring::stops);
        stops.iter().any(|stop| self.is_before(stop, step))
    }

    /// Whether a step takes a running member down: it runs now, or is started before.
    pub(super) fn takes_down(&self, step: &Step) -> bool {
        let started = self.makers(step, &StepKind::is_start);
        self.runs(step) || started.iter().any(|start| self.is_before(start, step))
    }

    pub(super) fn here(&self, start: &Step) -> Here {
        let cluster = self.cluster(start);
        let layout = Layout::new(&cluster.name);
        let member = self.seen(start);
        let file = |path: &String| {
            member.and_then(|m| m.files.get(path)).is_some_and(|seen| seen.known().is_some())
        };
        let releases = self.host(start.host()).map(|host| &host.releases);
        let release = releases.and_then(|releases| releases.get(&cluster.version)?.known());
        Here {
            version: cluster.version,
            directories: [layout.config_dir(), layout.data_dir(), layout.state_dir()]
                .iter()
                .all(file),
            certificates: PkiFile::ALL.iter().all(|pki_file| file(&layout.pki_file(*pki_file))),
            release: release.is_some(),
            unit: file(&layout.unit_file()),
        }
    }
}

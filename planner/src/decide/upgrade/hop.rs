//! What is done around the restarts that bring a cluster to a neighbouring minor: releases everywhere, logs that the
//! next minor can read, a snapshot, and in the end a proof.

use std::collections::BTreeSet;

use inventories::{EtcdVersion, HostName, Minor};

use crate::decide::assess::View;
use crate::decide::member_context::MemberContext;
use crate::decide::roll::Candidate;
use crate::decide::{identity, leave, moving};
use crate::facts::Observed;
use crate::plan::{Action, Step, StepId, StepKind, Verb, Why};
use crate::policy::Policy;
use crate::report::PlanReport;
use crate::stops::Permitted;

use super::{Path, proof};

/// A step to a neighbouring minor.
pub(crate) struct Hop<'p, 'a> {
    members: &'p [MemberContext<'a>],
    /// The members that get the wanted release in this plan.
    restarted: BTreeSet<&'a HostName>,
    /// Those of them that are to leave the lower minor, and what they run.
    leaving: Vec<(&'p MemberContext<'a>, EtcdVersion)>,
    /// The member whose host saves the snapshot, and proves the end.
    asker: &'p MemberContext<'a>,
    from: Minor,
    /// Whether etcd must be told to make its data ready for the wanted minor.
    is_down: bool,
    backup: Backup,
}

/// Whether a snapshot is saved before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backup {
    First,
    /// The operator allows it.
    None,
}

impl<'p, 'a> Hop<'p, 'a> {
    /// The step that these restarts are for; `None` where they stay within a minor.
    pub(crate) fn for_candidates(
        view: &View<'_>,
        members: &'p [MemberContext<'a>],
        candidates: &[Candidate<'_, 'a>],
        (policy, scope): (&Policy, &Permitted<'_>),
    ) -> Option<Self> {
        let cluster = members.first()?.cluster;
        let path = identity::path(cluster, view);
        let (Path::Up { from } | Path::Down { from } | Path::Back { from }) = path else {
            return None;
        };
        let is_up = matches!(path, Path::Up { .. });
        let is_down = matches!(path, Path::Down { .. });
        let restarted: BTreeSet<&HostName> = candidates.iter().map(Candidate::host).collect();
        let release = |member: &'p MemberContext<'a>| {
            let version = member.facts.etcd.known()?.version.parse::<EtcdVersion>().ok()?;
            (is_up && version.minor() == from).then_some((member, version))
        };
        let turns = members.iter().filter(|member| restarted.contains(member.name));
        let leaving = turns.filter_map(release).collect();
        let asker =
            proof::noted(view, members, scope).or_else(|| leave::asker(view, members, scope))?;
        let backup = match policy.allow_no_backup.contains(&cluster.name) {
            true => Backup::None,
            false => Backup::First,
        };
        Some(Self { members, restarted, leaving, asker, from, is_down, backup })
    }

    /// What must have ended before the first restart.
    pub(crate) fn before(&self) -> Vec<StepId> {
        let logs = self.leaving.iter().map(|(member, _)| member.id(Verb::PrepareLog));
        let save = self.asker.id(Verb::SaveSnapshot);
        let enable = self.asker.id(Verb::EnableDowngrade);
        let note = self.asker.id(Verb::NoteProof);
        self.releases().chain(logs).chain([save, note, enable]).collect()
    }

    fn releases(&self) -> impl Iterator<Item = StepId> + '_ {
        self.members.iter().map(MemberContext::release_id)
    }

    /// The steps around the restarts.
    pub(crate) fn steps(&self, report: &mut PlanReport) -> Vec<Step> {
        let mut steps = self.logs();
        let to = self.asker.cluster.version.minor();
        let note = match self.leaving[..] {
            [] => format!("before members go back to etcd {to}"),
            _ => format!("the way back once all members run etcd {to}"),
        };
        if self.backup == Backup::First {
            let save = leave::snapshot(self.asker, Some(self.asker.cluster.version), &note)
                .after(self.releases());
            steps.push(save.after(steps.last().map(|log| log.id.clone())));
        }
        steps.extend(self.note());
        steps.extend(self.enable());
        steps.extend(self.proof());
        self.tell(report);
        steps
    }

    /// Every log in turn: what is written for the first one serves the others too.
    fn logs(&self) -> Vec<Step> {
        let to = self.asker.cluster.version.minor();
        if to <= Minor::V3_5 {
            return Vec::new();
        }
        let mut steps: Vec<Step> = Vec::new();
        for (member, from) in &self.leaving {
            let kind = StepKind::PrepareLog {
                endpoint: moving::loopback(member.wanted),
                from: *from,
                entries: snapshot_count(member, *from),
            };
            let note = format!("etcd {to} panics at log records from before etcd {}", self.from);
            let step = member.step(Verb::PrepareLog, Action::Check, kind, Why::Safety { note });
            let before = steps.last().map(|step| step.id.clone());
            steps.push(step.after(self.releases()).after(before));
        }
        steps
    }

    /// Where a former run has noted it, that is what this one proves.
    fn note(&self) -> Option<Step> {
        let to = self.asker.cluster.version;
        let note = "a later run proves the change if this run stops first".to_owned();
        let (kind, why) = (StepKind::NoteProof { to }, Why::Safety { note });
        let step = self.asker.step(Verb::NoteProof, Action::Update, kind, why);
        let noted = Observed::Known(to.minor());
        let is_noted = self.members.iter().any(|member| member.facts.proof_due == noted);
        (!is_noted).then(|| step.after(self.releases()))
    }

    /// Has etcd make the data of all members ready for the wanted minor.
    fn enable(&self) -> Option<Step> {
        let cluster = self.asker.cluster;
        let from = self.asker.facts.etcd.known()?.version.parse().ok()?;
        let kind = StepKind::EnableDowngrade {
            endpoints: cluster.endpoints_from(self.asker.name),
            from,
            to: cluster.version,
        };
        let note = "an older etcd does not start on the data of a newer one".to_owned();
        let step =
            self.asker.step(Verb::EnableDowngrade, Action::Update, kind, Why::Safety { note });
        let save = self.asker.id(Verb::SaveSnapshot);
        self.is_down.then(|| step.after(self.releases()).after([save]))
    }

    fn proof(&self) -> Option<Step> {
        let note = "the change is complete once the cluster agrees on the new version".to_owned();
        proof::step(self.asker, self.members, &self.restarted, (Action::Check, note))
    }

    fn tell(&self, report: &mut PlanReport) {
        let cluster = self.asker.cluster;
        let (name, to) = (&cluster.name, cluster.version.minor());
        if self.backup == Backup::None {
            report.one_way.push(format!(
                "NO SNAPSHOT of cluster {name} is saved before its members change to etcd {to} (--allow-no-backup): data \
                 that the change damages is lost, unless there is another backup"
            ));
        }
        if self.leaving.is_empty() {
            return;
        }
        let archive = self.asker.wanted.member.layout().archive_dir();
        let snapshot = match self.backup {
            Backup::First => format!("the snapshot on {} in {archive}", self.asker.name),
            Backup::None => "a backup".to_owned(),
        };
        report.one_way.push(format!(
            "once all members of cluster {name} run etcd {to}, going back to {} takes a downgrade, where etcd has one, or \
             a restore of {snapshot}",
            self.from
        ));
        report.clients.push(format!(
            "cluster {name}: serves as etcd {} until its last member runs {to}",
            self.from
        ));
    }
}

/// After how many entries this member's etcd takes a snapshot of its log.
fn snapshot_count(member: &MemberContext<'_>, version: EtcdVersion) -> u64 {
    const BY_DEFAULT: u64 = 100_000;
    const SINCE_3_6: u64 = 10_000;
    let set = |argument: &String| argument.strip_prefix("--snapshot-count=")?.parse().ok();
    let running = member.facts.running.known();
    let set = running.and_then(|running| running.iter().find_map(set));
    set.unwrap_or(if version.minor() >= Minor::V3_6 { SINCE_3_6 } else { BY_DEFAULT })
}

//! A cluster that ran out of space: which databases must shrink, what is compacted before, and when its alarm may go.

mod told;

use std::collections::BTreeSet;

use crate::decide::assess::View;
use crate::decide::member_context::MemberContext;
use crate::decide::{moving, quota, upgrade};
use crate::plan::{Action, CompactTo, DatabaseSize, DefragRule, Quota, Step, StepKind, Verb, Why};
use crate::policy::Policy;
use crate::report::{Finding, PlanReport};
use crate::stops::Permitted;

/// Rewrites every database: after a compaction it is not known yet how much of it is free pages.
pub(super) const ANY: DefragRule = DefragRule { min_free_percent: 0, min_free_bytes: 0 };

/// A cluster with the alarm NOSPACE.
pub(super) struct NoSpace<'p, 'a> {
    /// The ids of the members that raised it.
    alarms: BTreeSet<String>,
    members: &'p [MemberContext<'a>],
    to: CompactTo,
}

impl<'p, 'a> NoSpace<'p, 'a> {
    /// The cluster, if it raised the alarm; says what each database uses of its quota.
    pub(super) fn for_cluster(
        view: &View<'_>,
        members: &'p [MemberContext<'a>],
        policy: &Policy,
        report: &mut PlanReport,
    ) -> Option<Self> {
        let by = |alarm: &String| alarm.strip_prefix("NOSPACE of member ").map(str::to_owned);
        let alarms: BTreeSet<String> = view.now.alarms.iter().filter_map(by).collect();
        let cluster = members.first()?.cluster;
        let newest = policy.compact_now.contains(&cluster.name);
        let to = if newest { CompactTo::Newest } else { CompactTo::ApiServers };
        if alarms.is_empty() {
            report.warnings.extend(newest.then(|| told::needs_no_compaction(cluster)));
            return None;
        }
        for member in members {
            if let Some(database) = member.facts.etcd.known().map(DatabaseSize::from) {
                report.warnings.push(told::used(member, database, quota::in_force(member)));
            }
        }
        Some(Self { alarms, members, to })
    }

    /// The rule by which a database of this size is rewritten, where it is too near its quota.
    pub(super) fn rule(member: &MemberContext<'_>, database: DatabaseSize) -> Option<DefragRule> {
        Quota::is_short(quota::in_force(member), database.size).then_some(ANY)
    }

    /// Why neither a compaction nor a defragmentation helps now.
    pub(super) fn held(&self, view: &View<'_>, scope: &Permitted<'_>) -> Option<Finding> {
        let cluster = self.members.first()?.cluster;
        if self.members.iter().any(|member| member.facts.forbids_us()) {
            return Some(told::forbidden(cluster));
        }
        if let Some(first) = upgrade::way_out_of_no_space(cluster, view) {
            return Some(told::between_minors(cluster, first));
        }
        let is_whole = self.members.len() == cluster.members.len();
        if !is_whole || !cluster.members.keys().all(|host| scope.may_change(host)) {
            return Some(told::needs_all(cluster));
        }
        // What the newest revision alone needs is known once the others are gone.
        if self.to == CompactTo::Newest {
            return None;
        }
        let size = |member: &MemberContext<'_>| member.facts.etcd.known().map(DatabaseSize::from);
        let short = self.members.iter().filter_map(|member| {
            let (in_use, quota) = (size(member)?.in_use, quota::in_force(member));
            Quota::is_short(quota, in_use).then_some((member, in_use, quota))
        });
        let (member, in_use, quota) = short.max_by_key(|(_, in_use, _)| *in_use)?;
        Some(told::quota_first(member, in_use, quota))
    }

    /// Old revisions go, so that there is something to give back.
    pub(super) fn compact(&self, report: &mut PlanReport) -> Option<Step> {
        let asker = self.asker()?;
        let cluster = asker.cluster;
        let answers = |member: &&MemberContext<'_>| member.facts.etcd.known().is_some();
        let urls = moving::client_urls(cluster, &BTreeSet::new());
        let members = (self.members.iter().filter(answers))
            .filter_map(|member| urls.get_key_value(member.name))
            .map(|(host, url)| (host.clone(), url.clone()))
            .collect();
        if self.to == CompactTo::Newest {
            report.one_way.push(told::loses_history(cluster));
        }
        let kind = StepKind::Compact { members, to: self.to, version: cluster.version };
        let note = "a defragmentation frees only what a compaction has removed";
        let why = Why::Safety { note: note.to_owned() };
        Some(asker.step(Verb::Compact, Action::Run, kind, why))
    }

    /// The alarm goes last, where every database has room.
    pub(super) fn disarm(&self, report: &mut PlanReport) -> Option<Step> {
        let asker = self.asker()?;
        let cluster = asker.cluster;
        report.clients.push(told::takes_writes_again(cluster));
        let urls = moving::client_urls(cluster, &BTreeSet::new());
        let quotas = self.members.iter().filter_map(|member| {
            let (host, endpoint) = urls.get_key_value(member.name)?;
            let quota = Quota { endpoint: endpoint.clone(), bytes: quota::in_force(member) };
            Some((host.clone(), quota))
        });
        let kind = StepKind::Disarm {
            alarms: self.alarms.clone(),
            quotas: quotas.collect(),
            version: cluster.version,
        };
        let why = Why::Drift { changes: vec!["the cluster refuses writes until then".to_owned()] };
        Some(asker.step(Verb::Disarm, Action::Run, kind, why))
    }

    /// The first by name that answers.
    fn asker(&self) -> Option<&'p MemberContext<'a>> {
        let answers = |member: &&MemberContext<'_>| member.facts.etcd.known().is_some();
        self.members.iter().find(answers)
    }
}

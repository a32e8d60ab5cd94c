//! Members that lost their memory: an empty disk under an old member id. Such a member would vote against what it
//! had acknowledged, so it is reported, and never started again.

use std::collections::BTreeSet;

use inventories::{ClusterName, HostName};

use crate::decide::assess::{self, View};
use crate::decide::formed::Reform;
use crate::decide::machines;
use crate::decide::membership::Joining;
use crate::facts::{MemberFacts, Observed, SiteFacts};
use crate::report::{Finding, FindingCode, Formation, PlanReport};
use crate::spec::{ClusterSpec, SiteSpec};
use crate::stops::Stops;

impl SiteFacts {
    /// The hosts whose members seem to have lost their logs. Hosts are not looked at in the same instant: such a
    /// member may have started its log after the look at its own host, and before the look at another one that lists
    /// it. A second look tells.
    pub fn hosts_of_lost_members(&self, spec: &SiteSpec) -> BTreeSet<HostName> {
        let mut hosts = BTreeSet::new();
        for cluster in spec.clusters.values() {
            let view = assess::assess(cluster, self, Reform::Refused, &BTreeSet::new());
            if view.now.formation == Formation::Formed {
                hosts.extend(lost(&view).map(|(host, _)| host.clone()));
            }
        }
        hosts
    }
}

/// Reports each lost member of a formed cluster.
pub(crate) fn check(cluster: &ClusterSpec, view: &View<'_>, report: &mut PlanReport) {
    // A learner that lost its log is one as well: etcd sends it only what it should not have yet.
    let is_lost = |host: &HostName| matches!(view.joining.get(host), None | Some(Joining::Learner));
    for (host, why) in lost(view).filter(|(host, _)| is_lost(host)) {
        let (code, message, hint) = if view.strangers.contains(host) {
            let message = "the machine that its login leads to has none of the member's addresses and nothing \
                           of the member";
            (FindingCode::OtherMachine, message.to_owned(), machines::hint(host))
        } else {
            (FindingCode::LostMember, message(view, host, why), hint(&cluster.name, view, host))
        };
        let finding = Finding {
            code,
            host: Some(host.clone()),
            cluster: Some(cluster.name.clone()),
            message,
            hint: Some(hint),
        };
        let stops = [
            Stops::Member(host.clone(), cluster.name.clone()),
            Stops::Changes(cluster.name.clone()),
        ];
        report.block(finding, stops);
    }
}

/// Why a lost member must not start.
fn message(view: &View<'_>, host: &HostName, why: &str) -> String {
    let token_is_gone = view.members.get(host).is_some_and(|member| member.token.is_absent());
    if view.listed().is_none() && token_is_gone {
        return format!(
            "{why}, and no member answers, so quorate can't tell whether it ever had one; a member without \
             its log can't rejoin as the same member"
        );
    }
    format!("{why}, so it can't rejoin as the same member: it must be removed and added again")
}

/// What to do about a lost member.
fn hint(cluster: &ClusterName, view: &View<'_>, host: &HostName) -> String {
    if view.now.quorum.voters == 1 {
        return format!(
            "if its disk is only not mounted, mount it\n\
             if its data is gone, see what is left: quorate recover --cluster {cluster}"
        );
    }
    if view.listed().is_none() || !view.now.quorum.holds() {
        return format!(
            "bring the other members back first: to replace this one, they need a quorum\n\
             if they are lost too: quorate recover --cluster {cluster}"
        );
    }
    let margin = match view.now.quorum.margin() {
        0 => "replace it at once: the next failure stops the cluster".to_owned(),
        margin => format!(
            "replace it soon: the cluster survives {margin} more failure{}",
            if margin == 1 { "" } else { "s" }
        ),
    };
    format!(
        "if its disk is only not mounted, mount it\n\
         if its data is gone, let a new member take its place: quorate apply --replace {host}\n\
         {margin}\n\
         if something recreates machines, as auto-scaling groups do, keep members out of it"
    )
}

/// The lost members, each with what it lost.
fn lost<'v>(view: &'v View<'_>) -> impl Iterator<Item = (&'v HostName, &'static str)> {
    view.members.iter().filter_map(|(host, member)| {
        let why = match &member.data {
            Observed::Absent => "its data directory is gone",
            Observed::Known(data) if !data.wal => "its write-ahead log is gone",
            Observed::Known(_) | Observed::Unknown(_) => return None,
        };
        let is_lost = view.was_member(host, member) && !begins_its_log(member);
        is_lost.then_some((*host, why))
    })
}

/// Whether the member was starting its log when its host was looked at. One that may only resume a log starts none:
/// a kubelet starts it again and again, and each time it ends.
fn begins_its_log(member: &MemberFacts) -> bool {
    let formed = "--initial-cluster-state=existing";
    let may_begin = |arguments: &Vec<String>| arguments.iter().all(|argument| argument != formed);
    member.etcd.known().is_some() || member.running.known().is_some_and(may_begin)
}

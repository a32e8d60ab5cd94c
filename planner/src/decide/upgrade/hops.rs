//! What a plan says of the way to another minor: each hop, what it changes, and until when it can be undone. One plan is
//! one hop; an apply makes the next plan once the former is proven, and does it only if it is what was said.

use std::collections::BTreeSet;

use inventories::inventory::FlagValue;
use inventories::{EtcdVersion, Minor};
use templates::Member;
use templates::flags::{same_setting, translated};

use crate::plan::{Plan, Step, StepKind, Verb};
use crate::report::Hop;
use crate::selection::Selection;
use crate::spec::{ClusterSpec, SiteSpec};

/// The hops of the clusters whose first hop is in these steps. A plan of some hosts goes no further than that.
pub(crate) fn hops(spec: &SiteSpec, selection: &Selection, steps: &[Step]) -> Vec<Hop> {
    let goes = |cluster: &&ClusterSpec| {
        let own = |step: &Step| step.cluster() == Some(&cluster.name);
        let is_change = |step: &Step| {
            step.kind.disrupts() || matches!(step.kind, StepKind::ProveVersion { .. })
        };
        steps.iter().any(|step| own(step) && is_change(step))
    };
    selection
        .planned_clusters(spec)
        .filter(goes)
        .flat_map(|cluster| of_cluster(cluster, selection))
        .collect()
}

fn of_cluster(cluster: &ClusterSpec, selection: &Selection) -> Vec<Hop> {
    let takes_all = cluster.members.keys().all(|host| selection.takes_host(host));
    let count = if takes_all { cluster.way.len().saturating_sub(1) } else { 1 };
    let Some(member) = cluster.members.values().next() else { return Vec::new() };
    let pairs = cluster.way.iter().zip(cluster.way.iter().skip(1)).take(count).enumerate();
    let hop = |(index, (from, to)): (usize, (&EtcdVersion, &EtcdVersion))| Hop {
        cluster: cluster.name.clone(),
        number: index + 1,
        of: count,
        from: *from,
        to: *to,
        changes: changes(&member.member, *from, *to),
        clients: clients(from.minor(), to.minor()),
        undo: undo(from.minor(), to.minor()),
    };
    pairs.map(hop).collect()
}

/// Flags that are renamed, removed or new, and defaults of etcd that move.
fn changes(member: &Member, from: EtcdVersion, to: EtcdVersion) -> Vec<String> {
    let arguments = |version| -> BTreeSet<String> {
        Member { version, ..member.clone() }.arguments().into_iter().collect()
    };
    let (before, after) = (arguments(from), arguments(to));
    let mut gone: BTreeSet<&String> = before.difference(&after).collect();
    let (mut told, mut replaced) = (Vec::new(), BTreeSet::new());
    for new in after.difference(&before) {
        let olds: Vec<&str> =
            gone.iter().filter(|old| is_same(old, new)).map(|old| old.as_str()).collect();
        told.push(match olds[..] {
            [] => format!("{new} is set"),
            _ => format!("{} -> {new}", olds.join(" ")),
        });
        replaced.extend(olds);
    }
    gone.retain(|old| !replaced.contains(old.as_str()));
    let moved = defaults(from.minor(), to.minor());
    for old in gone {
        let is_default = |(flag, _, now): &(&str, &str, &str)| *old == format!("--{flag}={now}");
        told.push(match moved.iter().any(is_default) {
            true => format!("{old} is no longer set: it is the default of etcd {}", to.minor()),
            false => format!("{old} is no longer set"),
        });
    }
    let lacks = translated(to, &member.flags).lacks;
    told.extend(lacks.iter().map(|flag| format!("{flag} is left out: etcd {to} does not have it")));
    let sets = |flag: &str| {
        let flag = format!("--{flag}=");
        before.iter().chain(&after).any(|argument| argument.starts_with(&flag))
    };
    let moved = moved.iter().filter(|(flag, ..)| !sets(flag));
    told.extend(moved.map(|(flag, was, is)| format!("etcd's default of --{flag}: {was} -> {is}")));
    told
}

fn is_same(old: &str, new: &str) -> bool {
    let parts = |argument: &str| {
        let (name, value) = argument.trim_start_matches('-').split_once('=')?;
        Some((name.to_owned(), FlagValue::Text(value.to_owned())))
    };
    let (Some(old), Some(new)) = (parts(old), parts(new)) else { return false };
    same_setting((&old.0, &old.1), (&new.0, &new.1))
}

/// Defaults of etcd that differ between neighbouring minors, as each release prints them: flag, before, after. Those
/// that matter only while a cluster forms are left out.
fn defaults(from: Minor, to: Minor) -> Vec<(&'static str, &'static str, &'static str)> {
    let rows: &[(&str, &str, &str)] = match from.max(to) {
        Minor::V3_5 => &[("logger", "capnslog", "zap"), ("pre-vote", "false", "true")],
        Minor::V3_6 => {
            &[("snapshot-count", "100000", "10000"), ("v2-deprecation", "not-yet", "write-only")]
        }
        Minor::V3_4 | Minor::V3_7 => &[],
    };
    let turned = |(flag, was, is): &(&'static str, &'static str, &'static str)| match from < to {
        true => (*flag, *was, *is),
        false => (*flag, *is, *was),
    };
    if from == to { Vec::new() } else { rows.iter().map(turned).collect() }
}

fn clients(from: Minor, to: Minor) -> String {
    if from == to {
        return "those of a restarting member reconnect to another one".to_owned();
    }
    format!(
        "those of a restarting member reconnect to another one; the cluster serves as etcd {} until its last member runs \
         {to}",
        from.min(to)
    )
}

fn undo(from: Minor, to: Minor) -> String {
    if from == to {
        return "at any time, by the old `version`".to_owned();
    }
    if to < from {
        return format!("at any time, by a `version` of etcd {from}");
    }
    let later = match to >= Minor::V3_6 {
        true => "by etcd's downgrade",
        false => "only by a restore of a backup, without what was written since",
    };
    format!("until the last member runs {to}, by a `version` of etcd {from}; then {later}")
}

/// What of the next plan was not announced by the one before it, one line each.
pub fn not_announced(before: &Plan, next: &Plan) -> Vec<String> {
    let mut others = Vec::new();
    let left = |hops: &[Hop], done: usize| -> Vec<(String, EtcdVersion)> {
        let left = hops.iter().filter(|hop| hop.number > done);
        left.map(|hop| (hop.cluster.to_string(), hop.to)).collect()
    };
    let said = left(&before.report.hops, 1);
    let now = left(&next.report.hops, 0);
    if said != now {
        let told = |hops: &[(String, EtcdVersion)]| match hops {
            [] => "none".to_owned(),
            _ => hops
                .iter()
                .map(|(name, to)| format!("{name} to {to}"))
                .collect::<Vec<_>>()
                .join(", "),
        };
        others.push(format!("the hops that are left: {} -> {}", told(&said), told(&now)));
    }
    let goes = |step: &Step| match step.cluster() {
        Some(cluster) => next.report.hops.iter().any(|hop| hop.cluster == *cluster),
        None => true,
    };
    let of_hop = |step: &&Step| goes(step) && is_of_a_hop(&step.id.verb);
    let steps = next.steps.iter().filter(|step| !of_hop(step));
    others.extend(steps.map(|step| format!("step {}", step.id)));
    let refused: BTreeSet<_> = before.report.refused().collect();
    let refusals = next.report.refused().filter(|finding| !refused.contains(finding));
    others.extend(refusals.map(|finding| format!("{} [{}]", finding.message, finding.code)));
    others
}

/// Whether a step of this verb is what every hop does.
fn is_of_a_hop(verb: &Verb) -> bool {
    use Verb::{
        EnableDowngrade, InstallEtcd, MoveLeader, Note, NoteProof, PrepareLog, ProveVersion,
        Rejoin, Restart, SaveSnapshot, Unit,
    };
    matches!(
        verb,
        InstallEtcd(_)
            | PrepareLog
            | SaveSnapshot
            | EnableDowngrade
            | MoveLeader
            | Note
            | NoteProof
            | Unit
            | Restart
            | Rejoin
            | ProveVersion
    )
}

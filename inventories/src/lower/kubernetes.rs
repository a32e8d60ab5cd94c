//! Kubernetes clusters: their API servers, the etcd clusters that they use, and what no two may share.

use std::collections::BTreeMap;

use super::cluster::Lowered;
use super::{flags, host, name};
use crate::escape::escape;
use crate::flag::ApiserverFlagCheck;
use crate::inventory::Place;
use crate::kubernetes::{KeyPrefix, Kubernetes, KubernetesMode};
use crate::names::{ClusterName, HostName, KubernetesName};
use crate::report::{At, Finding, Report};
use crate::schema::{self, Loc};
use crate::suggest::closest;

mod apiservers;
mod mode;
mod overrides;
mod sharing;

/// A Kubernetes cluster whose parts have been checked. What is `None` has been reported.
struct Checked {
    written: String,
    at: At,
    apiservers: Vec<(HostName, At)>,
    cluster: Option<(ClusterName, At)>,
    overrides: overrides::Read,
    prefix: Option<KeyPrefix>,
    prefix_at: Option<At>,
    mode: Option<KubernetesMode>,
}

/// Checks every Kubernetes cluster. Those with a mistake are left out.
pub(super) fn kubernetes(
    written: &BTreeMap<Loc<String>, schema::Kubernetes>,
    hosts: &host::Known<'_>,
    clusters: &[Lowered],
    check_flag: ApiserverFlagCheck,
    report: &mut Report<'_>,
) -> BTreeMap<KubernetesName, Kubernetes> {
    let mut in_order: Vec<_> = written.iter().collect();
    in_order.sort_by_key(|(name, _)| name.span().start);
    let all =
        in_order.into_iter().map(|(name, raw)| (check(name, raw, hosts, clusters, report), raw));
    let all: Vec<_> = all.collect();
    sharing::check(all.iter().map(|(checked, _)| checked), report);
    let whole =
        all.into_iter().filter_map(|(checked, raw)| finished(checked, raw, check_flag, report));
    whole.collect()
}

fn check(
    written: &Loc<String>,
    raw: &schema::Kubernetes,
    hosts: &host::Known<'_>,
    clusters: &[Lowered],
    report: &mut Report<'_>,
) -> Checked {
    let at = At::new(0, written.span());
    if KubernetesName::new(written).is_err() {
        report.add(name::refused("the name of the Kubernetes cluster", written, &at));
    }
    let mode = mode::read(raw, report);
    let own = raw.cluster.as_ref().and_then(|text| cluster(text, "cluster", clusters, report));
    Checked {
        written: written.value().clone(),
        apiservers: apiservers::read(written, raw, hosts, report),
        overrides: overrides::read(raw.overrides.as_ref(), own, clusters, report),
        cluster: own.and_then(named),
        prefix: prefix(raw.prefix.as_ref(), report),
        prefix_at: raw.prefix.as_ref().map(|prefix| At::new(0, prefix.span())),
        mode,
        at,
    }
}

fn named((cluster, at): (&Lowered, &Loc<String>)) -> Option<(ClusterName, At)> {
    Some((cluster.name.clone()?, At::new(0, at.span())))
}

/// The cluster of this name, and where it is named.
fn cluster<'a>(
    text: &'a Loc<String>,
    key: &str,
    clusters: &'a [Lowered],
    report: &mut Report<'_>,
) -> Option<(&'a Lowered, &'a Loc<String>)> {
    if let Some(found) = clusters.iter().find(|cluster| cluster.written == *text.value()) {
        return Some((found, text));
    }
    let shown = escape(&text.chars().take(80).collect::<String>());
    let meant = closest(text, clusters.iter().map(|cluster| cluster.written.as_str()));
    let message = format!("there is no cluster \"{shown}\"");
    report.add(
        Finding::error("unknown-cluster", &At::new(0, text.span()), message)
            .hint(format!("`{key}` names an etcd cluster of this file, one of [clusters]"))
            .maybe_hint(meant.map(|name| format!("did you mean \"{}\"?", escape(name))))
            .about_absence(),
    );
    None
}

fn prefix(written: Option<&Loc<String>>, report: &mut Report<'_>) -> Option<KeyPrefix> {
    let Some(text) = written else { return Some(KeyPrefix::default()) };
    if let Ok(prefix) = KeyPrefix::new(text) {
        return Some(prefix);
    }
    let shown = escape(&text.chars().take(80).collect::<String>());
    let better = format!("/{}", text.trim_matches('/'));
    let hint = match KeyPrefix::new(&better) {
        Ok(better) => format!("write: prefix = \"{better}\""),
        Err(_) => "write parts of a-z, A-Z, 0-9, '-', '_' and '.', with a / before each, such as \"/registry\"".to_owned(),
    };
    let message = format!("\"{shown}\" is not a prefix of keys");
    report.add(Finding::error("prefix", &At::new(0, text.span()), message).hint(hint));
    None
}

fn finished(
    checked: Checked,
    raw: &schema::Kubernetes,
    check_flag: ApiserverFlagCheck,
    report: &mut Report<'_>,
) -> Option<(KubernetesName, Kubernetes)> {
    let version = match &checked.mode {
        Some(KubernetesMode::RenderOnly { version }) => *version,
        _ => None,
    };
    let set = flags::written(0, raw.flags.as_ref());
    let flags = flags::check_apiserver(&set, version, check_flag, report);
    let name = KubernetesName::new(&checked.written).ok()?;
    let kubernetes = Kubernetes {
        apiservers: checked.apiservers.into_iter().map(|(host, _)| host).collect(),
        cluster: checked.cluster?.0,
        overrides: checked
            .overrides
            .into_iter()
            .map(|(what, (cluster, _))| (what, cluster))
            .collect(),
        prefix: checked.prefix?,
        mode: checked.mode?,
        flags,
        place: report.place(&checked.at),
        places: places(raw, report),
    };
    Some((name, kubernetes))
}

/// Where each setting is written.
fn places(raw: &schema::Kubernetes, report: &Report<'_>) -> BTreeMap<String, Place> {
    let all = [
        ("apiservers", raw.apiservers.as_ref().map(Loc::span)),
        ("cluster", raw.cluster.as_ref().map(Loc::span)),
        ("prefix", raw.prefix.as_ref().map(Loc::span)),
        ("mode", raw.mode.as_ref().map(Loc::span)),
        ("manifest", raw.manifest.as_ref().map(Loc::span)),
        ("version", raw.version.as_ref().map(Loc::span)),
    ];
    let overrides = raw.overrides.iter().flatten();
    let overrides = overrides.map(|(what, _)| (format!("overrides.{}", what.value()), what.span()));
    all.into_iter()
        .filter_map(|(key, span)| Some((key.to_owned(), span?)))
        .chain(overrides)
        .map(|(key, span)| (key, report.place(&At::new(0, span))))
        .collect()
}

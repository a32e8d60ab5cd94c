//! Clusters: their members, version, runtime and flags, and what they share.

use std::collections::BTreeMap;

use super::{Layer, flags, host, name, ports, ssh, version};
use crate::account::AccountName;
use crate::backups::Backups;
use crate::defaults;
use crate::escape::escape;
use crate::flag::FlagCheck;
use crate::inventory::{Cluster, Kubelet, Place, Runtime};
use crate::names::{ClusterName, HostName};
use crate::report::{At, Finding, Report};
use crate::schema::{self, Loc};
use crate::version::EtcdVersion;

mod account;
mod backups;
mod bootstrap;
mod client_ca;
mod kubelet;
mod members;
mod metrics;
mod runtime;
mod systemd;

/// What clusters have that do not say otherwise.
#[derive(Default)]
pub(super) struct Defaults {
    version: Option<(Option<EtcdVersion>, At)>,
    runtime: Option<(Option<Runtime>, At)>,
    flags: flags::Written,
}

impl Defaults {
    /// Merges the files' defaults; the layer that wins comes first.
    pub(super) fn merge<'a>(
        layers: impl Iterator<Item = Layer<'a, schema::ClusterDefaults>>,
        report: &mut Report<'_>,
    ) -> Self {
        let mut merged = Self::default();
        for layer in layers {
            let schema::ClusterDefaults { version, runtime, etcd } = layer.raw;
            let version = version.as_ref().map(|raw| {
                let at = layer.at(raw);
                (version::read(raw, &at, report), at)
            });
            let runtime = runtime.as_ref().map(|raw| {
                let at = layer.at(raw);
                (runtime::read(raw, &at, report), at)
            });
            merged.version = merged.version.or(version);
            merged.runtime = merged.runtime.or(runtime);
            for (name, flag) in flags::written(layer.file, etcd.as_ref()) {
                merged.flags.entry(name).or_insert(flag);
            }
        }
        merged
    }
}

/// A cluster whose parts have been checked, and what of it is compared with other clusters. What is `None` has been
/// reported.
pub(super) struct Lowered {
    /// The name as it is written.
    pub(super) written: String,
    pub(super) name: Option<ClusterName>,
    /// The version and where it is written.
    pub(super) version: Option<(EtcdVersion, At)>,
    /// The members that are hosts, each once.
    pub(super) members: Vec<HostName>,
    pub(super) ports: ports::Placed,
    pub(super) runtime: Option<Runtime>,
    account: Option<AccountName>,
    /// The kubelet of its hosts, and where that is written.
    kubelet: Option<(Kubelet, At)>,
    /// Where the cluster is declared.
    at: At,
    /// The cluster whose client CA it uses.
    pub(super) client_ca: Option<ClusterName>,
    /// All of it, where it has no mistake.
    whole: Option<Cluster>,
}

/// Checks every cluster; the result is in the file's order.
pub(super) fn clusters(
    written: &BTreeMap<Loc<String>, schema::Cluster>,
    defaults: &Defaults,
    hosts: &host::Known<'_>,
    (pki, logins): (Option<&Loc<schema::Pki>>, &ssh::Settings),
    check_flag: FlagCheck,
    report: &mut Report<'_>,
) -> Vec<Lowered> {
    let mut in_order: Vec<_> = written.iter().collect();
    in_order.sort_by_key(|(name, _)| name.span().start);
    let clusters = in_order
        .into_iter()
        .map(|(name, raw)| {
            let client_ca = client_ca::read(name, raw, written, report);
            let backups = backups::read(raw.backups.as_ref(), pki, logins, report);
            cluster(name, raw, (defaults, hosts), (client_ca, backups), check_flag, report)
        })
        .collect::<Vec<_>>();
    ports::overlaps(&clusters, report);
    kubelet::one_a_host(&clusters, report);
    account::shared(&clusters, report);
    clusters
}

fn cluster(
    written: &Loc<String>,
    raw: &schema::Cluster,
    (defaults, hosts): (&Defaults, &host::Known<'_>),
    (client_ca, backups): (Option<ClusterName>, Option<Backups>),
    check_flag: FlagCheck,
    report: &mut Report<'_>,
) -> Lowered {
    let at = At::new(0, written.span());
    let name = ClusterName::new(written).ok();
    if name.is_none() {
        report.add(name::refused("the cluster's name", written, &at));
    }
    let version = cluster_version(written, raw, &at, defaults, report);
    let runtime = match &raw.runtime {
        Some(runtime) => runtime::read(runtime, &At::new(0, runtime.span()), report),
        None => defaults.runtime.as_ref().map_or(Some(defaults::RUNTIME), |(runtime, _)| *runtime),
    };
    runtime::check_version(runtime, version.as_ref(), report);
    let bootstrap = bootstrap::read(written, raw.bootstrap.as_ref(), report);
    if let (Some(bootstrap), Some(raw)) = (&bootstrap, &raw.bootstrap) {
        let at = At::new(0, raw.span());
        bootstrap::check_version(bootstrap, version.as_ref().map(|(known, _)| *known), &at, report);
        bootstrap::check_runtime(bootstrap, runtime, &at, report);
    }
    let members = members::read(written, raw.members.as_ref(), hosts, report);
    if let (Some(bootstrap), Some(raw)) = (&bootstrap, &raw.bootstrap) {
        bootstrap::check_nat(bootstrap, &members, hosts, &At::new(0, raw.span()), report);
    }
    let mut set = defaults.flags.clone();
    set.extend(flags::written(0, raw.etcd.as_ref()));
    let known = version.as_ref().map(|(version, _)| *version);
    let ports = ports::read(raw.ports.as_ref(), &at, report);
    let metrics = metrics::read(raw.metrics.as_ref(), report);
    let account = account::read(raw.account.as_ref(), report);
    let kubelet = kubelet::read(raw.kubelet.as_ref(), runtime, report);
    let systemd = systemd::read(raw.systemd.as_ref(), runtime, report);
    let flags = flags::check(&set, known, check_flag, report);
    let (place, places) = (report.place(&at), places(raw, defaults, report));
    let whole = || {
        Some(Cluster {
            version: known?,
            members: members.clone(),
            runtime: runtime?,
            account: account.clone()?,
            kubelet: kubelet.as_ref().map(|(kubelet, _)| kubelet.clone()),
            systemd,
            bootstrap: bootstrap?,
            ports: ports.ports,
            metrics: metrics?,
            client_ca: client_ca.clone()?,
            backups,
            flags,
            place,
            places,
        })
    };
    let whole = whole();
    let written = written.value().clone();
    Lowered {
        written,
        name,
        version,
        members,
        ports,
        runtime,
        account,
        kubelet,
        at,
        client_ca,
        whole,
    }
}

fn cluster_version(
    name: &str,
    raw: &schema::Cluster,
    at: &At,
    defaults: &Defaults,
    report: &mut Report<'_>,
) -> Option<(EtcdVersion, At)> {
    if let Some(written) = &raw.version {
        let at = At::new(0, written.span());
        return Some((version::read(written, &at, report)?, at));
    }
    if let Some((version, at)) = &defaults.version {
        return Some(((*version)?, at.clone()));
    }
    if report.has_hole(&["clusters", name, "version"])
        || report.has_hole(&["defaults", "cluster", "version"])
    {
        return None;
    }
    let newest = EtcdVersion::newest_known(crate::Minor::V3_6);
    let message = format!("the cluster \"{}\" has no `version`", escape(name));
    let hint = format!("write: version = \"{newest}\", here or under [defaults.cluster]");
    report.add(Finding::error("missing-key", at, message).hint(hint).about_absence());
    None
}

/// Where each setting of a cluster is written, its own or the default's.
fn places(
    raw: &schema::Cluster,
    defaults: &Defaults,
    report: &Report<'_>,
) -> BTreeMap<String, Place> {
    let own = |span: std::ops::Range<usize>| At::new(0, span);
    let version = raw.version.as_ref().map(|raw| own(raw.span()));
    let runtime = raw.runtime.as_ref().map(|raw| own(raw.span()));
    let ports = raw.ports.as_ref();
    let port = |port: Option<&Loc<i64>>| port.map(|raw| own(raw.span()));
    let all = [
        ("version", version.or_else(|| defaults.version.as_ref().map(|(_, at)| at.clone()))),
        ("runtime", runtime.or_else(|| defaults.runtime.as_ref().map(|(_, at)| at.clone()))),
        ("kubelet", raw.kubelet.as_ref().map(|raw| own(raw.span()))),
        ("account", raw.account.as_ref().map(|raw| own(raw.span()))),
        ("systemd", raw.systemd.as_ref().map(|raw| own(raw.span()))),
        ("metrics", raw.metrics.as_ref().map(|raw| own(raw.span()))),
        ("members", raw.members.as_ref().map(|raw| own(raw.span()))),
        ("bootstrap", raw.bootstrap.as_ref().map(|raw| own(raw.span()))),
        ("backups", raw.backups.as_ref().map(|raw| own(raw.span()))),
        ("client-ca", raw.client_ca.as_ref().map(|raw| own(raw.span()))),
        ("ports.client", port(ports.and_then(|ports| ports.client.as_ref()))),
        ("ports.peer", port(ports.and_then(|ports| ports.peer.as_ref()))),
        ("ports.metrics", port(ports.and_then(|ports| ports.metrics.as_ref()))),
    ];
    all.into_iter().filter_map(|(key, at)| Some((key.to_owned(), report.place(&at?)))).collect()
}

/// The clusters as the inventory holds them. Those with a mistake are left out.
pub(super) fn finished(clusters: Vec<Lowered>) -> BTreeMap<ClusterName, Cluster> {
    let whole = |lowered: Lowered| Some((lowered.name?, lowered.whole?));
    clusters.into_iter().filter_map(whole).collect()
}

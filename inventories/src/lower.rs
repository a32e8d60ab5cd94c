//! From what is written to what is meant: every value is checked here, and what comes out cannot
//! be wrong.

use std::collections::BTreeMap;

use crate::flag::FlagChecks;
use crate::inventory::Inventory;
use crate::report::{At, Finding, Report};
use crate::schema;

mod cluster;
mod firewall;
mod flags;
mod hooks;
mod host;
mod image;
mod kubernetes;
mod name;
mod pki;
mod ports;
mod release;
mod site;
mod ssh;
mod version;

pub(crate) use release::UNPINNED;

/// A file's part of the inventory, and which file it is.
pub(crate) struct Layer<'a, T> {
    pub(crate) file: usize,
    pub(crate) raw: &'a T,
}

impl<T> Layer<'_, T> {
    fn at<V>(&self, value: &schema::Loc<V>) -> At {
        At::new(self.file, value.span())
    }
}

/// The files of an inventory, as far as they could be read.
pub(crate) struct Files {
    /// The inventory itself, file 0.
    pub(crate) main: schema::InventoryFile,
    /// What it includes, files 1 and up.
    pub(crate) included: Vec<schema::IncludedFile>,
}

impl Files {
    /// A part that every file may have, the one that wins first: the inventory's own, then those of
    /// the included files from the last to the first.
    fn layers<'a, T>(
        &'a self,
        main: impl Fn(&'a schema::InventoryFile) -> Option<&'a T>,
        included: impl Fn(&'a schema::IncludedFile) -> Option<&'a T>,
    ) -> Vec<Layer<'a, T>> {
        let main = main(&self.main).map(|raw| Layer { file: 0, raw });
        let later_first = self.included.iter().enumerate().rev();
        let later_first = later_first
            .filter_map(|(index, file)| included(file).map(|raw| Layer { file: index + 1, raw }));
        main.into_iter().chain(later_first).collect()
    }

    fn defaults(&self) -> Vec<Layer<'_, schema::Defaults>> {
        self.layers(|main| main.defaults.as_ref(), |file| file.defaults.as_ref())
    }
}

/// Checks everything. What is returned is only of use if the report has no error.
pub(crate) fn inventory(
    files: &Files,
    flag_checks: FlagChecks,
    report: &mut Report<'_>,
) -> Option<Inventory> {
    let main = &files.main;
    include(main, report);
    let defaults = files.defaults();

    let ssh = defaults.iter().filter_map(|layer| {
        let raw = layer.raw.ssh.as_ref()?;
        Some(ssh::defaults(&Layer { file: layer.file, raw }, report))
    });
    let ssh = ssh.collect::<Vec<_>>().into_iter().reduce(ssh::Settings::or).unwrap_or_default();
    let cluster_defaults = cluster::Defaults::merge(
        defaults.iter().filter_map(|layer| {
            layer.raw.cluster.as_ref().map(|raw| Layer { file: layer.file, raw })
        }),
        report,
    );

    let no_hosts = BTreeMap::new();
    let raw_hosts = main.hosts.as_ref().unwrap_or(&no_hosts);
    let hosts = host::hosts(raw_hosts, &ssh, report);

    let no_clusters = BTreeMap::new();
    let raw_clusters = main.clusters.as_ref();
    if raw_clusters.is_some_and(BTreeMap::is_empty) {
        let finding =
            Finding::error("no-cluster", &At::new(0, 0..0), "the inventory has no cluster");
        let hint = "write: [clusters.main]\nversion = \"3.6.16\"\nmembers = [\"etcd-1\", \"etcd-2\", \"etcd-3\"]";
        report.add(finding.hint(hint).about_absence());
    }
    let raw_clusters = raw_clusters.unwrap_or(&no_clusters);
    let known = host::Known { written: raw_hosts };
    let raw_pki = main.pki.as_ref();
    let check_flag = flag_checks.etcd;
    let beside = (raw_pki, &ssh);
    let clusters =
        cluster::clusters(raw_clusters, &cluster_defaults, &known, beside, check_flag, report);
    let no_kubernetes = BTreeMap::new();
    let raw_kubernetes = main.kubernetes.as_ref().unwrap_or(&no_kubernetes);
    let check_flag = flag_checks.apiserver;
    let kubernetes = kubernetes::kubernetes(raw_kubernetes, &known, &clusters, check_flag, report);

    let site = main.site.as_ref().map(|raw| site::site(raw, &clusters, report));
    let pki = raw_pki.map(|raw| pki::settings(raw, report));
    let release = files.layers(|main| main.release.as_ref(), |file| file.release.as_ref());
    release::every_version_is_pinned(&release, &clusters, report);
    let image = image::image(&release, &clusters, report);
    let release = release::release(&release, image, report);

    Some(Inventory {
        site: site??,
        hosts,
        clusters: cluster::finished(clusters),
        kubernetes,
        firewall: main.firewall.as_ref().map(|raw| firewall::firewall(raw, report)),
        pki: pki?,
        release,
        hooks: main.hooks.as_ref().map(|raw| hooks::hooks(raw, report)).unwrap_or_default(),
    })
}

fn include(main: &schema::InventoryFile, report: &mut Report<'_>) {
    for path in main.include.iter().flatten() {
        if path.is_empty() || path.chars().any(char::is_control) {
            let at = At::new(0, path.span());
            report.add(Finding::error("include", &at, "this is not the path of a file"));
        }
    }
}

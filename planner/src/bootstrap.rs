//! A cluster is formed once: what the inventory says of it later decides nothing.

use std::collections::BTreeSet;

use inventories::HostName;
use inventories::inventory::San;
use pki::LeafKind;
use templates::layout::PkiFile;

use crate::assess::View;
use crate::report::{Finding, Formation, PlanReport};
use crate::spec::ClusterSpec;

/// Says so, where `bootstrap` names another domain than the one that the certificates name. They are
/// issued anew, so it is said once.
pub(crate) fn check(cluster: &ClusterSpec, view: &View<'_>, report: &mut PlanReport) {
    if view.now.formation != Formation::Formed || !is_changed(cluster, view) {
        return;
    }
    let place = cluster.place_of("bootstrap");
    report.warnings.push(Finding {
        code: "bootstrap",
        host: None,
        cluster: Some(cluster.name.clone()),
        message: format!(
            "cluster {} is formed already: another `bootstrap` forms nothing anew, and only the \
             names in the certificates follow it",
            cluster.name
        ),
        hint: Some(format!("written in {}:{}", place.file, place.line)),
    });
}

fn is_changed(cluster: &ClusterSpec, view: &View<'_>) -> bool {
    cluster.members.iter().any(|(host, member)| {
        let carried = view.members.get(host).and_then(|seen| seen.certificate(PkiFile::ServerCert));
        let wanted = member.leaves.iter().find(|leaf| leaf.kind() == LeafKind::Server);
        let (Some(carried), Some(wanted)) = (carried, wanted) else { return false };
        domains(host, &carried.sans) != domains(host, wanted.sans())
    })
}

/// The domains that are named together with the host's name in them.
fn domains<'a>(host: &HostName, sans: &'a BTreeSet<San>) -> BTreeSet<&'a str> {
    let name = |san: &'a San| match san {
        San::Dns(name) => Some(name.as_str()),
        San::Ip(_) => None,
    };
    let names: BTreeSet<&str> = sans.iter().filter_map(name).collect();
    let both = |domain: &&str| names.contains(format!("{host}.{domain}").as_str());
    names.iter().copied().filter(both).collect()
}

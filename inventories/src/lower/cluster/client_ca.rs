//! Which cluster's client CA a cluster uses.

use std::collections::BTreeMap;

use crate::escape::escape;
use crate::names::ClusterName;
use crate::report::{At, Finding, Report};
use crate::schema::{self, Loc};
use crate::suggest::closest;

/// The cluster whose client CA is used: itself, or one that uses its own. One step only, so that
/// nobody has to follow a chain to know who can open what, and no two can wait for each other.
pub(super) fn read(
    cluster: &str,
    raw: &schema::Cluster,
    clusters: &BTreeMap<Loc<String>, schema::Cluster>,
    report: &mut Report<'_>,
) -> Option<ClusterName> {
    let Some(owner) = &raw.client_ca else { return ClusterName::new(cluster).ok() };
    let at = At::new(0, owner.span());
    let found = clusters.iter().find(|(name, _)| name.value() == owner.value());
    let Some((name, other)) = found else {
        let shown = escape(&owner.chars().take(80).collect::<String>());
        let meant = closest(owner, clusters.keys().map(|name| name.as_str()));
        let finding =
            Finding::error("unknown-cluster", &at, format!("there is no cluster \"{shown}\""));
        report.add(
            finding
                .hint("name a cluster of this file, or leave `client-ca` out")
                .maybe_hint(meant.map(|name| format!("did you mean \"{}\"?", escape(name))))
                .about_absence(),
        );
        return None;
    };
    if let Some(further) = &other.client_ca
        && further.value() != owner.value()
        && clusters.keys().any(|name| name.value() == further.value())
    {
        let message = format!(
            "the cluster \"{}\" has no client CA of its own: it uses that of \"{}\"",
            escape(owner),
            escape(further),
        );
        let finding = Finding::error("client-ca", &at, message)
            .related(&At::new(0, further.span()), "set here");
        report.add(if further.value() == cluster {
            finding.hint("leave one of the two `client-ca` out")
        } else {
            finding.hint(format!("write: client-ca = \"{}\"", escape(further)))
        });
        return None;
    }
    ClusterName::new(name).ok()
}

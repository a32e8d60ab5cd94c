//! The site: its name, and which of its clusters get a change first.

use super::cluster::Lowered;
use super::name;
use crate::escape::escape;
use crate::inventory::Site;
use crate::names::{ClusterName, SiteName};
use crate::report::{At, Finding, Report};
use crate::schema::{self, Loc};
use crate::suggest::closest;

pub(super) fn site(
    raw: &Loc<schema::Site>,
    clusters: &[Lowered],
    report: &mut Report<'_>,
) -> Option<Site> {
    let order = order(raw.order.as_deref().unwrap_or_default(), clusters, report);
    let written = raw.name.as_ref()?;
    let at = At::new(0, written.span());
    let Ok(name) = SiteName::new(written) else {
        report.add(name::refused("the site's name", written, &at));
        return None;
    };
    Some(Site { name, confirm: raw.confirm.unwrap_or(false), order })
}

/// Each of them is a cluster of the file, and named once.
fn order(
    written: &[Loc<String>],
    clusters: &[Lowered],
    report: &mut Report<'_>,
) -> Vec<ClusterName> {
    let mut order = Vec::new();
    for (index, name) in written.iter().enumerate() {
        let at = At::new(0, name.span());
        let shown = escape(&name.chars().take(80).collect::<String>());
        if written[..index].iter().any(|earlier| earlier.value() == name.value()) {
            let message = format!("cluster \"{shown}\" is named twice in the order");
            report.add(Finding::error("order", &at, message).hint("keep it where it is first"));
            continue;
        }
        match clusters.iter().find(|cluster| cluster.written == *name.value()) {
            Some(cluster) => order.extend(cluster.name.clone()),
            None => {
                let meant = closest(name, clusters.iter().map(|cluster| cluster.written.as_str()));
                let message = format!("there is no cluster \"{shown}\"");
                report.add(
                    Finding::error("unknown-cluster", &at, message)
                        .hint("`order` names clusters of this file, those of [clusters]")
                        .maybe_hint(meant.map(|name| format!("did you mean \"{}\"?", escape(name))))
                        .about_absence(),
                );
            }
        }
    }
    order
}

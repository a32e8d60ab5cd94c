//! Resources that another etcd cluster holds.

use std::collections::BTreeMap;

use crate::escape::escape;
use crate::kubernetes::StoredResource;
use crate::lower::cluster::Lowered;
use crate::names::ClusterName;
use crate::report::{At, Finding, Report};
use crate::schema::Loc;

/// Which cluster holds each resource, and where that is written.
pub(super) type Read = BTreeMap<StoredResource, (ClusterName, At)>;

/// Checks the overrides; `main` is the cluster that holds the rest, and where it is named.
pub(super) fn read(
    written: Option<&BTreeMap<Loc<String>, Loc<String>>>,
    main: Option<(&Lowered, &Loc<String>)>,
    clusters: &[Lowered],
    report: &mut Report<'_>,
) -> Read {
    let mut read = Read::new();
    for (resource, target) in written.into_iter().flatten() {
        let what = self::resource(resource, report);
        let found = super::cluster(target, "overrides", clusters, report);
        let Some((cluster, _)) = found else { continue };
        if let Some((main, main_at)) = main {
            fits(main, main_at, cluster, target, report);
        }
        if let (Some(what), Some(name)) = (what, cluster.name.clone()) {
            read.insert(what, (name, At::new(0, target.span())));
        }
    }
    read
}

fn resource(written: &Loc<String>, report: &mut Report<'_>) -> Option<StoredResource> {
    let at = At::new(0, written.span());
    let shown = escape(&written.chars().take(80).collect::<String>());
    match StoredResource::new(written) {
        Ok(resource) if resource.as_str() == "events.k8s.io/events" => {
            let message = "an override of events.k8s.io/events has no effect";
            let finding = Finding::error("override", &at, message);
            report.add(finding.hint("write \"/events\": both groups of events are kept there"));
            None
        }
        Ok(resource) => Some(resource),
        Err(_) => {
            let core = format!("/{}", written.trim_matches('/').to_lowercase());
            let hint = match StoredResource::new(&core) {
                Ok(core) => format!("write \"{core}\", or \"group{core}\" if it is of another group than the core group"),
                Err(_) => "write \"/resource\", or \"group/resource\" if it is of another group than the core group".to_owned(),
            };
            let message = format!("\"{shown}\" is not a resource");
            report.add(Finding::error("override", &at, message).hint(hint));
            None
        }
    }
}

/// An API server has one client certificate and one CA file for all its etcd clusters, so these need one client CA:
/// it signs the API server's certificate and the members' server certificates.
fn fits(
    main: &Lowered,
    main_at: &Loc<String>,
    cluster: &Lowered,
    target: &Loc<String>,
    report: &mut Report<'_>,
) {
    let at = At::new(0, target.span());
    let main_at = At::new(0, main_at.span());
    if cluster.written == main.written {
        let message =
            format!("the cluster \"{}\" holds everything else already", escape(&main.written));
        report.add(
            Finding::error("override", &at, message)
                .related(&main_at, "it is named here")
                .hint("leave the override out, or name another cluster"),
        );
        return;
    }
    let (Some(owner), Some(other)) = (&main.client_ca, &cluster.client_ca) else { return };
    if owner == other {
        return;
    }
    let message = format!(
        "the clusters \"{}\" and \"{}\" have different client CAs, and an API server has one client certificate for both",
        escape(&main.written),
        escape(&cluster.written),
    );
    let hint = format!(
        "write under [clusters.{}]: client-ca = \"{owner}\", before the cluster is formed",
        escape(&cluster.written)
    );
    report.add(
        Finding::error("client-ca", &at, message).related(&main_at, "the other cluster").hint(hint),
    );
}

//! `quorate validate`

use planner::spec::Authorities;
use planner::{CaEnd, HasEnded};
use time::OffsetDateTime;

use super::Context;
use crate::error::CliError;
use crate::exit::ExitCode;

pub(super) fn run(context: &Context) -> Result<ExitCode, CliError> {
    let site = context.site()?;
    let spec = site.spec()?;
    let mut lines = vec![format!("{}: site {} is valid", site.path.display(), spec.site)];
    for (name, cluster) in &spec.clusters {
        let members: Vec<&str> = cluster.members.keys().map(|host| host.as_str()).collect();
        lines.push(format!("  cluster {name}: etcd {}, {}", cluster.version, members.join(", ")));
    }
    context.terminal.print(&lines.join("\n"));
    for (name, cluster) in &spec.clusters {
        let Authorities { peer, client, discovery: _ } = &cluster.authorities;
        if peer.is_none() || client.is_none() {
            let message = format!("cluster {name} lacks a CA; create it with: quorate pki init");
            context.terminal.warn(&message);
        }
    }
    for warning in site.authorities.sealed_for_others(&site.inventory) {
        context.terminal.warn(&warning);
    }
    let now = OffsetDateTime::now_utc();
    let mut code = ExitCode::Done;
    let ends = spec.clusters.values().flat_map(|cluster| CaEnd::for_cluster(cluster, now));
    // Clusters may share a client CA.
    let mut told = Vec::new();
    for end in ends {
        if told.contains(&end) {
            continue;
        }
        context.terminal.warn(&end.message());
        if end.has == HasEnded::Already {
            code = code.first(ExitCode::Inventory);
        }
        told.push(end);
    }
    Ok(code)
}

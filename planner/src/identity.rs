//! Whether the hosts and the inventory speak of the same cluster: its CAs, its id, its members.

use std::collections::{BTreeMap, BTreeSet};

use inventories::HostName;
use pki::{CaKind, CertFacts};
use templates::layout::PkiFile;

use crate::assess::View;
use crate::facts::{ListedMember, MemberFacts, Observed};
use crate::report::{Finding, Formation, PlanReport};
use crate::spec::{Authority, ClusterSpec, SiteSpec};

/// Adds every contradiction between a cluster's inventory and its hosts to the report.
pub(crate) fn check(
    spec: &SiteSpec,
    cluster: &ClusterSpec,
    view: &View<'_>,
    report: &mut PlanReport,
) {
    authorities(cluster, view, report);
    markers(spec, cluster, view, report);
    if view.now.formation == Formation::Formed {
        one_cluster(cluster, view, report);
        members(cluster, view, report);
        version(cluster, view, report);
        lost_members(cluster, view, report);
    }
}

fn finding(
    cluster: &ClusterSpec,
    host: Option<&HostName>,
    code: &'static str,
    message: String,
    hint: &str,
) -> Finding {
    Finding {
        code,
        host: host.cloned(),
        cluster: Some(cluster.name.clone()),
        message,
        hint: Some(hint.to_owned()),
    }
}

fn authorities(cluster: &ClusterSpec, view: &View<'_>, report: &mut PlanReport) {
    let kinds = [
        (CaKind::Peer, PkiFile::PeerCa, &cluster.authorities.peer),
        (CaKind::Client, PkiFile::ClientCa, &cluster.authorities.client),
    ];
    for (kind, file, authority) in kinds {
        let carried = carried(view, file);
        match authority {
            Some(authority) => {
                for (host, ca) in &carried {
                    if ca.fingerprint != authority.facts.fingerprint {
                        report.blocked.push(other_ca(cluster, host, kind, ca, authority));
                    }
                }
            }
            None if carried.is_empty() => report.blocked.push(finding(
                cluster,
                None,
                "no-ca",
                format!("cluster {} has no {kind} CA beside the inventory", cluster.name),
                "quorate pki init",
            )),
            None => report.blocked.push(finding(
                cluster,
                carried.keys().next().copied(),
                "ca-not-here",
                format!(
                    "the hosts of cluster {} carry a {kind} CA that this inventory lacks",
                    cluster.name
                ),
                "pull or commit pki/: another checkout made the CA",
            )),
        }
    }
}

fn carried<'a>(view: &View<'a>, file: PkiFile) -> BTreeMap<&'a HostName, CertFacts> {
    let read = |(host, member): (&&'a HostName, &&'a MemberFacts)| {
        Some((*host, member.certificate(file)?))
    };
    view.members.iter().filter_map(read).collect()
}

fn other_ca(
    cluster: &ClusterSpec,
    host: &HostName,
    kind: CaKind,
    carried: &CertFacts,
    wanted: &Authority,
) -> Finding {
    finding(
        cluster,
        Some(host),
        "other-ca",
        format!(
            "the {kind} CA on this host is \"{}\", and the inventory's is \"{}\"",
            carried.subject, wanted.facts.subject
        ),
        "pull or commit pki/: two checkouts hold different CAs, and the one on the hosts counts",
    )
}

fn markers(spec: &SiteSpec, cluster: &ClusterSpec, view: &View<'_>, report: &mut PlanReport) {
    for (host, member) in &view.members {
        let problem = match &member.marker {
            Observed::Known(marker) if marker.site != spec.site => {
                format!("its marker says that it belongs to site {}", marker.site)
            }
            Observed::Known(marker) if view.now.cluster_id.as_ref() != Some(&marker.cluster_id) => {
                format!(
                    "its marker names cluster id {}, and the cluster that answers has {}",
                    marker.cluster_id,
                    view.now.cluster_id.as_deref().unwrap_or("none")
                )
            }
            Observed::Unknown(why) => format!("its marker can't be read: {why}"),
            Observed::Known(_) | Observed::Absent => continue,
        };
        report.blocked.push(finding(
            cluster,
            Some(host),
            "marker",
            problem,
            &format!("look at {} on the host", templates::Layout::of(&cluster.name).marker()),
        ));
    }
}

fn one_cluster(cluster: &ClusterSpec, view: &View<'_>, report: &mut PlanReport) {
    let ids: BTreeMap<&str, &HostName> =
        view.answers().map(|(host, etcd)| (etcd.cluster_id.as_str(), host)).collect();
    if ids.len() > 1 {
        let parts: Vec<String> =
            ids.iter().map(|(id, host)| format!("{host} is of {id}")).collect();
        report.blocked.push(finding(
            cluster,
            None,
            "two-clusters",
            format!("the members do not form one cluster: {}", parts.join(", ")),
            "find the one that holds the data before anything else",
        ));
    }
}

fn members(cluster: &ClusterSpec, view: &View<'_>, report: &mut PlanReport) {
    let Some(listed) = view.listed() else { return };
    let running: BTreeMap<&str, &ListedMember> =
        listed.iter().map(|member| (member.name.as_str(), member)).collect();
    let wanted: BTreeSet<&str> = cluster.members.keys().map(HostName::as_str).collect();
    let mut differences = Vec::new();
    for name in wanted.iter().filter(|name| !running.contains_key(**name)) {
        differences.push(format!("{name} is not a member yet"));
    }
    for (name, member) in running.iter().filter(|(name, _)| !wanted.contains(**name)) {
        let name = if name.is_empty() { "an unstarted member" } else { name };
        differences.push(format!("{name} ({}) is a member and not in `members`", member.id));
    }
    if !differences.is_empty() {
        report.blocked.push(unsupported(
            cluster,
            "members",
            "changing-members",
            format!("the members differ: {}", differences.join("; ")),
        ));
    }
    for (host, member) in &cluster.members {
        let url = member.member.peer_url().to_string();
        if let Some(running) = running.get(host.as_str())
            && running.peer_urls != [url.clone()]
        {
            report.blocked.push(unsupported(
                cluster,
                "members",
                "changing-address",
                format!(
                    "{host} is a member at {}, and the inventory says {url}",
                    running.peer_urls.join(", ")
                ),
            ));
        }
    }
}

/// Another patch of the same minor is a roll. Another minor is an upgrade with gates of its own.
fn version(cluster: &ClusterSpec, view: &View<'_>, report: &mut PlanReport) {
    let minor = format!("{}.", cluster.version.minor());
    let others: Vec<String> = view
        .answers()
        .filter(|(_, etcd)| !etcd.version.starts_with(&minor))
        .map(|(host, etcd)| format!("{host} runs {}", etcd.version))
        .collect();
    if !others.is_empty() {
        report.blocked.push(unsupported(
            cluster,
            "version",
            "changing-version",
            format!("the inventory wants etcd {}, and {}", cluster.version, others.join(", ")),
        ));
    }
}

fn unsupported(
    cluster: &ClusterSpec,
    setting: &str,
    code: &'static str,
    message: String,
) -> Finding {
    let place = cluster.place_of(setting);
    finding(
        cluster,
        None,
        code,
        message,
        &format!(
            "not supported yet on a formed cluster; put back what runs in {}:{}",
            place.file, place.line
        ),
    )
}

/// An empty disk under an old member id is amnesia: the member would vote against what it had
/// acknowledged. It is named, and never started again.
fn lost_members(cluster: &ClusterSpec, view: &View<'_>, report: &mut PlanReport) {
    for (host, member) in &view.members {
        let why = match &member.data {
            Observed::Absent => "its data directory is gone",
            Observed::Known(data) if !data.wal => "its write-ahead log is gone",
            Observed::Known(_) | Observed::Unknown(_) => continue,
        };
        if view.was_member(host, member) {
            report.blocked.push(finding(
                cluster,
                Some(host),
                "lost-member",
                format!("the member has lost its memory: {why}; it must not start again as the same member"),
                "it has to be replaced by a new member, which is not supported yet; the cluster is left as it is",
            ));
        }
    }
}

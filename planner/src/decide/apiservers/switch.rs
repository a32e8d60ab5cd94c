//! Another etcd, another prefix or another override hides what an API server holds now: its whole Kubernetes cluster, or
//! all objects of a kind. That happens only if the operator allows it by name.

use std::collections::{BTreeMap, BTreeSet};

use inventories::{ClusterName, StoredResource};

use super::wanted::{DEFAULT_PREFIX, overrides_in};
use super::{ApiServer, Views};
use crate::decide::assess::View;
use crate::facts::{Observed, UsedEtcd, servers_in};
use crate::policy::Policy;
use crate::report::{Finding, FindingCode};

/// Why this API server would lose sight of what it holds, unless the operator allowed that.
pub(super) fn refused(
    server: &ApiServer<'_>,
    views: &Views<'_>,
    policy: &Policy,
) -> Option<Finding> {
    if policy.allow_switch.contains(server.name) {
        return None;
    }
    let flags = server.seen.flags()?;
    let servers = flags.get("etcd-servers").filter(|servers| !servers.is_empty())?;
    let servers: BTreeSet<&str> = servers.split(',').collect();
    let why = prefix(server, flags)
        .or_else(|| etcd(server, views, &servers))
        .or_else(|| overrides(server, views, flags))?;
    let hint = format!(
        "if nothing of it is needed any more: quorate apply --allow-switch {}",
        server.name
    );
    Some(server.finding(FindingCode::OtherEtcd, why, hint))
}

/// It finds no key under another prefix.
fn prefix(server: &ApiServer<'_>, flags: &BTreeMap<String, String>) -> Option<String> {
    let is = flags.get("etcd-prefix").map_or(DEFAULT_PREFIX, String::as_str);
    let wanted = server.kubernetes.prefix.as_str();
    let same = is.trim_matches('/') == wanted.trim_matches('/');
    (!same).then(|| {
        format!("its keys are under {is}; with --etcd-prefix={wanted} the API server would not find them")
    })
}

/// It uses members of another etcd cluster, or of an unknown one.
fn etcd(server: &ApiServer<'_>, views: &Views<'_>, servers: &BTreeSet<&str>) -> Option<String> {
    let cluster = &server.kubernetes.cluster;
    let view = views.get(cluster)?;
    let own = places(server, cluster, view);
    if servers.iter().all(|url| own.contains(*url)) {
        return None;
    }
    let named: Vec<&str> = servers.iter().copied().collect();
    let uses = match &server.seen.uses {
        Observed::Known(UsedEtcd { cluster_ids, keys: _ })
            if cluster_ids.len() == 1
                && cluster_ids.iter().next() == view.now.cluster_id.as_ref() =>
        {
            return None;
        }
        Observed::Known(UsedEtcd { cluster_ids, keys }) => {
            let ids: Vec<&str> = cluster_ids.iter().map(String::as_str).collect();
            format!("cluster id {} with {keys} keys under its prefix", ids.join(" and "))
        }
        Observed::Absent => "which quorate did not ask".to_owned(),
        Observed::Unknown(why) => format!("which did not say what it holds: {why}"),
    };
    Some(format!(
        "it uses another etcd at {}, {uses}; {cluster} is {}",
        named.join(", "),
        held(view)
    ))
}

/// What the wanted cluster is and holds.
fn held(view: &View<'_>) -> String {
    let newest = view.answers().map(|(_, etcd)| etcd.revision).max();
    match (&view.now.cluster_id, newest) {
        (Some(id), Some(revision)) => format!("cluster id {id} at revision {revision}"),
        (Some(id), None) => format!("cluster id {id}"),
        (None, _) => "not formed yet".to_owned(),
    }
}

/// The client URLs at which members of the cluster are, were in the last list, or move to.
fn places(server: &ApiServer<'_>, cluster: &ClusterName, view: &View<'_>) -> BTreeSet<String> {
    let listed =
        view.listed().into_iter().flatten().flat_map(|row| row.client_urls.iter().cloned());
    let spec = server.site.clusters.get(cluster);
    let members =
        spec.into_iter().flat_map(|spec| spec.members.values().chain(spec.former.values()));
    let wanted = members.map(|member| member.member.client_url().to_string());
    let moving = spec.into_iter().flat_map(|spec| spec.members.values());
    let moving = moving.filter_map(|member| member.moves_from.as_ref());
    let moving = moving.map(|from| format!("https://{}", from.client));
    listed.chain(wanted).chain(moving).collect()
}

/// Objects of a kind, other than events, would be looked for in another etcd.
fn overrides(
    server: &ApiServer<'_>,
    views: &Views<'_>,
    flags: &BTreeMap<String, String>,
) -> Option<String> {
    let text = flags.get("etcd-servers-overrides").map(String::as_str).unwrap_or_default();
    let are = overrides_in(text);
    let wanted = &server.kubernetes.overrides;
    let counts = |what: &&str| StoredResource::new(what).map_or(true, |what| !what.is_events());
    let changed = |what: &&str| {
        let wanted = StoredResource::new(what).ok().and_then(|what| wanted.get(&what));
        match (are.get(what), wanted) {
            (Some(servers), Some(cluster)) => {
                let own = views.get(cluster).map(|view| places(server, cluster, view));
                !own.is_some_and(|own| servers.iter().all(|url| own.contains(*url)))
            }
            (is, wanted) => is.is_some() || wanted.is_some(),
        }
    };
    let all: BTreeSet<&str> =
        are.keys().copied().chain(wanted.keys().map(StoredResource::as_str)).collect();
    let changed: Vec<&str> = all.into_iter().filter(counts).filter(changed).collect();
    (!changed.is_empty()).then(|| {
        format!(
            "the objects of {} are in one etcd, and the API server would look for them in another",
            changed.join(", ")
        )
    })
}

/// Whether it is worth asking an API server's etcd what it holds: something that it names is not where these members are.
pub fn may_be_another(flags: &BTreeMap<String, String>, members: &BTreeSet<String>) -> bool {
    servers_in(flags).into_iter().any(|url| !members.contains(url))
}

//! Which row of a cluster's member list is the member of a host: by the id that the host has, by its name, or by where its
//! peers find it.

use std::collections::BTreeSet;

use inventories::HostName;

use crate::decide::assess::View;
use crate::decide::readdress;
use crate::facts::{ListedMember, MemberFacts};
use crate::spec::ClusterSpec;

/// Whether a row may be the member of a host that the inventory names: it has its name or its place.
pub(crate) fn may_be(cluster: &ClusterSpec, host: &HostName, row: &ListedMember) -> bool {
    let is_there = || {
        let url = cluster.members.get(host).map(|wanted| wanted.member.peer_url().to_string());
        url.is_some_and(|url| row.peer_urls.contains(&url))
    };
    row.name == host.as_str() || is_there() || readdress::listed_by_dns(cluster, row) == Some(host)
}

/// Whether a row is a member that the inventory names.
pub(crate) fn is_member(cluster: &ClusterSpec, row: &ListedMember) -> bool {
    cluster.members.keys().any(|host| may_be(cluster, host, row))
}

/// The row of a host that the inventory names; `own` is what the host says of its member.
pub(crate) fn of_host<'l>(
    cluster: &ClusterSpec,
    list: &'l [ListedMember],
    (host, own): (&HostName, Option<&MemberFacts>),
) -> Option<&'l ListedMember> {
    let url = cluster.members.get(host)?.member.peer_url().to_string();
    named(list, host, &url, own).or_else(|| list.iter().find(|row| may_be(cluster, host, row)))
}

/// The row that has the name of a host's member. Of several it is the one that is surely the host's, or else the first.
pub(crate) fn named<'l>(
    list: &'l [ListedMember],
    host: &HostName,
    url: &String,
    own: Option<&MemberFacts>,
) -> Option<&'l ListedMember> {
    surely(list, host, url, own).or_else(|| namesakes(list, host).next())
}

/// The ids of rows that have the name of a member that another row is.
pub(crate) fn ids_of_namesakes(cluster: &ClusterSpec, view: &View<'_>) -> BTreeSet<String> {
    let Some(list) = view.listed() else { return BTreeSet::new() };
    let mut others = BTreeSet::new();
    for (host, wanted) in &cluster.members {
        let (own, url) = (view.members.get(host).copied(), wanted.member.peer_url().to_string());
        let Some(owner) = surely(list, host, &url, own) else { continue };
        let ids = namesakes(list, host).map(|row| row.id.clone());
        others.extend(ids.filter(|id| *id != owner.id));
    }
    others
}

/// The row that is surely the host's: it has the name, and the id that the host has, or else the member's place. etcd takes two
/// members of one name.
fn surely<'l>(
    list: &'l [ListedMember],
    host: &HostName,
    url: &String,
    own: Option<&MemberFacts>,
) -> Option<&'l ListedMember> {
    let rows = || namesakes(list, host);
    let by_id = own.into_iter().flat_map(MemberFacts::member_ids);
    let by_id = by_id.filter_map(|id| rows().find(|row| row.id == id)).next();
    by_id.or_else(|| rows().find(|row| row.peer_urls.contains(url)))
}

fn namesakes<'l>(
    list: &'l [ListedMember],
    host: &HostName,
) -> impl Iterator<Item = &'l ListedMember> {
    list.iter().filter(move |row| row.name == host.as_str())
}

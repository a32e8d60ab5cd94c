//! How a member that lost its memory is replaced by hand.

use inventories::HostName;
use inventories::inventory::Runtime;

use crate::decide::assess::View;
use crate::decide::readdress;
use crate::facts::ListedMember;
use crate::spec::ClusterSpec;

/// What to do about a member that lost its memory, with the names and ids of this cluster.
pub(crate) fn by_hand(cluster: &ClusterSpec, view: &View<'_>, host: &HostName) -> String {
    let (Some(list), true) = (view.listed(), view.now.quorum.holds()) else {
        return "it has to be replaced by a new member, for which the others need a quorum: bring them back first"
            .to_owned();
    };
    let Some(wanted) = cluster.members.get(host) else { return String::new() };
    let url = wanted.member.peer_url().to_string();
    let etcdctl = format!("quorate etcdctl --cluster {} -- member", cluster.name);
    let is_old = |member: &&ListedMember| member.name == host.as_str();
    let mut steps = Vec::new();
    steps.extend(list.iter().find(is_old).map(|old| format!("`{etcdctl} remove {}`", old.id)));
    let is_new =
        |member: &ListedMember| member.name.is_empty() && member.peer_urls == [url.clone()];
    if !list.iter().any(is_new) {
        steps.push(format!("`{etcdctl} add {host} --peer-urls={url}`"));
    }
    let others = list.iter().filter(|member| !is_old(member) && !is_new(member));
    let mut all: Vec<String> = others.filter_map(|member| entry(cluster, member)).collect();
    all.push(format!("{host}={url}"));
    all.sort();
    let with = format!("--initial-cluster={}", all.join(","));
    steps.push(match cluster.runtime {
        Runtime::Systemd => format!("start it once with `{with}`"),
        Runtime::StaticPod => format!("start it once with `{with}` in its manifest"),
    });
    format!(
        "replace it by a new member of the same name, by hand: {}; docs/operations.md has each command, under \
         \"A member that lost its memory\"",
        steps.join(", then ")
    )
}

/// A member as `--initial-cluster` wants it. One that never started has no name in the list.
fn entry(cluster: &ClusterSpec, member: &ListedMember) -> Option<String> {
    let is_at = |url: &String| member.peer_urls.contains(url);
    let of_inventory = cluster.members.iter().find(|(name, wanted)| {
        name.as_str() == member.name || is_at(&wanted.member.peer_url().to_string())
    });
    let name = of_inventory
        .map(|(name, _)| name)
        .or_else(|| readdress::listed_by_dns(cluster, member))
        .map_or(member.name.as_str(), |host| host.as_str());
    Some(format!("{name}={}", member.peer_urls.first()?))
}

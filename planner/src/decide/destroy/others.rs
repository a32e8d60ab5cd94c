//! Which other members may serve while a cluster is removed from its hosts.

use std::collections::{BTreeMap, BTreeSet};

use inventories::HostName;

use super::{Place, Subject};
use crate::decide::restore::others;
use crate::named::{self, Named};

/// Members that others name and whose hosts the inventory does not have. Only while no member list is known: listed ones
/// block the plan.
pub(super) fn unknown(subject: &Subject<'_>) -> BTreeMap<String, Named> {
    if subject.view.listed().is_some() {
        return BTreeMap::new();
    }
    let former = subject.former.iter().filter_map(|one| Some(one.seen?.1));
    let seen = subject.view.members.values().copied().chain(former);
    let wanted = subject.cluster.members.values();
    let wanted = wanted.chain(subject.former.iter().map(|one| one.wanted));
    let ours: BTreeSet<String> = wanted.map(|one| one.member.peer_url().to_string()).collect();
    let mut found = named::named(seen);
    found.retain(|name, one| {
        let is_known = subject.site.addresses.contains_key(name.as_str());
        !is_known && one.peer_urls.is_disjoint(&ours)
    });
    found
}

/// All members that are asked before the data of one host is archived. `unstoppable` are those that no step stops.
pub(super) fn others(
    subject: &Subject<'_>,
    places: &[Place<'_>],
    unstoppable: &BTreeMap<HostName, String>,
    host: &HostName,
) -> BTreeMap<HostName, String> {
    let mut found = unstoppable.clone();
    found.extend(subject.cluster.endpoints_from(host));
    for one in subject.former.iter().filter(|one| places.iter().any(|it| it.host == one.host)) {
        if let Some((_, own)) = one.seen {
            found.insert(one.host.clone(), others::url(own, one.wanted));
        }
    }
    found.remove(host);
    found
}

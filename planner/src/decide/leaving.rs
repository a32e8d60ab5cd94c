//! Members that the cluster has, or had until just now, and that `members` no longer names. Only hosts that the
//! inventory still has are looked at: whoever else is in the list of members, nobody here knows.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use inventories::{HostName, SiteName};

use crate::decide::{assess, readdress};
use crate::facts::{HostFacts, ListedMember, MemberFacts, Observed, SiteFacts};
use crate::plan::Leaver;
use crate::spec::{Addresses, ClusterSpec, MemberSpec, SiteSpec};
use templates::PeerUrl;

/// A member that is to leave.
pub(crate) struct Leaving<'a> {
    pub(crate) wanted: &'a MemberSpec,
    pub(crate) place: Place,
    /// What its host says of it; `None` where it could not be looked at.
    pub(crate) facts: Option<&'a MemberFacts>,
    /// Whose the host is, where it was looked at.
    pub(crate) site: Option<&'a Observed<SiteName>>,
}

/// How far it is on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// The list has it, under this id and at this peer URL.
    Listed { id: String, peer_url: String, learner: bool },
    /// The list does not have it any more, and its host still has what is left of it.
    Removed,
}

/// What a member does that is to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It answers and knows a leader.
    Serves,
    /// A process of it runs, and nobody gets an answer from it.
    Hangs,
    /// It does not run, or its host can't be reached: then the others are asked when it is removed.
    Failed,
}

impl Leaving<'_> {
    /// What it does.
    pub(crate) fn state(&self) -> State {
        let Some(facts) = self.facts else { return State::Failed };
        match facts.etcd.known() {
            Some(etcd) if etcd.leader.is_some() => State::Serves,
            Some(_) => State::Hangs,
            None if facts.is_up() || !facts.running.is_absent() => State::Hangs,
            None => State::Failed,
        }
    }

    /// What its removal has to heed.
    pub(crate) fn leaver(&self) -> Leaver {
        match self.state() {
            _ if !self.votes() => Leaver::NoVote,
            State::Failed => Leaver::Failed,
            State::Hangs | State::Serves => Leaver::Serves,
        }
    }

    /// The id under which the list has it.
    pub(crate) fn id(&self) -> Option<&str> {
        match &self.place {
            Place::Listed { id, .. } => Some(id),
            Place::Removed => None,
        }
    }

    /// Whether it is the leader.
    pub(crate) fn leads(&self) -> bool {
        let etcd = self.facts.and_then(|facts| facts.etcd.known());
        etcd.is_some_and(|etcd| etcd.leader.as_ref() == Some(&etcd.member_id))
    }

    /// Whether it has a vote.
    pub(crate) fn votes(&self) -> bool {
        matches!(self.place, Place::Listed { learner: false, .. })
    }

    /// Whether the list has it.
    pub(crate) fn is_listed(&self) -> bool {
        matches!(self.place, Place::Listed { .. })
    }
}

impl SiteFacts {
    /// The same site with nobody for members but those that leave, for whoever looks at their hosts; `None` where
    /// nobody leaves.
    pub fn leaving(&self, spec: &SiteSpec) -> Option<SiteSpec> {
        let Cow::Owned(mut spec) = with_former(spec, self) else { return None };
        for cluster in spec.clusters.values_mut() {
            cluster.members = std::mem::take(&mut cluster.former);
        }
        Some(spec)
    }

    /// Takes in what was seen of members that leave. Of a host that has other members too all else is known already.
    pub fn add_leaving(&mut self, seen: BTreeMap<HostName, Observed<HostFacts>>) {
        for (host, seen) in seen {
            match (self.hosts.get_mut(&host), seen) {
                (Some(Observed::Known(known)), Observed::Known(more)) => {
                    known.clusters.extend(more.clusters);
                }
                (Some(_), _) => {}
                (None, seen) => {
                    self.hosts.insert(host, seen);
                }
            }
        }
    }
}

/// The desired state with the members of each cluster that leave, as they were set up.
pub(crate) fn with_former<'s>(spec: &'s SiteSpec, facts: &SiteFacts) -> Cow<'s, SiteSpec> {
    let traces = traces(facts);
    let found =
        spec.clusters.values().map(|cluster| (cluster, former(spec, cluster, facts, &traces)));
    let found: Vec<(&ClusterSpec, BTreeMap<HostName, MemberSpec>)> =
        found.filter(|(_, former)| !former.is_empty()).collect();
    let mut spec = Cow::Borrowed(spec);
    for (cluster, former) in found {
        if let Some(cluster) = spec.to_mut().clusters.get_mut(&cluster.name) {
            cluster.former = former;
        }
    }
    spec
}

/// One cluster in the same way.
pub(crate) fn alone<'s>(
    spec: &SiteSpec,
    cluster: &'s ClusterSpec,
    facts: &SiteFacts,
) -> Cow<'s, ClusterSpec> {
    let former = former(spec, cluster, facts, &traces(facts));
    if former.is_empty() {
        return Cow::Borrowed(cluster);
    }
    Cow::Owned(ClusterSpec { former, ..cluster.clone() })
}

fn former(
    spec: &SiteSpec,
    cluster: &ClusterSpec,
    facts: &SiteFacts,
    traces: &BTreeMap<&str, BTreeSet<&HostName>>,
) -> BTreeMap<HostName, MemberSpec> {
    let member =
        |host: &HostName| Some((host.clone(), cluster.member_on(host, spec.addresses.get(host)?)?));
    hosts(spec, cluster, facts, traces).into_iter().filter_map(member).collect()
}

/// For each cluster the hosts that have traces of it and that it was not asked for on.
fn traces(facts: &SiteFacts) -> BTreeMap<&str, BTreeSet<&HostName>> {
    let mut found: BTreeMap<&str, BTreeSet<&HostName>> = BTreeMap::new();
    let used = |(host, seen)| {
        let seen: &HostFacts = Observed::known(seen)?;
        Some((host, &seen.other_clusters))
    };
    let unused = |(host, seen)| Some((host, Observed::known(seen)?));
    let all = facts.hosts.iter().filter_map(used);
    for (host, clusters) in all.chain(facts.bystanders.iter().filter_map(unused)) {
        for cluster in clusters {
            found.entry(cluster).or_default().insert(host);
        }
    }
    found
}

/// The hosts of the members that leave. Nobody does while no member that knows a leader says who is listed.
fn hosts<'s>(
    spec: &'s SiteSpec,
    cluster: &ClusterSpec,
    facts: &SiteFacts,
    traces: &BTreeMap<&str, BTreeSet<&HostName>>,
) -> BTreeSet<&'s HostName> {
    let Some(list) = assess::listed(cluster, facts) else { return BTreeSet::new() };
    let listed = list.iter().filter(|row| !is_member(cluster, row));
    let listed = listed.filter_map(|row| host_of(spec, cluster, row));
    let traced = traces.get(cluster.name.as_str()).into_iter().flatten();
    let traced = traced.filter_map(|host| Some(spec.addresses.get_key_value(*host)?.0));
    listed.chain(traced).filter(|host| !cluster.members.contains_key(*host)).collect()
}

/// Whether a row of the list is a member that the inventory names.
fn is_member(cluster: &ClusterSpec, row: &ListedMember) -> bool {
    let is_there =
        |wanted: &MemberSpec| row.peer_urls.contains(&wanted.member.peer_url().to_string());
    cluster.members.keys().any(|host| row.name == host.as_str())
        || cluster.members.values().any(is_there)
        || readdress::listed_by_dns(cluster, row).is_some()
}

/// The host of a row: by its name, or where it has not started, by where it is to be found.
fn host_of<'s>(
    spec: &'s SiteSpec,
    cluster: &ClusterSpec,
    row: &ListedMember,
) -> Option<&'s HostName> {
    if !row.name.is_empty() {
        return spec.addresses.get_key_value(row.name.as_str()).map(|(host, _)| host);
    }
    let port = cluster.members.values().next()?.member.ports.peer;
    let is_there =
        |at: &Addresses| row.peer_urls.contains(&PeerUrl::new(at.peer, port).to_string());
    spec.addresses.iter().find(|(_, at)| is_there(at)).map(|(host, _)| host)
}

/// The members that leave, by host.
pub(crate) fn leaving<'a>(
    cluster: &'a ClusterSpec,
    facts: &'a SiteFacts,
    list: Option<&[ListedMember]>,
) -> BTreeMap<&'a HostName, Leaving<'a>> {
    let Some(list) = list else { return BTreeMap::new() };
    let one = |(host, wanted): (&'a HostName, &'a MemberSpec)| {
        let seen = facts.hosts.get(host).and_then(Observed::known);
        let (site, facts) =
            (seen.map(|seen| &seen.site), seen.and_then(|seen| seen.clusters.get(&cluster.name)));
        let url = wanted.member.peer_url().to_string();
        let is_it = |row: &&ListedMember| {
            row.name == host.as_str() || (row.name.is_empty() && row.peer_urls.contains(&url))
        };
        let place = match list.iter().find(is_it) {
            Some(row) => Place::Listed {
                id: row.id.clone(),
                peer_url: row.peer_urls.join(","),
                learner: row.learner,
            },
            None => Place::Removed,
        };
        (host, Leaving { wanted, place, facts, site })
    };
    cluster.former.iter().map(one).collect()
}

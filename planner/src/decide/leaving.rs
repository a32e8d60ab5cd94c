//! Members that the cluster has, or had until just now, and that `members` no longer names. Only hosts that the
//! inventory still has are looked at: quorate knows nothing of the other members in the list.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use inventories::{HostName, SiteName};

use crate::decide::{assess, rows};
use crate::facts::{Caller, EtcdFacts, HostFacts, ListedMember, MemberFacts, Observed, SiteFacts};
use crate::plan::Leaver;
use crate::spec::{Addresses, ClusterSpec, MemberSpec, SiteSpec};
use templates::PeerUrl;

/// A member that is to leave.
pub(crate) struct Leaving<'a> {
    pub(crate) wanted: &'a MemberSpec,
    pub(crate) place: Place,
    /// What its host says of it; `None` where it could not be looked at, or has another member.
    pub(crate) facts: Option<&'a MemberFacts>,
    /// Whose the host is, where it was looked at.
    pub(crate) site: Option<&'a Observed<SiteName>>,
    /// Whether what is on the host is its own.
    pub(crate) found: Found,
    /// Whether the others say that it leads.
    pub(crate) leads: bool,
}

/// What was found on the host of a member that leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// What the member has there, or had.
    Its,
    /// Nothing, because the host could not be looked at.
    Nothing,
    /// What is another member's, or another cluster's of the same name.
    Others,
    /// Something that can't be read.
    Unreadable,
}

/// How far it is on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// The list has it, under this id and at this peer URL.
    Listed { id: String, peer_urls: Vec<String>, client_url: Option<String>, learner: bool },
    /// The list does not have it any more, and its host still has what is left of it.
    Removed,
}

/// What a member does that is to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It answers and knows a leader.
    Serves,
    /// A process of it runs, and does not answer.
    Hangs,
    /// It does not run, or its host can't be reached: then the others are asked when it is removed.
    Failed,
}

impl Leaving<'_> {
    /// What it does.
    pub(crate) fn state(&self) -> State {
        let etcd = self.facts.and_then(|facts| facts.etcd.known());
        let runs = self.facts.is_some_and(|facts| facts.is_up() || !facts.running.is_absent());
        match etcd {
            Some(etcd) if etcd.leader.is_some() => State::Serves,
            // One that leads has not failed, whatever is seen of it from here.
            _ if etcd.is_some() || runs || self.leads => State::Hangs,
            _ => State::Failed,
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

    /// Where clients find it, as the list says.
    pub(crate) fn client_url(&self) -> String {
        let wanted = || self.wanted.member.client_url().to_string();
        match &self.place {
            Place::Listed { client_url: Some(url), .. } => url.clone(),
            Place::Listed { client_url: None, .. } | Place::Removed => wanted(),
        }
    }

    /// Where its peers find it, as the list says; `None` where that is not one address.
    pub(crate) fn peer_url(&self) -> Option<PeerUrl> {
        let Place::Listed { peer_urls, .. } = &self.place else { return None };
        let [url] = &peer_urls[..] else { return None };
        let at: SocketAddr = url.strip_prefix("https://")?.parse().ok()?;
        Some(PeerUrl::new(at.ip(), at.port()))
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
    /// The same site with only the leaving members, so that their hosts are looked at; `None` where
    /// no member leaves.
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
                    known.sources.extend(more.sources);
                    add_callers(&mut known.callers, more.callers);
                }
                (Some(_), _) => {}
                (None, seen) => {
                    self.hosts.insert(host, seen);
                }
            }
        }
    }
}

/// Adds who is connected to other ports of the same host. Absent is what was not asked.
fn add_callers(known: &mut Observed<BTreeSet<Caller>>, more: Observed<BTreeSet<Caller>>) {
    match (known, more) {
        (Observed::Unknown(_), _) | (_, Observed::Absent) => {}
        (Observed::Known(all), Observed::Known(more)) => all.extend(more),
        (known, more) => *known = more,
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

/// The hosts of the members that leave, as far as they are known: while no member that knows a leader says who is
/// listed, those that have traces. Nobody leaves meanwhile, and a restore stops them.
fn hosts<'s>(
    spec: &'s SiteSpec,
    cluster: &ClusterSpec,
    facts: &SiteFacts,
    traces: &BTreeMap<&str, BTreeSet<&HostName>>,
) -> BTreeSet<&'s HostName> {
    let list = assess::listed(cluster, facts).into_iter().flatten();
    let listed = list.filter(|row| !rows::is_member(cluster, row));
    let listed = listed.filter_map(|row| host_of(spec, cluster, row));
    let traced = traces.get(cluster.name.as_str()).into_iter().flatten();
    let traced = traced.filter_map(|host| Some(spec.addresses.get_key_value(*host)?.0));
    listed.chain(traced).filter(|host| !cluster.members.contains_key(*host)).collect()
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

/// The members that leave, by host; `answers` are those of the members that stay.
pub(crate) fn leaving<'a>(
    cluster: &'a ClusterSpec,
    facts: &'a SiteFacts,
    list: Option<&[ListedMember]>,
    answers: &[&EtcdFacts],
) -> BTreeMap<&'a HostName, Leaving<'a>> {
    let Some(list) = list else { return BTreeMap::new() };
    let one = |(host, wanted): (&'a HostName, &'a MemberSpec)| {
        let url = wanted.member.peer_url().to_string();
        let seen = facts.hosts.get(host).and_then(Observed::known);
        let own = seen.and_then(|seen| seen.clusters.get(&cluster.name));
        let unstarted = |row: &&ListedMember| row.name.is_empty() && row.peer_urls.contains(&url);
        let row = rows::named(list, host, &url, own).or_else(|| list.iter().find(unstarted));
        let place = row.map_or(Place::Removed, |row| Place::Listed {
            id: row.id.clone(),
            peer_urls: row.peer_urls.clone(),
            client_url: row.client_urls.first().cloned(),
            learner: row.learner,
        });
        let is_his = |own: &MemberFacts| {
            own.member_ids().all(|id| match row {
                Some(row) => row.id == id,
                None => list.iter().all(|row| row.id != id),
            })
        };
        let is_ours = |own: &MemberFacts| {
            cluster_ids(own).all(|id| answers.iter().all(|etcd| etcd.cluster_id == id))
        };
        // A removed member knows no leader. One that does serves another cluster than the one that was asked.
        let serves_others = |own: &MemberFacts| row.is_none() && knows_a_leader(own);
        let found = match own {
            None => Found::Nothing,
            Some(own) if !is_his(own) || !is_ours(own) || serves_others(own) => Found::Others,
            Some(own) if is_unreadable(own) => Found::Unreadable,
            Some(_) => Found::Its,
        };
        let leader = row.map(|row| &row.id);
        let leads = row.is_some() && answers.iter().any(|etcd| etcd.leader.as_ref() == leader);
        let (facts, site) = (own.filter(|_| found != Found::Others), seen.map(|seen| &seen.site));
        (host, Leaving { wanted, place, facts, site, found, leads })
    };
    cluster.former.iter().map(one).collect()
}

/// The cluster ids that a host has under the cluster's name.
pub(crate) fn cluster_ids(own: &MemberFacts) -> impl Iterator<Item = &str> {
    let marked = own.marker.known().map(|marker| marker.cluster_id.as_str());
    marked.into_iter().chain(own.etcd.known().map(|etcd| etcd.cluster_id.as_str()))
}

fn knows_a_leader(own: &MemberFacts) -> bool {
    own.etcd.known().is_some_and(|etcd| etcd.leader.is_some())
}

/// What a removal from the host relies on.
fn is_unreadable(own: &MemberFacts) -> bool {
    matches!(own.data, Observed::Unknown(_))
        || matches!(own.unit, Observed::Unknown(_))
        || matches!(own.running, Observed::Unknown(_))
        || matches!(own.marker, Observed::Unknown(_))
}

//! Members of a formed cluster to which the inventory gives another address or port. The cluster's own list, and the
//! process, say where a member is; the inventory says where it shall be. It moves in its turn among the restarts: the
//! cluster lists it at the new peer URL, and then its process starts there.
//!
//! Its certificates name both places until all have moved. etcd compares the source address of a peer's connection with
//! the addresses in the peer's certificate; and a member that has moved to another network speaks to one that has not
//! from its old address there, as that one speaks to it from its new one. The next apply issues certificates that name
//! the new places alone.

mod turns;
mod waits;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use inventories::HostName;
use inventories::inventory::San;
use pki::LeafKind;
use templates::layout::PkiFile;

use crate::decide::assess::{self, View};
use crate::decide::member_context::MemberContext;
use crate::decide::{readdress, rows};
use crate::facts::{HostFacts, ListedMember, MemberFacts, Observed, SiteFacts};
use crate::plan::{Action, Guard, Step, StepKind, Verb, Why};
use crate::report::{Finding, FindingCode};
use crate::spec::{ClusterSpec, MemberSpec, SiteSpec};
pub(crate) use turns::Turns;
pub(crate) use waits::{before_moves, before_removals, holds, leaves_clients, still_listed};

/// Where a member is that moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MovesFrom {
    /// etcd's id of it.
    pub(crate) id: String,
    /// Where clients find it.
    pub(crate) client: SocketAddr,
    /// Where its process says that peers find it.
    pub(crate) peer: SocketAddr,
    /// Its client URL for programs on its host.
    pub(crate) loopback: String,
    /// The peer URL that the cluster lists it at.
    pub(crate) listed_at: String,
    /// Whether that is its new one already: an earlier run stopped after that.
    pub(crate) is_listed: bool,
    /// Whether its host no longer has the address at which its process listens for peers.
    pub(crate) is_cut_off: bool,
}

/// The desired state with the places of members that move, and certificates for both places.
pub(crate) fn with_places<'s>(spec: &'s SiteSpec, facts: &SiteFacts) -> Cow<'s, SiteSpec> {
    let mut spec = Cow::Borrowed(spec);
    let names: Vec<_> = spec.clusters.keys().cloned().collect();
    for name in names {
        let found = moves(&spec.clusters[&name], facts);
        let hosts: Vec<HostName> = spec.clusters[&name].members.keys().cloned().collect();
        for host in hosts {
            let known = &spec.clusters[&name].members[&host];
            let seen = facts.hosts.get(&host).and_then(Observed::known);
            if found.is_empty() && seen.is_none_or(|seen| speaks_as_wanted(known, seen)) {
                continue;
            }
            let mut member = known.clone();
            member.moves_from = found.get(&host).cloned();
            if let Some(seen) = seen
                && let Some(own) = seen.clusters.get(&name)
            {
                keep_source(&mut member, seen, own);
                if !found.is_empty() {
                    keep_addresses(&mut member, own);
                }
            }
            if member != *known
                && let Some(cluster) = spec.to_mut().clusters.get_mut(&name)
            {
                cluster.members.insert(host, member);
            }
        }
    }
    spec
}

/// The members of a cluster that move. While nobody that knows a leader says who is listed, nobody can.
fn moves(cluster: &ClusterSpec, facts: &SiteFacts) -> BTreeMap<HostName, MovesFrom> {
    let Some(list) = assess::listed(cluster, facts) else { return BTreeMap::new() };
    let moves = |(host, wanted): (&HostName, &MemberSpec)| {
        let seen = facts.hosts.get(host).and_then(Observed::known);
        let own = seen.and_then(|seen| seen.clusters.get(&cluster.name));
        let url = wanted.member.peer_url().to_string();
        let listed = rows::named(list, host, &url, own).filter(|listed| !listed.learner)?;
        Some((host.clone(), moves_from(host, wanted, listed, (seen, own))?))
    };
    cluster.members.iter().filter_map(moves).collect()
}

fn moves_from(
    host: &HostName,
    wanted: &MemberSpec,
    listed: &ListedMember,
    (seen, own): (Option<&HostFacts>, Option<&MemberFacts>),
) -> Option<MovesFrom> {
    // What is listed by a name, or at several URLs, quorate did not list.
    let [listed_at] = &listed.peer_urls[..] else { return None };
    if readdress::url_in_dns(host, wanted).as_ref() == Some(listed_at) {
        return None;
    }
    let (listed_url, listed_at, member) = (listed_at, socket(listed_at)?, &wanted.member);
    let running = own.and_then(|own| own.running.known()).map(Vec::as_slice).unwrap_or_default();
    let flag = |name: &str| running.iter().find_map(|argument| argument.strip_prefix(name));
    let shown = |name: &str| flag(name).and_then(socket);
    // One that a stopped bootstrap left behind never took part, and starts where it is listed.
    if running.is_empty() && listed.client_urls.is_empty() {
        return None;
    }
    let client = shown("--advertise-client-urls=")
        .or_else(|| listed.client_urls.iter().find_map(|url| socket(url)));
    let loopback = flag("--listen-client-urls=")
        .and_then(|urls| urls.split(',').find(|url| url.starts_with("https://127.0.0.1:")));
    // The facts do not show whether the host has other old addresses.
    let listens = shown("--listen-peer-urls=").map(|at| at.ip());
    let has = seen.and_then(|seen| seen.addresses.known());
    let is_cut_off = listens.zip(has).is_some_and(|(at, has)| !has.contains(&at));
    let from = MovesFrom {
        id: listed.id.clone(),
        client: client.unwrap_or(member.client_url().socket()),
        peer: shown("--initial-advertise-peer-urls=").unwrap_or(listed_at),
        loopback: loopback
            .map_or_else(|| member.loopback_client_url().to_string(), ToOwned::to_owned),
        listed_at: listed_url.clone(),
        is_listed: listed_at == member.peer_url().socket(),
        is_cut_off,
    };
    let is_there = from.is_listed
        && from.client == member.client_url().socket()
        && from.peer == member.peer_url().socket()
        && from.loopback == member.loopback_client_url().to_string();
    (!is_there).then_some(from)
}

/// The address and port of a member's URL.
fn socket(url: &str) -> Option<SocketAddr> {
    url.strip_prefix("https://")?.parse().ok()
}

/// The peer URL in a unit or pod. That of a bootstrap by DNS is a name, which its head has as an address.
pub(crate) fn peer_url_in(text: &str) -> Option<&str> {
    let flag = text.split_once("--initial-advertise-peer-urls=")?.1;
    let url = flag.split(['"', '\'', '\\', '\n', ' ']).next()?;
    socket(url).map(|_| url)
}

/// Certificates keep the addresses that they name until all have moved: members are found there, or speak from there.
/// What a cut-off member left is of no use to anybody.
fn keep_addresses(member: &mut MemberSpec, own: &MemberFacts) {
    if member.moves_from.as_ref().is_some_and(|from| from.is_cut_off) {
        return;
    }
    let from = member.moves_from.iter().flat_map(|from| [from.client.ip(), from.peer.ip()]);
    let from: BTreeSet<IpAddr> = from.collect();
    for (kind, file) in
        [(LeafKind::Server, PkiFile::ServerCert), (LeafKind::Peer, PkiFile::PeerCert)]
    {
        keep(member, kind, named(own, file).chain(from.iter().copied()));
    }
}

/// A host that has several addresses may speak to its peers from one of before. Its certificate keeps that as long as
/// it does.
fn keep_source(member: &mut MemberSpec, seen: &HostFacts, own: &MemberFacts) {
    if speaks_as_wanted(member, seen) {
        return;
    }
    let sources = || seen.sources.values().filter_map(Observed::known);
    let kept: Vec<IpAddr> = named(own, PkiFile::PeerCert)
        .filter(|named| sources().any(|source| source == named))
        .collect();
    keep(member, LeafKind::Peer, kept.into_iter());
}

/// Whether a host speaks to its peers from addresses that the inventory gives to its member.
fn speaks_as_wanted(member: &MemberSpec, seen: &HostFacts) -> bool {
    let addresses = member.member.addresses();
    seen.sources.values().filter_map(Observed::known).all(|source| addresses.contains(source))
}

/// The addresses that a certificate on the host names.
fn named(own: &MemberFacts, file: PkiFile) -> impl Iterator<Item = IpAddr> {
    let sans = own.certificate(file).map(|facts| facts.sans).unwrap_or_default();
    sans.into_iter().filter_map(|san| match san {
        San::Ip(address) => Some(address),
        San::Dns(_) => None,
    })
}

/// Names these addresses in a certificate too.
fn keep(member: &mut MemberSpec, kind: LeafKind, addresses: impl Iterator<Item = IpAddr>) {
    let sans: Vec<San> = addresses.map(San::Ip).collect();
    for leaf in member.leaves.iter_mut().filter(|leaf| leaf.kind() == kind) {
        *leaf = leaf.clone().also_for(&sans).unwrap_or_else(|_| leaf.clone());
    }
}

/// The hosts of the members of a cluster that move.
pub(crate) fn names(cluster: &ClusterSpec) -> Vec<&HostName> {
    let moves = cluster.members.iter().filter(|(_, member)| member.moves_from.is_some());
    moves.map(|(host, _)| host).collect()
}

/// A change that can't be made now.
pub(crate) fn refused(cluster: &ClusterSpec, view: &View<'_>, message: String) -> Finding {
    let back = format!("restore the former addresses and ports in {}", cluster.place.file);
    let hint = match view.listed() {
        Some(_) => back,
        None => format!(
            "members move only while the others have a quorum, and no member that answers knows a leader\n\
             add the old addresses to the hosts until all members have moved: ip address add\n\
             where that is impossible, restore the cluster there: quorate restore --cluster {} --from BACKUP\n\
             to undo the change: {back}",
            cluster.name
        ),
    };
    Finding {
        code: FindingCode::ChangingAddress,
        host: None,
        cluster: Some(cluster.name.clone()),
        message,
        hint: Some(hint),
    }
}

/// The members whose new peer URL the cluster lists for another member.
pub(crate) fn taken(cluster: &ClusterSpec, view: &View<'_>) -> Vec<Finding> {
    let taken = |(host, member): (&HostName, &MemberSpec)| {
        let from = member.moves_from.as_ref()?;
        let url = member.member.peer_url().to_string();
        let is_there =
            |listed: &&ListedMember| listed.id != from.id && listed.peer_urls.contains(&url);
        let (other, cluster_name) = (view.listed()?.iter().find(is_there)?, &cluster.name);
        let whose = |host: &&HostName| {
            let own = view.members.get(*host).copied();
            let listed =
                rows::of_host(cluster, view.listed().map_or(&[], Vec::as_slice), (host, own));
            listed.is_some_and(|listed| listed.id == other.id)
        };
        let id = &other.id;
        let (which, hint) = match cluster.members.keys().find(whose) {
            Some(other) => {
                (other.to_string(), format!("move {other} first, to an address that no member has"))
            }
            None => (
                format!("member {id}"),
                format!(
                    "if nobody needs it: quorate plan --cluster {cluster_name} --remove-member {id}"
                ),
            ),
        };
        let message = format!("{host} can't move to {url}, where the cluster lists {which}");
        Some(Finding { hint: Some(hint), ..refused(cluster, view, message) })
    };
    cluster.members.iter().filter_map(taken).collect()
}

/// Where each member serves clients once these have moved. Nobody else has.
pub(crate) fn client_urls(
    cluster: &ClusterSpec,
    moved: &BTreeSet<&HostName>,
) -> BTreeMap<HostName, String> {
    let url = |(host, member): (&HostName, &MemberSpec)| {
        let from = member.moves_from.as_ref().filter(|_| !moved.contains(host));
        let url = from.map_or_else(
            || member.member.client_url().to_string(),
            |from| format!("https://{}", from.client),
        );
        (host.clone(), url)
    };
    cluster.members.iter().map(url).collect()
}

/// A member's client URL for a program on its host, before it moves.
pub(crate) fn loopback(member: &MemberSpec) -> String {
    let wanted = || member.member.loopback_client_url().to_string();
    member.moves_from.as_ref().map_or_else(wanted, |from| from.loopback.clone())
}

/// Where a member that stays where it is is asked on its own host, and where the others are.
pub(crate) fn asked(member: &MemberContext<'_>) -> (String, BTreeMap<HostName, String>) {
    let mut others = client_urls(member.cluster, &BTreeSet::new());
    others.remove(member.name);
    (loopback(member.wanted), others)
}

/// Lists the member at the peer URL that it moves to; nothing where it is listed there. Its peers look for it at the
/// new URL from then on, so the step is guarded as the restart that follows.
pub(crate) fn update(
    member: &MemberContext<'_>,
    moved: &BTreeSet<&HostName>,
    guard: Guard,
) -> Option<Step> {
    let from = member.wanted.moves_from.as_ref().filter(|from| !from.is_listed)?;
    let mut others = client_urls(member.cluster, moved);
    match others.len() {
        1 => others.insert(member.name.clone(), from.loopback.clone()),
        _ => others.remove(member.name),
    };
    let peer_url = member.wanted.member.peer_url().to_string();
    let change = format!("peer URL: {} -> {peer_url}", from.listed_at);
    let kind = StepKind::UpdatePeerUrl {
        id: from.id.clone(),
        peer_url,
        others,
        version: member.cluster.version,
    };
    let why = Why::Drift { changes: vec![change] };
    Some(member.step(Verb::UpdatePeerUrl, Action::Update, kind, why).guarded(guard))
}

/// What clients must learn of a move.
pub(crate) fn told(member: &MemberContext<'_>) -> Option<String> {
    let from = member.wanted.moves_from.as_ref()?;
    let (old, new) = (from.client, member.wanted.member.client_url());
    (old != new.socket()).then(|| {
        format!(
            "{} of cluster {} answers at {new} once it has started there; update API servers that use https://{old}",
            member.name, member.cluster.name
        )
    })
}

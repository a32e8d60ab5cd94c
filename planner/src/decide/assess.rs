//! How a cluster is now, told from what its hosts said.

use std::collections::{BTreeMap, BTreeSet};

use inventories::{ClusterName, HostName};

use crate::decide::down::why_down;
use crate::decide::formed::{Elsewhere, Reform};
use crate::decide::leaving::{self, Leaving};
use crate::decide::membership::{self, Joining};
use crate::decide::{apiservers, machines, readdress, rows};
use crate::facts::{ALARM, EtcdFacts, ListedMember, MemberFacts, Observed, SiteFacts};
use crate::quorum::{NEAR, Quorum};
use crate::report::{ClusterNow, Formation, Led};
use crate::spec::{ClusterSpec, SiteSpec};

/// A cluster's members as they were seen, and what follows from it.
pub(crate) struct View<'a> {
    /// The part of each member host that was seen.
    pub(crate) members: BTreeMap<&'a HostName, &'a MemberFacts>,
    /// Member hosts that could not be seen.
    pub(crate) unseen: BTreeSet<&'a HostName>,
    /// Members whose machines have none of their addresses, as these say: a login may lead elsewhere.
    pub(crate) strangers: BTreeSet<&'a HostName>,
    /// Members that are yet to become voters, by host.
    pub(crate) joining: BTreeMap<&'a HostName, Joining>,
    /// Members that `members` no longer names, by host.
    pub(crate) leaving: BTreeMap<&'a HostName, Leaving<'a>>,
    /// What this plan leaves as it is of the API servers that use it.
    pub(crate) left: apiservers::Left,
    /// Another cluster whose members change before API servers that use this one get their list.
    pub(crate) changes_first: Option<ClusterName>,
    /// A cluster that gets changes before this one, and can't get its own now.
    pub(crate) waits_for_cluster: Option<ClusterName>,
    /// Hosts whose failed members the operator has replaced.
    pub(crate) replaces: BTreeSet<HostName>,
    /// Hosts whose members get new certificates because the operator says so.
    pub(crate) reissues: BTreeSet<HostName>,
    /// What other hosts say of the cluster.
    pub(crate) elsewhere: Elsewhere<'a>,
    /// The summary, as reports show it.
    pub(crate) now: ClusterNow,
}

impl<'a> View<'a> {
    /// The hosts outside of the cluster that must be seen before it is formed.
    pub(crate) fn waits_for(&self) -> impl Iterator<Item = &'a HostName> + '_ {
        let waits = self.now.formation == Formation::Unknown;
        self.elsewhere.unseen.keys().filter(move |_| waits).copied()
    }

    /// What each member that answered says of itself.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (&'a HostName, &'a EtcdFacts)> + '_ {
        self.members.iter().filter_map(|(host, facts)| Some((*host, facts.etcd.known()?)))
    }

    /// The member list, as a member that knows a leader has it.
    pub(crate) fn listed(&self) -> Option<&'a Vec<ListedMember>> {
        list(self.answers().map(|(_, etcd)| etcd))
    }

    /// Whether the member on this host ever took part in the cluster. One that a stopped bootstrap
    /// left unstarted never did, though the list names it: it has published no client URL.
    ///
    /// A host without even the token of the bootstrap proves nothing: it may be a new machine under
    /// an old name. Without a list that says otherwise its member counts as one that took part.
    pub(crate) fn was_member(&self, host: &HostName, facts: &MemberFacts) -> bool {
        let published =
            |member: &ListedMember| member.name == host.as_str() && !member.client_urls.is_empty();
        facts.had_quorum()
            || facts.has_log()
            || match self.listed() {
                Some(list) => list.iter().any(published),
                None => facts.token.known().is_none(),
            }
    }
}

/// How a cluster is now, for commands that do not plan; `None` where the site has no such cluster.
pub fn cluster_now(
    spec: &SiteSpec,
    cluster: &ClusterName,
    facts: &SiteFacts,
) -> Option<ClusterNow> {
    let cluster = leaving::alone(spec, spec.clusters.get(cluster)?, facts);
    Some(assess(&cluster, facts, Reform::Refused, &BTreeSet::new()).now)
}

/// The member list of a cluster, as a member that knows a leader has it.
pub(crate) fn listed<'a>(
    spec: &ClusterSpec,
    facts: &'a SiteFacts,
) -> Option<&'a Vec<ListedMember>> {
    let etcd =
        |host: &HostName| facts.hosts.get(host)?.known()?.clusters.get(&spec.name)?.etcd.known();
    list(spec.members.keys().filter_map(etcd))
}

/// Assesses one cluster. `replace` are the hosts whose failed members the operator has replaced.
pub(crate) fn assess<'a>(
    spec: &'a ClusterSpec,
    facts: &'a SiteFacts,
    reform: Reform,
    replace: &BTreeSet<HostName>,
) -> View<'a> {
    let mut members = BTreeMap::new();
    let mut unseen = BTreeSet::new();
    for host in spec.members.keys() {
        let seen = facts.hosts.get(host).and_then(Observed::known);
        match seen.and_then(|host| host.clusters.get(&spec.name)) {
            Some(member) => {
                members.insert(host, member);
            }
            None => {
                unseen.insert(host);
            }
        }
    }
    let mut answers: BTreeMap<&HostName, &EtcdFacts> =
        members.iter().filter_map(|(host, facts)| Some((*host, facts.etcd.known()?))).collect();
    let list = list(answers.values().copied());
    let told: Vec<&EtcdFacts> = answers.values().copied().collect();
    let leaving = leaving::leaving(spec, facts, list.map(Vec::as_slice), &told);
    // Until it is removed it has its vote.
    let listed = leaving.iter().filter(|(_, one)| one.is_listed());
    answers.extend(listed.filter_map(|(host, one)| Some((*host, one.facts?.etcd.known()?))));
    let healthy = answers.values().filter(|etcd| etcd.leader.is_some() && !etcd.learner).count();
    let elsewhere = Elsewhere::from_facts(spec, facts);
    let formation = match (formation(&members, &unseen), reform) {
        (shown @ (Formation::Absent | Formation::Started), Reform::Refused) => {
            formed_before(spec, &elsewhere).unwrap_or(shown)
        }
        (Formation::Unknown, Reform::Refused) if !elsewhere.traces.is_empty() => {
            Formation::Elsewhere
        }
        (shown, _) => shown,
    };
    let (leader, led) = leader(spec, &members, &unseen, &answers);
    let now = ClusterNow {
        formation,
        cluster_id: cluster_id(&members, &answers),
        quorum: Quorum { voters: voters(spec, list), healthy },
        unseen: unseen.len(),
        leader,
        led,
        down: match formation {
            Formation::Formed => {
                let leaving = leaving.iter().filter(|(_, one)| one.is_listed());
                let leaving = leaving.filter_map(|(host, one)| Some((*host, one.facts?)));
                let all = members.iter().map(|(host, facts)| (*host, *facts)).chain(leaving);
                down(spec, &all.collect(), &answers, list)
            }
            // What was never there is not down.
            Formation::Absent | Formation::Started | Formation::Elsewhere | Formation::Unknown => {
                BTreeMap::new()
            }
        },
        late: late(&answers),
        alarms: alarms(&answers),
    };
    let strangers = members.keys().copied().filter(|host| machines::is_stranger(spec, facts, host));
    let strangers = strangers.collect();
    let joining = BTreeMap::new();
    let replaces = replace.clone();
    let mut view = View {
        left: apiservers::Left::default(),
        changes_first: None,
        waits_for_cluster: None,
        strangers,
        joining,
        leaving,
        replaces,
        reissues: BTreeSet::new(),
        members,
        unseen,
        elsewhere,
        now,
    };
    view.joining = membership::joining(spec, &view, replace);
    view
}

/// A cluster counts as formed from the first sign that it ever had a quorum: from then on its data
/// may have been acknowledged to somebody. A missing sign on the hosts that were seen proves nothing while
/// another host was not.
fn formation(
    members: &BTreeMap<&HostName, &MemberFacts>,
    unseen: &BTreeSet<&HostName>,
) -> Formation {
    let has_started = |member: &&MemberFacts| !member.token.is_absent() || member.has_log();
    if members.values().any(|member| member.shows_formed()) {
        Formation::Formed
    } else if !unseen.is_empty() {
        Formation::Unknown
    } else if members.values().any(has_started) {
        Formation::Started
    } else {
        Formation::Absent
    }
}

/// What is known of a cluster beyond its members' hosts, none of which shows that it was formed.
fn formed_before(spec: &ClusterSpec, elsewhere: &Elsewhere<'_>) -> Option<Formation> {
    if !elsewhere.traces.is_empty() {
        Some(Formation::Elsewhere)
    } else if !elsewhere.unseen.is_empty() {
        Some(Formation::Unknown)
    } else {
        (!spec.formed.is_absent()).then_some(Formation::Elsewhere)
    }
}

fn cluster_id(
    members: &BTreeMap<&HostName, &MemberFacts>,
    answers: &BTreeMap<&HostName, &EtcdFacts>,
) -> Option<String> {
    let answered = answers.values().map(|etcd| &etcd.cluster_id);
    let marked = members.values().filter_map(|m| m.marker.known()).map(|mark| &mark.cluster_id);
    answered.chain(marked).next().cloned()
}

/// etcd's own list counts, where a member that knows a leader has one; else the inventory.
fn voters(spec: &ClusterSpec, list: Option<&Vec<ListedMember>>) -> usize {
    list.map_or(spec.members.len(), |list| list.iter().filter(|member| !member.learner).count())
}

/// The member list, as a member that knows a leader has it.
fn list<'a>(mut answers: impl Iterator<Item = &'a EtcdFacts>) -> Option<&'a Vec<ListedMember>> {
    answers.find_map(|etcd| etcd.members.known().filter(|_| etcd.leader.is_some()))
}

/// The leader need not be asked: those that follow it know its id, and their list its name.
fn leader(
    spec: &ClusterSpec,
    members: &BTreeMap<&HostName, &MemberFacts>,
    unseen: &BTreeSet<&HostName>,
    answers: &BTreeMap<&HostName, &EtcdFacts>,
) -> (Option<HostName>, Led) {
    let newest = answers.values().filter(|etcd| etcd.leader.is_some()).max_by_key(|e| e.raft_term);
    let Some(id) = newest.and_then(|etcd| etcd.leader.as_ref()) else {
        let may_know = |(host, member): (&&HostName, &&MemberFacts)| {
            member.is_up() && !answers.contains_key(host)
        };
        let asked_all = unseen.is_empty() && !members.iter().any(may_know);
        return (None, if asked_all { Led::Nobody } else { Led::Unknown });
    };
    if let Some((host, _)) = answers.iter().find(|(_, etcd)| etcd.member_id == *id) {
        return (Some((*host).clone()), Led::Itself);
    }
    let listed = list(answers.values().copied())
        .and_then(|list| list.iter().find(|member| member.id == *id));
    let named = listed.and_then(|listed| {
        let by_name = spec.members.keys().find(|host| host.as_str() == listed.name);
        by_name.or_else(|| readdress::listed_by_dns(spec, listed))
    });
    match named {
        None => (None, Led::Unnamed),
        Some(host) => match members.get(host) {
            None => (Some(host.clone()), Led::Unseen),
            Some(member) if member.is_up() => (Some(host.clone()), Led::Silent),
            // It ended, and its followers have not noticed yet.
            Some(_) => (None, Led::Nobody),
        },
    }
}

/// Members that have to catch up with the log before they can stand in for another one.
fn late(answers: &BTreeMap<&HostName, &EtcdFacts>) -> BTreeMap<HostName, (u64, u64)> {
    let newest = answers.values().map(|etcd| etcd.raft_index).max().unwrap_or_default();
    let late = |(host, etcd): (&&HostName, &&EtcdFacts)| {
        let is_late = newest.saturating_sub(etcd.raft_applied) > NEAR;
        is_late.then(|| ((*host).clone(), (etcd.raft_applied, newest)))
    };
    answers.iter().filter_map(late).collect()
}

fn down(
    spec: &ClusterSpec,
    members: &BTreeMap<&HostName, &MemberFacts>,
    answers: &BTreeMap<&HostName, &EtcdFacts>,
    list: Option<&Vec<ListedMember>>,
) -> BTreeMap<HostName, String> {
    // What etcd's own list does not name was never there, and is not down. An unstarted member has no
    // name in it.
    let is_listed = |host: &HostName| {
        list.is_none_or(|list| list.iter().any(|row| rows::may_be(spec, host, row)))
    };
    members
        .iter()
        .filter(|(host, _)| is_listed(host))
        .filter(|(host, _)| answers.get(*host).is_none_or(|etcd| etcd.leader.is_none()))
        .map(|(host, member)| ((*host).clone(), why_down(spec, member)))
        .collect()
}

fn alarms(answers: &BTreeMap<&HostName, &EtcdFacts>) -> Vec<String> {
    // etcd reports more than alarms here, "etcdserver: no leader" for one.
    let alarm = |error: &String| error.strip_prefix(ALARM).map(str::to_owned);
    let all: BTreeSet<String> =
        answers.values().flat_map(|etcd| etcd.errors.iter().filter_map(alarm)).collect();
    all.into_iter().collect()
}

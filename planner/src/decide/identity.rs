//! Whether the hosts and the inventory speak of the same cluster: its CAs, its id, its members.

mod version;

pub(crate) use version::{path, version_of};

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use inventories::HostName;
use pki::{CaKind, CertFacts};
use templates::head;
use templates::layout::PkiFile;

use crate::decide::assess::View;
use crate::decide::{lost, moving, readdress, rows, strays};
use crate::facts::{ListedMember, MemberFacts, Observed};
use crate::policy::Policy;
use crate::report::{Finding, FindingCode, Formation, PlanReport};
use crate::spec::{Authority, ClusterSpec, MemberSpec, SiteSpec};
use crate::stops::Stops;

/// Adds every contradiction between a cluster's inventory and its hosts to the report.
pub(crate) fn check(
    spec: &SiteSpec,
    cluster: &ClusterSpec,
    view: &View<'_>,
    policy: &Policy,
    report: &mut PlanReport,
) {
    authorities(cluster, view, report);
    markers(spec, cluster, view, report);
    if view.now.formation == Formation::Formed {
        one_cluster(cluster, view, report);
        members(cluster, view, policy, report);
        client_urls(cluster, view, report);
        version::check(cluster, view, report);
        lost::check(cluster, view, report);
    }
}

fn finding(
    cluster: &ClusterSpec,
    host: Option<&HostName>,
    code: FindingCode,
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

/// What to do if the CAs here are not those of the hosts.
const FETCH_PKI: &str =
    "another checkout created the CA: commit the certificates in pki/ there, then pull here";

/// What puts the whole cluster in doubt stops all of it.
fn whole(cluster: &ClusterSpec) -> Stops {
    Stops::Cluster(cluster.name.clone())
}

fn authorities(cluster: &ClusterSpec, view: &View<'_>, report: &mut PlanReport) {
    let kinds = [
        (CaKind::Peer, PkiFile::PeerCa, &cluster.authorities.peer),
        (CaKind::Client, PkiFile::ClientCa, &cluster.authorities.client),
    ];
    for (kind, file, authority) in kinds {
        let carried = carried(view, file, authority.as_ref());
        match authority {
            Some(authority) => {
                let mut others: BTreeMap<&str, Vec<&HostName>> = BTreeMap::new();
                for (host, ca) in &carried {
                    if ca.fingerprint != authority.facts.fingerprint {
                        others.entry(&ca.subject).or_default().push(host);
                    }
                }
                for (subject, hosts) in &others {
                    let finding = other_ca(cluster, hosts, kind, subject, authority);
                    report.block(finding, [whole(cluster)]);
                }
            }
            None if carried.is_empty() => {
                let message =
                    format!("cluster {} has no {kind} CA beside the inventory", cluster.name);
                let hint = if view.unseen.is_empty() {
                    "quorate pki init"
                } else {
                    "unreachable hosts may carry one: pull pki/ from the checkout that created it\n\
                     only if the cluster never had one: quorate pki init"
                };
                report.block(
                    finding(cluster, None, FindingCode::NoCa, message, hint),
                    [whole(cluster)],
                );
            }
            None => {
                let message = format!(
                    "the hosts of cluster {} carry a {kind} CA that this inventory lacks",
                    cluster.name
                );
                let host = carried.keys().next().copied();
                let hint = FETCH_PKI;
                let finding = finding(cluster, host, FindingCode::CaNotHere, message, hint);
                report.block(finding, [whole(cluster)]);
            }
        }
    }
}

/// The CA in this file of each host. The one that is wanted, which nearly all have, is not read again.
fn carried<'a>(
    view: &View<'a>,
    file: PkiFile,
    wanted: Option<&'a Authority>,
) -> BTreeMap<&'a HostName, Cow<'a, CertFacts>> {
    let read = |(host, member): (&&'a HostName, &&'a MemberFacts)| {
        let same = wanted.filter(|wanted| member.pem(file) == Some(&wanted.pem));
        let facts = match same {
            Some(wanted) => Cow::Borrowed(&wanted.facts),
            None => Cow::Owned(member.certificate(file)?),
        };
        Some((*host, facts))
    };
    view.members.iter().filter_map(read).collect()
}

fn other_ca(
    cluster: &ClusterSpec,
    hosts: &[&HostName],
    kind: CaKind,
    carried: &str,
    wanted: &Authority,
) -> Finding {
    let names: Vec<&str> = hosts.iter().map(|host| host.as_str()).collect();
    finding(
        cluster,
        hosts.first().copied().filter(|_| hosts.len() == 1),
        FindingCode::OtherCa,
        format!(
            "the {kind} CA on {} is \"{carried}\", and the inventory's is \"{}\"",
            names.join(", "),
            wanted.facts.subject
        ),
        &format!(
            "{FETCH_PKI}\nif client-ca was changed, change it back: the CA on the hosts counts"
        ),
    )
}

fn markers(spec: &SiteSpec, cluster: &ClusterSpec, view: &View<'_>, report: &mut PlanReport) {
    for (host, member) in &view.members {
        let (problem, stops) = match &member.marker {
            Observed::Known(marker) if marker.site != spec.site => {
                let problem = format!("its marker says that it belongs to site {}", marker.site);
                (problem, whole(cluster))
            }
            Observed::Known(marker) if view.now.cluster_id.as_ref() != Some(&marker.cluster_id) => {
                let problem = format!(
                    "its marker names cluster id {}, but the rest of the cluster is {}",
                    marker.cluster_id,
                    view.now.cluster_id.as_deref().unwrap_or("none")
                );
                (problem, whole(cluster))
            }
            Observed::Unknown(why) => {
                let stops = Stops::Member((*host).clone(), cluster.name.clone());
                (format!("its marker can't be read: {why}"), stops)
            }
            Observed::Known(_) | Observed::Absent => continue,
        };
        let hint =
            format!("look at {} on the host", templates::Layout::new(&cluster.name).marker());
        report.block(finding(cluster, Some(host), FindingCode::Marker, problem, &hint), [stops]);
    }
}

fn one_cluster(cluster: &ClusterSpec, view: &View<'_>, report: &mut PlanReport) {
    let mut ids: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (host, etcd) in view.answers() {
        ids.entry(&etcd.cluster_id).or_default().push(host.as_str());
    }
    if ids.len() > 1 {
        let parts: Vec<String> =
            ids.iter().map(|(id, hosts)| format!("{} of {id}", hosts.join(", "))).collect();
        let message = format!("the members do not form one cluster: {}", parts.join("; "));
        let hint = "find out which one holds the data before you change anything";
        report.block(
            finding(cluster, None, FindingCode::TwoClusters, message, hint),
            [whole(cluster)],
        );
    }
}

/// A member of the formed cluster: its name, what else identifies it, and its peer URLs.
struct Formed {
    name: String,
    id: Option<String>,
    peer_urls: Vec<String>,
    /// Whether it is known to have no vote.
    learner: bool,
}

/// The members as etcd lists them; where no member that knows a leader answers, as the units and
/// pods on the hosts remember them.
fn formed_members(cluster: &ClusterSpec, view: &View<'_>) -> Option<Vec<Formed>> {
    if let Some(listed) = view.listed() {
        let formed = |member: &ListedMember| Formed {
            // Until it has told its name itself, each member knows it by a number of its own.
            name: readdress::listed_by_dns(cluster, member)
                .map_or_else(|| member.name.clone(), ToString::to_string),
            id: Some(member.id.clone()),
            peer_urls: member.peer_urls.clone(),
            learner: member.learner,
        };
        return Some(listed.iter().map(formed).collect());
    }
    let list = view
        .members
        .iter()
        .filter(|(host, member)| view.was_member(host, member))
        .find_map(|(_, member)| head::members(text_of(cluster, member)?))?;
    let formed = |entry: &str| {
        let (name, url) = entry.split_once('=')?;
        // A unit names where its own member is; the others may move after it was written.
        let own = view.members.iter().find(|(host, _)| host.as_str() == name);
        let own = own.and_then(|(_, member)| moving::peer_url_in(text_of(cluster, member)?));
        let peer_urls = vec![own.unwrap_or(url).to_owned()];
        Some(Formed { name: name.to_owned(), id: None, peer_urls, learner: false })
    };
    list.split(',').map(formed).collect()
}

/// The text of the unit or pod that the member has.
fn text_of<'a>(cluster: &ClusterSpec, member: &'a MemberFacts) -> Option<&'a str> {
    let layout = templates::Layout::new(&cluster.name);
    let text = |path: String| member.files.get(&path)?.known()?.text.as_deref();
    text(layout.unit_file()).or_else(|| text(layout.pod_manifest()))
}

fn members(cluster: &ClusterSpec, view: &View<'_>, policy: &Policy, report: &mut PlanReport) {
    let named = strays::named(cluster, view, policy);
    let is_removed = |member: &Formed| named.iter().any(|row| member.id.as_ref() == Some(&row.id));
    let Some(formed) = formed_members(cluster, view) else { return };
    let namesakes = rows::ids_of_namesakes(cluster, view);
    let is_namesake = |member: &Formed| member.id.as_ref().is_some_and(|id| namesakes.contains(id));
    let own = formed.iter().filter(|member| !is_namesake(member));
    let running: BTreeMap<&str, &Formed> =
        own.map(|member| (member.name.as_str(), member)).collect();
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    let wanted: BTreeSet<&str> = cluster.members.keys().map(HostName::as_str).collect();
    let (mut differences, mut strangers, mut renames) = (Vec::new(), Vec::new(), Vec::new());
    let mut stops = kept(cluster);
    let is_missing = |host: &&HostName| {
        !running.contains_key(host.as_str()) && !view.joining.contains_key(*host)
    };
    for host in cluster.members.keys().filter(is_missing) {
        differences.push(format!("{host} is not a member yet"));
        stops.push(Stops::Member(host.clone(), cluster.name.clone()));
    }
    let is_wanted = |name: &str, member: &Formed| {
        let is_it = |host: &HostName| {
            let url = &cluster.members[host].member.peer_url().to_string();
            view.joining.contains_key(host) && member.peer_urls.contains(url)
        };
        wanted.contains(name) || (name.is_empty() && cluster.members.keys().any(is_it))
    };
    // Row by row: etcd takes two members of one name.
    for member in &formed {
        let name = member.name.as_str();
        let is_wanted = is_wanted(name, member) && !is_namesake(member);
        if is_wanted && (name.is_empty() || taken.insert(name)) {
            continue;
        }
        if leaves(view, member) || is_removed(member) {
            continue;
        }
        let id = member.id.as_ref().map_or(String::new(), |id| format!(" ({id})"));
        let what = match (name.is_empty(), member.learner) {
            (true, _) => format!("an unstarted member{id} at {}", member.peer_urls.join(", ")),
            (false, true) => format!("the learner {name}{id}"),
            (false, false) => format!("{name}{id}"),
        };
        match renamed(cluster, member) {
            Some(host) => renames.push(format!("{name} is {host} in the inventory")),
            None => strangers.extend(member.id.as_ref()),
        }
        differences.push(format!("{what} is a member, but not in `members`"));
    }
    if !differences.is_empty() {
        let message = format!("the members differ: {}", differences.join("; "));
        let mut finding = unsupported(cluster, "members", FindingCode::ChangingMembers, message);
        if view.listed().is_none() {
            let place = cluster.place_of("members");
            finding.hint = Some(format!(
                "bring back the members that run the cluster now\nor restore `members` in {}:{} until then\nif they are lost: quorate recover --cluster {}",
                place.file, place.line, cluster.name
            ));
        } else if !renames.is_empty() {
            finding.hint = Some(format!(
                "{}: a rename is a replacement. Restore the name, or swap the member for one on another host",
                renames.join(", ")
            ));
        } else if strangers.len() == differences.len() {
            finding.hint = Some(remove_hint(cluster, &strangers));
        }
        report.block(finding, stops);
    }
    for (host, member) in &cluster.members {
        let url = member.member.peer_url().to_string();
        if let Some(running) = running.get(host.as_str())
            && running.peer_urls != [url.clone()]
            && member.moves_from.is_none()
            && readdress::url_in_dns(host, member).is_none_or(|name| running.peer_urls != [name])
        {
            let message = format!(
                "{host} is a member at {}, but the inventory says {url}",
                running.peer_urls.join(", ")
            );
            let mut stops = kept(cluster);
            // Its certificates would name the new address alone.
            stops.push(Stops::Member(host.clone(), cluster.name.clone()));
            report.block(moving::refused(cluster, view, message), stops);
        }
    }
}

/// The host of the inventory that has the place of a member of another name.
fn renamed<'c>(cluster: &'c ClusterSpec, member: &Formed) -> Option<&'c HostName> {
    let is_there = |(_, wanted): &(&HostName, &MemberSpec)| {
        member.peer_urls.contains(&wanted.member.peer_url().to_string())
    };
    let named = !member.name.is_empty();
    cluster.members.iter().filter(|_| named).find(is_there).map(|(host, _)| host)
}

/// How members go whose hosts the inventory does not have.
fn remove_hint(cluster: &ClusterSpec, ids: &[&String]) -> String {
    let remove: Vec<String> = ids.iter().map(|id| format!(" --remove-member {id}")).collect();
    format!(
        "if nobody needs it: quorate plan --cluster {}{}\nor name its host in [hosts], and quorate apply removes it",
        cluster.name,
        remove.concat()
    )
}

/// Whether the inventory still has the host of this member, so that it can be removed.
fn leaves(view: &View<'_>, member: &Formed) -> bool {
    member.id.is_some() && view.leaving.values().any(|one| one.id() == member.id.as_deref())
}

/// A running process shows where it serves clients, and is asked there. Steps would ask it where the inventory says.
fn client_urls(cluster: &ClusterSpec, view: &View<'_>, report: &mut PlanReport) {
    let flag = "--advertise-client-urls=";
    let elsewhere = |(host, member): (&HostName, &MemberSpec)| {
        let running = view.members.get(host)?.running.known()?;
        let now = running.iter().find_map(|argument| argument.strip_prefix(flag))?;
        let wanted = member.member.client_url().to_string();
        (now != wanted && member.moves_from.is_none())
            .then(|| format!("{host} serves clients at {now}, and the inventory says {wanted}"))
    };
    let elsewhere: Vec<String> = cluster.members.iter().filter_map(elsewhere).collect();
    if !elsewhere.is_empty() {
        report.block(moving::refused(cluster, view, elsewhere.join("; ")), kept(cluster));
    }
    for taken in moving::taken(cluster, view) {
        report.block(taken, kept(cluster));
    }
}

/// While the inventory asks for a different cluster than the one that runs, every member keeps its settings: they
/// are known to work, and list the members.
fn kept(cluster: &ClusterSpec) -> Vec<Stops> {
    let settings = |host: &HostName| Stops::Settings(host.clone(), cluster.name.clone());
    let settings = cluster.members.keys().map(settings);
    settings.chain([Stops::Changes(cluster.name.clone())]).collect()
}

fn unsupported(
    cluster: &ClusterSpec,
    setting: &str,
    code: FindingCode,
    message: String,
) -> Finding {
    let place = cluster.place_of(setting);
    finding(
        cluster,
        None,
        code,
        message,
        &format!(
            "not supported yet on a formed cluster; restore the running values in {}:{}",
            place.file, place.line
        ),
    )
}

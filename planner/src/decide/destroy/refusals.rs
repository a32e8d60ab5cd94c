//! Why a cluster can't be destroyed now: every reason at once, before anything is done.

use std::collections::BTreeSet;

use super::Subject;
use crate::decide::restore::former::Former;
use crate::decide::{apiservers, leaving, strays};
use crate::facts::Observed;
use crate::report::{Finding, FindingCode};

/// Every reason. If nothing of the cluster is left, only unreachable and unreadable hosts matter.
pub(super) fn found(subject: &Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(unseen_members(subject));
    found.extend(unseen_former(subject));
    found.extend(unreadable(subject));
    if found.is_empty() && subject.places().is_empty() {
        return found;
    }
    found.extend(several(subject));
    found.extend(of_another_site(subject));
    found.extend(unknown_members(subject));
    found.extend(listed(subject));
    found.extend(api_servers(subject));
    found
}

fn finding(subject: &Subject<'_>, code: FindingCode, message: String, hint: String) -> Finding {
    let cluster = Some(subject.cluster.name.clone());
    Finding { code, host: None, cluster, message, hint: Some(hint) }
}

fn refused(subject: &Subject<'_>, message: String, hint: &str) -> Finding {
    finding(subject, FindingCode::DestroyRefused, message, hint.to_owned())
}

fn names<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<T> = names.into_iter().collect();
    names.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ")
}

fn unseen_members(subject: &Subject<'_>) -> Option<Finding> {
    let unseen = &subject.view.unseen;
    (!unseen.is_empty()).then(|| {
        let hosts = names(unseen.iter().map(|host| host.as_str()));
        let message =
            format!("can't reach {hosts}: a member there would start again with its data");
        let hint =
            "make them reachable; first remove hosts that are gone from `members`, and apply";
        refused(subject, message, hint)
    })
}

/// Hosts that may still have a former member. If a member list is known, unlisted hosts have none.
fn unseen_former(subject: &Subject<'_>) -> Option<Finding> {
    let former = subject.former.iter().filter(|one| one.seen.is_none()).map(|one| one.host);
    let elsewhere = subject.view.elsewhere.unseen.keys().copied();
    let elsewhere = elsewhere.filter(|_| subject.view.listed().is_none());
    let hosts: BTreeSet<&str> = former.chain(elsewhere).map(|host| host.as_str()).collect();
    (!hosts.is_empty()).then(|| {
        let message = format!(
            "can't reach {}, which `members` does not name: a former member may still be there",
            names(hosts)
        );
        refused(subject, message, "make them reachable; remove hosts that are gone from [hosts]")
    })
}

fn unreadable(subject: &Subject<'_>) -> Option<Finding> {
    let is_read = |host: &str| subject.members.iter().any(|one| one.name.as_str() == host);
    let members = subject.view.members.keys().map(|host| host.as_str());
    let members = members.filter(|host| !is_read(host));
    // Only its marker tells which cluster a member that is down belonged to.
    let has_odd_marker = |one: &Former<'_>| {
        one.seen.is_some_and(|(_, own)| matches!(own.marker, Observed::Unknown(_)))
    };
    let former = subject.former.iter().filter(|one| one.is_unreadable() || has_odd_marker(one));
    let hosts: BTreeSet<&str> = members.chain(former.map(|one| one.host.as_str())).collect();
    (!hosts.is_empty()).then(|| {
        let message = format!("can't read everything that {} has of it", names(hosts));
        refused(subject, message, "quorate plan says what can't be read and why")
    })
}

/// Without a member that says which cluster it is, what former ones have must be of one.
fn several(subject: &Subject<'_>) -> Option<Finding> {
    let seen = subject.former.iter().filter_map(|one| Some(one.seen?.1));
    let ids: BTreeSet<&str> = seen.flat_map(leaving::cluster_ids).collect();
    (ids.len() > 1).then(|| {
        let message = format!(
            "hosts that `members` does not name have different clusters of this name: {}",
            names(ids)
        );
        refused(subject, message, "find out which of them is to go: cluster-id in their markers")
    })
}

fn of_another_site(subject: &Subject<'_>) -> Vec<Finding> {
    let other = subject.former.iter();
    let other = other.filter_map(|one| Some((one.host, one.other_site(&subject.site.site)?)));
    other
        .map(|(host, site)| {
            let message = format!("{host} has a member of it, but belongs to site {site}");
            let hint = "find out who owns it; quorate never stops members of another site";
            refused(subject, message, hint)
        })
        .collect()
}

/// The rest of the cluster may continue to serve without the members that this inventory knows.
fn unknown_members(subject: &Subject<'_>) -> Option<Finding> {
    let rows = strays::of_nobody(subject.cluster, subject.view);
    (!rows.is_empty()).then(|| {
        let named = rows.iter().map(|row| {
            let name = if row.name.is_empty() { "not started" } else { &row.name };
            format!("{} ({name}, at {})", row.id, row.peer_urls.join(", "))
        });
        let message = format!(
            "the cluster lists members whose hosts the inventory does not have, so no step would stop them: {}",
            names(named)
        );
        let remove = rows.iter().map(|row| format!(" --remove-member {}", row.id));
        let hint = format!(
            "add their hosts to [hosts], and they are removed as well\n\
             or, if they are no longer needed: quorate apply --cluster {}{}",
            subject.cluster.name,
            remove.collect::<String>()
        );
        finding(subject, FindingCode::DestroyRefused, message, hint)
    })
}

/// An API server that is about to use another cluster still uses this one.
fn listed(subject: &Subject<'_>) -> Option<Finding> {
    let users = apiservers::users(subject.cluster, subject.facts);
    (!users.is_empty()).then(|| {
        let users = names(users.iter().map(|host| host.as_str()));
        let message = format!("the API server of {users} lists its members");
        let hint = "if it is to use another cluster: quorate apply first; if it is no longer needed, stop it and take its \
                    configuration away"
            .to_owned();
        finding(subject, FindingCode::ClientsNotStopped, message, hint)
    })
}

fn api_servers(subject: &Subject<'_>) -> Option<Finding> {
    let stop = "stop every API server and other client of the cluster first";
    let (message, hint) = match &subject.request.api_servers {
        Observed::Known(servers) if !servers.is_empty() => (
            format!(
                "API servers still use it, according to /registry/masterleases: {}",
                names(servers.iter())
            ),
            format!("{stop}; their entries are gone 15 s later"),
        ),
        Observed::Unknown(why) if subject.view.now.quorum.holds() => {
            (format!("can't read whether API servers still use it: {why}"), stop.to_owned())
        }
        Observed::Known(_) | Observed::Unknown(_) | Observed::Absent => return None,
    };
    Some(finding(subject, FindingCode::ClientsNotStopped, message, hint))
}

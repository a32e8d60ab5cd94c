//! What must hold of every member before the first one gets another minor. While it does not, no settings change: what
//! is down is started as it is.

use inventories::inventory::Runtime;
use inventories::{HostName, Minor};

use super::proof::{self, Left};
use super::{Closed, no_space};
use crate::decide::assess::View;
use crate::facts::{EtcdFacts, MemberFacts, Observed};
use crate::spec::ClusterSpec;

/// Everything that keeps the members from leaving this minor.
pub(super) fn closed(cluster: &ClusterSpec, view: &View<'_>, from: Minor) -> Vec<Closed> {
    let mut closed = unhealthy(cluster, view, from);
    closed.extend(changing(cluster, view, from));
    closed.extend(alarms(cluster, view));
    if cluster.version.minor() > from {
        closed.extend(unfinished(cluster, view, from));
    }
    if from == Minor::V3_4 {
        closed.extend(authentication(cluster, view));
    }
    if from == Minor::V3_5 && cluster.version.minor() > from {
        closed
            .extend(view.members.iter().filter_map(|(host, member)| v2_api(cluster, host, member)));
    }
    closed
}

/// Members that don't serve, or lag.
fn unhealthy(cluster: &ClusterSpec, view: &View<'_>, from: Minor) -> Vec<Closed> {
    let closed =
        |host: &HostName, why: String, hint: String| Closed { host: Some(host.clone()), why, hint };
    let name = &cluster.name;
    let unseen = view.unseen.iter().map(|host| {
        closed(
            host,
            format!("{host} is unreachable"),
            format!("bring {host} back, then: quorate apply"),
        )
    });
    let down = view.now.down.keys().map(|host| {
        let place = cluster.place_of("version");
        let hint = format!(
            "run quorate apply to start it with its current settings; run it again once the member is healthy\n\
             or put `version` in {}:{} back to a {from} release",
            place.file, place.line
        );
        closed(host, format!("{host} is not healthy"), hint)
    });
    let late = view.now.late.iter().map(|(host, (applied, of))| {
        let why = format!("{host} has applied {applied} of {of} entries of the log");
        closed(host, why, format!("wait until it has caught up: quorate status --cluster {name}"))
    });
    unseen.chain(down).chain(late).collect()
}

/// Other changes that the inventory asks for: each is finished with the running minor.
fn changing(cluster: &ClusterSpec, view: &View<'_>, from: Minor) -> Option<Closed> {
    let listed = view.leaving.iter().filter(|(_, one)| one.is_listed()).map(|(host, _)| *host);
    let moves = cluster.members.iter().filter(|(_, member)| member.moves_from.is_some());
    let elsewhere =
        |member: &MemberFacts| member.runs_by().is_some_and(|is: Runtime| is != cluster.runtime);
    let runtime = view.members.iter().filter(|(_, member)| elsewhere(member));
    let kinds: [(&str, Vec<&HostName>); 4] = [
        ("joins", view.joining.keys().copied().collect()),
        ("leaves", listed.collect()),
        ("moves", moves.map(|(host, _)| host).collect()),
        ("goes to another runtime", runtime.map(|(host, _)| *host).collect()),
    ];
    let each = kinds
        .iter()
        .flat_map(|(what, hosts)| hosts.iter().map(move |host| format!("{host} {what}")));
    let each: Vec<String> = each.collect();
    let place = cluster.place_of("version");
    (!each.is_empty()).then(|| Closed {
        host: None,
        why: each.join(", "),
        hint: format!(
            "set `version` in {}:{} back to the running {from} release, and quorate apply, before the change of version",
            place.file, place.line
        ),
    })
}

/// The cluster has to reach the running minor before it leaves it: what its members wrote before is what the next one
/// can't read.
fn unfinished(cluster: &ClusterSpec, view: &View<'_>, from: Minor) -> Option<Closed> {
    let left = view.members.values().find_map(|member| proof::left(member, from));
    // A downgrade that is turned around halfway never came to this minor.
    let runs_it =
        |member: &&MemberFacts| member.etcd.known().and_then(EtcdFacts::minor) == Some(from);
    let unproven = || {
        view.members.values().all(&runs_it)
            && view.members.values().any(|member| proof::is_due(member, from))
    };
    let left = left.or_else(|| unproven().then_some(Left::Unproven))?;
    let why = match left {
        Left::Downgrade(Some(target)) => format!("a downgrade to etcd {target} is enabled"),
        Left::Downgrade(None) => "a downgrade is enabled".to_owned(),
        Left::Storage => format!("the cluster has not agreed on etcd {from} yet"),
        Left::Unproven => format!("the change to etcd {from} is not proven yet"),
    };
    let place = cluster.place_of("version");
    let hint = match left {
        Left::Downgrade(_) => "which cancels it",
        Left::Storage => "which waits for that",
        Left::Unproven => "which compares the members' data",
    };
    Some(Closed {
        host: None,
        why,
        hint: format!(
            "set `version` in {}:{} back to the running {from} release, and quorate apply, {hint}",
            place.file, place.line
        ),
    })
}

/// Alarms end with the release that runs: what ends them is done by the tools of the wanted one.
fn alarms<'v>(cluster: &'v ClusterSpec, view: &'v View<'_>) -> impl Iterator<Item = Closed> + 'v {
    let place = cluster.place_of("version");
    let back = format!("set `version` in {}:{} back", place.file, place.line);
    view.now.alarms.iter().map(move |alarm| {
        let room = no_space::way_out(cluster, view).filter(|_| alarm.starts_with("NOSPACE"));
        let other = || format!("{back}, and run quorate apply, which shows the way out");
        let (why, hint) = (format!("etcd raised an alarm: {alarm}"), room.unwrap_or_else(other));
        Closed { host: None, why, hint }
    })
}

/// The two minors write records of authentication that the other one does not understand.
fn authentication(cluster: &ClusterSpec, view: &View<'_>) -> Option<Closed> {
    let name = &cluster.name;
    let asked =
        view.members.iter().filter_map(|(host, member)| Some((*host, member.etcd.known()?)));
    let asked: Vec<(&HostName, &EtcdFacts)> = asked.collect();
    if asked.iter().any(|(_, etcd)| etcd.forbids_us || etcd.authentication == Observed::Known(true))
    {
        return Some(Closed {
            host: None,
            why: "etcd's own authentication is on, and 3.4 and 3.5 can't run together with it"
                .to_owned(),
            hint: format!(
                "turn it off for the change of cluster {name}, and on again afterwards; as etcd's user root, on a host: \
                 etcdctl auth disable"
            ),
        });
    }
    let is_old = |etcd: &EtcdFacts| etcd.minor() == Some(Minor::V3_4);
    let why = |etcd: &EtcdFacts| match &etcd.authentication {
        Observed::Known(_) => None,
        Observed::Absent => Some("it was not checked".to_owned()),
        Observed::Unknown(why) => Some(why.clone()),
    };
    let mut unknown = asked.iter().filter(|(_, etcd)| is_old(etcd));
    let (host, why) = unknown.find_map(|(host, etcd)| Some((*host, why(etcd)?)))?;
    Some(Closed {
        host: Some(host.clone()),
        why: format!("{host} does not tell whether etcd's own authentication is on: {why}"),
        hint: format!("see how the member is, and plan again: quorate status --cluster {name}"),
    })
}

/// What is written through the v2 API after the check of the log would stop 3.6.
fn v2_api(cluster: &ClusterSpec, host: &HostName, member: &MemberFacts) -> Option<Closed> {
    let running = match &member.running {
        Observed::Known(running) => running,
        // One that is down closes another gate.
        Observed::Absent => return None,
        Observed::Unknown(why) => {
            return Some(Closed {
                host: Some(host.clone()),
                why: format!("can't tell whether {host} serves the v2 API: {why}"),
                hint: "resolve that, then: quorate apply".to_owned(),
            });
        }
    };
    let on = |argument: &String| {
        let bare = argument.trim_start_matches('-');
        let (name, value) = bare.split_once('=').unwrap_or((bare, "true"));
        ["enable-v2", "experimental-enable-v2v3"].contains(&name) && value != "false"
    };
    let place = cluster.place_of("version");
    running.iter().any(on).then(|| Closed {
        host: Some(host.clone()),
        why: format!("{host} serves the v2 API, whose records etcd 3.6 does not start with"),
        hint: format!(
            "remove enable-v2 from [clusters.{}.etcd], keep `version` in {}:{} at 3.5 and quorate apply first",
            cluster.name, place.file, place.line
        ),
    })
}

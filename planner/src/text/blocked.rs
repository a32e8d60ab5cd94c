//! What is blocked, and what that leaves out of the plan.

use std::collections::{BTreeMap, BTreeSet};

use super::{Paint, Style, plan};
use crate::report::Blocked;
use crate::stops::Stops;

/// Each finding with what it stops and what to do.
pub fn blocked(found: &[Blocked], style: Style) -> Vec<String> {
    let mut groups: Vec<(&Blocked, Vec<&str>, BTreeSet<&Stops>)> = Vec::new();
    for blocked in found {
        let host = blocked.finding.host.as_ref().map(|host| host.as_str());
        match groups.last_mut() {
            Some((first, hosts, stops))
                if plan::is_found_again(&first.finding, &blocked.finding) =>
            {
                hosts.extend(host);
                stops.extend(&blocked.stops);
            }
            Some(_) | None => {
                groups.push((blocked, host.into_iter().collect(), blocked.stops.iter().collect()));
            }
        }
    }
    let mut lines = Vec::new();
    for (first, hosts, stops) in groups {
        let of_finding = plan::lines_of(&first.finding, &hosts, "blocked", Paint::Red, style);
        let mut of_finding = of_finding.into_iter();
        lines.extend(of_finding.next());
        lines.push(format!("  stops: {}", listed(stops)));
        lines.extend(of_finding);
    }
    lines
}

/// What a finding stops. Hosts that lose the same thing share one entry.
fn listed<'a>(stops: impl IntoIterator<Item = &'a Stops>) -> String {
    let mut hosts: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let all: Vec<&Stops> = stops.into_iter().collect();
    let is_less = |stop: &&&Stops| match stop {
        Stops::Settings(host, cluster) => {
            all.contains(&&Stops::Member(host.clone(), cluster.clone()))
        }
        Stops::Cluster(_)
        | Stops::Changes(_)
        | Stops::Host(_)
        | Stops::ApiServer(_)
        | Stops::Member(..) => false,
    };
    for stop in all.iter().filter(|stop| !is_less(stop)) {
        let what = match stop {
            Stops::Cluster(cluster) => format!("everything for {cluster}"),
            Stops::Changes(cluster) => format!("restarts and membership changes of {cluster}"),
            Stops::Host(_) => "everything on ".to_owned(),
            Stops::ApiServer(_) => "what is done to the API server of ".to_owned(),
            Stops::Member(_, cluster) => format!("everything for {cluster} on "),
            Stops::Settings(_, cluster) => format!("new settings for {cluster} on "),
        };
        hosts.entry(what).or_default().extend(stop.host().map(|host| host.as_str()));
    }
    let parts: Vec<String> =
        hosts.into_iter().map(|(what, hosts)| what + &hosts.join(", ")).collect();
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_which_the_same_is_stopped_are_named_together() {
        let [one, two, three] = ["etcd-1", "etcd-2", "etcd-3"].map(|name| name.parse().unwrap());
        let main: inventories::ClusterName = "main".parse().unwrap();
        let stops = [
            Stops::Changes(main.clone()),
            Stops::Settings(one, main.clone()),
            Stops::Settings(two, main.clone()),
            Stops::Settings(three.clone(), main.clone()),
            Stops::Member(three, main),
        ];
        let said = "everything for main on etcd-3; new settings for main on etcd-1, etcd-2; \
                    restarts and membership changes of main";
        assert_eq!(listed(&stops), said);
    }
}

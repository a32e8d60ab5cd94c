//! The releases through which a cluster goes to the wanted one: one minor at a time, each left from a patch from which it
//! can be. Each plan brings it to the next of them; the last one is what the inventory wants.

use std::borrow::Cow;
use std::collections::BTreeSet;

use inventories::inventory::Arch;
use inventories::{EtcdVersion, Minor};

use super::path::{bad, leaves_from, next, sound_from};
use super::proof;
use crate::decide::identity;
use crate::facts::{MemberFacts, SiteFacts};
use crate::spec::{ClusterSpec, ReleaseSpec, SiteSpec};

/// The desired state with each formed cluster at the next release on its way.
pub(crate) fn with_stops<'s>(spec: &'s SiteSpec, facts: &SiteFacts) -> Cow<'s, SiteSpec> {
    let mut spec = Cow::Borrowed(spec);
    let names: Vec<_> = spec.clusters.keys().cloned().collect();
    for name in names {
        let way = way(&spec.clusters[&name], &spec.release, facts);
        let [_, stop, ..] = way[..] else { continue };
        let image = spec.release.image.of(stop);
        if let Some(cluster) = spec.to_mut().clusters.get_mut(&name) {
            cluster.version = stop;
            cluster.way = way;
            for member in cluster.members.values_mut() {
                member.member.version = stop;
                member.member.image.clone_from(&image);
            }
        }
    }
    spec
}

/// The release that is farthest away of those that members run, and those to go through; empty where all run the wanted
/// minor, and where there is no way. A release that the inventory does not pin is no stop.
fn way(cluster: &ClusterSpec, release: &ReleaseSpec, facts: &SiteFacts) -> Vec<EtcdVersion> {
    let hosts = cluster.members.keys().filter_map(|host| facts.hosts.get(host)?.known());
    let hosts: Vec<_> = hosts.collect();
    let members = hosts.iter().filter_map(|host| host.clusters.get(&cluster.name));
    let members: Vec<&MemberFacts> = members.collect();
    if !members.iter().any(|member| member.shows_formed()) {
        return Vec::new();
    }
    let runs = members.iter().filter_map(|member| identity::version_of(cluster, member));
    let Ok(runs) = runs.map(str::parse).collect::<Result<BTreeSet<EtcdVersion>, _>>() else {
        return Vec::new();
    };
    let archs: BTreeSet<Arch> =
        hosts.iter().filter_map(|host| host.machine.arch.clone().ok()).collect();
    let pinned = |minor: Minor, at_least: EtcdVersion| {
        let has_all = |version: &EtcdVersion| {
            archs.iter().all(|arch| release.sha256.contains_key(&(*version, *arch)))
        };
        let versions = release.sha256.keys().map(|(version, _)| *version);
        let fits = versions.filter(|version| version.minor() == minor && *version >= at_least);
        fits.filter(has_all).max()
    };
    // A downgrade that was enabled is continued: only the way up waits until the cluster has agreed.
    let is_left = |member: &MemberFacts, minor| {
        cluster.version.minor() > minor && proof::left(member, minor).is_some()
    };
    let unfinished =
        |minor| members.iter().any(|member| proof::is_due(member, minor) || is_left(member, minor));
    let Some(stops) = stops(&runs, cluster.version, unfinished, pinned) else { return Vec::new() };
    let is_up = |lowest: &EtcdVersion| cluster.version.minor() > lowest.minor();
    let start = if runs.first().is_some_and(is_up) { runs.first() } else { runs.last() };
    start.copied().into_iter().chain(stops).collect()
}

/// The releases to go through from what members run, the wanted one last. `pinned` gives one of a minor that is not below
/// a patch. `None` where there is no way.
fn stops(
    runs: &BTreeSet<EtcdVersion>,
    wanted: EtcdVersion,
    unfinished: impl Fn(Minor) -> bool,
    pinned: impl Fn(Minor, EtcdVersion) -> Option<EtcdVersion>,
) -> Option<Vec<EtcdVersion>> {
    let (lowest, highest) = (*runs.first()?, *runs.last()?);
    let (low, high, to) = (lowest.minor(), highest.minor(), wanted.minor());
    let is_far = low != high && next(low) != Some(high);
    if (low == to && high == to) || is_far || bad(wanted).is_some() {
        return None;
    }
    let mut stops = Vec::new();
    // The cluster reaches the minor that its members run before it leaves it.
    if low == high && unfinished(low) {
        stops.push(if lowest == highest { lowest } else { pinned(low, highest)? });
    }
    if to > low {
        stops.extend(up(lowest, wanted, pinned)?);
    } else {
        let mixed = (low != high && to < low).then_some(low);
        let between = Minor::ALL.into_iter().rev().filter(|minor| to < *minor && *minor < low);
        for minor in mixed.into_iter().chain(between) {
            stops.push(pinned(minor, sound_from(minor))?);
        }
        stops.push(wanted);
    }
    Some(stops)
}

fn up(
    from: EtcdVersion,
    wanted: EtcdVersion,
    pinned: impl Fn(Minor, EtcdVersion) -> Option<EtcdVersion>,
) -> Option<Vec<EtcdVersion>> {
    let (mut at, mut stops) = (from, Vec::new());
    while at.minor() < wanted.minor() {
        let minor = at.minor();
        if at < leaves_from(minor) {
            stops.push(pinned(minor, leaves_from(minor))?);
        }
        let minor = next(minor)?;
        at = if minor == wanted.minor() {
            wanted
        } else {
            pinned(minor, leaves_from(minor).max(sound_from(minor)))?
        };
        stops.push(at);
    }
    Some(stops)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> EtcdVersion {
        text.parse().expect("a release")
    }

    /// The way from these releases, where the inventory pins those.
    fn way(runs: &[&str], wanted: &str, pins: &[&str]) -> Option<String> {
        way_of(runs, wanted, pins, false)
    }

    fn way_of(runs: &[&str], wanted: &str, pins: &[&str], unfinished: bool) -> Option<String> {
        let runs = runs.iter().map(|one| version(one)).collect();
        let pinned = |minor, at_least| {
            let pins = pins.iter().map(|pin| version(pin));
            pins.filter(|pin| pin.minor() == minor && *pin >= at_least).max()
        };
        let stops = stops(&runs, version(wanted), |_| unfinished, pinned)?;
        Some(stops.iter().map(EtcdVersion::to_string).collect::<Vec<_>>().join(" "))
    }

    const ALL: &[&str] = &["3.4.45", "3.5.35", "3.6.16", "3.7.3"];

    #[test]
    fn a_way_goes_through_each_minor_and_ends_at_the_wanted_release() {
        let says = |way: Option<String>, stops: &str| assert_eq!(way.as_deref(), Some(stops));
        says(way(&["3.4.23"], "3.7.3", ALL), "3.5.35 3.6.16 3.7.3");
        says(way(&["3.4.23"], "3.5.33", ALL), "3.5.33");
        says(way(&["3.5.10"], "3.6.14", ALL), "3.5.35 3.6.14");
        says(way(&["3.5.35"], "3.6.14", &[]), "3.6.14");
        says(way(&["3.7.3"], "3.5.34", ALL), "3.6.16 3.5.34");
        says(way(&["3.6.16"], "3.5.35", &[]), "3.5.35");
    }

    #[test]
    fn a_mixture_comes_to_one_minor_first() {
        let says = |way: Option<String>, stops: &str| assert_eq!(way.as_deref(), Some(stops));
        says(way(&["3.5.35", "3.6.16"], "3.7.3", ALL), "3.6.16 3.7.3");
        says(way(&["3.6.16", "3.7.3"], "3.5.35", ALL), "3.6.16 3.5.35");
        says(way(&["3.5.35", "3.6.16"], "3.5.35", ALL), "3.5.35");
        says(way(&["3.5.35", "3.6.16"], "3.6.16", ALL), "3.6.16");
        assert_eq!(way(&["3.4.23", "3.6.16"], "3.7.3", ALL), None);
    }

    #[test]
    fn a_cluster_comes_to_the_minor_that_it_runs_before_it_leaves_it() {
        let says = |way: Option<String>, stops: &str| assert_eq!(way.as_deref(), Some(stops));
        says(way_of(&["3.6.14"], "3.7.3", ALL, true), "3.6.14 3.7.3");
        says(way_of(&["3.6.11", "3.6.14"], "3.7.3", ALL, true), "3.6.16 3.7.3");
        says(way_of(&["3.6.16", "3.7.3"], "3.7.3", ALL, true), "3.7.3");
        says(way_of(&["3.7.3"], "3.6.16", ALL, true), "3.7.3 3.6.16");
        assert_eq!(way_of(&["3.6.14"], "3.6.16", ALL, true), None, "the proof is owed at the end");
    }

    #[test]
    fn a_stop_is_pinned_and_can_be_left() {
        assert_eq!(way(&["3.4.23"], "3.6.16", &["3.6.16"]), None);
        assert_eq!(way(&["3.4.23"], "3.6.16", &["3.5.31"]), None);
        let oldest = way(&["3.4.23"], "3.6.16", &["3.5.31", "3.5.32"]);
        assert_eq!(oldest.as_deref(), Some("3.5.32 3.6.16"));
        assert_eq!(way(&["3.5.35"], "3.7.3", &["3.6.10"]), None);
        assert_eq!(way(&["3.4.23"], "3.5.5", ALL), None, "a release that damages data");
        assert_eq!(way(&["3.6.16"], "3.6.14", ALL), None, "another patch is a roll");
    }
}

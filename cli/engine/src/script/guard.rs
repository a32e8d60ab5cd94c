//! A guard as the arguments that `script/sh/guards.sh` reads.

use inventories::ClusterName;
use planner::Step;
use planner::plan::{Guard, Others, StepKind};
use templates::Layout;
use templates::layout::SITE_FILE;

use super::call::Arguments;
use super::failure::Failure;
use crate::etcd::credentials;

/// The arguments of the step's guard. `wanted` is the sha256 of what the step writes: a file that
/// holds already does not block a step that was done and is done again.
pub(crate) fn arguments(step: &Step, wanted: Option<&str>) -> Result<Arguments, Failure> {
    let guard = |name: &str| Arguments::new().with("guard", name);
    let words = match &step.guard {
        Guard::Nothing => Arguments::new(),
        Guard::HostIsFree => {
            let StepKind::RegisterHost { site } = &step.kind else {
                return Err(Failure::local("only claiming a host asks whether it is free"));
            };
            guard("host-is-free").with("guard_file", SITE_FILE).with("guard_site", site)
        }
        Guard::NeverFormed => guard("never-formed").and(marks(&layout(step)?)),
        Guard::FileIs { path, sha256 } => {
            let planned = sha256.as_deref().unwrap_or("absent");
            let digests = [Some(planned), wanted].into_iter().flatten();
            guard("file-is").with("guard_file", path).with_words("guard_digests", digests)
        }
        Guard::HasLogOrNeverFormed => {
            let layout = layout(step)?;
            let log = guard("has-log-or-never-formed").with("guard_log", layout.wal_dir());
            log.and(marks(&layout))
        }
        Guard::OthersHealthy { clusters } => {
            let (asked, places): (Vec<String>, Vec<String>) = clusters.iter().map(others).unzip();
            guard("others-healthy")
                .with_lines("guard_asked", asked)
                .with_lines("guard_places", places)
        }
        Guard::HasLog => guard("has-log").with("guard_log", layout(step)?.wal_dir()),
    };
    Ok(words)
}

/// What says that a member has been in a quorum.
fn marks(layout: &Layout) -> Arguments {
    let marker = Arguments::new().with("guard_marker", layout.marker());
    marker.with("guard_witness", layout.quorum_witness())
}

/// How the others of a cluster are asked, and where: a line each.
fn others((cluster, others): (&ClusterName, &Others)) -> (String, String) {
    let Others { members, needed, version, cluster_id } = others;
    let tools = credentials(&Layout::new(cluster), *version).join(" ");
    let id = cluster_id.as_deref().unwrap_or("-");
    let endpoints: Vec<&str> = members.values().map(String::as_str).collect();
    (format!("{needed} {id} {tools}"), endpoints.join(" "))
}

/// How long the guard waits for others beyond what its script says, in seconds: that is for one cluster.
pub(crate) fn patience(step: &Step) -> u64 {
    match &step.guard {
        Guard::OthersHealthy { clusters } => 80 * (clusters.len() as u64).saturating_sub(1),
        Guard::Nothing
        | Guard::HostIsFree
        | Guard::NeverFormed
        | Guard::FileIs { .. }
        | Guard::HasLog
        | Guard::HasLogOrNeverFormed => 0,
    }
}

/// The paths of the member whose files the guard looks at.
fn layout(step: &Step) -> Result<Layout, Failure> {
    match step.cluster() {
        Some(cluster) => Ok(Layout::new(cluster)),
        None => Err(Failure::local(format!("step {} names no cluster", step.id))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use planner::plan::{Action, Launch, Why};

    use super::*;

    fn all(kind: StepKind, guard: Guard, wanted: Option<&str>) -> Result<Vec<String>, Failure> {
        let step = Step {
            id: "etcd-1/main/start".parse().unwrap(),
            action: Action::Run,
            kind,
            guard,
            after: BTreeSet::new(),
            why: Why::Unfinished,
        };
        Ok(arguments(&step, wanted)?.into_words())
    }

    fn of(guard: Guard) -> Vec<String> {
        all(StepKind::StartMember { by: Launch::Unit }, guard, None).unwrap()
    }

    #[test]
    fn each_guard_names_what_the_script_is_to_look_at() {
        let layout = Layout::new(&"main".parse().unwrap());
        let (wal, marker, witness) = (layout.wal_dir(), layout.marker(), layout.quorum_witness());
        let [wal, marker, witness] = [
            format!("guard_log={wal}"),
            format!("guard_marker={marker}"),
            format!("guard_witness={witness}"),
        ];
        assert!(of(Guard::Nothing).is_empty());
        assert_eq!(of(Guard::HasLog), ["guard=has-log", &wal]);
        assert_eq!(of(Guard::NeverFormed), ["guard=never-formed", &marker, &witness]);
        let name = "guard=has-log-or-never-formed";
        assert_eq!(of(Guard::HasLogOrNeverFormed), [name, &wal, &marker, &witness]);
        let claim = StepKind::RegisterHost { site: "prod".parse().unwrap() };
        let free = all(claim, Guard::HostIsFree, None).unwrap();
        let file = format!("guard_file={SITE_FILE}");
        assert_eq!(free, ["guard=host-is-free", &file, "guard_site=prod"]);
        assert!(all(StepKind::StartMember { by: Launch::Unit }, Guard::HostIsFree, None).is_err());
    }

    #[test]
    fn a_file_may_be_what_was_seen_or_what_is_wanted() {
        let seen = |sha256: Option<&str>| Guard::FileIs {
            path: "/x".to_owned(),
            sha256: sha256.map(str::to_owned),
        };
        let digests = |sha256, wanted| {
            all(StepKind::StoreToken, seen(sha256), wanted).unwrap().swap_remove(2)
        };
        assert_eq!(digests(None, None), "guard_digests=absent");
        assert_eq!(digests(Some("aa"), None), "guard_digests=aa");
        assert_eq!(digests(None, Some("bb")), "guard_digests=absent bb");
        assert_eq!(digests(Some("aa"), Some("bb")), "guard_digests=aa bb");
    }

    #[test]
    fn the_others_are_asked_by_the_etcdctl_of_their_release() {
        let urls = [("b", "https://10.0.0.2:2379"), ("c", "https://10.0.0.3:2379")];
        let others: BTreeMap<_, _> =
            urls.map(|(host, url)| (host.parse().unwrap(), url.to_owned())).into();
        let version = "3.6.16".parse().unwrap();
        let others =
            |cluster_id| Others { members: others.clone(), needed: 2, version, cluster_id };
        let of_both = [("main", Some("cafe".to_owned())), ("events", None)];
        let clusters = of_both.map(|(name, id)| (name.parse().unwrap(), others(id))).into();
        let said = of(Guard::OthersHealthy { clusters });
        let tools =
            |name: &str| credentials(&Layout::new(&name.parse().unwrap()), version).join(" ");
        let asked = format!("2 - {}\n2 cafe {}", tools("events"), tools("main"));
        let endpoints = "https://10.0.0.2:2379 https://10.0.0.3:2379";
        let places = format!("guard_places={endpoints}\n{endpoints}");
        assert_eq!(said, ["guard=others-healthy", &format!("guard_asked={asked}"), &places]);
    }
}

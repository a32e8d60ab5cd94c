//! Why a member needs a restart, by meaning.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use inventories::EtcdVersion;
use inventories::inventory::Runtime;

use crate::ensure::Place;
use crate::facts::Observed;
use crate::plan::FormationState;
use crate::runtime;

/// One reason to restart a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    /// A flag of the running process is not what is wanted.
    Flag {
        /// Its name, without dashes.
        name: String,
        /// What the process was started with.
        is: Option<String>,
        /// What is wanted.
        wanted: Option<String>,
    },
    /// It runs another patch of the release.
    Version {
        /// What it says it runs.
        is: String,
        /// What is wanted.
        wanted: EtcdVersion,
    },
    /// Its unit was changed in something that systemd applies at the start.
    Unit,
    /// A drop-in that is not ours changes the unit.
    DropIn(String),
    /// Its manifest is another pod than the one that is wanted.
    Manifest,
    /// Its manifest is from its bootstrap: it would form a cluster on an empty disk.
    Unsettled,
    /// Its manifest is as wanted, and its process is from an older one.
    OldPod,
    /// Another runtime runs it.
    Runtime {
        /// Which.
        is: Runtime,
        /// Which is wanted.
        wanted: Runtime,
    },
    /// An earlier run put the unit right and stopped before the restart.
    Noted,
}

impl Reason {
    /// Whether the reason is this flag.
    pub(super) fn is_about(&self, flag: &str) -> bool {
        matches!(self, Reason::Flag { name, .. } if name == flag)
    }

    /// Whether nothing tells of it any more once the unit is put right.
    pub(super) fn is_forgotten(&self) -> bool {
        match self {
            Reason::Unit | Reason::DropIn(_) => true,
            Reason::Flag { .. }
            | Reason::Version { .. }
            | Reason::Noted
            | Reason::Manifest
            | Reason::Unsettled
            | Reason::OldPod
            | Reason::Runtime { .. } => false,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Flag { name, is, wanted } => {
                let show =
                    |value: &Option<String>| value.clone().unwrap_or_else(|| "unset".to_owned());
                write!(f, "restart needed because --{name}: {} -> {}", show(is), show(wanted))
            }
            Reason::Version { is, wanted } => {
                write!(f, "restart needed because it runs etcd {is} -> {wanted}")
            }
            Reason::Unit => f.write_str("restart needed because the unit's settings changed"),
            Reason::Noted => f.write_str(
                "restart needed because an earlier run put its unit right and stopped before it",
            ),
            Reason::DropIn(path) => write!(f, "restart needed because of the drop-in {path}"),
            Reason::Manifest => f.write_str("restart needed because the pod changed"),
            Reason::Unsettled => {
                f.write_str("restart needed because its pod is still one that would form a cluster")
            }
            Reason::OldPod => f.write_str(
                "restart needed because it runs from an older manifest than the one here",
            ),
            Reason::Runtime { is, wanted } => {
                write!(f, "it moves from {} to {}", is.as_str(), wanted.as_str())
            }
        }
    }
}

/// Every reason to restart a member that runs.
pub(super) fn reasons(place: &Place<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if let Observed::Known(running) = &place.facts.running {
        reasons.extend(flags(running, &place.member.member.arguments()));
    }
    if let Some(etcd) = place.facts.etcd.known()
        && etcd.version != place.cluster.version.to_string()
    {
        let (is, wanted) = (etcd.version.clone(), place.cluster.version);
        reasons.push(Reason::Version { is, wanted });
    }
    let wanted = place.runtime();
    match (place.facts.runs_by(), wanted) {
        (Some(is), _) if is != wanted => reasons.push(Reason::Runtime { is, wanted }),
        (_, Runtime::Systemd) => reasons.extend(of_unit(place)),
        (_, Runtime::StaticPod) => reasons.extend(of_pod(place)),
    }
    reasons
}

fn of_unit(place: &Place<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if let Some(unit) = place.facts.unit.known() {
        reasons.extend(unit.drop_ins.iter().cloned().map(Reason::DropIn));
    }
    if unit_differs(place) {
        reasons.push(Reason::Unit);
    }
    if place.facts.restart_due {
        reasons.push(Reason::Noted);
    }
    reasons
}

fn of_pod(place: &Place<'_>) -> Option<Reason> {
    let wanted = place.wanted_text(FormationState::Existing, None).ok()?;
    let forming = place.wanted_text(FormationState::New, place.facts.token.known()).ok()?;
    let seen = place.text();
    if seen.is_some_and(|seen| runtime::is_same_pod(seen, &forming)) {
        return Some(Reason::Unsettled);
    }
    if !seen.is_some_and(|seen| runtime::is_same_pod(seen, &wanted)) {
        return Some(Reason::Manifest);
    }
    let identity = runtime::pod_identity(place).ok()??;
    let runs = &place.facts.pod.known()?.manifest;
    (*runs != identity).then_some(Reason::OldPod)
}

/// Flags that only matter on an empty disk are not compared: turning `new` into `existing` restarts
/// nothing.
fn flags(running: &[String], wanted: &[String]) -> Vec<Reason> {
    let (running, wanted) = (by_name(running), by_name(wanted));
    let mut reasons = Vec::new();
    let names: BTreeSet<&str> = running.keys().chain(wanted.keys()).copied().collect();
    for name in names {
        let (is, wanted) = (running.get(name), wanted.get(name));
        if is != wanted {
            reasons.push(Reason::Flag {
                name: name.to_owned(),
                is: is.map(|value| (*value).to_owned()),
                wanted: wanted.map(|value| (*value).to_owned()),
            });
        }
    }
    reasons
}

fn by_name(arguments: &[String]) -> BTreeMap<&str, &str> {
    arguments
        .iter()
        .filter_map(|argument| argument.strip_prefix("--"))
        .map(|argument| argument.split_once('=').unwrap_or((argument, "")))
        .filter(|(name, _)| !name.starts_with("initial-") && !name.starts_with("discovery"))
        .collect()
}

/// Whether the unit on the host says something else about how the process is run: not in comments,
/// and not in its arguments, which the process itself shows. One that forms a cluster may differ from
/// one that does not: what it says more is for an empty disk.
fn unit_differs(place: &Place<'_>) -> bool {
    let Some(seen) = place.text() else { return false };
    let is = |state| match place.unit(state) {
        Ok(wanted) => settings(seen) == settings(wanted.as_str()),
        Err(_) => true,
    };
    !is(FormationState::Existing) && !is(FormationState::New)
}

fn settings(unit: &str) -> Vec<&str> {
    // The program's path is the version's, which has a reason of its own.
    const OTHERWISE: [&str; 6] = ["#", "Assert", "ExecStartPost=", "--", "\"--", "ExecStart="];
    let applies =
        |line: &&str| !line.is_empty() && !OTHERWISE.iter().any(|prefix| line.starts_with(prefix));
    unit.lines().map(|line| line.trim().trim_end_matches('\\').trim()).filter(applies).collect()
}

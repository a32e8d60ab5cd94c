//! Why a member needs a restart, by meaning.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use inventories::inventory::Runtime;
use inventories::{AccountName, EtcdVersion};
use templates::unit::keeps_the_hosts_out;

use crate::decide::drop_ins;
use crate::decide::member_context::MemberContext;
use crate::decide::runtime;
use crate::facts::Observed;
use crate::plan::FormationState;

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
    /// Its unit was changed in something that systemd applies at the start: what, in words.
    Unit(Vec<String>),
    /// Its process holds on to a configuration folder that was replaced, and would read no new certificate.
    Folder(String),
    /// A drop-in that is not ours changes the unit.
    DropIn(String),
    /// Its manifest is another pod than the one that is wanted.
    Manifest,
    /// Its manifest is from its bootstrap: it would form a cluster on an empty disk.
    NotFinalized,
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
    /// Its process has the number of an account that is no longer etcd's.
    Account { is: u32, wanted: AccountName },
    /// It runs where it is wanted, and the cluster lists it elsewhere.
    Listed { at: String },
}

impl Reason {
    /// Whether the reason is this flag.
    pub(super) fn is_about(&self, flag: &str) -> bool {
        matches!(self, Reason::Flag { name, .. } if name == flag)
    }

    /// Whether no trace of the reason is left once the unit is updated.
    pub(super) fn is_forgotten(&self) -> bool {
        match self {
            Reason::Unit(_) | Reason::DropIn(_) => true,
            Reason::Flag { .. }
            | Reason::Account { .. }
            | Reason::Listed { .. }
            | Reason::Version { .. }
            | Reason::Noted
            | Reason::Folder(_)
            | Reason::Manifest
            | Reason::NotFinalized
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
            Reason::Unit(changes) => {
                write!(f, "restart needed because the unit's settings changed: ")?;
                f.write_str(&changes.join("; "))
            }
            Reason::Folder(path) => {
                write!(f, "restart needed because {path} was replaced while the member ran")
            }
            Reason::Noted => f.write_str(
                "restart needed because an earlier run updated its unit and stopped before the restart",
            ),
            Reason::Account { is, wanted } => {
                write!(f, "restart needed because its process has uid {is}, which is not {wanted}'s")
            }
            Reason::Listed { at } => {
                write!(f, "restart needed because its peers look for it at {at}")
            }
            Reason::DropIn(path) => write!(f, "restart needed because of the drop-in {path}"),
            Reason::Manifest => f.write_str("restart needed because the pod changed"),
            Reason::NotFinalized => {
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
pub(super) fn reasons(member: &MemberContext<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    // A restart would bring neither flags nor a version, today or at the next apply.
    let decided = member.runtime() == Runtime::Systemd && drop_ins::decides_command(member);
    if let Observed::Known(running) = &member.facts.running
        && !decided
    {
        reasons.extend(flags(running, &member.wanted.member.arguments()));
    }
    if let Some(etcd) = member.facts.etcd.known()
        && etcd.version != member.cluster.version.to_string()
        && !decided
    {
        let (is, wanted) = (etcd.version.clone(), member.cluster.version);
        reasons.push(Reason::Version { is, wanted });
    }
    let unlisted = member.wanted.moves_from.as_ref().filter(|from| !from.is_listed);
    if let Some(from) = unlisted.filter(|_| reasons.is_empty()) {
        reasons.push(Reason::Listed { at: from.listed_at.clone() });
    }
    let account = |is| Reason::Account { is, wanted: member.account().clone() };
    reasons.extend(member.runs_as_another().map(account));
    let wanted = member.runtime();
    match (member.facts.runs_by(), wanted) {
        (Some(is), _) if is != wanted => reasons.push(Reason::Runtime { is, wanted }),
        (_, Runtime::Systemd) => reasons.extend(of_unit(member)),
        (_, Runtime::StaticPod) => reasons.extend(of_pod(member)),
    }
    reasons
}

fn of_unit(member: &MemberContext<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    reasons.extend(drop_ins::own(member).map(|file| Reason::DropIn(file.path.clone())));
    let changes = unit_changes(member);
    if !changes.is_empty() {
        reasons.push(Reason::Unit(changes));
    }
    if member.facts.folder_replaced {
        reasons.push(Reason::Folder(member.wanted.member.layout().config_dir()));
    }
    if member.facts.restart_due {
        reasons.push(Reason::Noted);
    }
    reasons
}

fn of_pod(member: &MemberContext<'_>) -> Option<Reason> {
    let wanted = member.wanted_text(FormationState::Existing, None).ok()?;
    let forming = member.wanted_text(FormationState::New, member.facts.token.known()).ok()?;
    let seen = member.text();
    if seen.is_some_and(|seen| runtime::is_same_pod(seen, &forming)) {
        return Some(Reason::NotFinalized);
    }
    if !seen.is_some_and(|seen| runtime::is_same_pod(seen, &wanted)) {
        return Some(Reason::Manifest);
    }
    let identity = runtime::pod_identity(member).ok()??;
    let runs = &member.facts.pod.known()?.manifest;
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

/// What the unit on the host says otherwise about how the process is run: not in comments, and not in its
/// arguments, which the process itself shows. One that forms a cluster may differ from one that does not:
/// what it says more is for an empty disk.
fn unit_changes(member: &MemberContext<'_>) -> Vec<String> {
    let Some(seen) = member.text() else { return Vec::new() };
    let changes = |state| match member.unit(state) {
        Ok(wanted) => differences(seen, wanted.as_str()),
        Err(_) => Vec::new(),
    };
    let formed = changes(FormationState::Existing);
    if formed.is_empty() || changes(FormationState::New).is_empty() { Vec::new() } else { formed }
}

/// The settings in which two units differ, in words.
fn differences(seen: &str, wanted: &str) -> Vec<String> {
    let mut changes = Vec::new();
    if keeps_the_hosts_out(wanted) && !keeps_the_hosts_out(seen) {
        changes.push("the unit keeps the host's environment from etcd".to_owned());
    }
    let (seen, wanted) = (settings(seen), settings(wanted));
    if seen == wanted {
        return changes;
    }
    let (is, shall) = (by_key(&seen), by_key(&wanted));
    let mut keys: BTreeSet<&str> = is.keys().chain(shall.keys()).copied().collect();
    // Units of before did not hide what other clusters have on the host.
    if !is.contains_key(HIDES) && shall.contains_key(HIDES) {
        changes.push("the unit hides other clusters' folders".to_owned());
        keys.retain(|key| {
            ![HIDES, "BindPaths", "BindReadOnlyPaths", "ReadWritePaths"].contains(key)
        });
    }
    let show = |values: Option<&Vec<&str>>| values.map_or("unset".to_owned(), |v| v.join(" and "));
    let differ = keys.into_iter().filter(|key| is.get(key) != shall.get(key));
    changes.extend(
        differ.map(|key| format!("{key}: {} -> {}", show(is.get(key)), show(shall.get(key)))),
    );
    if changes.is_empty() {
        changes.push("the order of its lines".to_owned());
    }
    changes
}

/// The directive that hides the folders of other clusters.
const HIDES: &str = "TemporaryFileSystem";

fn by_key<'t>(lines: &[&'t str]) -> BTreeMap<&'t str, Vec<&'t str>> {
    let mut keys: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in lines {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        keys.entry(key).or_default().push(value);
    }
    keys
}

fn settings(unit: &str) -> Vec<&str> {
    // The program's path is the version's, which has a reason of its own.
    const OTHERWISE: [&str; 6] = ["#", "Assert", "ExecStartPost=", "--", "\"--", "ExecStart="];
    let applies =
        |line: &&str| !line.is_empty() && !OTHERWISE.iter().any(|prefix| line.starts_with(prefix));
    unit.lines().map(|line| line.trim().trim_end_matches('\\').trim()).filter(applies).collect()
}

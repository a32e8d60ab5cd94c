//! Which way leads from what the members run to what is wanted. etcd allows one minor at a time, and asks for a patch
//! below which a minor can't be left safely.

use std::collections::BTreeSet;

use inventories::{EtcdVersion, HostName, Minor};

use crate::report::{Finding, FindingCode};
use crate::spec::ClusterSpec;

/// What a member runs.
#[derive(Debug, Clone)]
pub(crate) struct Run<'a> {
    /// Its host.
    pub(crate) host: &'a HostName,
    /// The version that it names, or that its unit or pod would start.
    pub(crate) version: &'a str,
    /// Whether it answers and knows a leader.
    pub(crate) serves: bool,
}

/// The way to the wanted release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Path {
    /// All members run the wanted minor.
    Patches,
    /// Some members run the minor before the wanted one, and all others the wanted one.
    Up {
        /// The minor that is left.
        from: Minor,
    },
    /// Some members run the minor after the wanted one. One that serves runs the wanted minor, so the cluster never
    /// reached the other.
    Back {
        /// The minor that is left.
        from: Minor,
    },
    /// All members run the minor after the wanted one, and etcd can be told to make its data ready for the wanted one.
    Down {
        /// The minor that is left.
        from: Minor,
    },
    /// There is none.
    Refused(Refusal),
}

/// Why there is no way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A member runs a line of releases that quorate does not know.
    Unknown { runs: String },
    /// Members run minors that etcd does not let run together.
    Scattered { runs: String },
    /// The inventory asks for several minors at once.
    Jump { runs: String, stops: Vec<EtcdVersion> },
    /// A member's patch is too low for its minor to be left.
    OldPatch { runs: String, at_least: EtcdVersion, stops: Vec<EtcdVersion> },
    /// The wanted release is known to damage data.
    BadTarget { instead: EtcdVersion },
    /// The cluster has reached a minor from which etcd can't change to the wanted one.
    NoWayBack { runs: String, from: Minor },
    /// The inventory asks for a downgrade over several minors at once.
    Fall { runs: String, stops: Vec<EtcdVersion> },
}

/// The first patch of a minor from which the next minor can be reached: 3.5.32 finds what 3.6 would stop at, and 3.6.11
/// writes what 3.7 can read.
pub(super) fn leaves_from(minor: Minor) -> EtcdVersion {
    let patch = match minor {
        Minor::V3_4 | Minor::V3_7 => 0,
        Minor::V3_5 => 32,
        Minor::V3_6 => 11,
    };
    EtcdVersion::new(minor, patch)
}

/// The first patch of a minor that keeps data consistent.
pub(super) fn sound_from(minor: Minor) -> EtcdVersion {
    let patch = match minor {
        Minor::V3_5 => 6,
        Minor::V3_4 | Minor::V3_6 | Minor::V3_7 => 0,
    };
    EtcdVersion::new(minor, patch)
}

impl Path {
    /// The way from what these members run.
    pub(crate) fn from_runs(runs: &[Run<'_>], wanted: EtcdVersion) -> Self {
        let (mut versions, mut unknown) = (Vec::new(), Vec::new());
        for run in runs {
            match run.version.parse::<EtcdVersion>() {
                Ok(version) => versions.push((run, version)),
                Err(_) => unknown.push(run),
            }
        }
        if !unknown.is_empty() {
            return Self::Refused(Refusal::Unknown { runs: told(unknown.into_iter()) });
        }
        let of_minor = |minor: Minor| {
            let these = versions.iter().filter(move |(_, version)| version.minor() == minor);
            these.map(|(run, _)| *run)
        };
        let minors: BTreeSet<Minor> = versions.iter().map(|(_, version)| version.minor()).collect();
        let (Some(&lowest), Some(&highest)) = (minors.first(), minors.last()) else {
            return Self::Patches;
        };
        let to = wanted.minor();
        if lowest == to && highest == to {
            return Self::Patches;
        }
        if minors.len() > 2 || (lowest != highest && next(lowest) != Some(highest)) {
            return Self::Refused(Refusal::Scattered { runs: told(runs.iter()) });
        }
        if to == lowest {
            let serves = of_minor(lowest).any(|run| run.serves);
            let runs = told(of_minor(highest));
            return match bad(wanted) {
                _ if !serves => Self::Refused(Refusal::NoWayBack { runs, from: highest }),
                Some(refusal) => Self::Refused(refusal),
                None => Self::Back { from: highest },
            };
        }
        if to < lowest {
            return Self::down((lowest, highest), wanted, told(runs.iter()));
        }
        let lowest_patch = versions.iter().map(|(_, version)| *version).min().unwrap_or(wanted);
        Self::up(lowest_patch, wanted, told(of_minor(lowest)))
    }

    fn up(from: EtcdVersion, wanted: EtcdVersion, runs: String) -> Self {
        let stops = stops(from, wanted);
        if next(from.minor()) != Some(wanted.minor()) {
            return Self::Refused(Refusal::Jump { runs, stops });
        }
        let at_least = leaves_from(from.minor());
        if from < at_least {
            return Self::Refused(Refusal::OldPatch { runs, at_least, stops });
        }
        if let Some(refusal) = bad(wanted) {
            return Self::Refused(refusal);
        }
        Self::Up { from: from.minor() }
    }
}

impl Path {
    fn down((lowest, highest): (Minor, Minor), wanted: EtcdVersion, runs: String) -> Self {
        let to = wanted.minor();
        if to < Minor::V3_5 || lowest != highest {
            return Self::Refused(Refusal::NoWayBack { runs, from: highest });
        }
        if next(to) != Some(lowest) {
            let between =
                Minor::ALL.into_iter().rev().filter(|minor| to < *minor && *minor < lowest);
            let stops = between.map(EtcdVersion::newest_known).chain([wanted]).collect();
            return Self::Refused(Refusal::Fall { runs, stops });
        }
        if let Some(refusal) = bad(wanted) {
            return Self::Refused(refusal);
        }
        Self::Down { from: lowest }
    }
}

/// Why no cluster is brought to this release, from wherever.
pub(super) fn bad(wanted: EtcdVersion) -> Option<Refusal> {
    let instead = EtcdVersion::newest_known(wanted.minor());
    (wanted < sound_from(wanted.minor())).then_some(Refusal::BadTarget { instead })
}

pub(super) fn next(minor: Minor) -> Option<Minor> {
    Minor::ALL.into_iter().find(|other| other.number() == minor.number() + 1)
}

/// The releases to go through, the wanted one last: a patch from which a minor can be left, then the next minor.
fn stops(from: EtcdVersion, wanted: EtcdVersion) -> Vec<EtcdVersion> {
    let (mut at, mut stops) = (from, Vec::new());
    while let Some(minor) = next(at.minor()).filter(|_| at.minor() < wanted.minor()) {
        if at < leaves_from(at.minor()) {
            stops.push(EtcdVersion::newest_known(at.minor()));
        }
        at = if minor == wanted.minor() { wanted } else { EtcdVersion::newest_known(minor) };
        stops.push(at);
    }
    stops
}

fn told<'r, 'a: 'r>(runs: impl Iterator<Item = &'r Run<'a>>) -> String {
    let each: Vec<String> = runs.map(|run| format!("{} runs {}", run.host, run.version)).collect();
    each.join(", ")
}

impl Refusal {
    pub(super) fn finding(&self, cluster: &ClusterSpec) -> Finding {
        let wanted = cluster.version;
        let place = cluster.place_of("version");
        let place = format!("{}:{}", place.file, place.line);
        let restore = format!("restore the running `version` in {place}");
        let (message, hint) = match self {
            Self::Unknown { runs } => {
                (format!("the inventory wants etcd {wanted}, but {runs}"), restore)
            }
            Self::Scattered { runs } => (
                format!("{runs}: etcd does not let these minors run in one cluster"),
                format!("{restore}, and bring all members to one minor"),
            ),
            Self::Jump { runs, stops } | Self::Fall { runs, stops } => (
                format!(
                    "the inventory wants etcd {wanted}, but {runs}; etcd allows one minor at a time, and the inventory does \
                     not pin every release on the way"
                ),
                one_by_one(&place, stops),
            ),
            Self::OldPatch { runs, at_least, stops } => (
                format!(
                    "the inventory wants etcd {wanted}, but {runs}; every member must run {at_least} or newer first, and the \
                     inventory pins no such release"
                ),
                one_by_one(&place, stops),
            ),
            Self::BadTarget { instead } => (
                format!(
                    "etcd {wanted} can become inconsistent between members, so quorate brings no cluster to it"
                ),
                format!("quorate release pin {instead}\nset version = \"{instead}\" in {place}"),
            ),
            Self::NoWayBack { runs, from } => (
                format!(
                    "the inventory wants etcd {wanted}, but {runs}: etcd can't go back to it once the cluster has \
                     reached {from}"
                ),
                format!(
                    "{restore}\nor restore a snapshot from before the upgrade: docs/recovery.md{}",
                    untried(*from, wanted.minor())
                ),
            ),
        };
        Finding {
            code: FindingCode::ChangingVersion,
            host: None,
            cluster: Some(cluster.name.clone()),
            message,
            hint: Some(hint),
        }
    }
}

/// What etcd itself offers on a way that quorate has not tried.
fn untried(from: Minor, to: Minor) -> &'static str {
    match (from, to) {
        (Minor::V3_5, Minor::V3_4) => {
            "\nnot tried by quorate, and only without etcd's own authentication: etcd 3.4.31 and newer have \
             --next-cluster-version-compatible to start on data of 3.5"
        }
        _ => "",
    }
}

/// How to go through several releases.
fn one_by_one(place: &str, stops: &[EtcdVersion]) -> String {
    let words: Vec<String> = stops.iter().map(EtcdVersion::to_string).collect();
    format!(
        "quorate release pin {}\nthen quorate apply, which goes through them one after the other; `version` in {place} stays",
        words.join(" "),
    )
}

#[cfg(test)]
mod tests;

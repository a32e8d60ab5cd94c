//! Why a version does not have a flag, and what to write instead.

use inventories::inventory::FlagValue;
use inventories::{EtcdVersion, Minor};

use super::problem::{Code, Problem};
use super::standing::{Standing, standing};
use super::table::{Successor, successor};
use super::translate::named;
use super::{gates, table};

/// A flag that has another name in a version: it is given by that one, so that an inventory need not change in the same
/// moment as the version. `None` where more than the name changed.
pub(super) fn other_name(version: EtcdVersion, name: &str, value: &FlagValue) -> Option<Problem> {
    let other = named(version, name, value)?;
    let is_later = |old: &str, new: &str| old.strip_prefix("experimental-") == Some(new);
    (is_later(name, other) || is_later(other, name)).then(|| {
        let message =
            format!("etcd {version} calls `{name}` `{other}`, and is given it by that name");
        Problem::warning(Code::Renamed, message).hint(format!("write `{other}` instead"))
    })
}

/// Explains the absence of a flag from a version.
pub(super) fn explain(version: EtcdVersion, name: &str) -> Problem {
    later_patch(version, name)
        .or_else(|| later_name(version, name))
        .or_else(|| earlier_name(version, name))
        .or_else(|| other_lines(version, name))
        .unwrap_or_else(|| unknown(version, name))
}

fn later_patch(version: EtcdVersion, name: &str) -> Option<Problem> {
    let flag = table::find_in_line(version.minor(), name)?;
    let first = EtcdVersion::new(version.minor(), flag.since);
    Some(
        Problem::error(
            Code::OtherVersion,
            format!("etcd {version} does not have `{name}` yet: it came with {first}"),
        )
        .hint(format!("leave it out, or raise `version` to {first} or later")),
    )
}

fn later_name(version: EtcdVersion, name: &str) -> Option<Problem> {
    let successor = successor(name)?;
    let known_once = Minor::ALL.iter().any(|minor| table::find_in_line(*minor, name).is_some());
    let exists = match successor {
        Successor::Flag(flag) => table::find(version, flag).is_some(),
        Successor::Gate(_) => version.minor() >= gates::SINCE,
    };
    (known_once && exists).then(|| {
        Problem::error(Code::Renamed, format!("etcd {version} no longer has `{name}`"))
            .hint(write_instead(successor))
    })
}

/// What to write for a flag that has a successor.
pub(super) fn write_instead(successor: Successor) -> String {
    match successor {
        Successor::Flag(flag) => format!("write `{flag}` instead"),
        Successor::Gate(gate) => format!("write {} = \"{gate}=true\" instead", gates::FLAG),
    }
}

fn earlier_name(version: EtcdVersion, name: &str) -> Option<Problem> {
    table::predecessor(version, name).map(|earlier| {
        Problem::error(
            Code::Renamed,
            format!("etcd {version} does not have `{name}` under this name yet"),
        )
        .hint(format!("write `{}` instead", earlier.name))
    })
}

fn other_lines(version: EtcdVersion, name: &str) -> Option<Problem> {
    let lines: Vec<String> = Minor::ALL
        .into_iter()
        .filter(|minor| table::find_in_line(*minor, name).is_some())
        .map(|minor| minor.to_string())
        .collect();
    if lines.is_empty() {
        return None;
    }
    let problem = Problem::error(
        Code::OtherVersion,
        format!("etcd {version} does not have `{name}`: only {} has it", lines.join(", ")),
    );
    Some(if name == gates::FLAG {
        problem.hint("up to 3.5 each feature is a flag of its own: experimental-…".to_owned())
    } else {
        problem.hint("leave it out".to_owned())
    })
}

fn unknown(version: EtcdVersion, name: &str) -> Problem {
    let problem = Problem::error(Code::Unknown, format!("etcd {version} has no flag {name:?}"));
    let settable =
        table::all(version).map(|flag| flag.name).filter(|name| standing(name) == Standing::Open);
    let bare = name.trim_start_matches('-');
    match inventories::suggest::closest(bare, settable) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem,
    }
}

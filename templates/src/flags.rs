//! The table of etcd's command-line flags, by version, and what it says of a flag that an operator
//! sets.
//!
//! Everything in it was tried on the real binaries. A flag that a version does not know keeps etcd
//! from starting, so it is found here, before anything is stopped.

mod absent;
pub(crate) mod gates;
mod meant;
pub(crate) mod problem;
pub(crate) mod renames;
mod sensible;
mod standing;
mod table;
mod translate;
pub(crate) mod value;

use inventories::inventory::FlagValue;
use inventories::{EtcdVersion, FlagProblem};

use problem::{Code, Problem};

pub use renames::same_setting;
pub use standing::{Standing, standing};
pub use translate::{Translated, translated};
pub use value::Kind;

/// Says whether an operator may give a flag, named without dashes, this value in this version.
///
/// Fits [`inventories::FlagCheck`]. A warning comes as an `Err` too: its severity tells it apart.
pub fn check(version: EtcdVersion, name: &str, value: &FlagValue) -> Result<(), FlagProblem> {
    check_standing(name, value)?;
    let Some(flag) = table::find(version, name) else {
        let other = absent::other_name(version, name, value);
        return Err(other.unwrap_or_else(|| absent::explain(version, name)).into());
    };
    value::check(name, flag.kind, value)?;
    if flag.deprecated {
        return Err(deprecated(version, name).into());
    }
    Ok(sensible::check(name, value)?)
}

/// Every flag of a version, with the values it takes and whose it is, sorted by name.
///
/// Together with the flags of a [`Member`](crate::Member)'s argument list, those that are not
/// [`Standing::Owned`] or [`Standing::Unsupported`] are all that quorate can render.
pub fn all(version: EtcdVersion) -> impl Iterator<Item = (&'static str, Kind, Standing)> {
    table::all(version).map(|flag| (flag.name, flag.kind, standing(flag.name)))
}

/// Whether this very version takes a flag.
pub(crate) fn has(version: EtcdVersion, name: &str) -> bool {
    table::find(version, name).is_some()
}

fn check_standing(name: &str, value: &FlagValue) -> Result<(), Problem> {
    match standing(name) {
        Standing::Open => Ok(()),
        Standing::Only(allowed, _) if *value == FlagValue::Bool(allowed) => Ok(()),
        // Another kind of value is a mistake of another kind, and is named as that.
        Standing::Only(..) if !matches!(value, FlagValue::Bool(_)) => Ok(()),
        Standing::Only(_, why) => Err(Problem::error(
            Code::Dangerous,
            format!("`{name} = {value}` is never rendered: {why}"),
        )
        .hint("leave it out".to_owned())),
        Standing::Owned(instead) => {
            Err(Problem::error(Code::Owned, format!("`{name}` is set by quorate"))
                .hint(instead.to_owned()))
        }
        Standing::Unsupported(why) => {
            Err(Problem::error(Code::Unsupported, format!("`{name}` is not supported: {why}"))
                .hint("leave it out".to_owned()))
        }
    }
}

fn deprecated(version: EtcdVersion, name: &str) -> Problem {
    let problem = Problem::warning(
        Code::Deprecated,
        format!("`{name}` is deprecated in etcd {}", version.minor()),
    );
    match (name, table::successor(name)) {
        (_, Some(successor)) => problem.hint(absent::write_instead(successor)),
        ("enable-v2" | "experimental-enable-v2v3", None) => problem.hint(
            "leave it out: etcd 3.6 has no v2 API, and data written through it stops the upgrade"
                .to_owned(),
        ),
        (_, None) => problem.hint("leave it out".to_owned()),
    }
}

#[cfg(test)]
mod tests;

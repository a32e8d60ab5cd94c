//! Which flags each version of etcd takes, as the real binaries do.
//!
//! What a flag needs is a patch, not a minor: several came late to 3.4 and 3.5.

mod entries;

use inventories::{EtcdVersion, Minor};

use super::value::Kind;
use entries::ENTRIES;

/// A flag in all versions that ever had it.
struct Entry {
    name: &'static str,
    kind: Kind,
    /// The first line with it.
    first: Minor,
    /// The last line with it, where a later one has dropped it.
    last: Option<Minor>,
    /// The patch of a line that it came with, where that is not the line's first.
    late: &'static [(Minor, u32)],
    /// What it takes from a line on, where that changed.
    then: Option<(Minor, Kind)>,
    /// The first line that warns of it.
    deprecated: Option<Minor>,
    successor: Option<Successor>,
}

/// What took the place of a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Successor {
    /// Another flag.
    Flag(&'static str),
    /// A feature gate.
    Gate(&'static str),
}

/// A flag, as one line of versions has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag {
    /// Its name, without dashes.
    pub(super) name: &'static str,
    /// What values it takes.
    pub(super) kind: Kind,
    /// The first patch that has it.
    pub(super) since: u32,
    /// Whether etcd itself warns of it.
    pub(super) deprecated: bool,
}

/// The flag that this very version has.
pub(super) fn find(version: EtcdVersion, name: &str) -> Option<Flag> {
    find_in_line(version.minor(), name).filter(|flag| flag.since <= version.patch())
}

/// The flag that some patch of this line has.
pub(super) fn find_in_line(minor: Minor, name: &str) -> Option<Flag> {
    entry(name)?.in_line(minor)
}

/// What took the place of a flag, in whichever version; `None` where nothing did.
pub(super) fn successor(name: &str) -> Option<Successor> {
    entry(name)?.successor
}

/// The flag of this very version that another one has replaced since.
pub(super) fn predecessor(version: EtcdVersion, name: &str) -> Option<Flag> {
    all(version)
        .find(|flag| matches!(successor(flag.name), Some(Successor::Flag(later)) if later == name))
}

/// Every flag of this very version, sorted by name.
pub(super) fn all(version: EtcdVersion) -> impl Iterator<Item = Flag> {
    let flags = ENTRIES.iter().filter_map(move |entry| entry.in_line(version.minor()));
    flags.filter(move |flag| flag.since <= version.patch())
}

fn entry(name: &str) -> Option<&'static Entry> {
    let index = ENTRIES.binary_search_by_key(&name, |entry| entry.name).ok()?;
    Some(&ENTRIES[index])
}

impl Entry {
    fn in_line(&self, minor: Minor) -> Option<Flag> {
        if minor < self.first || self.last.is_some_and(|last| minor > last) {
            return None;
        }
        let late = self.late.iter().find(|(line, _)| *line == minor);
        let kind = self.then.filter(|(from, _)| *from <= minor).map_or(self.kind, |(_, kind)| kind);
        Some(Flag {
            name: self.name,
            kind,
            since: late.map_or(0, |(_, patch)| *patch),
            deprecated: self.deprecated.is_some_and(|from| from <= minor),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_a_search_finds_each_flag() {
        assert!(ENTRIES.is_sorted_by(|a, b| a.name < b.name));
    }

    #[test]
    fn what_took_a_flag_s_place_is_in_the_table_too() {
        for entry in ENTRIES {
            let is_there = |minor| match entry.successor {
                None => true,
                Some(Successor::Flag(name)) => find_in_line(minor, name).is_some(),
                Some(Successor::Gate(gate)) => {
                    let flag = find_in_line(minor, crate::flags::gates::FLAG);
                    matches!(flag.map(|flag| flag.kind), Some(Kind::Gates(all)) if all.contains(&gate))
                }
            };
            assert!(Minor::ALL.into_iter().any(is_there), "{}", entry.name);
        }
    }

    #[test]
    fn a_flag_that_came_late_is_not_found_in_an_earlier_patch() {
        let has = |minor, patch| find(EtcdVersion::new(minor, patch), "tls-min-version").is_some();
        assert!(!has(Minor::V3_4, 23));
        assert!(has(Minor::V3_4, 25));
        assert!(!has(Minor::V3_5, 7));
        assert!(has(Minor::V3_5, 8));
        assert!(has(Minor::V3_6, 0));
    }
}

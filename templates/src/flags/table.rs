//! Which flags each version of etcd takes, as the real binaries do.
//!
//! What a flag needs is a patch, not a minor: several came late to 3.4 and 3.5.

mod v3_4;
mod v3_5;
mod v3_6;
mod v3_7;

use inventories::{EtcdVersion, Minor};

use super::value::Kind::{self, *};

/// A flag of one minor line.
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
    let flags = line(minor);
    let index = flags.binary_search_by_key(&name, |flag| flag.name).ok()?;
    Some(flags[index])
}

/// Every flag of this very version, sorted by name.
pub(super) fn all(version: EtcdVersion) -> impl Iterator<Item = Flag> {
    line(version.minor()).iter().copied().filter(move |flag| flag.since <= version.patch())
}

fn line(minor: Minor) -> &'static [Flag] {
    match minor {
        Minor::V3_4 => v3_4::FLAGS,
        Minor::V3_5 => v3_5::FLAGS,
        Minor::V3_6 => v3_6::FLAGS,
        Minor::V3_7 => v3_7::FLAGS,
    }
}

const fn flag(name: &'static str, kind: Kind) -> Flag {
    Flag { name, kind, since: 0, deprecated: false }
}

impl Flag {
    const fn since(self, patch: u32) -> Self {
        Self { since: patch, ..self }
    }

    const fn deprecated(self) -> Self {
        Self { deprecated: true, ..self }
    }
}

const INT: Kind = Number { from: i64::MIN, to: i64::MAX };
const UINT: Kind = Number { from: 0, to: i64::MAX };
const UINT32: Kind = Number { from: 0, to: u32::MAX as i64 };
const HEARTBEAT_MS: Kind = Number { from: 1, to: 10_000 };
/// etcd refuses more than 50 s, and less than five heartbeats.
const ELECTION_MS: Kind = Number { from: 5, to: 50_000 };
const PER_MILLION: Kind = Number { from: 0, to: 1_000_000 };
const COMPACTION_MODE: Kind = Choice(&["periodic", "revision"]);
const FREELIST: Kind = Choice(&["array", "map"]);
const LOG_FORMAT: Kind = Choice(&["json", "console"]);
const LOG_LEVEL: Kind = Choice(&["debug", "info", "warn", "error", "panic", "fatal"]);
const LOGGER: Kind = Choice(&["zap"]);
const METRICS: Kind = Choice(&["basic", "extensive"]);
const TLS_VERSION: Kind = Choice(&["TLS1.2", "TLS1.3"]);
/// No files: the unit lets etcd write to its data directory alone, and the journal rotates.
const LOG_OUTPUT: Kind = Choice(&["default", "stderr", "stdout", "systemd/journal"]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_sorted_so_that_a_search_finds_each_flag() {
        for minor in Minor::ALL {
            assert!(line(minor).is_sorted_by(|a, b| a.name < b.name), "{minor}");
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

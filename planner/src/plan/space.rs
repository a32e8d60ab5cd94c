//! How a cluster that ran out of space gets room again: what is compacted, and when its alarm may go.

use serde::Serialize;

/// Before which revision the history of all keys goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CompactTo {
    /// The one to which the API servers themselves compacted last. Without API servers nothing is compacted.
    ApiServers,
    /// The newest one. A client that watches or lists from an older one must list again.
    Newest,
}

/// The largest part of the quota, of a hundred, that may be in use when the alarm goes. With less than a fifth left,
/// the next hours of writes raise it again, and no defragmentation helps then.
pub const MOST_IN_USE_PERCENT: u8 = 80;

/// The quota of a member, and where it is asked how much of it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quota {
    /// The member's client URL.
    pub endpoint: String,
    /// The quota that its process runs with, in bytes.
    pub bytes: u64,
}

impl Quota {
    /// Whether so many bytes in use leave it too little room.
    pub fn is_short(bytes: u64, in_use: u64) -> bool {
        u128::from(in_use) * 100 > u128::from(bytes) * u128::from(MOST_IN_USE_PERCENT)
    }

    /// The smallest quota, in whole megabytes, that leaves so many bytes in use enough room.
    pub fn enough_for(in_use: u64) -> u64 {
        const MB: u64 = 1_000_000;
        in_use.saturating_mul(100).div_ceil(u64::from(MOST_IN_USE_PERCENT)).div_ceil(MB) * MB
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quota_that_is_named_is_enough_and_a_megabyte_less_is_not() {
        for in_use in [1, 79_999_999, 80_000_000, 80_000_001, 6_000_000_000] {
            let enough = Quota::enough_for(in_use);
            assert!(!Quota::is_short(enough, in_use), "{in_use}");
            assert!(Quota::is_short(enough - 1_000_000, in_use), "{in_use}");
        }
    }

    #[test]
    fn four_fifths_are_enough_room_and_one_byte_more_is_not() {
        assert!(!Quota::is_short(100, 80));
        assert!(Quota::is_short(100, 81));
        assert!(Quota::is_short(u64::MAX, u64::MAX), "without an overflow");
    }
}

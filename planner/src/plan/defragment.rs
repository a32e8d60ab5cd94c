//! When a database is worth rewriting without its free pages, how long that takes, and how it is done.

use std::time::Duration;

use inventories::inventory::Runtime;
use serde::Serialize;

use crate::facts::EtcdFacts;

/// When a database is worth rewriting: both must be so.
///
/// A database never shrinks on its own: etcd fills its free pages first. Free pages cost disk, memory maps, and time
/// with each snapshot, and count towards the quota. To remove them, the member stands still. So they must be a good
/// part of the file, or little is won, and many bytes, or a small database would be rewritten again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DefragRule {
    /// Free pages must be this part of the file at least, of a hundred.
    pub min_free_percent: u8,
    /// And so many bytes at least.
    pub min_free_bytes: u64,
}

impl Default for DefragRule {
    fn default() -> Self {
        // A cluster in use has free pages at any time: compaction frees, in five minutes, what the next five fill. Below
        // a third they are room to breathe. 100 MB is a twentieth of etcd's default quota.
        Self { min_free_percent: 30, min_free_bytes: 100_000_000 }
    }
}

/// The size of a database, and how much of it is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseSize {
    /// Bytes of the file.
    pub size: u64,
    /// Bytes of it that hold something.
    pub in_use: u64,
}

impl From<&EtcdFacts> for DatabaseSize {
    fn from(etcd: &EtcdFacts) -> Self {
        Self { size: etcd.db_size, in_use: etcd.db_in_use }
    }
}

/// How many bytes in use a defragmentation copies in a second, at worst.
///
/// Measured on a virtual disk with ext4, etcd 3.6.16: 401 MB in values of 100 kB in 1.2 s, 413 MB in values of 900 B in
/// 1.9 s, by the member and by `etcdutl` alike; with 3.4.23, 80 MB in 0.3 s. Free pages cost nothing: 11 MB in use of a file of 403 MB took 0.1 s. On
/// three hosts that shared such a disk and two busy cores, members with 411 MB in use were away for 10 to 24 s, their
/// stop and start included.
pub const BYTES_A_SECOND: u64 = 20_000_000;

/// Where the estimate is longer, the member is stopped for it. Longer than this no client waits for a member: it is to
/// see a closed port and go to the next one at once, and not a connection that stays silent.
pub const LONGEST_ONLINE: Duration = Duration::from_secs(20);

impl DatabaseSize {
    /// Bytes that a rewrite gives back.
    pub fn free(self) -> u64 {
        self.size.saturating_sub(self.in_use)
    }

    /// The free part, of a hundred.
    pub fn free_percent(self) -> u64 {
        self.free().saturating_mul(100).checked_div(self.size).unwrap_or(0)
    }

    /// How long the rewrite takes, on a slow disk.
    pub fn estimate(self) -> Duration {
        Duration::from_secs(self.in_use.div_ceil(BYTES_A_SECOND))
    }
}

impl DefragRule {
    /// Whether a database is worth it.
    pub fn pays(self, database: DatabaseSize) -> bool {
        database.free_percent() >= u64::from(self.min_free_percent)
            && database.free() >= self.min_free_bytes
    }
}

/// How a database is rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DefragWay {
    /// By the member itself, which stands still meanwhile.
    Online,
    /// By the release's tool while the member is stopped; this starts it again.
    Stopped(Runtime),
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;

    fn database(size: u64, in_use: u64) -> DatabaseSize {
        DatabaseSize { size: size * MB, in_use: in_use * MB }
    }

    #[test]
    fn both_the_share_and_the_bytes_must_be_worth_it() {
        let rule = DefragRule::default();
        assert!(rule.pays(database(400, 280)), "30 % and 120 MB");
        assert!(!rule.pays(database(400, 284)), "29 %");
        assert!(!rule.pays(database(140, 41)), "99 MB");
        assert!(rule.pays(database(141, 41)), "100 MB");
        assert!(!rule.pays(database(0, 0)));
        assert!(!rule.pays(database(10, 20)), "two questions, and it grew in between");
    }

    #[test]
    fn what_is_in_use_takes_time_and_free_pages_take_none() {
        assert_eq!(database(8_000, 400).estimate(), LONGEST_ONLINE);
        assert!(database(8_000, 401).estimate() > LONGEST_ONLINE);
        assert_eq!(database(8_000, 0).estimate(), Duration::ZERO);
    }
}

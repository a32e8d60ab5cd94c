//! A member's database: it grows, and is rewritten without its free pages.

use planner::plan::{CompactTo, DatabaseSize};

/// How large a database is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Database {
    /// Size of the file.
    pub size: u64,
    /// The part in use.
    pub in_use: u64,
    /// Of the part in use: revisions that the API servers have compacted.
    pub compacted: u64,
    /// Of the part in use: other revisions that are not the newest of their key.
    pub old: u64,
}

impl Default for Database {
    /// A new one.
    fn default() -> Self {
        Self { size: 20_480, in_use: 16_384, compacted: 0, old: 0 }
    }
}

impl Database {
    /// One of so many megabytes.
    pub fn of_megabytes(size: u64, in_use: u64) -> Self {
        Self { size: size * 1_000_000, in_use: in_use * 1_000_000, compacted: 0, old: 0 }
    }

    /// Old revisions become free pages. Says whether there were any.
    pub fn compact(&mut self, to: CompactTo) -> bool {
        let old = match to {
            CompactTo::ApiServers => self.compacted,
            CompactTo::Newest => self.compacted + std::mem::take(&mut self.old),
        };
        self.compacted = 0;
        self.in_use -= old;
        old > 0
    }

    /// What the planner's rule is asked about.
    pub fn asked(self) -> DatabaseSize {
        DatabaseSize { size: self.size, in_use: self.in_use }
    }

    /// The free pages go.
    pub fn rewrite(&mut self) {
        self.size = self.in_use;
    }
}

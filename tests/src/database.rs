//! A member's database: it grows, and is rewritten without its free pages.

use planner::plan::DatabaseSize;

/// How large a database is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Database {
    /// Of the file.
    pub size: u64,
    /// Of what is in use.
    pub in_use: u64,
}

impl Default for Database {
    /// A new one.
    fn default() -> Self {
        Self { size: 20_480, in_use: 16_384 }
    }
}

impl Database {
    /// One of so many megabytes.
    pub fn of_megabytes(size: u64, in_use: u64) -> Self {
        Self { size: size * 1_000_000, in_use: in_use * 1_000_000 }
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

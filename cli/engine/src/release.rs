//! Release archives on the operator's side: fetching them, their checksums, and where those lie.
//!
//! - [`Archives`]: an archive's bytes, fetched once and checked, for hosts that can't download.
//! - [`fetch_sums`]: the checksums that a release publishes, to be pinned in the inventory.

use std::time::Duration;

mod archives;
mod sums;

pub use archives::{ArchiveError, Archives};
pub use sums::{SumsError, fetch_sums};

/// How long a whole download may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// The longest archive that is taken, in bytes; etcd's are 20 to 30 million.
pub const MAX_ARCHIVE: u64 = 512 * 1024 * 1024;

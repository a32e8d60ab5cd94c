//! The journal of applies that a host keeps.

use inventories::HostName;
use remote::{Call, Payload};
use templates::layout::JOURNAL_FILE;

use crate::lock::{self, LockError};
use crate::pool::Pool;
use crate::script::{self, call::Arguments};

/// The most of a journal that is read, in bytes: more than all that a host keeps, which are 20000 lines and
/// those of the last apply, unless its lines are very long.
const MOST_HISTORY: usize = 8 * 1024 * 1024;

/// The last lines of a host's journal.
pub async fn last(pool: &Pool, host: &HostName, lines: u32) -> Result<String, LockError> {
    let args = Arguments::new()
        .with("file", JOURNAL_FILE)
        .with("lines", lines)
        .with("bytes", MOST_HISTORY);
    let call = lock::call(script::READ_HISTORY, args, Payload::new());
    let call = Call { max_reply: MOST_HISTORY + call.max_reply, ..call };
    lock::made(pool, host, call).await.map_err(|kind| LockError::from_kind(host, &kind))
}

//! What a host reports about itself for a support bundle: the system, its units, and what lies where.

use inventories::{ClusterName, HostName};
use remote::{Call, Payload};
use templates::Layout;
use templates::layout::{CONFIG_ROOT, DATA_ROOT, KUBELET_UNIT, MANIFESTS, STATE_ROOT};

use crate::lock::{self, LockError};
use crate::pool::Pool;
use crate::script::{self, call::Arguments};

/// The most that a host may say, in bytes.
const MOST: usize = 2 * 1024 * 1024;

/// The system of a host with members of these clusters, as text. It may repeat the text of a foreign drop-in, so
/// it is to be redacted.
///
/// # Errors
///
/// The host could not be reached, or ended the script.
pub async fn system(
    pool: &Pool,
    host: &HostName,
    clusters: &[ClusterName],
) -> Result<String, LockError> {
    let units = clusters.iter().map(|cluster| Layout::new(cluster).unit_name());
    let units = units.chain([KUBELET_UNIT.to_owned()]);
    let args = Arguments::new()
        .with_words("units", units)
        .with_words("places", [STATE_ROOT, CONFIG_ROOT, DATA_ROOT, MANIFESTS]);
    let call = lock::call(script::READ_SUPPORT, args, Payload::new());
    // The script says how long it waits with one cluster on the host.
    let deadline = call.deadline * u32::try_from(clusters.len()).unwrap_or(u32::MAX).max(1);
    let call = Call { max_reply: MOST, deadline, ..call };
    lock::made(pool, host, call).await.map_err(|kind| LockError::from_kind(host, &kind))
}

//! What a host remembers of applies: the last one, and the lock of one that runs.

use std::collections::BTreeMap;

use planner::facts::{Applied, Holder, Observed};
use templates::layout::{APPLIED_FILE, LOCK_FILE};

use super::files::Files;
use super::records::Records;
use crate::lock::{LEASE, RECORD_FORMAT as FORMAT};
use remote::clean;

/// The last apply, as the host remembers it.
pub(super) fn last(files: &Files) -> Observed<Applied> {
    let text = match files.text(APPLIED_FILE) {
        Observed::Known(text) => text,
        Observed::Absent => return Observed::Absent,
        Observed::Unknown(why) => return Observed::Unknown(why),
    };
    match serde_json::from_str::<Applied>(text) {
        Ok(applied) if applied.format == FORMAT => Observed::Known(applied),
        Ok(applied) => Observed::Unknown(format!(
            "it is of format {}, and this quorate knows {FORMAT}",
            applied.format
        )),
        Err(error) => Observed::Unknown(error.to_string()),
    }
}

/// Who holds the host's lock at this moment, by the host's own clock. It is reported and decides nothing:
/// one that can't be read counts as none.
pub(super) fn holder(records: &Records, files: &Files, boot_id: &str) -> Option<Holder> {
    let Observed::Known(text) = files.text(LOCK_FILE) else { return None };
    let lock: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once(' ')).collect();
    let uptime: u64 = records.text("uptime")?.trim().parse().ok()?;
    let until: u64 = lock.get("until")?.parse().ok()?;
    // As `is_held` of `lock.sh` has it.
    let held = if *lock.get("boot")? == boot_id {
        until > uptime
    } else {
        until != 0 && uptime < LEASE.as_secs()
    };
    if !held {
        return None;
    }
    let word = |key: &str| clean(lock.get(key).copied().unwrap_or("-").as_bytes());
    Some(Holder { owner: word("owner"), since: word("since"), why: word("why") })
}

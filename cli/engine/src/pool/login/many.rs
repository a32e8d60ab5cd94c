//! The logins of many hosts.

use inventories::inventory::Ssh;

use super::{LoginError, Operator, target};
use remote::Target;

/// How many hosts' settings are read at once. Reading them may run commands (`Match exec`), which wait for the network.
const AT_ONCE: usize = 16;

/// The logins that these settings ask for, in the same order.
pub fn targets(all: &[&Ssh], operator: &Operator) -> Vec<Result<Target, LoginError>> {
    let share = all.len().div_ceil(AT_ONCE).max(1);
    std::thread::scope(|scope| {
        let read = |share: &[&Ssh]| share.iter().map(|ssh| target(ssh, operator)).collect();
        let threads: Vec<_> =
            all.chunks(share).map(|share| scope.spawn(move || -> Vec<_> { read(share) })).collect();
        let found = threads.into_iter().flat_map(|thread| match thread.join() {
            Ok(found) => found,
            Err(defect) => std::panic::resume_unwind(defect),
        });
        found.collect()
    })
}

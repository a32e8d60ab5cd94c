//! A server that we are connected to and that takes no other connection: a firewall limits how many may be made in a
//! while (`ufw limit`, fail2ban), and rejects or drops the rest. A host that is down looks the same, but has no
//! connection of ours.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use tracing::debug;

use super::again::spread;
use super::error::RemoteError;
use super::link::dial;
use super::target::Target;

/// A passing condition, such as a full queue, passes soon.
const SHORT_PAUSE: Duration = Duration::from_millis(500);

/// How many connections of this process each server has.
static OPEN: Mutex<BTreeMap<SocketAddr, usize>> = Mutex::new(BTreeMap::new());

/// A connection that is open, for as long as this is kept.
#[derive(Debug)]
pub(super) struct Open(SocketAddr);

impl Open {
    /// After a server has sent its banner.
    pub(super) fn to(address: SocketAddr) -> Self {
        *open().entry(address).or_default() += 1;
        Self(address)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut open = open();
        if let Some(count) = open.get_mut(&self.0) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.0);
            }
        }
    }
}

fn open() -> MutexGuard<'static, BTreeMap<SocketAddr, usize>> {
    // Nothing here is changed in two steps.
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Connects to the target. Where a firewall lets no further connection through, it is tried again: soon, and once more
/// after a pause in which nothing is sent, because such limits count each attempt.
pub(super) fn connect(target: &Target, addresses: &[SocketAddr]) -> Result<TcpStream, RemoteError> {
    let quiet = target.hang_up_patience * 5 / 4;
    let mut pauses = [SHORT_PAUSE, quiet].into_iter().filter(|_| !quiet.is_zero());
    let mut times = 0;
    loop {
        let error = match dial(target, addresses) {
            Err(RemoteError::Connect { address, why }) if open().contains_key(&address) => {
                times += 1;
                RemoteError::Limited { address, why, times }
            }
            other => return other,
        };
        let Some(pause) = pauses.next() else { return Err(error) };
        debug!("{error}; awaiting another try");
        sleep(spread(pause));
    }
}

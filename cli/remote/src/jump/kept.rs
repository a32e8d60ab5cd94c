//! Logins at jump hosts that asked a person for more than a key. A run keeps them: each carries the connections to all
//! hosts behind it, so that nobody types a code for each of them.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::debug;

use super::carrier::{Carrier, Opened};
use super::late;
use crate::config::Family;
use crate::link::Link;
use crate::target::{HostKeyPolicy, Target};

/// The kept logins of a run.
#[derive(Default)]
pub(crate) struct KeptLogins {
    all: Mutex<Vec<(Way, Arc<Carrier>)>>,
}

impl KeptLogins {
    /// A connection to `target` by a kept login at `hop`, or why that host made none. `None`: no kept login can make one.
    pub(crate) fn connect(&self, hop: &Target, target: &Target) -> Option<Result<OwnedFd, String>> {
        // One that was open a moment ago may be at its end, or wait for a host that does not answer.
        while let Some(carrier) = self.find(hop, |carrier| carrier.is_free_for(target)) {
            match carrier.connect(target) {
                Opened::Connected(stream) => return Some(Ok(stream)),
                Opened::Failed(why) => return Some(Err(why)),
                Opened::Late => return Some(Err(late(target))),
                Opened::NotHere => {
                    debug!("the open login at {} makes no further connection", hop.host);
                }
            }
        }
        None
    }

    /// Keeps a login at `hop`.
    pub(crate) fn keep(&self, hop: &Target, link: Link) -> std::io::Result<()> {
        let carrier = Arc::new(Carrier::start(link, hop)?);
        let mut all = self.lock();
        all.retain(|(_, carrier)| !carrier.is_over());
        all.push((Way::to(hop), carrier));
        Ok(())
    }

    /// Whether a kept login at `hop` makes connections.
    pub(crate) fn is_open(&self, hop: &Target) -> bool {
        self.find(hop, Carrier::is_free).is_some()
    }

    fn find(&self, hop: &Target, wanted: impl Fn(&Carrier) -> bool) -> Option<Arc<Carrier>> {
        let (all, way) = (self.lock(), Way::to(hop));
        let found = all.iter().find(|(kept, carrier)| *kept == way && wanted(carrier));
        found.map(|(_, carrier)| Arc::clone(carrier))
    }

    /// Nothing here is changed in two steps.
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Way, Arc<Carrier>)>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Two logins with the same way are at the same machine, as the same user, with the same trust.
#[derive(Debug, PartialEq, Eq)]
struct Way {
    user: String,
    host: String,
    port: u16,
    family: Family,
    host_key_alias: Option<String>,
    host_keys: HostKeyPolicy,
    proxy_command: Option<String>,
    jump: Option<Box<Way>>,
}

impl Way {
    fn to(target: &Target) -> Self {
        Self {
            user: target.user.clone(),
            host: target.host.clone(),
            port: target.port,
            family: target.family,
            host_key_alias: target.host_key_alias.clone(),
            host_keys: target.host_keys.clone(),
            proxy_command: target.proxy_command.clone(),
            jump: target.jump.as_deref().map(|hop| Box::new(Way::to(hop))),
        }
    }
}

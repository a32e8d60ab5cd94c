//! What a host can't give the unit's sandbox: the unit omits it there, and the plan warns unless the
//! inventory does.

use std::collections::BTreeMap;

use crate::facts::{HostFacts, Namespace, Observed};

/// The first systemd that knows `PrivateIPC=`.
const PRIVATE_IPC: u32 = 248;

/// Directives that the unit can't have on this host, each with the reason.
pub(crate) fn lacks(host: &HostFacts) -> BTreeMap<String, String> {
    let mut lacks = BTreeMap::new();
    let mut without = |directive: &str, reason: String| lacks.insert(directive.to_owned(), reason);
    if let Some(version) = host.machine.systemd
        && version < PRIVATE_IPC
    {
        without("PrivateIPC", format!("systemd {version} does not know it"));
    }
    match host.machine.user_namespaces {
        Observed::Known(0) => {
            without("PrivateUsers", "user.max_user_namespaces is 0 on this host".to_owned());
        }
        Observed::Absent => {
            without("PrivateUsers", "the kernel has no user namespaces".to_owned());
        }
        Observed::Known(_) | Observed::Unknown(_) => {}
    }
    // Without namespaces of mounts no directive would be left: see `preflight/unit.rs`.
    for (kind, directive) in [(Namespace::Ipc, "PrivateIPC"), (Namespace::Uts, "ProtectHostname")] {
        if host.machine.closed_namespaces.contains(&kind) {
            without(directive, format!("{} is 0 on this host", kind.setting()));
        }
    }
    lacks
}

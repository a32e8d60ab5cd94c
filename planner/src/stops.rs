//! What a blocked finding stops, and what may still be done for a cluster.

use std::collections::BTreeSet;

use inventories::{ClusterName, HostName};
use serde::Serialize;

use crate::report::{Blocked, Formation};
use crate::selection::Selection;
use crate::spec::ClusterSpec;

/// What a blocked finding stops. The code that reports the finding decides, because only it knows what it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stops {
    /// Everything that is done for this cluster.
    Cluster(ClusterName),
    /// What takes members of this cluster down or changes who they are. Repairs continue: starts of
    /// members that are down, certificates, owners and modes.
    Changes(ClusterName),
    /// Everything on this host.
    Host(HostName),
    /// What is done to the API server of this host.
    ApiServer(HostName),
    /// Everything that is done for this host's member of the cluster.
    Member(HostName, ClusterName),
    /// The settings of this host's member: its unit stays as it is, and it is not restarted. If it is
    /// down, it is started with the unit that it has.
    Settings(HostName, ClusterName),
}

impl Stops {
    /// The cluster that it is limited to, where there is one.
    pub fn cluster(&self) -> Option<&ClusterName> {
        match self {
            Stops::Cluster(cluster)
            | Stops::Changes(cluster)
            | Stops::Member(_, cluster)
            | Stops::Settings(_, cluster) => Some(cluster),
            Stops::Host(_) | Stops::ApiServer(_) => None,
        }
    }

    /// The host that it is limited to, where there is one.
    pub fn host(&self) -> Option<&HostName> {
        match self {
            Stops::Host(host)
            | Stops::ApiServer(host)
            | Stops::Member(host, _)
            | Stops::Settings(host, _) => Some(host),
            Stops::Cluster(_) | Stops::Changes(_) => None,
        }
    }
}

/// Whether members of a cluster may be taken down, and the membership changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changes {
    /// They may.
    Allowed,
    /// Something blocks them.
    Stopped,
}

/// What may be done for one cluster, after what was selected and what is blocked.
pub(crate) struct Permitted<'a> {
    selection: &'a Selection,
    /// Hosts on which nothing is done for the cluster.
    closed: BTreeSet<&'a HostName>,
    /// Hosts on which the member's settings stay as they are.
    still: BTreeSet<&'a HostName>,
    /// Whether members may be taken down.
    pub(crate) changes: Changes,
}

impl<'a> Permitted<'a> {
    /// What may be done for a cluster; `None` where that is nothing. A cluster is formed on all of its
    /// hosts at once, so a finding that stops one of them stops the forming.
    pub(crate) fn for_cluster(
        cluster: &'a ClusterSpec,
        formation: Formation,
        selection: &'a Selection,
        blocked: &[Blocked],
    ) -> Option<Self> {
        let (mut closed, mut still) = (BTreeSet::new(), BTreeSet::new());
        let mut changes = Changes::Allowed;
        let here = |host: &HostName| cluster.members.get_key_value(host).map(|(name, _)| name);
        for stop in blocked.iter().flat_map(|blocked| &blocked.stops) {
            if stop.cluster().is_some_and(|name| *name != cluster.name) {
                continue;
            }
            match stop {
                Stops::Cluster(_) => return None,
                Stops::ApiServer(_) => {}
                Stops::Changes(_) => changes = Changes::Stopped,
                Stops::Host(host) | Stops::Member(host, _) => closed.extend(here(host)),
                Stops::Settings(host, _) => still.extend(here(host)),
            }
        }
        let is_free = changes == Changes::Allowed && closed.is_empty() && still.is_empty();
        match formation {
            Formation::Formed => Some(Self { selection, closed, still, changes }),
            Formation::Absent | Formation::Started if is_free => {
                Some(Self { selection, closed, still, changes })
            }
            Formation::Absent | Formation::Started | Formation::Elsewhere | Formation::Unknown => {
                None
            }
        }
    }

    /// Whether nothing is left out or stopped.
    pub(crate) fn is_everything(&self) -> bool {
        self.selection.is_everything()
            && self.closed.is_empty()
            && self.still.is_empty()
            && self.changes == Changes::Allowed
    }

    /// Whether something may be changed on this host.
    pub(crate) fn takes_host(&self, host: &HostName) -> bool {
        self.selects(host) && self.is_open(host)
    }

    /// Whether the operator selected this host.
    pub(crate) fn selects(&self, host: &HostName) -> bool {
        self.selection.takes_host(host)
    }

    /// Whether nothing that is blocked closes this host.
    pub(crate) fn is_open(&self, host: &HostName) -> bool {
        !self.closed.contains(host)
    }

    /// Whether the member on this host may get other settings, and a restart.
    pub(crate) fn may_change(&self, host: &HostName) -> bool {
        self.selects(host) && self.is_free(host)
    }

    /// Whether nothing that is blocked keeps the member on this host as it is.
    pub(crate) fn is_free(&self, host: &HostName) -> bool {
        self.is_open(host) && !self.still.contains(host)
    }
}

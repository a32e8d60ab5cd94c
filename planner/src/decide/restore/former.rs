//! Members that `members` no longer names: whatever of them is left must not come up beside the restored cluster.

use inventories::{HostName, SiteName};

use crate::facts::{HostFacts, MemberFacts, Observed, SiteFacts, UnitFacts};
use crate::spec::{ClusterSpec, MemberSpec};

/// A former member, on a host that the inventory still has.
pub(crate) struct Former<'a> {
    pub(crate) host: &'a HostName,
    pub(crate) wanted: &'a MemberSpec,
    /// What its host says; `None` where it could not be looked at.
    pub(crate) seen: Option<(&'a HostFacts, &'a MemberFacts)>,
}

impl Former<'_> {
    /// Whether anything of it is left, or what an earlier restore prepared for it.
    pub(crate) fn is_there(&self) -> bool {
        let is_left = |own: &MemberFacts| {
            own.has_log() || runs(own) || own.had_quorum() || !own.restore.is_absent()
        };
        self.seen.is_some_and(|(_, own)| is_left(own))
    }

    /// Whether what is to be known before it is stopped and cleared can't be read.
    pub(crate) fn is_unreadable(&self) -> bool {
        let unknown = |own: &MemberFacts| {
            matches!(own.data, Observed::Unknown(_))
                || matches!(own.unit, Observed::Unknown(_))
                || matches!(own.running, Observed::Unknown(_))
        };
        self.seen.is_some_and(|(_, own)| unknown(own))
    }

    /// The other site that its host, or what is on it, belongs to by now.
    pub(crate) fn other_site(&self, ours: &SiteName) -> Option<SiteName> {
        let (host, own) = self.seen.filter(|_| self.is_there())?;
        let by_marker = own.marker.known().map(|marker| &marker.site);
        host.site.known().or(by_marker).filter(|site| *site != ours).cloned()
    }
}

pub(crate) fn of<'a>(cluster: &'a ClusterSpec, facts: &'a SiteFacts) -> Vec<Former<'a>> {
    let one = |(host, wanted): (&'a HostName, &'a MemberSpec)| {
        let seen = facts.hosts.get(host).and_then(Observed::known);
        let seen = seen.and_then(|seen| Some((seen, seen.clusters.get(&cluster.name)?)));
        Former { host, wanted, seen }
    };
    cluster.former.iter().map(one).collect()
}

/// Whether a process of a member runs, or is about to run again.
pub(super) fn runs(own: &MemberFacts) -> bool {
    own.is_up() || own.unit.known().is_some_and(UnitFacts::is_looping)
}

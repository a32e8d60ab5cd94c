//! What the targets know of a cluster's backups, and which targets know nothing because they can't be read.

use std::collections::BTreeSet;

use engine::backups::catalog::{self, Flaw, Listing, State};
use engine::backups::{Sidecar, Store};
use inventories::ClusterName;
use planner::policy::MAX_REVISION;
use time::OffsetDateTime;

use super::super::Context;
use super::super::snapshot::{settings, stores};
use crate::site::Site;

/// What is known of a cluster's backups.
#[derive(Debug, Default)]
pub(in crate::commands) struct Known {
    /// The newest good backup of each target that was read.
    pub(in crate::commands) newest: Vec<Sidecar>,
    /// The targets that could not be read.
    pub(in crate::commands) unread: BTreeSet<String>,
    /// What can't be relied on, each a sentence without a full stop.
    pub(in crate::commands) doubts: Vec<String>,
    /// The targets that could be read.
    read: Vec<Store>,
}

impl Known {
    /// Reads the newest sidecars in each target. One that is dated in the future says nothing of now.
    pub(in crate::commands) fn read(
        context: &Context,
        site: &Site,
        cluster: &ClusterName,
        now: OffsetDateTime,
    ) -> Self {
        let mut known = Self::default();
        let Ok(backups) = settings(site, cluster) else { return known };
        for store in stores(context, site, backups) {
            let name = store.name();
            let site = &site.inventory.site.name;
            let read = || Listing::read(&store, site, cluster)?.newest_copies(now);
            let copies = match store.is_there().and_then(|()| read()) {
                Ok(copies) => copies,
                Err(error) => {
                    known.doubt(name, &error.to_string());
                    continue;
                }
            };
            for (id, why) in copies.iter().filter_map(catalog::Copy::unread) {
                known.doubt(name, &format!("{id}: {why}"));
            }
            let good = copies.iter().filter(|copy| !copy.id.is_ahead(now));
            for sidecar in good.filter_map(catalog::Copy::sidecar) {
                if sidecar.revision > MAX_REVISION {
                    known.doubts.push(format!(
                        "{name}: {} says revision {}, which no cluster reaches: its number is not heeded",
                        sidecar.id, sidecar.revision
                    ));
                } else {
                    known.newest.push(sidecar.clone());
                }
            }
            known.read.push(store);
        }
        known
    }

    fn doubt(&mut self, target: &str, why: &str) {
        self.unread.insert(target.to_owned());
        self.doubts.push(format!("cannot read {target}: {why}; it may hold a newer backup"));
    }

    /// The newest of all.
    pub(in crate::commands) fn newest(&self) -> Option<&Sidecar> {
        self.newest.iter().max_by_key(|sidecar| sidecar.taken())
    }

    /// The highest revision that any of them has.
    pub(super) fn highest(&self) -> u64 {
        self.newest.iter().map(|sidecar| sidecar.revision).max().unwrap_or_default()
    }

    /// The names of the members when the newest was taken.
    pub(super) fn members(&self) -> BTreeSet<String> {
        let listed = self.newest().and_then(|sidecar| sidecar.members.as_ref());
        let names = listed.into_iter().flatten().map(|member| member.name.clone());
        names.filter(|name| !name.is_empty()).collect()
    }

    /// The sidecar of the backup whose opened snapshot has this sha256, in any target; and where there is none, what could
    /// not be read and may be it, each a sentence without a full stop. Targets that `doubts` names are not named again.
    pub(super) fn sidecar(
        &self,
        site: &Site,
        cluster: &ClusterName,
        sha256: &str,
    ) -> (Option<Sidecar>, Vec<String>) {
        let mut unread = Vec::new();
        for store in &self.read {
            let name = store.name();
            let copies = match catalog::copies(store, &site.inventory.site.name, cluster) {
                Ok(copies) => copies,
                Err(error) => {
                    unread.push(format!("cannot read {name}: {error}"));
                    continue;
                }
            };
            for copy in copies {
                match copy.state {
                    State::Good(sidecar) if sidecar.sha256 == sha256 => {
                        return (Some(*sidecar), Vec::new());
                    }
                    State::Broken(flaw @ (Flaw::Sidecar(_) | Flaw::Unreadable(_))) => {
                        unread.push(format!("{name}: {}: {flaw}", copy.id));
                    }
                    State::Good(_) | State::Unfinished | State::Broken(_) => {}
                }
            }
        }
        let doubt = |why: String| format!("{why}; it may be the backup that this file is from");
        (None, unread.into_iter().map(doubt).collect())
    }
}

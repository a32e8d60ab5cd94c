//! A restore that the operator of a scenario asks for.

use std::collections::BTreeSet;

use planner::policy::{Maintenance, RestoreRequest, RestoreSource};
use time::Duration;

use super::{Scene, bytes, parsed};
use crate::site::{NOW, cluster, host};

impl Scene {
    /// What is asked for from now on: the data of a snapshot that was taken two days ago.
    pub(super) fn restore(&mut self, options: &[&str]) -> Result<(), String> {
        let mut snapshot = RestoreSource {
            name: "20261121T030000Z-c0".to_owned(),
            sha256: "ab".repeat(32),
            bytes: 20 << 20,
            revision: Some(3_000),
            etcd_version: self.inventory.clusters.values().next().map(|one| one.version),
            alarms: BTreeSet::new(),
            taken: Some(NOW - Duration::days(2)),
        };
        let (mut clients_stopped, mut allow_data_loss) = (BTreeSet::new(), BTreeSet::new());
        let (mut gone, mut old_members_stopped) = (BTreeSet::new(), BTreeSet::new());
        for option in options {
            match option.split_once('=') {
                None if *option == "clients-stopped" => drop(clients_stopped.insert(cluster(0))),
                None if *option == "old-members-stopped" => {
                    let _ = old_members_stopped.insert(cluster(0));
                }
                None if *option == "data-loss" => drop(allow_data_loss.insert(cluster(0))),
                Some(("revision", "unknown")) => snapshot.revision = None,
                Some(("revision", revision)) => snapshot.revision = Some(parsed(revision)?),
                Some(("version", version)) => snapshot.etcd_version = Some(parsed(version)?),
                Some(("size", size)) => snapshot.bytes = bytes(size)?,
                Some(("sha256", sha256)) => snapshot.sha256 = sha256.repeat(32),
                Some(("gone", hosts)) => gone = hosts.split(',').map(host).collect(),
                _ => return Err(format!("a restore has no {option}")),
            }
        }
        self.world.gone.clone_from(&gone);
        let cluster = cluster(0);
        self.policy.maintenance = Some(Maintenance::Restore(Box::new(RestoreRequest {
            cluster,
            snapshot,
            highest_known: 0,
            unread: BTreeSet::new(),
            members: BTreeSet::new(),
            clients_stopped,
            old_members_stopped,
            allow_data_loss,
            gone,
        })));
        Ok(())
    }
}

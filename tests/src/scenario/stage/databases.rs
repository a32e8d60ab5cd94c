//! Databases of a scenario, and what the operator asks to be done to them.

use inventories::HostName;
use planner::Observed;
use planner::plan::DefragRule;
use planner::policy::{DestroyRequest, Maintenance, RemoveRequest};

use super::desired::cluster_name;
use super::{Scene, bytes, parsed};
use crate::database::Database;
use crate::site::{cluster, host};

impl Scene {
    /// What is asked for instead of what the inventory says.
    pub(super) fn maintain(&mut self, what: &str) -> Result<(), String> {
        self.policy.maintenance = match what {
            "defrag" => Some(Maintenance::Defragment(DefragRule::default())),
            "nothing" => None,
            "destroy" | "destroy-in-use" => {
                let servers = (what == "destroy-in-use").then(|| "10.77.0.99".to_owned());
                Some(Maintenance::Destroy(DestroyRequest {
                    cluster: cluster(0),
                    api_servers: Observed::Known(servers.into_iter().collect()),
                }))
            }
            _ => return Err("nobody asks for that".to_owned()),
        };
        Ok(())
    }

    /// What is left on a host of a cluster that the inventory had.
    pub(super) fn remove(&mut self, cluster: &str, name: &str) -> Result<(), String> {
        let (cluster, host) = (cluster_name(cluster)?, host(name));
        self.policy.maintenance = Some(Maintenance::Remove(RemoveRequest { cluster, host }));
        Ok(())
    }

    /// What becomes of the databases on a host.
    pub(super) fn of_databases(&mut self, words: &[&str]) -> Result<(), String> {
        match *words {
            ["database", name, size, in_use] => {
                let database = Database::of_megabytes(parsed(size)?, parsed(in_use)?);
                let there = self.world.hosts.get_mut(&host(name));
                let members = there.into_iter().flat_map(|there| there.members.values_mut());
                members.for_each(|member| member.database = database);
            }
            ["old", name, compacted, old] => {
                let there = self.world.hosts.get_mut(&host(name));
                let of_megabytes = |size| parsed::<u64>(size).map(|size| size * 1_000_000);
                let (compacted, old) = (of_megabytes(compacted)?, of_megabytes(old)?);
                for member in there.into_iter().flat_map(|there| there.members.values_mut()) {
                    (member.database.compacted, member.database.old) = (compacted, old);
                }
            }
            ["full", name] => {
                let clusters: Vec<_> = self.spec().clusters.keys().cloned().collect();
                clusters.iter().for_each(|cluster| self.world.run_full(&host(name), cluster));
            }
            ["room", name, size] => {
                let room = bytes(size)?;
                if let Some(there) = self.world.hosts.get_mut(&host(name)) {
                    there.room = room;
                }
            }
            ["left-stopped", name] => self.leave_stopped(&host(name)),
            _ => return Err("no such command".to_owned()),
        }
        Ok(())
    }

    fn leave_stopped(&mut self, name: &HostName) {
        let spec = self.spec();
        for (cluster, wanted) in &spec.clusters {
            self.world.stop_for_defragmentation(name, cluster, wanted.runtime);
        }
    }
}

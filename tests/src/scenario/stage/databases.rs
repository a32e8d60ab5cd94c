//! Databases of a scenario, and what the operator asks to be done to them.

use inventories::HostName;
use planner::plan::DefragRule;
use planner::policy::Maintenance;

use super::{Scene, bytes, parsed};
use crate::database::Database;
use crate::site::host;

impl Scene {
    /// What is asked for instead of what the inventory says.
    pub(super) fn maintain(&mut self, what: &str) -> Result<(), String> {
        self.policy.maintenance = match what {
            "defrag" => Some(Maintenance::Defragment(DefragRule::default())),
            "nothing" => None,
            _ => return Err("nobody asks for that".to_owned()),
        };
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

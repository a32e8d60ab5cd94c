//! The records of formed clusters, which an apply leaves beside the inventory.

use std::env;

use planner::{SiteFacts, records};

use super::super::Context;
use super::super::planning::Planned;
use crate::formed_record;
use crate::site::Site;

/// Writes the missing records, and asks the operator to commit them. The checkout of a CI job is temporary, so
/// there the text is shown too.
pub(super) fn keep(context: &Context, site: &Site, planned: &Planned, facts: &SiteFacts) {
    let terminal = &context.terminal;
    for (cluster, record) in records(&planned.spec, &planned.plan, facts, &planned.policy) {
        let folder = site.authorities.of(&cluster);
        let text = formed_record::text(&cluster, &record);
        let is_ci = env::var_os("CI").is_some_and(|value| !value.is_empty());
        match formed_record::write(&folder, &cluster, &record) {
            Ok(path) => {
                terminal.say_always(&format!(
                    "Cluster {cluster} is formed. Commit {}: it keeps a later plan from forming the \
                     cluster again by mistake.",
                    path.display()
                ));
                if is_ci {
                    terminal.say_always(&text);
                }
            }
            Err(error) => {
                let folder = folder.display();
                terminal.warn(&format!(
                    "cannot write formed.toml to {folder}: {error}; write and commit it yourself:"
                ));
                terminal.say_always(&text);
            }
        }
    }
}

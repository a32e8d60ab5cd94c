//! What the environment may do next.

use std::fmt;

use inventories::{ClusterName, HostName};

use crate::fault::Fault;
use crate::invariants::Broken;
use crate::shared::Shared;
use crate::world::{SimHost, World};

/// Something that the environment does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Happening {
    /// A fault begins.
    Begins(HostName, Fault),
    /// Whatever is wrong with a host ends; a host that was down boots.
    Ends(HostName),
    /// Leadership moves on its own. It is not a fault, and never counted.
    Leads(ClusterName, HostName),
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Happening::Begins(host, fault) => write!(f, "{host} {fault}"),
            Happening::Ends(host) => write!(f, "{host} is well again"),
            Happening::Leads(cluster, host) => write!(f, "{host} now leads {cluster}"),
        }
    }
}

/// Everything that can happen in a world in which so many hosts may be in trouble at one time, and
/// what comes of it.
pub(super) fn happenings(
    world: &World,
    faults: &[Fault],
    at_once: usize,
) -> Result<Vec<(Happening, World)>, Broken> {
    let mut all = Vec::new();
    for (name, host) in world.hosts.iter().filter(|(name, _)| !world.gone.contains(*name)) {
        if host.in_trouble() {
            all.push(Happening::Ends(name.clone()));
        }
        if troubles(world) < at_once {
            let possible = faults.iter().filter(|fault| fault.can_begin(host));
            all.extend(possible.map(|fault| Happening::Begins(name.clone(), *fault)));
        }
    }
    let voting = world.voting();
    for (cluster, leader) in &world.leaders {
        let others = voting.iter().filter(|((name, _), _)| name == cluster);
        let others = others.flat_map(|(_, hosts)| hosts).filter(|host| *host != leader);
        all.extend(others.map(|host| Happening::Leads(cluster.clone(), host.clone())));
    }
    let after = |happening| {
        let mut world = world.clone();
        match &happening {
            Happening::Begins(host, fault) => world.strike(host, *fault)?,
            Happening::Ends(host) => world.mend(host)?,
            Happening::Leads(cluster, host) => {
                world.leaders.insert(cluster.clone(), host.clone());
            }
        }
        Ok((happening, world))
    };
    all.into_iter().map(after).collect()
}

/// How many faults there are now; a lost disk is one until its member is replaced. A host that is gone is none.
fn troubles(world: &World) -> usize {
    let of_host = |(name, host): (&HostName, &Shared<SimHost>)| {
        usize::from(host.in_trouble()) + usize::from(world.has_lost_a_member(name))
    };
    world.hosts.iter().filter(|(name, _)| !world.gone.contains(*name)).map(of_host).sum()
}

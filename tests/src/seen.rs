//! What was seen of a site, for a test to change.

use planner::facts::{HostFacts, MemberFacts, Observed, SiteFacts};

/// What is known. Panics where it is not.
pub fn known<T>(fact: &mut Observed<T>) -> &mut T {
    match fact {
        Observed::Known(value) => value,
        Observed::Absent => panic!("it is not there"),
        Observed::Unknown(why) => panic!("it is not known: {why}"),
    }
}

/// A host that was seen.
pub fn host<'a>(facts: &'a mut SiteFacts, name: &str) -> &'a mut HostFacts {
    known(facts.hosts.get_mut(name).unwrap_or_else(|| panic!("no host {name}")))
}

/// Its member of the first cluster.
pub fn member<'a>(facts: &'a mut SiteFacts, name: &str) -> &'a mut MemberFacts {
    let clusters = &mut host(facts, name).clusters;
    clusters.get_mut("c0").unwrap_or_else(|| panic!("no member on {name}"))
}

/// The member's process ends, and nothing starts it again.
pub fn end(member: &mut MemberFacts) {
    (member.pod, member.running) = (Observed::Absent, Observed::Absent);
    member.etcd = Observed::Absent;
    if let Observed::Known(unit) = &mut member.unit {
        (unit.active, unit.sub) = ("inactive".to_owned(), "dead".to_owned());
    }
}

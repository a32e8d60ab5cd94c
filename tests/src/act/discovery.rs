//! Steps with discovery services.

use engine::hosts::{Done, StepErrorKind};
use planner::plan::DiscoveryService;
use templates::BootstrapToken;
use templates::member::Access;

use super::{Act, changed, failed, put};
use crate::registry::Registry;
use crate::world::SimMember;

pub(super) fn trust(member: &mut SimMember, ca: Option<&String>, password: bool) -> Done {
    let mut moved = false;
    if let Some(ca) = ca {
        moved |= put(&mut member.discovery_ca, Some(ca.clone())) == Done::Changed;
    }
    if password {
        moved |= put(&mut member.discovery_password, true) == Done::Changed;
    }
    changed(moved)
}

pub(super) fn open(
    member: &mut SimMember,
    service: &DiscoveryService,
    token: Option<&BootstrapToken>,
    size: usize,
    registry: &mut Registry,
) -> Act {
    let Some(token) = token else { panic!("a record is opened without a token") };
    if member.token.as_ref() != Some(token) {
        return Err(StepErrorKind::Guard("the token is not this bootstrap's".to_owned()));
    }
    let has_what_it_shows = match &service.access {
        Access::Open | Access::Tls { own_ca: false, .. } => true,
        Access::Tls { own_ca: true, .. } => member.discovery_ca.is_some(),
        Access::Own => member.generation.is_some(),
    };
    if !has_what_it_shows {
        return failed("no such file");
    }
    let before = member.discovery_note.replace(format!("{token} {}", service.endpoints.join(",")));
    let old = before.as_deref().and_then(|note| note.split_once(' ')).map(|(old, _)| old);
    if let Some(old) = old.filter(|old| *old != token.as_str()) {
        registry.close(old);
    }
    match registry.open(token.as_str(), size) {
        Ok(is_new) => Ok(changed(is_new || before != member.discovery_note)),
        Err(other) => failed(&format!("the token is used for a cluster of {other} members")),
    }
}

pub(super) fn close(member: &mut SimMember, registry: &mut Registry) -> Done {
    let Some(note) = member.discovery_note.take() else { return Done::Already };
    let token = note.split_once(' ').map_or("", |(token, _)| token);
    registry.close(token);
    Done::Changed
}

pub(super) fn forget(member: &mut SimMember) -> Done {
    let ca = put(&mut member.discovery_ca, None) == Done::Changed;
    let password = put(&mut member.discovery_password, false) == Done::Changed;
    changed(ca || password)
}

//! Why members that are to leave stay for now.

use inventories::HostName;

use super::{One, stay};
use crate::decide::assess::View;
use crate::decide::leaving::{Leaving, State};
use crate::decide::membership::majority;
use crate::report::{Finding, FindingCode};
use crate::spec::ClusterSpec;
use crate::stops::{Changes, Permitted};

/// What is in the way, and what to do about it.
pub(super) struct Waits {
    why: String,
    hint: String,
}

impl Waits {
    fn new(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { why: why.into(), hint: hint.into() }
    }

    /// Says so of members that are listed, or where there are none, of those that are removed already.
    pub(super) fn finding(
        self,
        cluster: &ClusterSpec,
        listed: &[One<'_>],
        removed: &[One<'_>],
    ) -> Finding {
        let names = |these: &[One<'_>]| {
            these.iter().map(|(host, _)| host.as_str()).collect::<Vec<_>>().join(", ")
        };
        let what = match listed {
            [] => format!("what is left of the removed {}", names(removed)),
            listed => names(listed),
        };
        Finding {
            code: FindingCode::RemovalWaits,
            host: None,
            cluster: Some(cluster.name.clone()),
            message: format!("{what} can't be removed now: {}", self.why),
            hint: Some(self.hint),
        }
    }
}

/// Nobody can be asked to remove them.
pub(super) fn nobody_asks() -> Waits {
    Waits::new(
        "no healthy member is on a host where this plan may change something",
        "repair the members that stay, or select the host of a healthy one with --host as well",
    )
}

/// They stand in for members that can't join yet.
pub(super) fn joins<'h>(join: impl Iterator<Item = &'h HostName>) -> Waits {
    let join: Vec<&str> = join.map(HostName::as_str).collect();
    let why = format!("the cluster needs it until these have joined: {}", join.join(", "));
    Waits::new(why, "resolve what keeps the new members from joining, and plan again")
}

/// API servers that this plan leaves as they are may use one of these, now or later.
pub(super) fn listed(view: &View<'_>, these: &[One<'_>]) -> Option<Waits> {
    let keepers = view.left.lists_any(|servers| {
        let wanted = |one: &Leaving<'_>| one.wanted.member.client_url().to_string();
        let mut these = these.iter();
        these.any(|(_, one)| servers.contains(&one.client_url()) || servers.contains(&wanted(one)))
    });
    (!keepers.is_empty()).then(|| Waits::new(keepers.why("may be using it"), keepers.hint()))
}

/// Those that serve can still tell which data is right.
pub(super) fn corrupt(cluster: &ClusterSpec) -> Waits {
    Waits::new(
        "the cluster needs it until its CORRUPT alarm is cleared",
        format!("run quorate apply --cluster {} again once it is", cluster.name),
    )
}

/// Why none of these can be removed now.
pub(super) fn why(
    cluster: &ClusterSpec,
    view: &View<'_>,
    listed: &[One<'_>],
    scope: &Permitted<'_>,
) -> Option<Waits> {
    if scope.changes == Changes::Stopped {
        return Some(Waits::new(
            "a blocked finding stops membership changes in this cluster",
            format!("resolve what is blocked for {} above", cluster.name),
        ));
    }
    if view.members.values().any(|member| member.forbids_us()) {
        return Some(Waits::new(
            "etcd's own authentication refuses quorate's certificate, and only root may remove a member",
            "remove it as root with etcdctl, and plan again",
        ));
    }
    if listed.is_empty() {
        return None;
    }
    if let Some((why, hint)) = even(cluster) {
        return Some(Waits::new(why, hint));
    }
    hangs(listed)
        .or_else(|| too_few(view, listed, stay(cluster, view).len()))
        .or_else(|| unhealthy(cluster, view, listed))
}

/// Why a cluster must not get as many members as the inventory names, and what to do about it.
pub(crate) fn even(cluster: &ClusterSpec) -> Option<(String, String)> {
    let goal = cluster.members.len();
    goal.is_multiple_of(2).then(|| {
        let why = format!(
            "a cluster of {goal} members survives no more failures than one of {}, and each of its writes waits for one \
             more member",
            goal - 1
        );
        let place = cluster.place_of("members");
        (why, format!("name an odd number of members in {}:{}", place.file, place.line))
    })
}

/// A member that does not answer may be what gives the others their quorum.
fn hangs(listed: &[One<'_>]) -> Option<Waits> {
    let hang = listed.iter().filter(|(_, one)| one.state() == State::Hangs);
    let hang: Vec<&str> = hang.map(|(host, _)| host.as_str()).collect();
    (!hang.is_empty()).then(|| {
        let names = hang.join(", ");
        let why =
            format!("no answer from {names}, still running; the cluster may depend on that vote");
        Waits::new(why, format!("wait for an answer from {names}, or stop etcd there"))
    })
}

/// The quorum would be lost with the first failed one that goes. The next ones ask less.
fn too_few(view: &View<'_>, listed: &[One<'_>], stay: usize) -> Option<Waits> {
    let of = |state| listed.iter().filter(move |(_, one)| one.votes() && one.state() == state);
    let (first, _) = of(State::Failed).next()?;
    let healthy = stay + of(State::Serves).count();
    let needed = majority(view.now.quorum.voters - 1);
    (healthy < needed).then(|| {
        let is = if healthy == 1 { "is" } else { "are" };
        let why = format!(
            "without {first} the cluster needs {needed} healthy members, and {healthy} {is} healthy"
        );
        Waits::new(why, "bring the other members back first")
    })
}

/// One that serves stands in for a member that stays and is not healthy.
fn unhealthy(cluster: &ClusterSpec, view: &View<'_>, listed: &[One<'_>]) -> Option<Waits> {
    let stay = stay(cluster, view);
    let missing = cluster.members.keys();
    let missing =
        missing.filter(|host| !view.joining.contains_key(*host) && !stay.contains_key(*host));
    let missing: Vec<&str> = missing.map(HostName::as_str).collect();
    let serves = listed.iter().any(|(_, one)| one.votes() && one.state() == State::Serves);
    (serves && !missing.is_empty()).then(|| {
        let why = format!(
            "not healthy: {}; until then the cluster needs every healthy member",
            missing.join(", ")
        );
        Waits::new(why, "first bring back the members that stay")
    })
}

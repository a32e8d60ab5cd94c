//! A cluster that was formed by DNS lists its members by their names there. Once it is proven, each
//! is listed by its address instead, as in a cluster that was formed from a list: from then on no
//! member needs DNS to find another one, and the records may go.

use inventories::HostName;
use templates::Bootstrap;

use crate::decide::assess::View;
use crate::decide::member_context::MemberContext;
use crate::facts::ListedMember;
use crate::plan::{Action, Guard, Step, StepId, StepKind, Verb, Why};
use crate::spec::{ClusterSpec, MemberSpec};
use crate::stops::Permitted;

/// The peer URL that a member has from its bootstrap, where that was another than its own.
pub(crate) fn url_in_dns(host: &HostName, member: &MemberSpec) -> Option<String> {
    match &member.bootstrap {
        Bootstrap::DnsSrv(dns) => {
            Some(format!("https://{}:{}", dns.target(host), member.member.ports.peer))
        }
        Bootstrap::Static | Bootstrap::V3(_) | Bootstrap::V2(_) => None,
    }
}

/// The host of a member that is listed by its name in DNS.
pub(crate) fn listed_by_dns<'a>(
    cluster: &'a ClusterSpec,
    member: &ListedMember,
) -> Option<&'a HostName> {
    let is = |(host, spec): &(&HostName, &MemberSpec)| {
        url_in_dns(host, spec).is_some_and(|url| member.peer_urls == [url])
    };
    cluster.members.iter().find(is).map(|(host, _)| host)
}

/// The steps for these members, one after the other: etcd takes one change of members at a time.
pub(crate) fn steps<'a>(members: impl IntoIterator<Item = &'a MemberContext<'a>>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let by_dns = |member: &&MemberContext<'_>| url_in_dns(member.name, member.wanted).is_some();
    for member in members.into_iter().filter(by_dns) {
        let kind = StepKind::ListByAddress {
            endpoint: member.wanted.member.loopback_client_url().to_string(),
            peer_url: member.wanted.member.peer_url().to_string(),
            version: member.cluster.version,
        };
        let why = Why::Safety { note: "so that members need no DNS to find each other".to_owned() };
        let before: Vec<StepId> = steps.last().map(|step| step.id.clone()).into_iter().collect();
        let step = member.step(Verb::ListByAddress, Action::Update, kind, why);
        steps.push(step.guarded(Guard::HasLog).after(before));
    }
    steps
}

/// The members that a stopped bootstrap left listed by their names in DNS.
pub(crate) fn left(
    view: &View<'_>,
    members: &[MemberContext<'_>],
    scope: &Permitted<'_>,
    planned: &[Step],
) -> Vec<Step> {
    let listed = |member: &&MemberContext<'_>| {
        let url = url_in_dns(member.name, member.wanted);
        let mut list = view.listed().into_iter().flatten();
        list.any(|listed| url.as_ref().is_some_and(|url| listed.peer_urls == [url.clone()]))
    };
    let runs = |member: &&MemberContext<'_>| {
        member.facts.is_up() || planned.iter().any(|step| step.id == member.id(Verb::Start))
    };
    let taken = members.iter().filter(|member| scope.takes_host(member.name));
    let left = taken.filter(runs).filter(listed);
    let unfinished = |step: Step| Step { why: Why::Unfinished, ..step };
    steps(left).into_iter().map(unfinished).collect()
}

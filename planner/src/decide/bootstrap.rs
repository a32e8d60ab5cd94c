//! A cluster is formed once: what the inventory says of it later decides nothing.

use std::collections::BTreeSet;

use inventories::HostName;
use inventories::inventory::San;
use pki::LeafKind;
use templates::layout::PkiFile;

use crate::decide::assess::View;
use crate::decide::member_context::MemberContext;
use crate::facts::MemberFacts;
use crate::report::{Finding, FindingCode, Formation, PlanReport};
use crate::spec::ClusterSpec;

/// What another domain changes.
const FOLLOW: &str = " the names in the certificates follow it";

/// Says so, where `bootstrap` names another way than the one that the markers tell of, or another domain
/// than the one that the certificates name. They are issued again, so that is reported once.
pub(crate) fn check(cluster: &ClusterSpec, view: &View<'_>, report: &mut PlanReport) {
    if view.now.formation != Formation::Formed {
        return;
    }
    let wanted = cluster.members.values().next().map(|member| member.bootstrap.name());
    let was = view.members.values().find_map(|member| marked(member));
    let other = was.filter(|was| wanted.is_some_and(|wanted| wanted != *was));
    let why = match (other, is_changed(cluster, view)) {
        (None, false) => return,
        (None, true) => "changing `bootstrap` does not form it again: only".to_owned() + FOLLOW,
        (Some(was), is_changed) => {
            let follow = if is_changed { format!(": only{FOLLOW}") } else { String::new() };
            format!(
                "it was formed by `{was}`, and changing `bootstrap` does not form it again{follow}"
            )
        }
    };
    let place = cluster.place_of("bootstrap");
    report.warnings.push(Finding {
        code: FindingCode::Bootstrap,
        host: None,
        cluster: Some(cluster.name.clone()),
        message: format!("cluster {} is formed already: {why}", cluster.name),
        hint: Some(format!("written in {}:{}", place.file, place.line)),
    });
}

/// The way in which the cluster was formed, as the first marker tells it.
pub(crate) fn formed_by(all: &[MemberContext<'_>]) -> Option<String> {
    all.iter().find_map(|member| marked(member.facts)).map(str::to_owned)
}

fn marked(member: &MemberFacts) -> Option<&str> {
    member.marker.known()?.formed_by.as_deref()
}

fn is_changed(cluster: &ClusterSpec, view: &View<'_>) -> bool {
    cluster.members.iter().any(|(host, member)| {
        let carried = view.members.get(host).and_then(|seen| seen.certificate(PkiFile::ServerCert));
        let wanted = member.leaves.iter().find(|leaf| leaf.kind() == LeafKind::Server);
        let (Some(carried), Some(wanted)) = (carried, wanted) else { return false };
        domains(host, &carried.sans) != domains(host, wanted.sans())
    })
}

/// The domains that are named together with the host's name in them.
fn domains<'a>(host: &HostName, sans: &'a BTreeSet<San>) -> BTreeSet<&'a str> {
    let name = |san: &'a San| match san {
        San::Dns(name) => Some(name.as_str()),
        San::Ip(_) => None,
    };
    let names: BTreeSet<&str> = sans.iter().filter_map(name).collect();
    let both = |domain: &&str| names.contains(format!("{host}.{domain}").as_str());
    names.iter().copied().filter(both).collect()
}

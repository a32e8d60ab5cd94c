//! How a cluster is formed.

mod discovery;

use crate::discovery::{DiscoveryV2, DiscoveryV3, DnsSrv};
use crate::escape::{escape, odd_character};
use crate::inventory::{Bootstrap, Runtime};
use crate::lower::host::Known;
use crate::names::HostName;
use crate::report::{At, Finding, Report};
use crate::schema::{self, Loc};
use crate::version::EtcdVersion;

/// The longest domain: `_etcd-server-ssl-NAME._tcp.` before it takes 69 of a name's 253 characters.
const LONGEST_DOMAIN: usize = 184;
/// The longest service name: `_etcd-server-ssl-` before it takes 17 of a label's 63 characters.
const LONGEST_SERVICE: usize = 46;

/// The way that is named, or `None` where that was a mistake.
pub(super) fn read(
    cluster: &str,
    raw: Option<&Loc<schema::Bootstrap>>,
    report: &mut Report<'_>,
) -> Option<Bootstrap> {
    let Some(raw) = raw else { return Some(Bootstrap::Static) };
    let at = At::new(0, raw.span());
    let hole = report.has_hole(&["clusters", cluster, "bootstrap"]);
    let named: Vec<&str> = [
        ("static", raw.static_.is_some()),
        ("dns-srv", raw.dns_srv.is_some()),
        ("discovery-v3", raw.discovery_v3.is_some()),
        ("discovery-v2", raw.discovery_v2.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, is_there)| is_there.then_some(name))
    .collect();
    if named.len() > 1 {
        let message = "a cluster is formed in one way, and `bootstrap` names several";
        let finding = Finding::error("bootstrap", &at, message);
        report.add(finding.hint(format!("leave all but one of them out: {}", named.join(", "))));
        return None;
    }
    if let Some(dns_srv) = &raw.dns_srv {
        return dns(dns_srv, report).map(Bootstrap::DnsSrv);
    }
    if let Some(v3) = &raw.discovery_v3 {
        return discovery::v3(v3, report).map(Bootstrap::DiscoveryV3);
    }
    if let Some(v2) = &raw.discovery_v2 {
        return discovery::v2(v2, report).map(Bootstrap::DiscoveryV2);
    }
    if raw.static_.is_none() {
        if !hole {
            let message = "`bootstrap` names no way to form the cluster";
            let finding = Finding::error("missing-key", &at, message);
            let hint = "write: bootstrap = { static = {} }, or leave it out";
            report.add(finding.hint(hint).about_absence());
        }
        return None;
    }
    Some(Bootstrap::Static)
}

/// Not every etcd knows every way.
pub(super) fn check_version(
    bootstrap: &Bootstrap,
    version: Option<EtcdVersion>,
    at: &At,
    report: &mut Report<'_>,
) {
    let Some(version) = version else { return };
    let (name, has_it, which) = match bootstrap {
        Bootstrap::Static | Bootstrap::DnsSrv(_) => return,
        Bootstrap::DiscoveryV3(_) => {
            ("discovery-v3", version.minor() >= DiscoveryV3::SINCE, "3.6 and 3.7 have")
        }
        Bootstrap::DiscoveryV2(_) => {
            ("discovery-v2", version.minor() <= DiscoveryV2::UNTIL, "3.4, 3.5 and 3.6 have")
        }
    };
    if !has_it {
        let message = format!("etcd {version} can't be formed by `{name}`");
        let hint = format!("{which} it; every version has `static` and `dns-srv`");
        report.add(Finding::error("bootstrap", at, message).hint(hint));
    }
}

/// quorate's own service takes a port of its own on a member's host, and NAT may not lead to it.
pub(super) fn check_nat(
    bootstrap: &Bootstrap,
    members: &[HostName],
    hosts: &Known<'_>,
    at: &At,
    report: &mut Report<'_>,
) {
    if matches!(bootstrap, Bootstrap::DiscoveryV3(DiscoveryV3::SelfHosted))
        && !members.is_empty()
        && members.iter().all(|member| hosts.listens_elsewhere(member))
    {
        let message = "`self-hosted` needs a member without `listen-address`: NAT may not lead to the port of its \
                       temporary etcd";
        let hint = "leave `bootstrap` out: then every member is started with the whole list";
        report.add(Finding::error("bootstrap", at, message).hint(hint));
    }
}

/// A pod takes a password only from its manifest, which a kubelet shows to its API server.
pub(super) fn check_runtime(
    bootstrap: &Bootstrap,
    runtime: Option<Runtime>,
    at: &At,
    report: &mut Report<'_>,
) {
    if let Bootstrap::DiscoveryV3(DiscoveryV3::Given(service)) = bootstrap
        && service.user.is_some()
        && runtime == Some(Runtime::StaticPod)
    {
        let message = "a static pod would hold the password of `discovery-v3` in its manifest";
        let finding = Finding::error("bootstrap", at, message);
        report.add(finding.hint(
            "use a service that asks for no user, or write: discovery-v3 = { self-hosted = true }",
        ));
    }
}

/// A domain that is missing was reported with the structure.
fn dns(raw: &schema::DnsSrvBootstrap, report: &mut Report<'_>) -> Option<DnsSrv> {
    let domain = raw.domain.as_ref().and_then(|domain| read_domain(domain, report));
    let service_name = match &raw.service_name {
        Some(name) => Some(read_service_name(name, report)?),
        None => None,
    };
    Some(DnsSrv { domain: domain?, service_name })
}

fn read_domain(text: &Loc<String>, report: &mut Report<'_>) -> Option<String> {
    let numeric = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
    let sound = text.len() <= LONGEST_DOMAIN
        && text.split('.').all(|label| HostName::new(label).is_ok())
        && !text.rsplit('.').next().is_none_or(numeric);
    if sound {
        return Some(text.value().clone());
    }
    refuse("a domain", text, domain_advice(text), report);
    None
}

fn domain_advice(text: &str) -> &'static str {
    if text.ends_with('.') {
        "leave out the dot at its end"
    } else if text.starts_with('_') {
        "write the domain alone: the names of the services are put before it"
    } else if text.len() > LONGEST_DOMAIN {
        "at most 184 characters, so that the names of the services fit before it"
    } else if !text.is_ascii() {
        "write an international name in its ASCII form, xn--…"
    } else {
        "labels of a-z, 0-9 and '-' with dots between, such as \"example.net\""
    }
}

fn read_service_name(text: &Loc<String>, report: &mut Report<'_>) -> Option<String> {
    if text.len() <= LONGEST_SERVICE && HostName::new(text).is_ok() {
        return Some(text.value().clone());
    }
    let advice =
        "at most 46 of a-z, 0-9 and '-', such as \"main\" for the service _etcd-server-ssl-main";
    refuse("a service's name", text, advice, report);
    None
}

fn refuse(what: &str, text: &Loc<String>, advice: &str, report: &mut Report<'_>) {
    let shown: String = text.chars().take(80).collect();
    let message = format!("\"{}\" is not {what}", escape(&shown));
    let finding = Finding::error("dns-srv", &At::new(0, text.span()), message).hint(advice);
    report.add(match odd_character(text) {
        Some(odd) => finding.label(format!("{odd} is not a plain letter")),
        None => finding,
    });
}

//! How a cluster is formed.

use crate::discovery::DnsSrv;
use crate::escape::{escape, odd_character};
use crate::inventory::Bootstrap;
use crate::names::HostName;
use crate::report::{At, Finding, Report};
use crate::schema::{self, Loc};

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
    match (&raw.static_, &raw.dns_srv) {
        (Some(_), None) => Some(Bootstrap::Static),
        (None, Some(dns_srv)) => dns(dns_srv, report).map(Bootstrap::DnsSrv),
        (Some(_), Some(_)) => {
            let message = "a cluster is formed in one way, and `bootstrap` names two";
            let finding = Finding::error("bootstrap", &at, message);
            report.add(finding.hint("leave one of `static` and `dns-srv` out"));
            None
        }
        (None, None) if hole => None,
        (None, None) => {
            let finding =
                Finding::error("missing-key", &at, "`bootstrap` names no way to form the cluster");
            report.add(
                finding.hint("write: bootstrap = { static = {} }, or leave it out").about_absence(),
            );
            None
        }
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

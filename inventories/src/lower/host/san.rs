//! More names for a server certificate.

use std::net::IpAddr;

use crate::escape::{escape, odd_character};
use crate::inventory::San;
use crate::report::{At, Finding, Report};
use crate::schema::Loc;

pub(super) fn read(text: &Loc<String>, report: &mut Report<'_>) -> Option<San> {
    let at = At::new(0, text.span());
    if let Ok(address) = text.parse::<IpAddr>() {
        if address.is_unspecified() {
            let message = "a certificate for \"every address\" proves nothing";
            report.add(
                Finding::error("san", &at, message).hint("write the address that clients use"),
            );
            return None;
        }
        return Some(San::Ip(address.to_canonical()));
    }
    let name = text.to_ascii_lowercase();
    if is_dns_name(&name) {
        return Some(San::Dns(name));
    }
    let shown: String = text.chars().take(80).collect();
    let message = format!("\"{}\" is neither a DNS name nor an IP address", escape(&shown));
    let finding = Finding::error("san", &at, message).hint(advice(text));
    report.add(match odd_character(text) {
        Some(odd) => finding.label(format!("{odd} is not a plain letter")),
        None => finding,
    });
    None
}

fn advice(text: &str) -> &'static str {
    if text.contains("://") || text.contains(':') || text.contains('/') {
        "write only the name or the address, without scheme, port or path"
    } else if !text.is_ascii() {
        "write an international name in its ASCII form, xn--…"
    } else {
        "labels of a-z, 0-9 and '-' with dots between, such as \"etcd.example.net\""
    }
}

/// A DNS name of at most 253 characters; its first label may be a `*`.
fn is_dns_name(name: &str) -> bool {
    let labels = name.strip_prefix("*.").unwrap_or(name);
    let numeric_end =
        labels.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    name.len() <= 253
        && !numeric_end
        && labels.split('.').all(|label| crate::HostName::new(label).is_ok())
}

#[cfg(test)]
mod tests {
    use super::is_dns_name;

    #[test]
    fn names_that_no_certificate_may_hold_are_refused() {
        for bad in
            ["", "*", "a..b", "a b", "-a.b", "*.*.a", "a.*", "10.0.0", "a_b", &"a.".repeat(200)]
        {
            assert!(!is_dns_name(bad), "{bad}");
        }
        for good in ["etcd", "etcd.example.net", "*.example.net", "xn--tcd-bma.example"] {
            assert!(is_dns_name(good), "{good}");
        }
    }
}

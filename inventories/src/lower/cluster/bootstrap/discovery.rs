//! Discovery services: where they are, and whom they let in.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::discovery::{DiscoveryV2, DiscoveryV3, V3Service, V3User};
use crate::escape::escape;
use crate::names::HostName;
use crate::report::{At, Finding, Report};
use crate::schema::{DiscoveryV2Bootstrap, DiscoveryV3Bootstrap, Loc};
use crate::secret;

/// The service of v3, or `None` where it has a mistake.
pub(super) fn v3(raw: &Loc<DiscoveryV3Bootstrap>, report: &mut Report<'_>) -> Option<DiscoveryV3> {
    let at = At::new(0, raw.span());
    let DiscoveryV3Bootstrap { endpoints, ca, user, password_file, self_hosted } = raw.value();
    let self_hosted = self_hosted.as_ref().is_some_and(|is| *is.value());
    match (endpoints, self_hosted) {
        (None, true) => {
            let others = [("ca", ca), ("user", user), ("password-file", password_file)];
            for (name, value) in others {
                let Some(value) = value else { continue };
                let message = format!("`{name}` is of a service that is there already");
                let at = At::new(0, value.span());
                let hint = format!("leave `{name}` out, or `self-hosted`");
                report.add(Finding::error("discovery", &at, message).hint(hint));
            }
            Some(DiscoveryV3::SelfHosted)
        }
        (Some(_), true) => {
            let message = "the service is either there already or self-hosted";
            let hint = "leave one of `endpoints` and `self-hosted` out";
            report.add(Finding::error("discovery", &at, message).hint(hint));
            None
        }
        (None, false) => {
            let message = "`discovery-v3` names no service";
            let hint =
                "write: { endpoints = [\"https://10.20.0.5:2379\"] } or { self-hosted = true }";
            report.add(Finding::error("missing-key", &at, message).hint(hint).about_absence());
            None
        }
        (Some(endpoints), false) => {
            let service = V3Service {
                endpoints: read_endpoints(endpoints, report)?,
                ca: ca.as_ref().and_then(|ca| path(ca, "ca", report)),
                user: read_user(user.as_ref(), password_file.as_ref(), report),
            };
            check_tls(&service, ca.as_ref().or(user.as_ref()), report);
            Some(DiscoveryV3::Given(service))
        }
    }
}

fn read_endpoints(raw: &Loc<Vec<Loc<String>>>, report: &mut Report<'_>) -> Option<Vec<String>> {
    let whole = At::new(0, raw.span());
    let mut endpoints = Vec::new();
    for text in raw.value() {
        match endpoint(text) {
            Ok(()) => endpoints.push(text.value().clone()),
            Err(advice) => refuse("an endpoint of an etcd", text, advice, report),
        }
    }
    let secure = endpoints.iter().filter(|endpoint| endpoint.starts_with("https://")).count();
    if raw.value().is_empty() {
        let message = "`endpoints` is empty";
        let hint = "write: endpoints = [\"https://10.20.0.5:2379\"]";
        report.add(Finding::error("discovery", &whole, message).hint(hint));
    } else if secure != 0 && secure != endpoints.len() {
        let message = "some endpoints are with TLS and some without";
        let hint = "etcd speaks TLS with all of them or with none: write https:// everywhere";
        report.add(Finding::error("discovery", &whole, message).hint(hint));
    } else if endpoints.len() == raw.value().len() {
        return Some(endpoints);
    }
    None
}

fn read_user(
    name: Option<&Loc<String>>,
    password_file: Option<&Loc<String>>,
    report: &mut Report<'_>,
) -> Option<V3User> {
    let (name, file) = match (name, password_file) {
        (None, None) => return None,
        (Some(name), Some(file)) => (name, file),
        (Some(name), None) => {
            let message = "the user of `discovery-v3` has no password";
            let at = At::new(0, name.span());
            let hint = "write: password-file = \"discovery-password\", a file outside git";
            report.add(Finding::error("missing-key", &at, message).hint(hint).about_absence());
            return None;
        }
        (None, Some(file)) => {
            let message = "the password of `discovery-v3` has no user";
            let at = At::new(0, file.span());
            report.add(Finding::error("missing-key", &at, message).hint("write: user = \"…\""));
            return None;
        }
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    if name.is_empty() || name.len() > 128 || !name.chars().all(plain) {
        refuse("a user", name, "letters, digits and - _ . @", report);
        return None;
    }
    let password_file = path(file, "password-file", report)?;
    Some(V3User { name: name.value().clone(), password_file })
}

/// What goes over a connection without TLS is everybody's.
fn check_tls(service: &V3Service, what: Option<&Loc<String>>, report: &mut Report<'_>) {
    let Some(what) = what.filter(|_| !service.has_tls()) else { return };
    let at = At::new(0, what.span());
    let message = if service.user.is_some() {
        "the password of `discovery-v3` would travel without TLS"
    } else {
        "endpoints without TLS have no CA"
    };
    let hint = "write the endpoints with https://";
    report.add(Finding::error("discovery", &at, message).hint(hint));
}

fn path(text: &Loc<String>, key: &str, report: &mut Report<'_>) -> Option<PathBuf> {
    let is_path = !text.is_empty()
        && !text.chars().any(char::is_control)
        && !secret::is_private_key(text)
        && !text.contains("-----BEGIN");
    if is_path {
        return Some(PathBuf::from(text.value()));
    }
    let at = At::new(0, text.span());
    let message = format!("`{key}` is not the path of a file");
    report.add(Finding::error("discovery", &at, message).hint("write the path of the file"));
    None
}

/// The URL of v2, or `None` where it has a mistake.
pub(super) fn v2(raw: &Loc<DiscoveryV2Bootstrap>, report: &mut Report<'_>) -> Option<DiscoveryV2> {
    let at = At::new(0, raw.span());
    let DiscoveryV2Bootstrap { url, service } = raw.value();
    match (url, service) {
        (Some(url), None) => match made_url(url) {
            Ok(()) => Some(DiscoveryV2::Url(url.value().clone())),
            Err(advice) => {
                refuse("the URL of a cluster to be formed", url, advice, report);
                None
            }
        },
        (None, Some(service)) => match plain_url(service) {
            Ok(_) => Some(DiscoveryV2::Service(service.trim_end_matches('/').to_owned())),
            Err(advice) => {
                refuse("the URL of a discovery service", service, advice, report);
                None
            }
        },
        (Some(_), Some(_)) => {
            let message = "the URL is either given or made by the service";
            let hint = "leave one of `url` and `service` out";
            report.add(Finding::error("discovery", &at, message).hint(hint));
            None
        }
        (None, None) => {
            let message = "`discovery-v2` names neither a URL nor a service";
            let hint = "write: { url = \"https://discovery.example.net/TOKEN\" } or \
                        { service = \"https://discovery.example.net\" }";
            report.add(Finding::error("missing-key", &at, message).hint(hint).about_absence());
            None
        }
    }
}

/// A URL with a scheme, a host and a port, and nothing else.
fn endpoint(text: &str) -> Result<(), &'static str> {
    let (host, path) = plain_url(text)?;
    if !path.is_empty() {
        return Err("leave out what stands behind the port");
    }
    let port = host.rsplit_once(':').filter(|(before, _)| !before.ends_with(':'));
    match port.map(|(_, port)| port.parse::<u16>()) {
        Some(Ok(port)) if port != 0 => Ok(()),
        _ => Err("write it with its port, such as https://10.20.0.5:2379"),
    }
}

/// A URL whose last part is a token.
fn made_url(text: &str) -> Result<(), &'static str> {
    let (_, path) = plain_url(text)?;
    if path.trim_matches('/').is_empty() {
        return Err("the token at its end is missing; for one that is to be made, write `service`");
    }
    if path.ends_with("/new") {
        return Err("write `service` for a URL that is to be made");
    }
    Ok(())
}

/// Host with port, and path, of a URL that means the same to every reader.
fn plain_url(text: &str) -> Result<(&str, &str), &'static str> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let rest = rest.ok_or("it begins with http:// or https://")?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    if !path.chars().all(plain) || path.contains("..") || path.contains("//") {
        return Err("letters, digits and - _ . in its path, and no question mark");
    }
    if text.len() > 512 {
        return Err("at most 512 characters");
    }
    let (name, port) = match (host.strip_prefix('['), host.rsplit_once(':')) {
        (Some(inner), _) => match inner.split_once(']') {
            Some((address, "")) => (address, None),
            Some((address, port)) => (address, port.strip_prefix(':')),
            None => return Err("an IPv6 address stands in [ ]"),
        },
        (None, Some((name, port))) => (name, Some(port)),
        (None, None) => (host, None),
    };
    if name.contains(':') && !host.starts_with('[') {
        return Err("an IPv6 address stands in [ ]");
    }
    let is_name = name.parse::<IpAddr>().is_ok()
        || (name.len() <= 253 && name.split('.').all(|label| HostName::new(label).is_ok()));
    if !is_name || port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err(
            "behind the scheme stands a host name or an address, in lower case, and a port",
        );
    }
    Ok((host, path))
}

fn refuse(what: &str, text: &Loc<String>, advice: &str, report: &mut Report<'_>) {
    let shown: String = text.chars().take(120).collect();
    let message = format!("\"{}\" is not {what}", escape(&shown));
    report.add(Finding::error("discovery", &At::new(0, text.span()), message).hint(advice));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_scheme_a_host_and_a_port() {
        for good in
            ["http://10.0.0.1:2379", "https://etcd.example.net:2379", "https://[fd00::1]:2379"]
        {
            assert_eq!(endpoint(good), Ok(()), "{good}");
        }
        for bad in [
            "10.0.0.1:2379",
            "https://10.0.0.1",
            "https://[fd00::1]",
            "https://10.0.0.1:2379/",
            "https://10.0.0.1:0",
            "https://fd00::1:2379",
            "https://user@10.0.0.1:2379",
            "https://a b:2379",
            "https://$(id):2379",
        ] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_url_that_was_made_ends_with_its_token() {
        assert_eq!(made_url("http://10.0.0.1:8087/0123abc"), Ok(()));
        assert_eq!(made_url("http://10.0.0.1:2379/v2/keys/_etcd/registry/t1"), Ok(()));
        for bad in [
            "http://10.0.0.1:8087",
            "http://10.0.0.1:8087/",
            "http://10.0.0.1:8087/new",
            "http://10.0.0.1:8087/new?size=3",
            "http://10.0.0.1/a/../b",
            "http://10.0.0.1/%41",
        ] {
            assert!(made_url(bad).is_err(), "{bad}");
        }
    }
}

//! The hops of a `ProxyJump` line.

use remote::config::Settings;

/// A jump host as the line names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hop {
    /// Its name, for which the configuration is read.
    pub(crate) host: String,
    /// User and port, where the line says them.
    pub(crate) given: Settings,
}

/// The hops in order, or `None` when one cannot be read. `none` is no hop.
pub(crate) fn parse(line: &str) -> Option<Vec<Hop>> {
    if line.eq_ignore_ascii_case("none") {
        return Some(Vec::new());
    }
    line.split(',').map(|hop| one(hop.trim())).collect()
}

/// `[user@]host[:port]` or `ssh://[user@]host[:port]`; an IPv6 address with a port is in brackets.
fn one(hop: &str) -> Option<Hop> {
    let hop = hop.strip_prefix("ssh://").map_or(hop, |uri| uri.trim_end_matches('/'));
    let (user, place) = match hop.rsplit_once('@') {
        Some((user, place)) => (Some(user.to_owned()), place),
        None => (None, hop),
    };
    let (host, port) = match place.strip_prefix('[') {
        Some(bracketed) => match bracketed.split_once(']')? {
            (host, "") => (host, None),
            (host, port) => (host, Some(port.strip_prefix(':')?)),
        },
        None => match place.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (place, None),
        },
    };
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|port| *port > 0)?),
        None => None,
    };
    let strange = |text: &str| text.is_empty() || text.contains(['%', ' ', '/', '[', ']']);
    let (name, zone) = host.split_once('%').unwrap_or((host, "0"));
    // Only an address has a zone.
    if strange(name)
        || strange(zone)
        || (name != host && !name.contains(':'))
        || user.as_deref().is_some_and(strange)
    {
        return None;
    }
    Some(Hop { host: host.to_owned(), given: Settings { user, port, ..Settings::default() } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_read_as_people_write_them() {
        for (line, expected) in [
            ("none", &[][..]),
            ("a", &[("a", None, None)]),
            ("u@a:7,b", &[("a", Some("u"), Some(7)), ("b", None, None)]),
            ("[fe80::1%eth0]:7", &[("fe80::1%eth0", None, Some(7))]),
            ("ssh://u@a:7/", &[("a", Some("u"), Some(7))]),
            (
                "[fe80::1]:7,fe80::2,[::3]",
                &[("fe80::1", None, Some(7)), ("fe80::2", None, None), ("::3", None, None)],
            ),
        ] {
            let hops = parse(line).unwrap();
            let found: Vec<_> = hops
                .iter()
                .map(|hop| (hop.host.as_str(), hop.given.user.as_deref(), hop.given.port))
                .collect();
            assert_eq!(found, expected, "{line}");
        }
        for line in ["", "a,", "a:x", "a:0", "@a", "[a", "[a]7", "%h", "a%b", "[::1%]"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}

//! Addresses that etcd can listen on and its peers can reach.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::escape::escape;
use crate::report::{At, Finding, Report};

/// The address in `text`, which stands at the key `key`.
pub(super) fn read(key: &str, text: &str, at: &At, report: &mut Report<'_>) -> Option<IpAddr> {
    let refuse = |message: String, hint: String| {
        Finding::error("address", at, format!("`{key}` {message}")).hint(hint)
    };
    let Ok(address) = text.parse::<IpAddr>() else {
        let shown: String = text.chars().take(80).collect();
        report.add(refuse(
            format!("is not an IP address: \"{}\"", escape(&shown)),
            advice(key, text),
        ));
        return None;
    };
    match unfit(key, address) {
        Some((why, hint)) => {
            report.add(refuse(format!("may not be \"{address}\": {why}"), hint));
            None
        }
        None => Some(address),
    }
}

fn advice(key: &str, text: &str) -> String {
    if let Ok(with_port) = text.parse::<SocketAddr>() {
        let address = with_port.ip();
        return format!(
            "write: {key} = \"{address}\" (ports are set under [clusters.NAME], as `ports`)"
        );
    }
    if let Some((address, _)) = text.split_once('/').filter(|(a, _)| a.parse::<IpAddr>().is_ok()) {
        return format!("write it without the mask: {key} = \"{address}\"");
    }
    if text.starts_with("http://") || text.starts_with("https://") {
        return format!("write only the IP address: {key} = \"10.20.0.11\"");
    }
    if text.contains('%') {
        return "etcd's peers cannot use a zone: write an address that is not link-local"
            .to_owned();
    }
    "etcd listens on IP addresses; a name to log in with is `ssh.host`, a name for the certificate belongs to `sans`".to_owned()
}

/// Why etcd cannot use an address, and what to write.
fn unfit(key: &str, address: IpAddr) -> Option<(&'static str, String)> {
    let listens = key.contains("listen");
    let own = || match listens {
        true => "write an address of the host: ip -brief address".to_owned(),
        false => "write the address under which the other hosts reach this one".to_owned(),
    };
    if let IpAddr::V6(v6) = address
        && let Some(v4) = v6.to_ipv4_mapped()
    {
        return Some(("it is an IPv4 address in IPv6 clothes", format!("write: \"{v4}\"")));
    }
    if address.is_loopback() {
        return Some(("other hosts cannot reach a loopback address", own()));
    }
    if address.is_unspecified() && listens {
        return Some((
            "etcd would listen on every interface, also on those that are added later",
            own(),
        ));
    }
    if address.is_unspecified() {
        return Some(("it means every address, and the certificate has to name one", own()));
    }
    if address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) {
        return Some(("it is not the address of one host", own()));
    }
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    link_local.then(|| ("a link-local address is only known on its own wire", own()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_no_peer_can_reach_are_unfit() {
        for bad in [
            "127.0.0.1",
            "::1",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "169.254.1.1",
            "fe80::1",
            "255.255.255.255",
            "::ffff:10.0.0.1",
        ] {
            assert!(unfit("address", bad.parse().unwrap()).is_some(), "{bad}");
        }
        for good in ["10.0.0.1", "192.0.2.7", "2001:db8::1", "fd00::1"] {
            assert_eq!(unfit("address", good.parse().unwrap()), None, "{good}");
        }
    }
}

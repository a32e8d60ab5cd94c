//! Listening sockets, and the addresses from which peers would be spoken to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use inventories::ClusterName;
use planner::facts::{Caller, Listener, Observed};

use super::records::Records;
use super::unread::{Unread, observed};
use remote::clean;

/// The sockets in state LISTEN. Absent where the host was not asked, because each member there has its ports.
pub(super) fn listeners(records: &Records) -> Observed<Vec<Listener>> {
    if records.text("forming").is_none_or(str::is_empty) {
        return Observed::Absent;
    }
    let said = records.need("listeners", "which ports are taken");
    observed(said.and_then(|said| said.lines().map(listener).collect()))
}

/// `LISTEN 0 4096 127.0.0.1:2379 0.0.0.0:* users:(("etcd",pid=7,fd=9))`
fn listener(line: &str) -> Result<Listener, Unread> {
    let odd = || Unread::odd(format!("cannot parse the output of ss: {}", clean(line.as_bytes())));
    let local = line.split_whitespace().nth(3).ok_or_else(odd)?;
    let (address, port) = local.rsplit_once(':').ok_or_else(odd)?;
    let address = address.trim_matches(['[', ']']);
    // An address may name its interface: `127.0.0.53%lo`, `fe80::1]%eth0`.
    let address = address.split('%').next().unwrap_or(address).trim_end_matches(']');
    let address = match address {
        "*" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        address => address.parse::<IpAddr>().map_err(|_| odd())?.to_canonical(),
    };
    let owner = line.split_once("users:((\"").and_then(|(_, owner)| owner.split_once("\",pid="));
    let pid = owner.and_then(|(_, rest)| rest.split(',').next()?.parse().ok());
    let process =
        owner.map_or_else(|| "another program".to_owned(), |(name, _)| clean(name.as_bytes()));
    Ok(Listener { address, port: port.parse().map_err(|_| odd())?, process, pid })
}

/// Who is connected to these ports from elsewhere. Absent where the host was not asked.
pub(super) fn callers(records: &Records, asked: &BTreeSet<u16>) -> Observed<BTreeSet<Caller>> {
    if asked.is_empty() {
        return Observed::Absent;
    }
    let said = records.need("callers", "who is connected to its members");
    observed(said.and_then(|said| {
        let all: Result<Vec<_>, _> = said.lines().map(caller).collect();
        Ok(all?.into_iter().flatten().collect())
    }))
}

/// `10.77.1.11:2379 10.77.1.9`, `[fd00::1]:2379 [fd00::9]`. A connection from the host itself is none from elsewhere.
fn caller(line: &str) -> Result<Option<Caller>, Unread> {
    let odd = || Unread::odd(format!("cannot parse the output of ss: {}", clean(line.as_bytes())));
    let (local, from) = line.split_once(' ').ok_or_else(odd)?;
    let (own, port) = local.rsplit_once(':').ok_or_else(odd)?;
    let address = |text: &str| {
        // A link-local address names its interface.
        let text = text.trim_matches(['[', ']']).split('%').next().unwrap_or(text);
        text.trim_end_matches(']').parse::<IpAddr>().map(|at| at.to_canonical()).map_err(|_| odd())
    };
    let (own, from, port) = (address(own)?, address(from)?, port.parse().map_err(|_| odd())?);
    Ok((own != from && !from.is_loopback()).then_some(Caller { port, from }))
}

/// Which of these addresses the host itself has, and of those at which its members listen now.
pub(super) fn addresses<'a>(
    records: &Records,
    asked: &BTreeSet<IpAddr>,
    clusters: impl Iterator<Item = &'a ClusterName>,
) -> Observed<BTreeSet<IpAddr>> {
    match records.text("addresses") {
        Some(said) => {
            let own = said.split_whitespace().filter_map(|address| address.parse().ok());
            let stays = clusters
                .filter_map(|name| records.text(&format!("stays:{name}"))?.trim().parse().ok());
            let own = own.filter(|address| asked.contains(address));
            Observed::Known(own.chain(stays).collect())
        }
        None => Observed::Unknown("the host did not say its addresses".to_owned()),
    }
}

/// For each peer, the source address of a connection to it. Empty where the host was not asked.
pub(super) fn sources(
    records: &Records,
    peers: &BTreeSet<IpAddr>,
) -> BTreeMap<IpAddr, Observed<IpAddr>> {
    let Some(said) = records.text("routes") else { return BTreeMap::new() };
    let mut sources: BTreeMap<IpAddr, Observed<IpAddr>> = BTreeMap::new();
    let mut complaint = "";
    for line in said.lines() {
        if let Some(number) = line.strip_prefix("Command failed -:") {
            // `ip` counts the lines that it was given, and they were the peers in this order.
            let failed =
                number.trim().parse().ok().and_then(|n: usize| peers.iter().nth(n.checked_sub(1)?));
            if let Some(peer) = failed {
                sources.insert(*peer, no_route(complaint));
            }
        } else if let Some((peer, source)) = route(line) {
            sources.insert(peer, source);
        } else {
            complaint = line;
        }
    }
    let silent = || Observed::Unknown("ip printed nothing about it".to_owned());
    peers.iter().map(|peer| (*peer, sources.remove(peer).unwrap_or_else(silent))).collect()
}

/// `10.0.0.2 via 10.0.0.254 dev eth0 src 10.0.0.1 uid 0 \ cache`
fn route(line: &str) -> Option<(IpAddr, Observed<IpAddr>)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().take(2).position(|word| word.parse::<IpAddr>().is_ok())?;
    let peer = words[at].parse().ok()?;
    let source = words.iter().position(|word| *word == "src").and_then(|src| words.get(src + 1));
    let source = source.and_then(|source| source.parse().ok());
    let refused = at == 1 && ["unreachable", "prohibit", "blackhole", "throw"].contains(&words[0]);
    Some((
        peer,
        match source {
            _ if refused => Observed::Absent,
            Some(source) => Observed::Known(source),
            None => Observed::Unknown("ip names no source address".to_owned()),
        },
    ))
}

fn no_route(complaint: &str) -> Observed<IpAddr> {
    let absent = ["Network is unreachable", "No route to host", "Network unreachable"];
    if absent.iter().any(|words| complaint.contains(words)) {
        Observed::Absent
    } else {
        Observed::Unknown(clean(complaint.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(key: &str, text: &str) -> Records {
        let reply = format!("forming 3\nyes\n{key} {}\n{text}\n", text.len());
        Records::parse(reply.as_bytes()).unwrap()
    }

    /// The inventory has another address by now, and does not name this one.
    #[test]
    fn a_host_has_the_address_at_which_its_member_still_listens() {
        let asked = BTreeSet::from(["10.0.0.9".parse().unwrap()]);
        let clusters = ["main", "events"].map(|name| name.parse().unwrap());
        let reply = "addresses 18\n10.0.0.9 127.0.0.1\nstays:main 8\n10.0.0.1\n";
        let records = Records::parse(reply.as_bytes()).unwrap();
        let has = addresses(&records, &asked, clusters.iter());
        let wanted = ["10.0.0.9", "10.0.0.1"].map(|address| address.parse().unwrap());
        assert_eq!(has, Observed::Known(BTreeSet::from(wanted)));
    }

    #[test]
    fn every_way_in_which_ss_writes_an_address_is_read() {
        let text = "LISTEN 0 4096 127.0.0.53%lo:53 0.0.0.0:* users:((\"systemd-resolve\",pid=7,fd=1))\n\
            LISTEN 0 128 *:22 *:* users:((\"sshd\",pid=3,fd=4),(\"systemd\",pid=1,fd=9))\n\
            LISTEN 0 128 [::]:2379 [::]:*\n\
            LISTEN 0 128 [::ffff:10.0.0.1]:80 *:* users:((\"a b\",pid=5,fd=1))\n\
            LISTEN 0 128 [fe80::1]%eth0:81 [::]:*";
        let Observed::Known(found) = listeners(&said("listeners", text)) else {
            panic!("the ports are not known")
        };
        let seen: Vec<String> = found
            .iter()
            .map(|l| format!("{} {} {} {:?}", l.address, l.port, l.process, l.pid))
            .collect();
        assert_eq!(
            seen,
            [
                "127.0.0.53 53 systemd-resolve Some(7)",
                ":: 22 sshd Some(3)",
                ":: 2379 another program None",
                "10.0.0.1 80 a b Some(5)",
                "fe80::1 81 another program None",
            ]
        );
    }

    #[test]
    fn a_line_that_can_not_be_read_is_not_a_free_port() {
        for odd in [said("listeners", "LISTEN 0 1 somewhere:22 *:*"), said("other", "")] {
            assert!(matches!(listeners(&odd), Observed::Unknown(_)));
        }
    }

    #[test]
    fn each_peer_gets_its_own_route_or_its_own_complaint() {
        let peers: BTreeSet<IpAddr> = ["10.0.0.2", "10.9.0.1", "10.9.0.2", "fd00::2", "fd00::3"]
            .iter()
            .map(|peer| peer.parse().unwrap())
            .collect();
        let text = "RTNETLINK answers: Network is unreachable\nCommand failed -:2\n\
            RTNETLINK answers: Operation not permitted\nCommand failed -:3\n\
            10.0.0.2 via 10.0.0.254 dev eth0 src 10.0.0.1 uid 0 \\    cache \n\
            fd00::2 from :: dev eth0 proto kernel src fd00::1 metric 256 pref medium";
        let sources = sources(&said("routes", text), &peers);
        let of = |peer: &str| &sources[&peer.parse::<IpAddr>().unwrap()];
        assert_eq!(*of("10.0.0.2"), Observed::Known("10.0.0.1".parse().unwrap()));
        assert_eq!(*of("10.9.0.1"), Observed::Absent);
        assert!(matches!(of("10.9.0.2"), Observed::Unknown(why) if why.contains("not permitted")));
        assert_eq!(*of("fd00::2"), Observed::Known("fd00::1".parse().unwrap()));
        assert!(matches!(of("fd00::3"), Observed::Unknown(_)));
    }
}

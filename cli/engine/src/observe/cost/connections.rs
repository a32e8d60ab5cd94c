//! What the kernel knows of the connections between members, as `ss` prints it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The quickest round trip to each address that is connected with. The kernel keeps the smallest of
/// the last five minutes: unlike the average, acknowledgements that wait for company don't raise it.
pub(super) fn round_trips(said: &str) -> BTreeMap<IpAddr, Duration> {
    let mut quickest: BTreeMap<IpAddr, Duration> = BTreeMap::new();
    let mut peer = None;
    for line in said.lines() {
        // The details of a connection are on the line below it, which begins with a tab.
        if !line.starts_with(char::is_whitespace) {
            peer = line.split_whitespace().nth(3).and_then(address);
        }
        let Some(time) = line.split_whitespace().find_map(least) else { continue };
        if let Some(peer) = peer {
            let known = quickest.entry(peer).or_insert(time);
            *known = time.min(*known);
        }
    }
    quickest
}

/// `10.77.1.13:2380`, `[fd77::c]:2380`, `[::ffff:10.77.1.13]:2380`.
fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse::<SocketAddr>().ok()?.ip().to_canonical())
}

/// `minrtt:80.288`, in milliseconds.
fn least(word: &str) -> Option<Duration> {
    let ms: f64 = word.strip_prefix("minrtt:")?.parse().ok()?;
    Duration::try_from_secs_f64(ms / 1000.0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quickest_of_several_connections_counts() {
        let said = include_str!("../captured/connections.txt");
        let found = round_trips(said);
        let of = |peer: &str| found.get(&peer.parse::<IpAddr>().unwrap()).copied();
        assert_eq!(of("10.77.1.12"), Some(Duration::from_micros(80_176)));
        assert_eq!(of("10.77.1.13"), Some(Duration::from_micros(80_154)));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn addresses_are_read_in_every_form() {
        let said = "0 0 [fd77::b]:2380 [fd77::c]:4711\n\t cubic rtt:1.5/0.7 minrtt:0.25\n\
            0 0 [::ffff:10.0.0.1]:9 [::ffff:10.0.0.2]:2380\n\t cubic minrtt:3\n";
        let found = round_trips(said);
        let of = |peer: &str| found[&peer.parse::<IpAddr>().unwrap()];
        assert_eq!(of("fd77::c"), Duration::from_micros(250));
        assert_eq!(of("10.0.0.2"), Duration::from_millis(3));
    }

    #[test]
    fn a_kernel_that_says_less_says_nothing() {
        for said in ["", "0 0 a b\n\t minrtt:1", "0 0 1.2.3.4:1 1.2.3.5:2\n\t rtt:3/1 minrtt:x"] {
            assert!(round_trips(said).is_empty(), "{said:?}");
        }
    }
}

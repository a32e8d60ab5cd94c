//! What names resolve to on a host.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use planner::facts::{Names, Observed};

use super::records::Records;

/// The answers to the names that were asked for. Empty where the host was not asked.
pub(super) fn read(records: &Records, names: &BTreeSet<String>) -> Names {
    let Some(servers) = records.text("nameservers") else { return Names::default() };
    // An address may name its interface.
    let server = |line: &str| line.split('%').next()?.parse().ok();
    let address = |name: &String| {
        let said = records.text(&format!("name:{name}"));
        (name.clone(), said.map_or_else(silent, addresses))
    };
    Names {
        servers: servers.lines().filter_map(server).collect(),
        addresses: names.iter().map(address).collect(),
        services: BTreeMap::new(),
    }
}

fn silent() -> Observed<BTreeSet<IpAddr>> {
    Observed::Unknown("the host did not report it".to_owned())
}

/// The status of `getent ahosts`, then a line for each address and kind of socket.
fn addresses(said: &str) -> Observed<BTreeSet<IpAddr>> {
    let (status, lines) = said.split_once(' ').unwrap_or((said, ""));
    match status {
        "0" => {
            let address = |line: &str| line.split_whitespace().next()?.parse::<IpAddr>().ok();
            let all = lines.lines().filter_map(address).map(|ip| ip.to_canonical());
            Observed::Known(all.collect())
        }
        "2" => Observed::Absent,
        "124" => Observed::Unknown("no answer within 5 s".to_owned()),
        _ => Observed::Unknown(format!("getent ended with status {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_of(said: &str) -> Names {
        let reply = format!(
            "nameservers 27\n10.77.0.1\nfe80::1%eth0\nodd\n\nname:a.test {}\n{said}\n",
            said.len()
        );
        let records = Records::parse(reply.as_bytes()).unwrap();
        read(&records, &BTreeSet::from(["a.test".to_owned()]))
    }

    #[test]
    fn each_address_counts_once_and_no_answer_is_no_absence() {
        let names = read_of("0 10.0.0.1 STREAM a.test\n10.0.0.1 DGRAM\nfd00::1 STREAM");
        let all = ["10.0.0.1", "fd00::1"].map(|ip| ip.parse().unwrap());
        assert_eq!(names.addresses["a.test"], Observed::Known(BTreeSet::from(all)));
        assert_eq!(names.servers.len(), 2, "{:?}", names.servers);
        assert_eq!(read_of("2 ").addresses["a.test"], Observed::Absent);
        for unknown in ["124 ", "1 ", ""] {
            assert!(matches!(read_of(unknown).addresses["a.test"], Observed::Unknown(_)));
        }
    }
}

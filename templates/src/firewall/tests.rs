//! The text of the rules, what it does, and whether nft takes it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

fn rules(doors: &[(u16, &[&str])]) -> FirewallRules {
    let door = |(port, from): &(u16, &[&str])| {
        let from = from.iter().map(|text| text.parse().unwrap()).collect();
        (*port, Door { what: format!("port {port}"), from })
    };
    FirewallRules {
        site: "prod".parse().unwrap(),
        host: "etcd-1".parse().unwrap(),
        doors: doors.iter().map(door).collect(),
    }
}

fn sample() -> FirewallRules {
    rules(&[
        (2379, &["10.20.0.11", "10.20.0.0/24", "10.20.9.7", "fd00::/64", "fd00::7"]),
        (2380, &["10.20.0.12"]),
        (2381, &[]),
    ])
}

#[test]
fn the_rules_are_as_reviewed() {
    let wanted = "\
# etcd's ports on etcd-1, site prod: `quorate firewall render` printed this.
# Loading it replaces the table inet quorate in one transaction and changes no other.
table inet quorate
delete table inet quorate
table inet quorate {
\tchain input {
\t\ttype filter hook input priority filter; policy accept;
\t\tiif \"lo\" accept

\t\t# port 2379
\t\ttcp dport 2379 ip saddr { 10.20.0.0/24, 10.20.9.7 } accept
\t\ttcp dport 2379 ip6 saddr { fd00::/64 } accept
\t\ttcp dport 2379 drop

\t\t# port 2380
\t\ttcp dport 2380 ip saddr { 10.20.0.12 } accept
\t\ttcp dport 2380 drop

\t\t# port 2381
\t\ttcp dport 2381 drop
\t}
}
";
    assert_eq!(sample().render(), wanted);
}

/// What the rules of a text do with a new connection: the first that fits decides.
fn accepts(text: &str, port: u16, from: IpAddr) -> bool {
    let rules = text.lines().filter_map(|line| line.trim().strip_prefix("tcp dport "));
    for rule in rules {
        let (number, rest) = rule.split_once(' ').unwrap();
        if number != port.to_string() {
            continue;
        }
        let Some((_, set)) = rest.split_once("saddr { ") else { return rest != "drop" };
        assert_eq!(rest.starts_with("ip saddr"), !set.contains(':'), "{rule}");
        let mut set = set.strip_suffix(" } accept").unwrap().split(", ");
        if set.any(|one| one.parse::<Network>().unwrap().contains(from)) {
            return true;
        }
    }
    true
}

fn any_network() -> impl Strategy<Value = Network> {
    // Few bits differ, so that networks lie within each other.
    let v4 = (0u8..4, 0u8..4, 22u8..=32).prop_map(|(c, d, length)| {
        let all = u32::from_be_bytes([10, 0, c, d]);
        let first = all & (u32::MAX << (32 - length));
        format!("{}/{length}", std::net::Ipv4Addr::from(first))
    });
    let v6 = (0u128..8, 125u8..=128).prop_map(|(last, length)| {
        let first = (0xfd_u128 << 120 | last) & (u128::MAX << (128 - length));
        format!("{}/{length}", std::net::Ipv6Addr::from(first))
    });
    prop_oneof![v4, v6].prop_map(|text| text.parse().unwrap())
}

proptest! {
    #[test]
    fn the_text_lets_in_whom_the_rules_let_in(
        clients in prop::collection::btree_set(any_network(), 0..6),
        peers in prop::collection::btree_set(any_network(), 0..6),
        port in 2378u16..2383,
        (c, d) in (0u8..5, 0u8..5),
        last in 0u128..10,
    ) {
        let mut rules = sample();
        for (port, from) in [(2379, clients), (2380, peers)] {
            rules.doors.get_mut(&port).unwrap().from = from;
        }
        let text = rules.render();
        for from in [[10, 0, c, d].into(), IpAddr::V6((0xfd_u128 << 120 | last).into())] {
            prop_assert_eq!(accepts(&text, port, from), rules.let_in(port, from), "{}\n{}", from, text);
        }
    }
}

#[test]
fn no_other_port_is_named() {
    let rules = sample();
    let text = rules.render();
    let ports: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("tcp dport ")?.split(' ').next())
        .collect();
    assert_eq!(ports, BTreeSet::from(["2379", "2380", "2381"]));
    for open in [22, 80, 6443] {
        assert!(rules.let_in(open, [192, 0, 2, 1].into()));
    }
}

/// In a network of its own, so nothing of this machine is touched.
#[test]
fn nft_loads_the_rules_twice() {
    let apart = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net", "sh", "-c", script]);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    if !apart("nft list ruleset").output().is_ok_and(|done| done.status.success()) {
        println!("skipped: no nft, or no namespaces of our own");
        return;
    }
    let script = "text=$(cat); load() { printf '%s\\n' \"$text\" | nft -f -; }; load && load && nft list ruleset";
    let mut nft = apart(script).spawn().unwrap();
    nft.stdin.take().unwrap().write_all(sample().render().as_bytes()).unwrap();
    let done = nft.wait_with_output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let listed = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(listed.matches("tcp dport 2379").count(), 3, "{listed}");
    assert_eq!(listed.matches("chain input").count(), 1, "{listed}");
}

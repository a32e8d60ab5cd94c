use std::collections::BTreeSet;

use inventories::inventory::MetricsListener;

use super::*;
use crate::flags::Standing;
use crate::sample;

fn settings_of(version: &str, flags: &[(&str, FlagValue)]) -> Vec<String> {
    let mut member = sample::member(version);
    let before: BTreeSet<String> = BTreeSet::from_iter(
        [member.identity(), member.listeners(), member.advertised(), member.tls()]
            .into_iter()
            .chain([member.cluster_formation()])
            .flatten()
            .map(|(flag, _)| flag),
    );
    member.flags = flags.iter().map(|(flag, value)| ((*flag).to_owned(), value.clone())).collect();
    member.arguments().into_iter().filter(|argument| !before.contains(flag_of(argument))).collect()
}

fn flag_of(argument: &str) -> &str {
    argument.trim_start_matches("--").split_once('=').map_or(argument, |(flag, _)| flag)
}

fn text(text: &str) -> FlagValue {
    FlagValue::Text(text.to_owned())
}

#[test]
fn the_defaults_are_those_that_the_very_patch_has() {
    for (version, expected) in [
        ("3.4.23", "--experimental-initial-corrupt-check=true --logger=zap --pre-vote=true"),
        (
            "3.4.25",
            "--experimental-initial-corrupt-check=true --logger=zap --pre-vote=true --tls-min-version=TLS1.2",
        ),
        ("3.5.4", "--experimental-initial-corrupt-check=true"),
        (
            "3.5.35",
            "--experimental-compact-hash-check-enabled=true --experimental-initial-corrupt-check=true --tls-min-version=TLS1.2",
        ),
        (
            "3.6.0",
            "--feature-gates=CompactHashCheck=true,InitialCorruptCheck=true --tls-min-version=TLS1.2",
        ),
        (
            "3.7.3",
            "--feature-gates=CompactHashCheck=true,InitialCorruptCheck=true --tls-min-version=TLS1.2",
        ),
    ] {
        assert_eq!(settings_of(version, &[]).join(" "), expected, "{version}");
    }
}

#[test]
fn the_operators_flags_win_over_the_defaults() {
    assert_eq!(
        settings_of(
            "3.5.35",
            &[
                ("experimental-initial-corrupt-check", FlagValue::Bool(false)),
                ("tls-min-version", text("TLS1.3")),
            ]
        ),
        [
            "--experimental-compact-hash-check-enabled=true",
            "--experimental-initial-corrupt-check=false",
            "--tls-min-version=TLS1.3",
        ]
    );
}

#[test]
fn feature_gates_are_merged_and_the_operators_win() {
    assert_eq!(
        settings_of(
            "3.6.16",
            &[("feature-gates", text("StopGRPCServiceOnDefrag=true,CompactHashCheck=false"))]
        ),
        [
            "--feature-gates=CompactHashCheck=false,InitialCorruptCheck=true,StopGRPCServiceOnDefrag=true",
            "--tls-min-version=TLS1.2",
        ]
    );
}

/// etcd 3.6 refuses a gate together with the flag that it was.
#[test]
fn a_gate_is_left_out_where_the_operator_uses_its_old_flag() {
    assert_eq!(
        settings_of("3.6.16", &[("experimental-initial-corrupt-check", FlagValue::Bool(true))]),
        [
            "--experimental-initial-corrupt-check=true",
            "--feature-gates=CompactHashCheck=true",
            "--tls-min-version=TLS1.2",
        ]
    );
}

#[test]
fn every_argument_is_a_flag_of_its_version() {
    for minor in Minor::ALL {
        for patch in 0..40 {
            let version = EtcdVersion::new(minor, patch);
            let known: BTreeSet<&str> = flags::all(version).map(|(flag, ..)| flag).collect();
            for member in
                [sample::member(&version.to_string()), sample::formed(&version.to_string())]
            {
                for argument in member.arguments() {
                    assert!(known.contains(flag_of(&argument)), "{version}: {argument}");
                }
            }
        }
    }
}

#[test]
fn what_quorate_renders_by_itself_the_operator_cannot_set() {
    let member = sample::member("3.6.16");
    let ours = member.arguments().len() - member.settings().len();
    for argument in &member.arguments()[..ours] {
        let standing = flags::standing(flag_of(argument));
        assert!(matches!(standing, Standing::Owned(_)), "{argument}");
    }
}

#[test]
fn no_flag_is_given_twice() {
    for member in [sample::member("3.4.23"), sample::formed("3.7.3")] {
        let arguments = member.arguments();
        let flags: BTreeSet<&str> = arguments.iter().map(|a| flag_of(a)).collect();
        assert_eq!(flags.len(), arguments.len());
    }
}

#[test]
fn only_a_cluster_that_is_not_formed_has_a_token() {
    let tokens = |member: Member| {
        member
            .arguments()
            .into_iter()
            .filter(|argument| argument.starts_with("--initial-cluster-token="))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        tokens(sample::member("3.6.16")),
        [format!("--initial-cluster-token={PLACEHOLDER}")]
    );
    assert_eq!(tokens(sample::formed("3.6.16")), [] as [&str; 0]);
}

#[test]
fn ipv6_members_listen_on_bracketed_addresses() {
    let mut member = sample::member("3.6.16");
    member.client_listen_address = "fd00::11".parse().unwrap();
    assert!(member.arguments().contains(
        &"--listen-client-urls=https://[fd00::11]:2379,https://127.0.0.1:2379".to_owned()
    ));
}

#[test]
fn a_member_behind_nat_listens_at_its_own_addresses_and_advertises_those_that_reach_it() {
    let mut member = sample::member("3.6.16");
    member.client_listen_address = [192, 168, 0, 12].into();
    member.peer_listen_address = [192, 168, 1, 12].into();
    let arguments = member.arguments();
    for expected in [
        "--listen-client-urls=https://192.168.0.12:2379,https://127.0.0.1:2379",
        "--listen-peer-urls=https://192.168.1.12:2380",
        "--advertise-client-urls=https://10.20.0.12:2379",
        "--initial-advertise-peer-urls=https://10.30.0.12:2380",
    ] {
        assert!(arguments.contains(&expected.to_owned()), "{expected}: {arguments:?}");
    }
}

#[test]
fn metrics_are_served_where_the_cluster_says_and_always_on_loopback() {
    let mut member = sample::member("3.6.16");
    member.client_listen_address = "fd00::11".parse().unwrap();
    for (listener, more) in [
        (MetricsListener::Loopback, ""),
        (MetricsListener::Client, ",http://[fd00::11]:2381"),
        (MetricsListener::Peer, ",http://10.30.0.12:2381"),
    ] {
        member.metrics = listener;
        let expected = format!("--listen-metrics-urls=http://127.0.0.1:2381{more}");
        assert!(member.arguments().contains(&expected), "{expected}: {:?}", member.arguments());
    }
}

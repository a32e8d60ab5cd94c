mod systemd;
mod unquote;

pub(crate) use unquote::exec_start;

use inventories::inventory::FlagValue;
use proptest::prelude::*;

use super::*;
use crate::sample;
use crate::token::PLACEHOLDER;

fn token() -> BootstrapToken {
    BootstrapToken::from_random([0xab; 16])
}

/// Set `REWRITE=1` to rewrite the files, and read the diff.
#[test]
fn the_units_of_each_minor_are_as_reviewed() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    for version in ["3.4.23", "3.5.35", "3.6.16", "3.7.3"] {
        let plain = [
            ("new", sample::member(version)),
            ("new-by-dns", sample::by_dns(version)),
            ("existing", sample::formed(version)),
        ];
        for (formation, member) in plain.into_iter().chain(sample::by_discovery(version)) {
            let unit = render(&member).unwrap();
            let path = format!("{dir}/{version}-{formation}.service");
            if std::env::var_os("REWRITE").is_some() {
                std::fs::write(&path, unit.as_str()).unwrap();
            }
            let golden = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(unit.as_str(), golden, "{path}");
        }
    }
}

#[test]
fn binding_fills_in_the_token_and_changes_nothing_else() {
    let unit = render(&sample::member("3.6.16")).unwrap();
    assert!(unit.wants_token());
    let bound = unit.bind(&token());
    assert!(bound.contains(&format!("\n    --initial-cluster-token={} \\\n", token())));
    assert_eq!(bound.replace(token().as_str(), PLACEHOLDER), unit.as_str());
}

#[test]
fn a_discovery_service_is_given_the_token_too() {
    for version in ["3.5.35", "3.6.16", "3.7.3"] {
        for (name, member) in sample::by_discovery(version) {
            let unit = render(&member).unwrap();
            let bound = unit.bind(&token());
            let holes = if name == "new-by-v2-url" { 1 } else { 2 };
            assert_eq!(unit.as_str().matches(PLACEHOLDER).count(), holes, "{name}");
            assert_eq!(bound.matches(token().as_str()).count(), holes, "{name}");
            assert_eq!(bound.replace(token().as_str(), PLACEHOLDER), unit.as_str(), "{name}");
        }
    }
}

#[test]
fn the_unit_of_a_formed_member_has_no_token_to_bind() {
    let unit = render(&sample::formed("3.6.16")).unwrap();
    assert!(!unit.wants_token());
    assert_eq!(unit.bind(&token()), unit.as_str());
    assert!(!unit.as_str().contains("token"));
}

#[test]
fn an_operators_flag_cannot_pose_as_the_token() {
    let mut member = sample::member("3.6.16");
    let posing = format!("\n    --initial-cluster-token={PLACEHOLDER}");
    member.flags.insert("auth-token".to_owned(), FlagValue::Text(posing));
    let bound = render(&member).unwrap().bind(&token());
    assert_eq!(bound.matches(token().as_str()).count(), 1);
    assert_eq!(bound.matches(PLACEHOLDER).count(), 1);
}

#[test]
fn no_value_can_add_a_line_to_the_unit() {
    let lines = |value: &str| {
        let mut member = sample::member("3.6.16");
        member.flags.insert("cors".to_owned(), FlagValue::Text(value.to_owned()));
        render(&member).unwrap().as_str().lines().count()
    };
    assert_eq!(lines("x\nExecStartPre=/bin/sh\r\u{85}\u{2028}{{ x }}"), lines("x"));
}

#[test]
fn an_operators_settings_take_the_place_of_ours_and_nothing_else_changes() {
    let plain = sample::formed("3.6.16");
    let mut member = plain.clone();
    let set = [("MemoryMax", "8G"), ("Nice", "-5"), ("LimitNOFILE", "1048576")];
    member.systemd.settings =
        set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let reason = "the guide turns them off [Service] \\".to_owned();
    member.systemd.without.insert("PrivateUsers".to_owned(), reason.clone());
    member.systemd.without.insert("SystemCallFilter".to_owned(), "old kernel".to_owned());
    let (plain, changed) = (render(&plain).unwrap(), render(&member).unwrap());
    let lines = |unit: &UnitText| unit.as_str().lines().map(str::to_owned).collect::<Vec<_>>();
    let (plain, changed) = (lines(&plain), lines(&changed));
    let gone: Vec<_> = plain.iter().filter(|line| !changed.contains(line)).collect();
    assert_eq!(gone.len(), 4, "{gone:?}");
    assert_eq!(gone[..2], ["LimitNOFILE=65536", "PrivateUsers=yes"]);
    let new: Vec<_> = changed.iter().filter(|line| !plain.contains(line)).collect();
    let without = format!("# Without PrivateUsers: {reason}");
    let wanted = ["LimitNOFILE=1048576", "MemoryMax=8G", "Nice=-5", without.as_str()];
    assert_eq!(new[..4], wanted);
    assert_eq!(new[4..], ["# Without SystemCallFilter: old kernel"]);
}

/// Where /usr is not merged, /usr/bin has no `sync`; /bin is there everywhere.
#[test]
fn a_unit_runs_programs_where_every_distribution_has_them() {
    let unit = render(&sample::member("3.6.16")).unwrap();
    let posts = unit.as_str().lines().filter_map(|line| line.strip_prefix("ExecStartPost="));
    let posts: Vec<&str> = posts.collect();
    assert_eq!(posts.len(), 2);
    // A witness that can't be written must not end the member.
    assert!(posts.iter().all(|post| post.starts_with("-+/bin/")), "{posts:?}");
}

#[test]
fn every_directive_that_can_be_left_out_is_in_the_unit() {
    let unit = render(&sample::formed("3.6.16")).unwrap();
    for name in inventories::systemd::SANDBOX {
        assert!(unit.as_str().contains(&format!("\n{name}=")), "{name}");
    }
}

#[test]
fn a_unit_sees_the_folders_of_its_own_cluster_and_the_files_that_its_flags_name() {
    let mut member = sample::formed("3.6.16");
    let binds = |member: &Member| -> Vec<String> {
        let unit = render(member).unwrap();
        let binds = unit.as_str().lines().filter(|line| line.starts_with("Bind"));
        binds.map(str::to_owned).collect()
    };
    let own = ["BindReadOnlyPaths=/etc/etcd/main", "BindPaths=/var/lib/etcd/main"];
    assert_eq!(binds(&member), own);
    let keys = "jwt,pub-key=/etc/etcd/jwt.pub,priv-key=/etc/etcd/main/jwt.key,sign-method=RS256";
    member.flags.insert("auth-token".to_owned(), FlagValue::Text(keys.to_owned()));
    let odd = "/var/lib/etcd/../x,/etc/etcd/a b,/etc/etcd/,/etc/other".to_owned();
    member.flags.insert("cors".to_owned(), FlagValue::Text(odd));
    assert_eq!(binds(&member), [own[0], own[1], "BindReadOnlyPaths=-/etc/etcd/jwt.pub"]);
}

proptest! {
    #[test]
    fn systemds_readers_give_the_arguments_back(values in proptest::collection::vec("[^\0]*", 3)) {
        let mut member = sample::member("3.6.16");
        for (flag, value) in ["auth-token", "cipher-suites", "cors"].into_iter().zip(values) {
            member.flags.insert(flag.to_owned(), FlagValue::Text(value));
        }
        let unit = render(&member).unwrap();
        let mut command = exec_start(unit.as_str());
        prop_assert_eq!(command.remove(0), "/opt/quorate/etcd/3.6.16/etcd");
        prop_assert_eq!(command, member.arguments());
    }
}

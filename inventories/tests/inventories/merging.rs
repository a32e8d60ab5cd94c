//! What a value is when several places name it.

use inventories::inventory::{FlagValue, Runtime};
use inventories::{ClusterName, HostName, Inventory, Source, includes, parse};

use crate::flags;

fn inventory(main: &str, included: &[&str]) -> Inventory {
    let main = Source::new("quorate.toml", main);
    let included = included.iter().enumerate();
    let included: Vec<_> =
        included.map(|(n, text)| Source::new(format!("{n}.toml"), *text)).collect();
    let parsed = parse(&main, &included, flags::CHECKS);
    parsed.inventory.unwrap_or_else(|| panic!("{:#?}", parsed.diagnostics))
}

const MAIN: &str = r#"
include = ["0.toml", "1.toml"]
[site]
name = "prod"
[defaults.ssh]
user = "main"
[defaults.cluster.etcd]
log-level = "main"
[hosts.a]
address = "10.0.0.1"
[hosts.b]
address = "10.0.0.2"
ssh.user = "own"
ssh.port = 4
[clusters.c]
members = ["a"]
etcd.cors = "own"
[pki]
plain-keys = true
"#;

const FIRST: &str = r#"
[defaults.ssh]
user = "first"
port = 1
connect-timeout = "1s"
[defaults.cluster]
version = "3.5.35"
[defaults.cluster.etcd]
log-level = "first"
log-outputs = "first"
cors = "first"
[release]
path = "first/{version}"
[release.sha256]
"3.6.16-amd64" = "1111111111111111111111111111111111111111111111111111111111111111"
"3.6.16-arm64" = "1111111111111111111111111111111111111111111111111111111111111111"
"#;

const SECOND: &str = r#"
[defaults.ssh]
port = 2
[defaults.cluster]
version = "3.6.16"
[defaults.cluster.etcd]
log-outputs = "second"
[release]
url = "https://second/{version}"
proxy = "http://second:3128"
[release.sha256]
"3.6.16-amd64" = "2222222222222222222222222222222222222222222222222222222222222222"
"#;

#[test]
fn own_settings_win_then_the_inventory_then_the_last_included_file() {
    let inventory = inventory(MAIN, &[FIRST, SECOND]);
    let host = |name: &str| &inventory.hosts[&HostName::new(name).unwrap()].ssh;
    assert_eq!((host("a").user.as_deref(), host("a").port), (Some("main"), Some(2)));
    assert_eq!((host("b").user.as_deref(), host("b").port), (Some("own"), Some(4)));
    assert_eq!(host("b").connect_timeout, Some(std::time::Duration::from_secs(1)));

    let cluster = &inventory.clusters[&ClusterName::new("c").unwrap()];
    assert_eq!(cluster.version.to_string(), "3.6.16");
    let flag = |name: &str| cluster.flags[name].value.clone();
    assert_eq!(flag("log-level"), FlagValue::Text("main".to_owned()));
    assert_eq!(flag("log-outputs"), FlagValue::Text("second".to_owned()));
    assert_eq!(flag("cors"), FlagValue::Text("own".to_owned()));

    let digests: Vec<_> = inventory.release.sha256.values().map(|hex| &hex[..1]).collect();
    assert_eq!(digests, ["2", "1"]);
    let url = inventories::inventory::ReleaseSource::Url("https://second/{version}".to_owned());
    assert_eq!(inventory.release.source, url);
    assert_eq!(inventory.release.proxy.as_deref(), Some("http://second:3128"));
}

#[test]
fn a_place_names_the_file_and_line_that_decided() {
    let inventory = inventory(MAIN, &[FIRST, SECOND]);
    let cluster = &inventory.clusters[&ClusterName::new("c").unwrap()];
    let place = |place: &inventories::inventory::Place| format!("{}:{}", place.file, place.line);
    assert_eq!(place(&cluster.place), "quorate.toml:15");
    assert_eq!(place(&cluster.places["version"]), "1.toml:5");
    assert_eq!(place(&cluster.places["members"]), "quorate.toml:16");
    assert_eq!(place(&cluster.flags["log-outputs"].place), "1.toml:7");
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let text = include_str!("../../examples/minimal.toml");
    let inventory = inventory(text, &[]);
    assert!(!inventory.site.confirm);
    let host = &inventory.hosts[&HostName::new("etcd-1").unwrap()];
    assert_eq!(host.peer_address, host.address);
    assert_eq!(host.ssh.host, "10.20.0.11");
    assert_eq!((&host.ssh.user, host.ssh.port), (&None, None));
    let name = ClusterName::new("main").unwrap();
    let cluster = &inventory.clusters[&name];
    assert_eq!(
        (cluster.ports.client, cluster.ports.peer, cluster.ports.metrics),
        (2379, 2380, 2381)
    );
    assert_eq!(cluster.runtime, Runtime::Systemd);
    assert_eq!(cluster.client_ca, name);
}

#[test]
fn included_files_are_named_for_the_caller_to_read() {
    let paths = |text: &str| {
        let found = includes(&Source::new("quorate.toml", text)).into_iter();
        found.map(|include| include.path).collect::<Vec<_>>()
    };
    assert_eq!(paths(MAIN), ["0.toml", "1.toml"]);
    assert_eq!(paths("include = [\"../a.toml\", 1]\nbroken ="), ["../a.toml"]);
    assert_eq!(paths("include = \"a.toml\""), Vec::<String>::new());
}

#[test]
fn an_included_file_that_cannot_be_read_is_shown_where_it_is_named() {
    let main = Source::new("quorate.toml", MAIN);
    let include = &includes(&main)[1];
    let found = inventories::unreadable_include(&main, include, "no such file");
    assert_eq!((found.at.line, found.at.column), (2, 22));
    assert!(found.message.ends_with("no such file"));
}

//! Who gets through the firewall that quorate renders.

use std::collections::{BTreeMap, BTreeSet};

use inventories::inventory::{MetricsListener, Place};
use inventories::{Firewall, KeyPrefix, Kubernetes, KubernetesMode};
use planner::{Observed, firewalls};
use quorate_tests::site::{Shape, cluster, host, plain, spec_of};

/// Metrics are open to monitoring alone, and only where members serve them over the network.
#[test]
fn monitoring_reaches_the_metrics_that_are_served_over_the_network() {
    let (world, _) = plain(3).world();
    let monitoring = || vec!["10.20.9.7".parse().unwrap_or_else(|error| panic!("{error}"))];
    let opens = |listener: MetricsListener| {
        let mut inventory = plain(3).inventory();
        let (admin, clients) = (Vec::new(), Vec::new());
        inventory.firewall = Some(Firewall { admin, clients, monitoring: monitoring() });
        inventory.clusters.values_mut().for_each(|cluster| cluster.metrics = listener);
        let spec = spec_of(&inventory, &world.authorities);
        let rules = firewalls(&spec, &world.observe(&spec), &BTreeSet::new());
        let rules = rules[&host("etcd-1")].rules.clone();
        let lets_in = |port: u16, from: &str| {
            rules.let_in(port, from.parse().unwrap_or_else(|error| panic!("{from}: {error}")))
        };
        assert!(!lets_in(2379, "10.20.9.7") && !lets_in(2381, "10.20.9.8"));
        lets_in(2381, "10.20.9.7")
    };
    let choices = MetricsListener::ALL.map(|listener| (listener, opens(listener)));
    let [loopback, client, peer] = choices;
    assert!(!loopback.1 && client.1 && peer.1, "{choices:?}");
}

/// Its source address is known to nobody but itself, and rules that leave it out would cut it off.
#[test]
fn a_host_that_was_not_seen_and_may_be_a_client_speaks_against_rules() {
    let (world, _) = plain(5).world();
    let mut inventory = Shape { clusters: vec![3], ..plain(5) }.inventory();
    let (admin, clients, monitoring) = (Vec::new(), Vec::new(), Vec::new());
    inventory.firewall = Some(Firewall { admin, clients, monitoring });
    inventory.kubernetes.insert("prod".parse().unwrap(), rendered("etcd-5"));
    let spec = spec_of(&inventory, &world.authorities);
    let against = |unseen: &str| -> Vec<String> {
        let mut facts = world.observe(&spec);
        let why = "connection refused".to_owned();
        facts.hosts.insert(host(unseen), Observed::Unknown(why));
        let firewalls = firewalls(&spec, &facts, &BTreeSet::new());
        let found = firewalls[&host("etcd-1")].against.iter();
        found.map(|one| format!("{} {}", one.host.as_ref().unwrap(), one.code.as_str())).collect()
    };
    assert_eq!(against("etcd-5"), ["etcd-5 firewall-unknown"], "an API server");
    assert_eq!(against("etcd-3"), ["etcd-3 firewall-unknown"], "a member");
    assert_eq!(against("etcd-4"), Vec::<String>::new(), "it has no part in it");
}

fn rendered(apiserver: &str) -> Kubernetes {
    Kubernetes {
        apiservers: vec![host(apiserver)],
        cluster: cluster(0),
        overrides: BTreeMap::new(),
        prefix: KeyPrefix::default(),
        mode: KubernetesMode::RenderOnly { version: None },
        flags: BTreeMap::new(),
        place: Place { file: "quorate.toml".to_owned(), line: 30 },
        places: BTreeMap::new(),
    }
}

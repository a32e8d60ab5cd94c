//! Who gets through the firewall that quorate renders.

use std::collections::BTreeSet;

use inventories::Firewall;
use inventories::inventory::MetricsListener;
use planner::firewalls;
use quorate_tests::site::{host, plain, spec_of};

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

//! What else runs on the host of a new member.

use std::collections::BTreeMap;

use inventories::inventory::{Place, Runtime};
use inventories::{KeyPrefix, Kubernetes, KubernetesMode, KubernetesName};
use planner::report::FindingCode;
use planner::{SiteFacts, SiteSpec};
use quorate_tests::seen::host;
use quorate_tests::site::{self, Shape, cluster, plain};

use crate::planned;

/// What a control plane of kubeadm runs, and a database beside it.
const SERVICES: [&str; 4] =
    ["containerd.service", "kube-apiserver", "kubelet.service", "postgresql.service"];

/// A site of three hosts, all with the same services.
fn busy(runtime: Runtime) -> (SiteSpec, SiteFacts) {
    let (world, spec) = Shape { runtime, ..plain(3) }.world();
    let mut facts = world.observe(&spec);
    for name in ["etcd-1", "etcd-2", "etcd-3"] {
        host(&mut facts, name).heavy_services = SERVICES.map(str::to_owned).into();
    }
    (spec, facts)
}

fn kubernetes(name: &str, mode: KubernetesMode) -> Kubernetes {
    Kubernetes {
        apiservers: vec![site::host(name)],
        cluster: cluster(0),
        overrides: BTreeMap::new(),
        prefix: KeyPrefix::default(),
        mode,
        flags: BTreeMap::new(),
        place: Place { file: "quorate.toml".to_owned(), line: 30 },
        places: BTreeMap::new(),
    }
}

/// The services of a host that the plan warns about.
fn warned(spec: &SiteSpec, facts: &SiteFacts, name: &str) -> Vec<String> {
    let plan = planned(spec, facts);
    let warnings = plan.report.warnings.iter();
    let found = warnings.filter(|found| {
        found.code == FindingCode::NotDedicated && found.host == Some(site::host(name))
    });
    found.map(|found| found.message.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn a_service_that_the_inventory_does_not_put_there_is_warned_about() {
    let (spec, facts) = busy(Runtime::Systemd);
    assert_eq!(warned(&spec, &facts, "etcd-1"), SERVICES);
    let (spec, facts) = busy(Runtime::StaticPod);
    assert_eq!(warned(&spec, &facts, "etcd-1"), ["kube-apiserver", "postgresql.service"]);
}

#[test]
fn an_api_server_of_the_inventory_is_expected_with_its_kubelet() {
    let manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml".to_owned();
    let modes =
        [KubernetesMode::StaticPod { manifest }, KubernetesMode::RenderOnly { version: None }];
    for mode in modes {
        let (mut spec, facts) = busy(Runtime::Systemd);
        let name = KubernetesName::new("prod").unwrap();
        spec.kubernetes.insert(name, kubernetes("etcd-1", mode));
        assert_eq!(warned(&spec, &facts, "etcd-1"), ["postgresql.service"]);
        assert_eq!(warned(&spec, &facts, "etcd-2"), SERVICES);
    }
}

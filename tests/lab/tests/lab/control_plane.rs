//! API servers of kubeadm, run by real kubelets, on an etcd outside of their hosts' pods.

use std::thread;
use std::time::{Duration, Instant};

use quorate_lab::releases::{self, Version};
use quorate_lab::{ControlPlane, Host, Kubelet, Lab, Options};

use crate::text;

/// Runs an etcd without TLS on a host.
fn run_etcd(host: &Host) -> String {
    let (arch, version) = (releases::architecture().unwrap(), Version::new(3, 6, 16));
    releases::ensure_binaries(version, &arch, |_| {}).unwrap();
    let url = format!("http://{}:2379", host.address());
    let run = format!(
        "systemd-run -q --unit=etcd /srv/programs/v{version}-{arch}/etcd --data-dir /var/lib/etcd \
         --listen-client-urls {url} --advertise-client-urls {url}"
    );
    text(&host.ssh(&run).unwrap());
    url
}

#[track_caller]
fn wait_until_ready(host: &Host) {
    let deadline = Instant::now() + Duration::from_secs(240);
    loop {
        match host.kubectl(&["get", "--raw", "/readyz?verbose"]) {
            Ok(answer) => {
                assert!(answer.contains("[+]etcd ok"), "{answer}");
                return;
            }
            Err(error) if Instant::now() > deadline => panic!("not within 240 s: {error}"),
            Err(_) => thread::sleep(Duration::from_millis(500)),
        }
    }
}

#[test]
fn two_hosts_with_a_kubelet_become_the_control_planes_of_one_cluster() {
    let options = Options::hosts("t-cp".parse().unwrap(), 2);
    let lab = Lab::up(&Options { kubelet: Some(Kubelet::default()), ..options }).unwrap();
    let [one, two] = [1, 2].map(|number| lab.host(number).unwrap());
    let servers = vec![run_etcd(&one)];
    one.become_control_plane(
        &ControlPlane { servers: servers.clone(), ..Default::default() },
        |_| {},
    )
    .unwrap();
    let beside = Some(one.clone());
    two.become_control_plane(&ControlPlane { servers, beside, ..Default::default() }, |_| {})
        .unwrap();
    wait_until_ready(&one);
    wait_until_ready(&two);
    one.kubectl(&["create", "namespace", "x"]).unwrap();
    assert!(two.kubectl(&["get", "namespace", "x", "-o", "name"]).unwrap().contains("namespace/x"));
}

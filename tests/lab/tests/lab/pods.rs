//! Pods of etcd, run by a real kubelet.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use quorate_lab::container_image::etcd_name;
use quorate_lab::releases::Version;
use quorate_lab::{Host, Kubelet, Lab, LabError, Options};

use crate::{LAB, lab, text, traces};

const FIRST: Version = Version::new(3, 6, 14);
const SECOND: Version = Version::new(3, 6, 16);

/// A lab of hosts that run pods of the first version.
fn with_kubelet(name: &str, hosts: u8) -> Lab {
    let kubelet = Some(Kubelet { etcd: vec![FIRST] });
    Lab::up(&Options { kubelet, ..Options::hosts(name.parse().unwrap(), hosts) }).unwrap()
}

/// Puts the manifest of an image where the kubelet looks, whole at once.
fn run_pod(host: &Host, image: &str) {
    let manifest = include_str!("etcd-pod.yaml").replace("IMAGE", image);
    let write = format!(
        "cat > /etc/kubernetes/etcd.yaml <<'END'\n{manifest}END\n\
         mv /etc/kubernetes/etcd.yaml /etc/kubernetes/manifests/etcd.yaml"
    );
    text(&host.ssh(&write).unwrap());
}

/// Asks etcd's own listener on the host.
fn asked(host: &Host, path: &str) -> Option<String> {
    let output = host.ssh(&format!("curl -sf -m 2 http://127.0.0.1:{path}")).unwrap();
    output.status.success().then(|| text(&output))
}

fn lives(host: &Host) -> bool {
    asked(host, "2381/livez").as_deref() == Some("ok")
}

#[track_caller]
fn eventually(what: &str, host: &Host, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(90);
    while !holds() {
        if Instant::now() > deadline {
            let log = host.ssh("journalctl -u kubelet -o cat --no-pager | tail -20").unwrap();
            panic!("not within 90 s: {what}\n{}", text(&log));
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// What `etcdctl` in the pod's own image prints.
fn etcdctl(host: &Host, words: &str) -> String {
    let container = "$(ctr -n k8s.io c ls -q 'labels.\"io.kubernetes.container.name\"==etcd' | \
                     while read c; do ctr -n k8s.io t ls | grep -q \"$c.*RUNNING\" && echo $c; done)";
    let command = format!("ctr -n k8s.io t exec --exec-id $$ {container} etcdctl {words}");
    text(&host.ssh(&command).unwrap())
}

#[test]
fn a_kubelet_runs_what_lies_in_its_folder_until_it_is_removed() {
    let lab = with_kubelet("t-pod", 1);
    let host = lab.host(1).unwrap();
    run_pod(&host, &etcd_name(FIRST));
    eventually("the pod lives", &host, || lives(&host));
    assert_eq!(etcdctl(&host, "put kept yes"), "OK");

    host.reboot().unwrap();
    eventually("it lives after a reboot", &host, || lives(&host));
    assert_eq!(etcdctl(&host, "get kept"), "kept\nyes");

    text(&host.ssh("systemctl stop kubelet && rm /etc/kubernetes/manifests/etcd.yaml").unwrap());
    thread::sleep(Duration::from_secs(5));
    assert!(lives(&host), "without a kubelet nobody looks after the folder");
    text(&host.ssh("systemctl start kubelet").unwrap());
    eventually("it is gone", &host, || !lives(&host));
}

#[test]
fn an_image_that_is_imported_later_takes_over_by_its_digest() {
    let lab = with_kubelet("t-roll", 1);
    let host = lab.host(1).unwrap();
    run_pod(&host, &etcd_name(FIRST));
    eventually("the pod lives", &host, || lives(&host));
    let names = host.import_etcd_image(SECOND, |_| {}).unwrap();
    assert_eq!(host.import_etcd_image(SECOND, |_| {}).unwrap(), names, "twice is once");
    assert_eq!(names.tag, etcd_name(SECOND));
    run_pod(&host, &names.digest);
    let version = format!("\"etcdserver\":\"{SECOND}\"");
    let answers = || asked(&host, "2379/version").is_some_and(|answer| answer.contains(&version));
    eventually("the second version answers", &host, answers);
}

#[test]
fn hosts_with_running_pods_leave_nothing_behind() {
    let lab = with_kubelet("t-podclean", 2);
    let [one, two] = [1, 2].map(|number| lab.host(number).unwrap());
    for host in [&one, &two] {
        run_pod(host, &etcd_name(FIRST));
    }
    for host in [&one, &two] {
        eventually("the pod lives", host, || lives(host));
    }
    let state = "systemctl is-system-running --wait; systemctl list-units --failed --no-legend";
    assert_eq!(text(&one.ssh(state).unwrap()), "running");
    one.freeze().unwrap();
    two.kill().unwrap();
    assert!(!two.is_running().unwrap());
    one.thaw().unwrap();
    assert!(lives(&one));
    one.freeze().unwrap();
    lab.down().unwrap();
    assert_eq!(traces::kinds("t-podclean"), [] as [&str; 0], "{:#?}", traces::of("t-podclean"));
}

#[test]
fn a_lab_with_kubelets_whose_maker_was_killed_is_cleared_by_the_next() {
    for milliseconds in [300, 1500, 3000] {
        let mut maker = Command::new(LAB);
        maker.args(["--name", "t-podcrash", "up", "1", "--kubelet", "--etcd", "3.6.14"]);
        let mut maker = maker.spawn().unwrap();
        thread::sleep(Duration::from_millis(milliseconds));
        maker.kill().unwrap();
        if maker.wait().unwrap().success() {
            Lab::open(&"t-podcrash".parse().unwrap()).unwrap().down().unwrap();
        }
        drop(lab("t-later", 1));
        let left = traces::of("t-podcrash");
        assert_eq!(traces::kinds("t-podcrash"), [] as [&str; 0], "{milliseconds} ms: {left:#?}");
    }
}

#[test]
fn hosts_with_and_without_a_kubelet_are_in_one_lab() {
    let plain = lab("t-mixed", 1);
    let mixed = with_kubelet("t-mixed", 2);
    let kubelets: Vec<bool> =
        mixed.hosts().unwrap().iter().map(|host| host.has_kubelet().unwrap()).collect();
    assert_eq!(kubelets, [false, true]);
    let refused = plain.host(1).unwrap().import_etcd_image(FIRST, |_| {});
    assert!(matches!(refused, Err(LabError::NoKubelet(_))), "{refused:?}");
    assert_eq!(text(&mixed.host(2).unwrap().ssh("systemctl is-active kubelet").unwrap()), "active");
}

use std::thread;
use std::time::Duration;

use quorate_lab::{ControlPlane, Host, Kubelet, Lab, Options, releases};
use templates::apiserver::manifest::{Manifest, Wanted};

use super::{MANIFEST, process, until_ready, write_event};
use crate::harness::{NEWEST, eventually, on, text};

/// Runs an etcd without TLS on a host, and returns its URL.
fn run_etcd(host: &Host, name: &str, port: u16) -> String {
    let arch = releases::architecture().unwrap();
    releases::ensure_binaries(NEWEST, &arch, |_| {}).unwrap();
    let (url, peer) =
        (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{}", port + 1));
    let run = format!(
        "systemd-run -q --unit={name} /srv/programs/v{NEWEST}-{arch}/etcd --name {name} \
         --data-dir /var/lib/{name} --listen-client-urls {url} --advertise-client-urls {url} \
         --listen-peer-urls {peer} --initial-advertise-peer-urls {peer} --initial-cluster {name}={peer}"
    );
    on(host, &run);
    url
}

/// How many keys an etcd has under a prefix.
fn keys(host: &Host, url: &str, prefix: &str) -> u64 {
    let arch = releases::architecture().unwrap();
    let count = format!(
        "/srv/programs/v{NEWEST}-{arch}/etcdctl --endpoints {url} get {prefix} --prefix --count-only -w fields"
    );
    let said = on(host, &count);
    said.lines().find_map(|line| line.strip_prefix("\"Count\" : ")).unwrap().parse().unwrap()
}

/// Puts a manifest into its place with one rename.
fn put(host: &Host, manifest: &str) {
    let write = format!(
        "cat >/etc/kubernetes/.new <<'END'\n{manifest}END\nmv /etc/kubernetes/.new {MANIFEST}"
    );
    on(host, &write);
}

fn manifest(host: &Host) -> String {
    text(&host.ssh(&format!("cat {MANIFEST}")).unwrap().stdout)
}

/// As somebody leaves a manifest who edits it by hand.
fn edited_by_hand(manifest: &str) -> String {
    let servers = "    - --etcd-servers=http://127.0.0.1:2379\n";
    assert!(manifest.contains(servers), "{manifest}");
    let pair = "    # our etcd\n    -   &servers \"--etcd-servers\"   # a pair\n    - \"http://127.0.0.1:2379\" # for now\n";
    let image = "    imagePullPolicy: IfNotPresent\n";
    let with = "    imagePullPolicy: \"IfNotPresent\"   # never pulled\n    env: [{name: GOGC, value: '90'}]\n";
    manifest.replace(servers, &pair.replace("-   &servers", "- &servers")).replace(image, with)
}

#[test]
fn a_real_api_server_runs_what_the_editor_writes() {
    let options = Options::hosts("t-edit".parse().unwrap(), 1);
    let lab = Lab::up(&Options { kubelet: Some(Kubelet::default()), ..options }).unwrap();
    let host = lab.host(1).unwrap();
    let [old, new, events] = [("old", 2379), ("new", 12379), ("events", 22379)]
        .map(|(name, port)| run_etcd(&host, name, port));
    let first = ControlPlane { servers: vec![old.clone()], ..Default::default() };
    host.become_control_plane(&first, |_| {}).unwrap();
    println!(
        "an API server is ready {:.1} s after its manifest was written",
        until_ready(&host).as_secs_f64()
    );
    host.kubectl(&["create", "namespace", "before"]).unwrap();

    // Another layout and new comments are the same pod to the kubelet, but what was changed by hand is another one.
    put(&host, &edited_by_hand(&manifest(&host)));
    thread::sleep(Duration::from_secs(10));
    until_ready(&host);
    let running = process(&host).unwrap();
    put(&host, &format!("# a comment\n{}", manifest(&host).replace("# for now", "#   for ever")));
    thread::sleep(Duration::from_secs(10));
    assert_eq!(process(&host).as_deref(), Some(running.as_str()), "a comment restarted it");

    on(&host, "mkdir -p /etc/quorate/files && echo seen >/etc/quorate/files/one");
    let set = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
    let flags = [
        set("etcd-servers", &new),
        set("etcd-servers-overrides", &format!("/events#{events}")),
        set("etcd-prefix", "/other"),
    ];
    let wanted = Wanted { flags: flags.into(), folder: Some("/etc/quorate/files".to_owned()) };
    let before = manifest(&host);
    let edited = Manifest::read(&before).unwrap().edited(&wanted).unwrap();
    put(&host, &edited);
    eventually("another process runs", || process(&host).is_some_and(|now| now != running));
    println!("the edited one is ready {:.1} s later", until_ready(&host).as_secs_f64());
    host.kubectl(&["create", "namespace", "x"]).unwrap();
    write_event(&host, "x", "ev1");
    assert_eq!(keys(&host, &new, "/other/namespaces/x"), 1);
    assert_eq!(keys(&host, &events, "/other/events/x/ev1"), 1);
    assert_eq!(keys(&host, &new, "/other/events/x/ev1"), 0);
    assert_eq!(keys(&host, &old, "/registry/namespaces/x"), 0);
    assert_eq!(keys(&host, &old, "/registry/namespaces/before"), 1);
    let seen = on(&host, "cat /proc/$(pgrep -x kube-apiserver)/root/etc/quorate/files/one");
    assert_eq!(seen, "seen");
}

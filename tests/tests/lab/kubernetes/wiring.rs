use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use quorate_lab::control_plane::KUBECONFIG;
use quorate_lab::releases::{self, Version};
use quorate_lab::{ControlPlane, Host, Kubelet, Lab, Options, SiteOptions};

use super::{MANIFEST, process, until_ready, write_event};
use crate::harness::{Members, NEWEST, Stage, eventually, on};

const EVENTS: &str = r#"
[clusters.events]
version = "VERSION"
members = ["etcd-1"]
client-ca = "main"
account = "etcd-events"
ports = { client = 12379, peer = 12380, metrics = 12381 }
"#;

const KUBERNETES: &str = r#"
[kubernetes.prod]
apiservers = ["etcd-4", "etcd-5"]
cluster = "main"
overrides = { "/events" = "events" }
mode = "static-pod"
"#;

/// Three members on hosts 1 to 3, an etcd for events on the first, and two API servers on hosts 4 and 5 that are
/// pointed at a member which does not let them in.
fn with_control_planes(name: &str) -> (Stage, [Host; 2]) {
    let stage = Stage::formed(name, 3, &SiteOptions::default());
    let options = Options::hosts(stage.lab.name().clone(), 5);
    // Dropping a lab takes it down, and this one is the stage's.
    std::mem::forget(Lab::up(&Options { kubelet: Some(Kubelet::default()), ..options }).unwrap());
    stage.write_site(&SiteOptions { members: Some(3), ..SiteOptions::default() });
    add(&stage, &EVENTS.replace("VERSION", &NEWEST.to_string()));
    stage.run(&["pki", "init"]).ends(0);
    stage.run(&["apply", "--yes"]).ends(0);
    let [one, two] = [4, 5].map(|number| stage.host(number));
    let servers = vec![format!("https://{}:2379", stage.host(1).address())];
    let first = ControlPlane { servers: servers.clone(), ..Default::default() };
    one.become_control_plane(&first, |_| {}).unwrap();
    let beside = Some(one.clone());
    two.become_control_plane(&ControlPlane { servers, beside, ..first }, |_| {}).unwrap();
    add(&stage, KUBERNETES);
    (stage, [one, two])
}

/// Adds a table to the inventory.
fn add(stage: &Stage, table: &str) {
    stage.edit(|text| format!("{text}{table}"));
}

#[test]
fn api_servers_are_wired_and_stay_so() {
    let (stage, [one, two]) = with_control_planes("t-kube");
    let main = Members::of_main(NEWEST, 3);
    let events = Members { cluster: "events", version: NEWEST, count: 1, client_port: 12379 };
    let apply = stage.run(&["apply", "--yes"]).ends(0);
    println!("two API servers are wired in {:.1} s", apply.took.as_secs_f64());
    for host in [&one, &two] {
        until_ready(host);
    }
    one.kubectl(&["create", "namespace", "x"]).unwrap();
    write_event(&two, "x", "ev1");
    let has = |members: &Members, key: &str| {
        members.etcdctl(&stage.host(1), &format!("get {key} --keys-only")).contains(key)
    };
    assert!(has(&main, "/registry/namespaces/x"));
    assert!(has(&events, "/registry/events/x/ev1") && !has(&main, "/registry/events/x/ev1"));
    stage.expect_nothing_to_do();

    renewed_without_a_restart(&stage, &one);
    put_back(&stage, &one);
    killed_in_the_middle(&stage, [&one, &two]);
    recorded_by_kubeadm(&stage, &one);
}

/// A certificate that is missing is issued again, and is used from the next connection on.
fn renewed_without_a_restart(stage: &Stage, host: &Host) {
    let running = process(host);
    on(host, "rm /etc/kubernetes/pki/quorate-prod/current/client.crt");
    stage.run(&["plan"]).ends(0).says("apiserver-certificate").does_not_say("wire-apiserver");
    stage.run(&["apply", "--yes"]).ends(0);
    assert!(running.is_some() && process(host) == running, "it was restarted");
    for number in 1..=3 {
        on(&stage.host(number), "systemctl restart etcd-main");
        Members::of_main(NEWEST, 3).expect_whole(stage);
    }
    until_ready(host);
    assert_eq!(process(host), running);
    stage.expect_nothing_to_do();
}

/// What somebody changed is put back, and what else they wrote stays.
fn put_back(stage: &Stage, host: &Host) {
    let drift = format!(
        "sed -e 's/--etcd-servers=.*/--etcd-servers=https:\\/\\/{}:2379 # mine/' {MANIFEST} >/etc/kubernetes/.new && \
         mv /etc/kubernetes/.new {MANIFEST}",
        stage.host(1).address()
    );
    let running = process(host);
    on(host, &drift);
    eventually("the kubelet restarts it", || process(host).is_some_and(|now| Some(now) != running));
    stage.run(&["plan"]).ends(0).says("wire-apiserver");
    let apply = stage.run(&["apply", "--yes"]).ends(0);
    println!("one API server is put back in {:.1} s", apply.took.as_secs_f64());
    on(host, &format!("grep -q 'etcd-servers=.*,.* # mine$' {MANIFEST}"));
    stage.expect_nothing_to_do();
}

/// An apply that is killed while the first of two API servers restarts is finished by the next one.
fn killed_in_the_middle(stage: &Stage, hosts: [&Host; 2]) {
    let interval = |text: &str| {
        text.replace(
            "mode = \"static-pod\"",
            "mode = \"static-pod\"\nflags = { etcd-compaction-interval = \"10m\" }",
        )
    };
    stage.edit(interval);
    let before = hosts.map(process);
    let mut apply = stage.command(&["apply", "--yes"]);
    let mut apply = apply.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("an API server is being replaced", || hosts.map(process) != before);
    apply.kill().unwrap();
    apply.wait().unwrap();
    stage.run(&["apply", "--yes"]).ends(0);
    for host in hosts {
        until_ready(host);
        on(
            host,
            "tr '\\0' '\\n' </proc/$(pgrep -x kube-apiserver)/cmdline | grep -qx -- --etcd-compaction-interval=10m",
        );
    }
    stage.expect_nothing_to_do();
}

/// kubeadm's own record, made before its API servers were wired, is edited, and kubeadm takes it.
fn recorded_by_kubeadm(stage: &Stage, host: &Host) {
    on(host, "kubeadm init phase upload-config kubeadm --config /etc/kubernetes/kubeadm.yaml");
    stage.edit(|text| text.replace("mode = \"static-pod\"", "mode = \"kubeadm\""));
    stage.run(&["plan"]).ends(0).says("kubeadm-config").does_not_say("wire-apiserver");
    stage.run(&["apply", "--yes"]).ends(0);
    let text = "jsonpath={.data.ClusterConfiguration}";
    let record = ["-n", "kube-system", "get", "configmap", "kubeadm-config", "-o", text];
    let record = host.kubectl(&record).unwrap();
    for number in 1..=3 {
        let url = format!("    - https://{}:2379\n", stage.host(number).address());
        assert!(record.contains(&url), "{record}");
    }
    assert!(record.contains("value: /events#https://"), "{record}");
    let validate = "kubeadm config validate --config /root/cluster.yaml";
    on(host, &format!("cat >/root/cluster.yaml <<'END'\n{record}\nEND\n{validate}"));
    stage.expect_nothing_to_do();
}

/// What kubectl created while something else happened.
#[derive(Default)]
struct Created {
    /// The objects' names, in their order.
    names: Vec<String>,
    /// How often an API server failed.
    failed: usize,
    /// The longest time without success.
    longest: Duration,
}

impl Created {
    /// Creates objects until it is stopped, by the next API server where one fails.
    fn until(stop: &AtomicBool, hosts: &[Host], prefix: &str) -> Self {
        let (mut created, mut last) = (Self::default(), Instant::now());
        let mut turns = hosts.iter().cycle();
        let mut host = turns.next().unwrap();
        while !stop.load(Ordering::Relaxed) {
            let name = format!("{prefix}{}", created.names.len() + created.failed);
            if host.kubectl(&["create", "configmap", &name, "-n", "default"]).is_ok() {
                created.longest = created.longest.max(last.elapsed());
                last = Instant::now();
                created.names.push(name);
            } else {
                created.failed += 1;
                host = turns.next().unwrap();
            }
        }
        created.longest = created.longest.max(last.elapsed());
        created
    }
}

/// Runs `apply` while kubectl creates objects on these hosts, one after the other where one fails.
fn apply_while_kubectl_writes(stage: &Stage, hosts: [&Host; 2], prefix: &'static str) -> Created {
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, writers) = (Arc::clone(&stop), hosts.map(Host::clone));
    let writes = thread::spawn(move || Created::until(&stopped, &writers, prefix));
    let apply = stage.run(&["apply", "--yes"]);
    stop.store(true, Ordering::Relaxed);
    let created = writes.join().unwrap();
    let apply = apply.ends(0);
    println!(
        "applied in {:.1} s: {} objects created, {} failed, longest gap {:.1} s",
        apply.took.as_secs_f64(),
        created.names.len(),
        created.failed,
        created.longest.as_secs_f64()
    );
    assert!(created.names.len() > 20);
    created
}

#[test]
fn a_member_is_swapped_while_kubectl_writes() {
    let (stage, [one, two]) = with_control_planes("t-kubswap");
    stage.run(&["apply", "--yes"]).ends(0);
    for host in [&one, &two] {
        until_ready(host);
    }
    stage.edit(|text| {
        text.replace(
            "members = [\"etcd-1\", \"etcd-2\", \"etcd-3\"]",
            "members = [\"etcd-1\", \"etcd-2\", \"etcd-4\"]",
        )
    });
    apply_while_kubectl_writes(&stage, [&two, &one], "swap");
    for host in [&one, &two] {
        let servers = on(
            host,
            "tr '\\0' '\\n' </proc/$(pgrep -x kube-apiserver)/cmdline | grep ^--etcd-servers=",
        );
        assert!(servers.contains(&stage.host(4).address().to_string()), "{servers}");
        assert!(!servers.contains(&stage.host(3).address().to_string()), "{servers}");
    }
    stage.expect_nothing_to_do();
    upgraded_under_a_watch(&stage, [&one, &two]);
}

/// Who watches an API server sees every object once and in order, and no API server restarts, while etcd goes to its next
/// minor.
fn upgraded_under_a_watch(stage: &Stage, hosts: [&Host; 2]) {
    let to = Version::new(3, 7, 3);
    let release = releases::ensure(to, |_| {}).unwrap();
    let arch = releases::architecture().unwrap();
    let pins = "[release.sha256]\n";
    let pinned = format!("{pins}\"{to}-{arch}\" = \"{}\"\n", release.sha256);
    stage.edit(|text| {
        let main =
            text.replacen(&format!("version = \"{NEWEST}\""), &format!("version = \"{to}\""), 1);
        main.replacen(pins, &pinned, 1)
    });
    let watch = "get configmaps -n default --watch-only -o name";
    on(
        hosts[0],
        &format!("setsid kubectl --kubeconfig {KUBECONFIG} {watch} </dev/null >/tmp/seen 2>&1 &"),
    );
    let before = hosts.map(process);
    let created = apply_while_kubectl_writes(stage, hosts, "hop");
    assert_eq!(hosts.map(process), before, "an API server restarted");
    let seen = || {
        let seen = on(hosts[0], "cat /tmp/seen");
        let names = seen.lines().filter_map(|line| line.strip_prefix("configmap/"));
        let acknowledged = names.filter(|name| created.names.iter().any(|one| one == name));
        acknowledged.map(str::to_owned).collect::<Vec<_>>()
    };
    eventually("the watch has seen the last one", || seen().last() == created.names.last());
    assert_eq!(seen(), created.names);
    stage.expect_nothing_to_do();
}

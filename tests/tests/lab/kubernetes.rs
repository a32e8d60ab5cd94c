//! Real API servers, run by real kubelets: what the editor writes is taken, and `apply` wires them to their etcd.

mod editor;
mod wiring;

use std::time::{Duration, Instant};

use quorate_lab::Host;

use crate::harness::on;

const MANIFEST: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";

/// The process of the API server. A host that runs none has none.
fn process(host: &Host) -> Option<String> {
    let found = on(host, "pgrep -x kube-apiserver || true");
    found.lines().next().map(str::to_owned)
}

/// Waits until the API server and its etcd say that they are ready, and returns how long that took.
#[track_caller]
fn until_ready(host: &Host) -> Duration {
    let began = Instant::now();
    loop {
        match host.kubectl(&["get", "--raw", "/readyz?verbose"]) {
            Ok(said) => {
                assert!(said.contains("[+]etcd ok"), "{said}");
                return began.elapsed();
            }
            Err(error) => assert!(began.elapsed().as_secs() < 240, "{}: {error}", host.name()),
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Writes an Event of this name into a namespace.
fn write_event(host: &Host, namespace: &str, name: &str) {
    let event = format!(
        "apiVersion: v1\nkind: Event\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         involvedObject: {{kind: Namespace, name: {namespace}, namespace: {namespace}}}\n\
         reason: Tried\ntype: Normal\n"
    );
    on(host, &format!("cat >/root/event.yaml <<'END'\n{event}END"));
    host.kubectl(&["create", "-f", "/root/event.yaml"]).unwrap();
}

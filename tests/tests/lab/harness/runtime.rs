//! What scenarios do to members, by what runs them.

use quorate_lab::site::Runtime;
use quorate_lab::{Host, SiteOptions};

use super::{Stage, on};

/// A scenario, by its name.
pub(crate) type Scenario = (&'static str, fn(Runtime));

/// Takes everything away that quorate made of a cluster `main`, so that the next round begins with nothing.
const WIPE: &str = "systemctl disable --now etcd-main 2>/dev/null; \
    rm -f /etc/kubernetes/manifests/etcd-main.yaml; while pgrep -x etcd; do sleep 0.1; done >/dev/null; \
    rm -rf /etc/systemd/system/etcd-main.service* /etc/etcd /var/lib/etcd /var/lib/quorate \
    /opt/quorate; systemctl daemon-reload; userdel etcd 2>/dev/null; ! pgrep -x etcd";

/// A pod that somebody takes out of the kubelet's folder, and the moment that a kubelet needs to be done
/// with it.
const TAKE_POD: &str = "mv /etc/kubernetes/manifests/etcd-main.yaml /etc/kubernetes/aside.yaml && \
    timeout 60 sh -c 'while pgrep -x etcd; do sleep 0.1; done' >/dev/null && sleep 2";
const PUT_POD: &str = "mv /etc/kubernetes/aside.yaml /etc/kubernetes/manifests/etcd-main.yaml && \
    timeout 60 sh -c 'until pgrep -x etcd; do sleep 0.1; done' >/dev/null";

/// What an inventory says where a scenario does not care, but for the runtime.
pub(crate) fn options(runtime: Runtime) -> SiteOptions {
    SiteOptions { runtime, ..SiteOptions::default() }
}

impl Stage {
    /// Stops a host's member of `main`, as somebody does by hand.
    #[track_caller]
    pub(crate) fn stop(&self, number: u8) {
        on(&self.host(number), self.by_runtime("systemctl stop etcd-main", TAKE_POD));
    }

    /// Starts it again.
    #[track_caller]
    pub(crate) fn start(&self, number: u8) {
        on(&self.host(number), self.by_runtime("systemctl start etcd-main", PUT_POD));
    }

    /// The file that the members of `main` are run from.
    pub(crate) fn rendered(&self) -> &'static str {
        self.by_runtime(
            "/etc/systemd/system/etcd-main.service",
            "/etc/kubernetes/manifests/etcd-main.yaml",
        )
    }

    /// Takes quorate and all that it made off the hosts, and with it the record that a cluster was formed.
    pub(crate) fn wipe(&self) {
        // Where nothing was formed there is none.
        let _ = std::fs::remove_file(self.folder().join("pki/main/formed.toml"));
        std::thread::scope(|scope| {
            for host in self.hosts() {
                scope.spawn(move || on(&host, WIPE));
            }
        });
    }

    /// As a machine that was installed again: nothing of quorate's is on it.
    pub(crate) fn reinstall(&self, host: &quorate_lab::Host) {
        on(host, WIPE);
    }

    pub(crate) fn by_runtime<T>(&self, unit: T, pod: T) -> T {
        match self.runtime {
            Runtime::Systemd => unit,
            Runtime::StaticPod => pod,
        }
    }
}

/// Waits until a host's member of `main` serves: after a boot, say.
#[track_caller]
pub(crate) fn serves(host: &Host) {
    let healthy = "curl -sf -m 1 http://127.0.0.1:2381/health | grep -q '\"true\"'";
    on(
        host,
        &format!(
            "timeout 300 sh -c 'until {}; do sleep 0.1; done'",
            healthy.replace('\'', "'\\''")
        ),
    );
}

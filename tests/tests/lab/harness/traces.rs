//! What a host holds, so that two looks can be compared.

use std::collections::BTreeSet;

use quorate_lab::Host;

use super::on;

/// Files with owner, mode and content; accounts, units and listeners.
const SCRIPT: &str = r#"
set -e
cd /
things() {
    find etc opt usr/local srv home root tmp var/tmp var/lib dev/shm -xdev \
        \( -path var/lib/systemd -o -path var/lib/containerd -o -path var/lib/kubelet -o -path 'tmp/systemd-private-*' -o -path 'var/tmp/systemd-private-*' \) \
        -prune -o "$@"
}
things -printf '%M %u:%g %p -> %l\n'
things -type f -print0 | xargs -0 -r sha256sum
getent passwd | sed 's/^/account /'
getent group | sed 's/^/group /'
systemctl list-units --all --no-legend --plain --type service,socket,path,timer | awk '{ print "unit", $1, $3 }' | grep -v ' session-\| user@\| user-runtime' || true
ss -Hltn | awk '{ print "listens", $4 }'
"#;

/// What hosts hold that quorate might make or change.
#[derive(Debug)]
pub(crate) struct Traces(BTreeSet<String>);

impl Traces {
    pub(crate) fn collect(hosts: &[Host]) -> Self {
        let lines = hosts.iter().flat_map(|host| {
            let name = host.name();
            let lines: Vec<String> =
                on(host, SCRIPT).lines().map(|line| format!("{name}: {line}")).collect();
            lines
        });
        Self(lines.collect())
    }

    /// Leaves out what a running etcd writes.
    pub(crate) fn without_data(self) -> Self {
        Self(self.0.into_iter().filter(|line| !line.contains("var/lib/etcd/")).collect())
    }

    #[track_caller]
    pub(crate) fn expect_same_as(&self, before: &Traces) {
        let gone: Vec<&String> = before.0.difference(&self.0).collect();
        let come: Vec<&String> = self.0.difference(&before.0).collect();
        assert!(gone.is_empty() && come.is_empty(), "gone: {gone:#?}\ncome: {come:#?}");
    }
}

//! The cluster as etcd itself tells it, asked on a member's host without quorate.

use std::collections::BTreeSet;

use quorate_lab::Host;
use quorate_lab::releases::Version;
use serde_json::Value;

use super::{Stage, eventually, on};

/// A cluster and its members' version.
#[derive(Debug, Clone)]
pub(crate) struct Members {
    pub(crate) cluster: &'static str,
    pub(crate) version: Version,
    pub(crate) count: usize,
    pub(crate) client_port: u16,
}

impl Members {
    /// The cluster `main` on the default ports.
    pub(crate) fn of_main(version: Version, count: usize) -> Self {
        Self { cluster: "main", version, count, client_port: 2379 }
    }

    /// Runs etcdctl on a host, where it must end well. A machine with too much to do is waited for.
    #[track_caller]
    pub(crate) fn etcdctl(&self, host: &Host, arguments: &str) -> String {
        on(host, &self.command(&format!("--dial-timeout=30s --command-timeout=60s {arguments}")))
    }

    /// The command line of etcdctl on a host, which asks the member there.
    pub(crate) fn command(&self, arguments: &str) -> String {
        let Self { cluster, version, client_port, count: _ } = self;
        let pki = format!("/etc/etcd/{cluster}/pki/current");
        format!(
            "ETCDCTL_API=3 /opt/quorate/etcd/{version}/etcdctl \
             --endpoints=https://127.0.0.1:{client_port} --cacert={pki}/client-ca.crt \
             --cert={pki}/healthcheck.crt --key={pki}/healthcheck.key {arguments}"
        )
    }

    /// One cluster, of as many members as are wanted, all at the version and led by one.
    #[track_caller]
    pub(crate) fn expect_whole(&self, stage: &Stage) {
        let host = stage.host(1);
        // Hosts that were rebooted, or whose disks are busy, may be in an election for longer than etcdctl waits.
        let asked = self.command("endpoint status --cluster -w json");
        eventually("the members answer", || host.ssh(&asked).unwrap().status.success());
        let status: Value = serde_json::from_str(&on(&host, &asked)).unwrap();
        let members = status.as_array().unwrap();
        assert_eq!(members.len(), self.count, "{status:#}");
        let each = |path: &[&str]| -> BTreeSet<String> {
            let field = |member: &Value| {
                let value = path.iter().fold(&member["Status"], |value, key| &value[key]);
                value.to_string()
            };
            members.iter().map(field).collect()
        };
        let version = format!("\"{}\"", self.version);
        assert_eq!(each(&["version"]), BTreeSet::from([version]), "{status:#}");
        assert_eq!(each(&["header", "cluster_id"]).len(), 1, "{status:#}");
        assert_eq!(each(&["leader"]).len(), 1, "{status:#}");
        assert_eq!(each(&["header", "member_id"]).len(), self.count, "{status:#}");
        // A busy disk may hold one member's next write up for longer than the five seconds that etcdctl waits.
        let health = self.command("endpoint health --cluster");
        eventually("every member is healthy", || host.ssh(&health).unwrap().status.success());
    }

    /// The cluster's id, which stays as long as the cluster is the same.
    pub(crate) fn id(&self, host: &Host) -> String {
        let list: Value = serde_json::from_str(&self.etcdctl(host, "member list -w json")).unwrap();
        list["header"]["cluster_id"].to_string()
    }

    /// The id of a host's member, as the list has it.
    pub(crate) fn id_of(&self, host: &Host) -> String {
        let list = self.etcdctl(host, "member list");
        let name = format!(", {}, ", host.name());
        let row = list.lines().find(|line| line.contains(&name)).unwrap();
        row.split(',').next().unwrap().to_owned()
    }

    /// The list has these members, each with a vote.
    #[track_caller]
    pub(crate) fn expect_names(&self, host: &Host, names: &[&str]) {
        let list = self.etcdctl(host, "member list");
        let mut listed: Vec<&str> =
            list.lines().filter_map(|line| line.split(", ").nth(2)).collect();
        listed.sort_unstable();
        assert_eq!(listed, names, "{list}");
        assert!(!list.contains("true"), "a learner is left: {list}");
    }

    /// Makes a host's member the leader.
    pub(crate) fn lead(&self, stage: &Stage, host: &Host) {
        let id = self.id_of(host);
        for one in stage.hosts() {
            // Only the leader takes the order.
            let _ = one.ssh(&self.command(&format!("move-leader {id}"))).unwrap();
        }
    }

    /// A client on the host that stays connected to its member, as the unit `watcher`. etcdctl's own watch would end once
    /// its member knows no leader.
    pub(crate) fn watch_on(&self, host: &Host) {
        let Self { cluster, client_port, .. } = self;
        let pki = format!("/etc/etcd/{cluster}/pki/current");
        let asked = "-d '{\"create_request\":{\"key\":\"L29sZC8=\"}}'";
        let shown = format!("--cert {pki}/healthcheck.crt --key {pki}/healthcheck.key");
        let watch = format!(
            "curl -sN --cacert {pki}/client-ca.crt {shown} {asked} https://127.0.0.1:{client_port}/v3/watch"
        );
        on(host, &format!("systemd-run --quiet --unit=watcher {watch}"));
    }
}

//! Processes that matter to a host that should serve etcd alone.

use std::collections::BTreeSet;

use planner::facts::EtcdProcess;

use super::records::Records;
use super::unread::Unread;
use remote::clean;

const ETCD: &str = "etcd";

/// Processes that are looked for, by the kernel's name of them: etcd, and what competes with it
/// for disk and processors.
pub(super) const NAMES: [&str; 16] = [
    ETCD,
    "clickhouse-serv",
    "containerd",
    "crio",
    "dockerd",
    "haproxy",
    "influxd",
    "kube-apiserver",
    "kubelet",
    "mariadbd",
    "mongod",
    "mysqld",
    "postgres",
    "prometheus",
    "redis-server",
    "zookeeper",
];

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Processes {
    /// Processes named `etcd`.
    pub(super) etcd: Vec<EtcdProcess>,
    /// The services of the others.
    pub(super) heavy: BTreeSet<String>,
}

/// Reads the list: a line `PID NAME`, the process's cgroups, an empty line.
pub(super) fn read(records: &Records) -> Result<Processes, Unread> {
    let said = records.need("processes", "what runs on it")?;
    let mut processes = Processes::default();
    for entry in said.split("\n\n").map(str::trim).filter(|entry| !entry.is_empty()) {
        let (head, cgroups) = entry.split_once('\n').unwrap_or((entry, ""));
        let odd = || Unread::odd("the host's list of processes can't be read");
        let (pid, name) = head.split_once(' ').ok_or_else(odd)?;
        let pid: u32 = pid.parse().map_err(|_| odd())?;
        let unit = unit_of(cgroups);
        if name == ETCD {
            processes.etcd.push(EtcdProcess { pid, unit });
        } else {
            let service = unit.filter(|unit| unit.ends_with(".service"));
            processes.heavy.insert(service.unwrap_or_else(|| clean(name.as_bytes())));
        }
    }
    Ok(processes)
}

/// The unit that a process belongs to: the innermost service or scope of its cgroup in systemd's
/// hierarchy, which is the only one (v2) or the one named so (v1).
fn unit_of(cgroups: &str) -> Option<String> {
    let path = |line: &'_ str| -> Option<String> {
        let (hierarchy, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let is_systemd =
            controllers == "name=systemd" || (hierarchy == "0" && controllers.is_empty());
        is_systemd.then(|| path.to_owned())
    };
    cgroups.lines().filter_map(path).find_map(|path| {
        let is_unit = |part: &&str| part.ends_with(".service") || part.ends_with(".scope");
        path.rsplit('/').find(is_unit).map(|unit| clean(unit.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn processes(said: &str) -> Result<Processes, Unread> {
        let reply = format!("processes {}\n{said}\n", said.len());
        read(&Records::parse(reply.as_bytes()).unwrap())
    }

    #[test]
    fn a_unit_is_found_in_either_cgroup_version() {
        let v2 = "0::/system.slice/etcd-main.service";
        let hybrid =
            "9:name=systemd:/system.slice/etcd-main.service\n4:memory:/other.service\n0::/";
        for cgroups in [v2, hybrid] {
            let found = processes(&format!("77 etcd\n{cgroups}\n\n")).unwrap();
            assert_eq!(
                found.etcd,
                [EtcdProcess { pid: 77, unit: Some("etcd-main.service".to_owned()) }]
            );
        }
    }

    #[test]
    fn an_etcd_without_a_unit_is_still_an_etcd() {
        let found = processes("8 etcd\n0::/\n\n9 etcd\n\n").unwrap();
        assert_eq!(found.etcd.len(), 2);
        assert!(found.etcd.iter().all(|process| process.unit.is_none()));
    }

    #[test]
    fn heavy_services_are_named_once() {
        let slice = "0::/system.slice/postgresql.service";
        let pod = "0::/kubepods.slice/kubepods-besteffort.slice/cri-containerd-abc.scope";
        let said =
            format!("1 postgres\n{slice}\n\n2 postgres\n{slice}\n\n3 kube-apiserver\n{pod}\n\n");
        let names: Vec<String> = processes(&said).unwrap().heavy.into_iter().collect();
        assert_eq!(names, ["kube-apiserver", "postgresql.service"]);
    }
}

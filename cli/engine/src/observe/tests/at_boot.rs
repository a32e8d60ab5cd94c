//! What starts an etcd on a host without being asked.

use std::collections::BTreeSet;

use planner::facts::AtBoot;

use super::*;

const WANTS: &str = "/etc/systemd/system/multi-user.target.wants";

/// An enabled unit, as `systemctl enable` leaves it.
fn enable(tree: &Tree, name: &str, text: &str) {
    let file = format!("/lib/systemd/system/{name}");
    tree.write(&file, text);
    fs::create_dir_all(tree.path(WANTS)).expect("a directory");
    symlink(tree.path(&file), tree.path(&format!("{WANTS}/{name}"))).expect("a link");
}

fn found(tree: &Tree) -> BTreeSet<String> {
    let [dash, bash] = SHELLS.map(|shell| tree.facts(shell).etcd_at_boot);
    assert_eq!(dash, bash);
    let name = |start| match start {
        AtBoot::Unit(name) => name,
        AtBoot::Started { by, unit } => format!("{by} {unit}"),
        AtBoot::Manifest(path) => path,
    };
    dash.into_iter().map(name).collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn enabled_units_that_run_etcd_are_named_and_what_only_speaks_of_it_is_not() {
    let tree = Tree::new();
    assert_eq!(found(&tree), names(&[]));
    for (name, start) in [
        ("etcd.service", "/usr/bin/etcd $DAEMON_ARGS"),
        ("etcd2.service", "-/bin/bash -c \"GOMAXPROCS=2 /usr/bin/etcd --name=a\""),
        ("etcd-member.service", "/usr/lib/coreos/etcd-wrapper"),
        ("etcd-path.service", " -etcd --config-file=/etc/etcd.conf"),
        (
            "etcd-box.service",
            "/usr/bin/podman run \\\n  --net=host quay.io/coreos/etcd:v3.5 \\\n  /usr/local/bin/etcd",
        ),
        ("snap.etcd.etcd.service", "/usr/bin/snap run etcd"),
        ("etcd-main.service", "/opt/quorate/etcd/3.6.16/etcd"),
        ("etcd-backup.service", "/usr/local/bin/etcd-backup --all"),
        ("etcd-defrag.service", "/usr/bin/etcdctl defrag"),
    ] {
        enable(&tree, name, &format!("[Service]\nType=notify\nExecStart={start}"));
    }
    let all = [
        "etcd.service",
        "etcd2.service",
        "etcd-box.service",
        "etcd-member.service",
        "etcd-path.service",
        "snap.etcd.etcd.service",
    ];
    let ours = ["etcd-main.service"];
    assert_eq!(found(&tree), names(&[&all[..], &ours].concat()));
    // Masked, and enabled without its file.
    symlink("/dev/null", tree.path("/etc/systemd/system/etcd.service")).expect("a link");
    fs::remove_file(tree.path("/lib/systemd/system/etcd2.service")).expect("a file");
    assert_eq!(found(&tree), names(&[&all[2..], &ours].concat()));
}

/// A job that saves the data of an etcd must not be disabled with it.
#[test]
fn a_command_that_is_only_told_of_etcd_runs_none() {
    let tree = Tree::new();
    let image = "quay.io/coreos/etcd:v3.5.9";
    let runs = [
        "sh -ec 'cd /var/lib/etcd; exec /usr/bin/etcd'".to_owned(),
        "/bin/bash -o pipefail -c \"etcd 2>&1 | logger\"".to_owned(),
        "/usr/bin/env ETCD_NAME=a etcd".to_owned(),
        "/usr/bin/nice -n 10 /usr/bin/etcd".to_owned(),
        "/usr/bin/runuser -u etcd -- /usr/bin/etcd".to_owned(),
        "/usr/bin/docker start -a etcd".to_owned(),
        format!(
            "/usr/bin/docker run -d -v /var/lib/etcd:/data --health-cmd \"etcdctl endpoint health\" {image}"
        ),
        "/usr/bin/podman run --rm -e A=b --volume /x:/etcd docker.io/bitnami/etcd".to_owned(),
        format!("/usr/bin/podman run --unheard-of {image}"),
        format!(
            "/usr/bin/nerdctl --namespace x run --net host {image} /usr/local/bin/etcd --name=a"
        ),
        format!("/usr/bin/ctr -n k8s.io run --net-host --rm {image} etcd"),
    ];
    let others = [
        "/usr/bin/podman run -v /var/lib/etcd:/data:ro quay.io/acme/restic backup".to_owned(),
        "/usr/bin/podman run --rm -v /var/lib/etcd:/etcd:ro quay.io/acme/restic backup /etcd"
            .to_owned(),
        format!("/usr/bin/podman run -e IMAGE={image} quay.io/acme/mirror"),
        format!("/usr/bin/podman run --entrypoint /usr/local/bin/etcdctl {image} snapshot save x"),
        format!("/usr/bin/podman run --entrypoint=etcdctl {image} snapshot save x"),
        format!("/usr/bin/podman pull {image}"),
        "/usr/bin/docker exec etcd etcdctl snapshot save /backup".to_owned(),
        "/usr/local/bin/backup --dir /var/lib/etcd".to_owned(),
        "/usr/bin/rsync -a host:/etcd /x".to_owned(),
        "/usr/bin/tar -C / -cf /backup/etcd.tar var/lib/etcd".to_owned(),
        "/usr/bin/sudo -u etcd /usr/local/bin/backup --dir /var/lib/etcd".to_owned(),
        "/usr/bin/timeout 60 rsync -a /var/lib/etcd /x".to_owned(),
        "/bin/sh -c \"rsync -a /var/lib/etcd /x && touch /run/etcd\"".to_owned(),
        "/bin/sh /usr/local/bin/save.sh /var/lib/etcd".to_owned(),
        "/usr/bin/backup \\\n  --dir /var/lib/etcd \\\n  etcd".to_owned(),
    ];
    let all: Vec<String> =
        (0..runs.len()).map(|number| format!("run{number:02}.service")).collect();
    for (name, start) in all.iter().zip(&runs) {
        enable(&tree, name, &format!("[Service]\nExecStart={start}\n"));
    }
    for (number, start) in others.iter().enumerate() {
        enable(
            &tree,
            &format!("other{number:02}.service"),
            &format!("[Service]\nExecStart={start}\n"),
        );
    }
    assert_eq!(found(&tree), all.into_iter().collect());
}

/// Whatever it is called, and whatever enables it: the distribution's own links, a generator for an old init script or
/// a container, another target.
#[test]
fn a_unit_that_runs_etcd_is_found_in_each_folder_and_by_any_name() {
    let tree = Tree::new();
    let etcd = "[Service]\nExecStart=/usr/bin/etcd --name=a\n";
    let image = "quay.io/coreos/etcd:v3.5.9";
    for (folder, name, text) in [
        ("/etc/systemd/system/my.target.wants", "kv.service", etcd.to_owned()),
        ("/usr/lib/systemd/system/multi-user.target.wants", "store.service", etcd.to_owned()),
        ("/usr/local/lib/systemd/system/multi-user.target.requires", "db.service", etcd.to_owned()),
        (
            "/run/systemd/generator.late/multi-user.target.wants",
            "old.service",
            "[Service]\nExecStart=/etc/init.d/etcd start\n".to_owned(),
        ),
        (
            "/run/systemd/generator/multi-user.target.wants",
            "box.service",
            format!("[Service]\nExecStart=/usr/bin/podman run --replace {image}\n"),
        ),
        (
            "/run/systemd/generator/multi-user.target.upholds",
            "backup.service",
            format!("[Service]\nExecStart=/usr/bin/podman run {image} etcdctl snapshot save x\n"),
        ),
        // Gone after the next boot.
        ("/run/systemd/system/multi-user.target.wants", "now.service", etcd.to_owned()),
    ] {
        tree.write(&format!("{folder}/{name}"), text);
    }
    let all = ["kv.service", "store.service", "db.service", "old.service", "box.service"];
    assert_eq!(found(&tree), names(&all));
}

#[test]
fn what_an_enabled_unit_starts_is_named_with_it() {
    let tree = Tree::new();
    let service = |name: &str, start: &str| {
        let text = format!("[Service]\nExecStart={start}\n");
        tree.write(&format!("/lib/systemd/system/{name}"), text);
    };
    for name in ["etcd.service", "kv.service", "late.service"] {
        service(name, "/usr/bin/etcd");
    }
    service("clean.service", "/usr/bin/etcdctl defrag");
    enable(&tree, "etcd.socket", "[Socket]\nListenStream=2379\n");
    enable(&tree, "later.timer", "[Timer]\nOnBootSec=1min\nUnit=late.service\n");
    enable(&tree, "clean.timer", "[Timer]\nOnCalendar=daily\n");
    enable(
        &tree,
        "api.service",
        "[Unit]\nWants=network.target kv.service etcd-x.service\n[Service]\nExecStart=/api\n# etcd\n",
    );
    let all = ["etcd.socket etcd.service", "later.timer late.service", "api.service kv.service"];
    assert_eq!(found(&tree), names(&all));
    for masked in ["kv.service", "later.timer"] {
        symlink("/dev/null", tree.path(&format!("/etc/systemd/system/{masked}"))).expect("a link");
    }
    assert_eq!(found(&tree), names(&all[..1]));
}

#[test]
fn the_pods_of_an_enabled_kubelet_are_looked_for_in_its_folder() {
    let tree = Tree::new();
    let kubeadms = "/etc/kubernetes/manifests/etcd.yaml";
    tree.write(kubeadms, "kind: Pod\n");
    tree.write("/etc/kubernetes/manifests/kube-apiserver.yaml", "kind: Pod\n");
    assert_eq!(found(&tree), names(&[]), "no kubelet would start it");
    enable(&tree, "kubelet.service", "[Service]\nExecStart=/usr/bin/kubelet\n");
    assert_eq!(found(&tree), names(&[kubeadms]));
    let pods = tree.path("/srv/pods");
    tree.write("/srv/pods/etcd.yaml", "kind: Pod\n");
    for folder in [pods.clone(), format!("\"{pods}\"")] {
        let config = format!("kind: KubeletConfiguration\nstaticPodPath: {folder}\n");
        tree.write("/var/lib/kubelet/config.yaml", config);
        assert_eq!(found(&tree), names(&["/srv/pods/etcd.yaml"]));
    }
}

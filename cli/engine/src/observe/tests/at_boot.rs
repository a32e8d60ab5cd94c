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

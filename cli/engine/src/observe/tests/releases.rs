//! Releases against their manifests.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use templates::layout::ReleaseLayout;

use super::{SHELLS, Tree, host, now, request, sha256};

const ETCD: &str = "the server";

fn installed(tree: &Tree) -> ReleaseLayout {
    let layout = ReleaseLayout::new("3.6.16".parse().expect("a version"));
    let mut manifest = format!("quorate-release 1\narchive {}\n", "a".repeat(64));
    for (name, content) in [("etcd", ETCD), ("etcdctl", "the client")] {
        let path = format!("{}/{name}", layout.dir());
        tree.write(&path, content);
        fs::set_permissions(tree.path(&path), PermissionsExt::from_mode(0o755)).expect("mode");
        manifest += &format!("file {name} {} {}\n", sha256(content), stamp(tree, &path));
    }
    tree.write(&layout.manifest(), manifest);
    layout
}

fn stamp(tree: &Tree, path: &str) -> String {
    let mut stat = Command::new("stat");
    let output = stat.args(["-c", "%i.%s.%Y.%Z"]).arg(tree.path(path)).output().expect("stat");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// Damage as the planner sees it. A tree that root did not make is damaged in all its files:
/// such a run tells nothing of it.
fn damage(tree: &Tree, shell: &[&str]) -> Option<Vec<String>> {
    let records = tree.records(shell).map(|key, body| match key {
        "stat" => Some(as_roots(&String::from_utf8(body).expect("text"))),
        _ => Some(body),
    });
    let facts = host::seen(&request(), &records, now()).expect("facts").facts;
    let release = facts.releases[&"3.6.16".parse().expect("a version")].clone();
    release.known().map(|release| release.damaged.iter().cloned().collect())
}

fn as_roots(stat: &str) -> Vec<u8> {
    let me = Command::new("id").arg("-un").output().expect("id").stdout;
    let me = String::from_utf8(me).expect("text");
    stat.replace(&format!(" {} ", me.trim()), " root ").into_bytes()
}

fn hashed(tree: &Tree, shell: &[&str]) -> usize {
    let records = tree.records(shell);
    let said = records.text("sha256").unwrap_or_default().to_owned();
    said.lines().filter(|line| line.ends_with("/etcd") || line.ends_with("/etcdctl")).count()
}

#[test]
fn a_whole_release_is_not_read() {
    let tree = Tree::new();
    installed(&tree);
    for shell in SHELLS {
        assert_eq!(hashed(&tree, shell), 0);
        assert_eq!(damage(&tree, shell), Some(Vec::new()));
    }
}

#[test]
fn a_touched_file_is_read_and_found_whole() {
    let tree = Tree::new();
    let layout = installed(&tree);
    let mut touch = Command::new("touch");
    touch.args(["-d", "2020-01-01"]).arg(tree.path(&layout.etcd()));
    assert!(touch.status().expect("touch").success());
    for shell in SHELLS {
        assert_eq!(hashed(&tree, shell), 1);
        assert_eq!(damage(&tree, shell), Some(Vec::new()));
    }
}

#[test]
fn a_changed_a_missing_and_an_open_file_are_named() {
    let tree = Tree::new();
    let layout = installed(&tree);
    tree.write(&layout.etcd(), "another server");
    fs::remove_file(tree.path(&layout.etcdctl())).expect("the file");
    for shell in SHELLS {
        assert_eq!(damage(&tree, shell), Some(vec!["etcd".to_owned(), "etcdctl".to_owned()]));
    }
    let open = installed(&tree).etcd();
    fs::set_permissions(tree.path(&open), PermissionsExt::from_mode(0o777)).expect("mode");
    assert_eq!(damage(&tree, SHELLS[0]), Some(vec!["etcd".to_owned()]));
}

#[test]
fn a_manifest_that_names_other_paths_is_damaged() {
    let tree = Tree::new();
    let layout = installed(&tree);
    tree.write("/opt/secret", "x");
    let manifest = fs::read_to_string(tree.path(&layout.manifest())).expect("a manifest");
    for line in ["file ../../../secret 0 0", "file etcd;id 0 0", "quorate 2"] {
        tree.write(&layout.manifest(), format!("{manifest}{line}\n"));
        for shell in SHELLS {
            assert_eq!(damage(&tree, shell), Some(vec!["manifest".to_owned()]), "{line}");
        }
    }
}

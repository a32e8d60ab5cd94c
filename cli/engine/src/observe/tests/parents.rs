//! The directories above those of a member, which etcd has to pass.

use std::os::unix::fs::PermissionsExt as _;

use test_kit::executable::executable;

use super::*;

/// A disk that is mounted elsewhere, and a symlink to it where the data was.
#[test]
fn what_a_symlink_above_a_member_leads_through_is_seen_too() {
    let tree = started_member();
    fs::create_dir_all(tree.path("/srv/disk")).expect("a directory");
    fs::rename(tree.path("/var/lib/etcd"), tree.path("/srv/disk/etcd")).expect("moved");
    symlink("../../srv/disk/etcd", tree.path("/var/lib/etcd")).expect("a link");
    let closed = fs::Permissions::from_mode(0o700);
    fs::set_permissions(tree.path("/srv/disk"), closed).expect("closed");
    for shell in SHELLS {
        let facts = tree.facts(shell);
        let modes: Vec<(&str, u32)> =
            facts.passed.iter().map(|(path, seen)| (path.as_str(), seen.mode)).collect();
        assert!(modes.contains(&("/srv/disk", 0o700)), "{shell:?}: {modes:?}");
        assert!(modes.iter().any(|(path, _)| *path == "/srv/disk/etcd"), "{modes:?}");
        // Each line of stat is still of its own path.
        let unit = member(&facts, "main").files[&layout("main").unit_file()].known();
        assert_eq!(unit.and_then(|unit| unit.text.as_deref()), Some("[Unit]\n"));
    }
}

/// Where not everybody may enter a directory, its access control list is asked for; else nothing is.
#[test]
fn whom_an_access_control_list_lets_in_is_seen() {
    let tree = started_member();
    fs::set_permissions(tree.path("/var/lib/etcd"), fs::Permissions::from_mode(0o710))
        .expect("closed");
    let facl = "#!/bin/sh\nfor path; do :; done\n[ \"$path\" = \"${path%/var/lib/etcd}\" ] || \
        printf '# file: /var/lib/etcd\\nuser::rwx\\nuser:etcd:--x\\nmask::--x\\nother::---\\n'\n";
    executable(&tree.root().join("bin/getfacl"), facl);
    for shell in SHELLS {
        let entered = tree.facts(shell).entered;
        let names =
            entered.get("/var/lib/etcd").unwrap_or_else(|| panic!("{shell:?}: {entered:?}"));
        assert!(names.contains("etcd"), "{shell:?}");
    }
    fs::set_permissions(tree.path("/var/lib/etcd"), fs::Permissions::from_mode(0o711))
        .expect("open");
    SHELLS.iter().for_each(|shell| assert!(tree.facts(shell).entered.is_empty(), "{shell:?}"));
}

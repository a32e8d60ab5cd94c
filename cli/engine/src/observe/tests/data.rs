//! What a data directory holds, and where it is from.

use std::os::unix::fs::symlink;
use std::process::Command;

use planner::facts::DataDirectory;

use super::{SHELLS, Tree, layout, member, started_member};

/// The beginning of a real log, of cluster c493978cb1e78762.
const LOG: [u8; 56] = [
    0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x84, 0x08, 0x04, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x1f, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x81, 0x08, 0x01, 0x10, 0xef, 0x93, 0xa1, 0xdd, 0x07,
    0x1a, 0x15, 0x08, 0xee, 0x8d, 0x8a, 0xfe, 0x9e, 0xfb, 0xa2, 0xd5, 0x2b, 0x10, 0xe2, 0x8e, 0x9e,
    0x8f, 0xcb, 0xf1, 0xe5, 0xc9, 0xc4, 0x01, 0x00,
];

fn data(tree: &Tree, shell: &[&str]) -> DataDirectory {
    member(&tree.facts(shell), "main").data.known().expect("its data").clone()
}

fn touched(tree: &Tree, path: &str, seconds: u32) {
    let mut touch = Command::new("touch");
    let done = touch.args(["-d", &format!("@{seconds}"), &tree.path(path)]).status();
    assert!(done.expect("touch").success());
}

#[test]
fn what_was_set_aside_and_what_a_file_system_has_are_no_data() {
    let tree = Tree::new();
    let root = layout("main").data_dir();
    let archive = format!("{}/20261128T120000Z-2baa8bd9efc286ee", layout("main").archive_dir());
    tree.write(&format!("{archive}/snap/db"), [1; 9000]);
    std::fs::create_dir_all(tree.path(&format!("{root}/lost+found"))).expect("a directory");
    for shell in SHELLS {
        let seen = data(&tree, shell);
        assert!(seen.empty && !seen.wal);
        let archives: Vec<_> = seen.archives.into_iter().collect();
        let [(name, bytes)] = &archives[..] else { panic!("{archives:?}") };
        assert_eq!(name, "20261128T120000Z-2baa8bd9efc286ee");
        assert!((9000..60_000).contains(bytes), "{bytes}");
    }
    tree.write(&format!("{root}/notes"), "mine");
    assert!(!data(&tree, SHELLS[0]).empty);
}

#[test]
fn names_of_ours_that_are_no_directories_are_data_of_others() {
    for name in ["archived", "lost+found"] {
        let tree = Tree::new();
        let path = format!("{}/{name}", layout("main").data_dir());
        tree.write(&path, "");
        assert!(!data(&tree, SHELLS[0]).empty, "a file {name}");
        std::fs::remove_file(tree.path(&path)).expect("it is there");
        symlink("/", tree.path(&path)).expect("a link");
        assert!(!data(&tree, SHELLS[0]).empty, "a link {name}");
        assert!(data(&tree, SHELLS[0]).archives.is_empty());
    }
}

#[test]
fn where_a_log_is_from_is_reported_until_its_member_was_in_a_quorum() {
    let tree = started_member();
    let main = layout("main");
    let first = format!("{}/0-0.wal", main.wal_dir());
    tree.write(&first, LOG);
    for shell in SHELLS {
        let origin = data(&tree, shell).origin;
        assert_eq!((origin.segments, origin.snapshots, origin.older_than_token), (1, 0, false));
        assert_eq!(origin.cluster_id.as_deref(), Some("c493978cb1e78762"));
    }
    tree.write(&format!("{}/1-1.wal", main.wal_dir()), "");
    tree.write(&format!("{}/snap/0-1.snap", main.member_dir()), "");
    tree.write(&format!("{}/snap/db", main.member_dir()), [1; 5000]);
    for log in ["0-0.wal", "1-1.wal"] {
        touched(&tree, &format!("{}/{log}", main.wal_dir()), 1_700_000_000);
    }
    touched(&tree, &main.token_file(), 1_700_000_001);
    for shell in SHELLS {
        let origin = data(&tree, shell).origin;
        assert_eq!((origin.segments, origin.snapshots, origin.database), (2, 1, 5000));
        assert!(origin.older_than_token);
    }
    touched(&tree, &format!("{}/1-1.wal", main.wal_dir()), 1_700_000_001);
    assert!(!data(&tree, SHELLS[0]).origin.older_than_token, "etcd still wrote to it");
    tree.write(&main.quorum_witness(), "");
    for shell in SHELLS {
        assert_eq!(data(&tree, shell).origin, Default::default());
    }
}

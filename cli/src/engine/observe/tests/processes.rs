//! Processes of a host, as they really run.

use std::process::{Child, Command, Stdio};

use super::{SHELLS, Tree};
use crate::engine::executable::executable;

/// Runs until its stdin ends, under the name `etcd`.
fn etcd(tree: &Tree, arguments: &[&str]) -> Child {
    let program = tree.root().join("etcd");
    Command::new(program).args(arguments).stdin(Stdio::piped()).spawn().expect("a process")
}

#[test]
fn whoever_only_says_its_version_is_no_etcd_that_runs() {
    let tree = Tree::new();
    executable(&tree.root().join("etcd"), "#!/bin/sh\nread -r line\n");
    let mut running = etcd(&tree, &["--name", "--version=1"]);
    let mut asked = etcd(&tree, &["--version"]);
    for shell in SHELLS {
        let seen: Vec<u32> =
            tree.facts(shell).etcd_processes.iter().map(|process| process.pid).collect();
        assert!(seen.contains(&running.id()), "{shell:?}: {seen:?}");
        assert!(!seen.contains(&asked.id()), "{shell:?}: {seen:?}");
    }
    for child in [&mut running, &mut asked] {
        drop(child.stdin.take());
        child.wait().expect("its end");
    }
}

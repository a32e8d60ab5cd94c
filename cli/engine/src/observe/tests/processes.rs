//! Processes of a host, as they really run.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{SHELLS, Tree, layout, member};
use test_kit::executable::executable;

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

/// A cluster name may hold dashes, and begin as another one's does.
#[test]
fn a_process_is_of_the_member_whose_data_it_has_and_of_no_other() {
    let tree = Tree::new();
    executable(&tree.root().join("etcd"), "#!/bin/sh\nread -r line\n");
    let main = layout("main").data_dir();
    let other = format!("--data-dir={}--events", tree.path(&main));
    let own = format!("--data-dir={}", tree.path(&main));
    for directory in [main.clone(), format!("{main}--events")] {
        std::fs::create_dir_all(tree.path(&directory)).expect("a directory");
    }
    let mut stranger = etcd(&tree, &["--name=etcd-1", &other, "--listen-peer-urls=x"]);
    for shell in SHELLS {
        assert!(member(&tree.facts(shell), "main").pod.is_absent(), "{shell:?}");
    }
    let mut running = etcd(&tree, &["--name=etcd-1", &own, "--listen-peer-urls=x"]);
    for shell in SHELLS {
        let pod = member(&tree.facts(shell), "main").pod.known().map(|pod| pod.pid);
        assert_eq!(pod, Some(running.id()), "{shell:?}");
    }
    for child in [&mut stranger, &mut running] {
        drop(child.stdin.take());
        child.wait().expect("its end");
    }
}

/// The inventory may say another port than the one that the process was started with.
#[test]
fn a_member_is_asked_where_its_process_listens() {
    let tree = Tree::new();
    executable(&tree.root().join("etcd"), "#!/bin/sh\nread -r line\n");
    let release = tree.path("/opt/quorate/etcd/3.6.16");
    std::fs::create_dir_all(&release).expect("a directory");
    executable(&Path::new(&release).join("etcdctl"), "#!/bin/sh\necho \"asked $*\"\n");
    let data = layout("main").data_dir();
    std::fs::create_dir_all(tree.path(&data)).expect("a directory");
    let own = format!("--data-dir={}", tree.path(&data));
    for (listens, asked) in [
        ("https://192.0.2.1:2479,https://127.0.0.1:2479", "https://127.0.0.1:2479"),
        ("https://192.0.2.1:2479", "https://192.0.2.1:2479"),
        ("https://192.0.2.1:2379,https://127.0.0.1:2379", "https://127.0.0.1:2379"),
        ("https://127.0.0.1:$(id)", "https://127.0.0.1:2379"),
        ("https://evil.example:1", "https://127.0.0.1:2379"),
    ] {
        let listens = format!("--listen-client-urls={listens}");
        let mut running = etcd(&tree, &["--name=etcd-1", &own, &listens, "--log-level=info"]);
        for shell in SHELLS {
            let records = tree.records(shell);
            let said = records.text("status:main").unwrap_or_default();
            assert!(said.contains(&format!("--endpoints={asked} ")), "{listens}: {said}");
        }
        drop(running.stdin.take());
        running.wait().expect("its end");
    }
}

/// After a change of the inventory nobody asks for that address by name.
#[test]
fn a_host_says_whether_it_has_the_address_at_which_a_process_listens() {
    let tree = Tree::new();
    executable(&tree.root().join("etcd"), "#!/bin/sh\nread -r line\n");
    let data = layout("main").data_dir();
    std::fs::create_dir_all(tree.path(&data)).expect("a directory");
    let own = format!("--data-dir={}", tree.path(&data));
    for (listens, stays) in [
        ("https://127.0.0.1:2380", Some("127.0.0.1")),
        ("https://192.0.2.1:2380", None),
        ("https://$(id):2380", None),
        ("https://evil.example:1", None),
    ] {
        let listens = format!("--listen-peer-urls={listens}");
        let mut running = etcd(&tree, &["--name=etcd-1", &own, &listens, "--log-level=info"]);
        for shell in SHELLS {
            let records = tree.records(shell);
            assert_eq!(records.text("stays:main").map(str::trim), stays, "{shell:?}: {listens}");
        }
        drop(running.stdin.take());
        running.wait().expect("its end");
    }
}

/// etcd's own authentication concerns the whole cluster: one member is asked what it forbids us.
#[test]
fn the_leader_alone_is_asked_whether_it_lets_us_read() {
    let tree = Tree::new();
    executable(&tree.root().join("etcd"), "#!/bin/sh\nread -r line\n");
    let release = tree.path("/opt/quorate/etcd/3.6.16");
    std::fs::create_dir_all(&release).expect("a directory");
    let data = layout("main").data_dir();
    std::fs::create_dir_all(tree.path(&data)).expect("a directory");
    let own = format!("--data-dir={}", tree.path(&data));
    let refusal = "Error: etcdserver: permission denied";
    for (leader, said, forbids_us) in [
        (7, refusal, true),
        (7, "Error: etcdserver: user name is empty", true),
        (7, "{\"header\":{\"member_id\":7}}", false),
        (7, "Error: context deadline exceeded", false),
        (77, refusal, false),
        (0, refusal, false),
    ] {
        let status = format!(
            "[{{\"Endpoint\":\"x\",\"Status\":{{\"header\":{{\"cluster_id\":9,\"member_id\":7,\"revision\":1}},\
             \"version\":\"3.6.16\",\"leader\":{leader},\"raftIndex\":1}}}}]"
        );
        executable(
            &Path::new(&release).join("etcdctl"),
            &format!(
                "#!/bin/sh\ncase \"$*\" in\n*' get '*) echo '{said}' ;;\n*) echo '{status}' ;;\nesac\n"
            ),
        );
        let mut running = etcd(&tree, &["--name=etcd-1", &own, "--log-level=info"]);
        for shell in SHELLS {
            let facts = tree.facts(shell);
            let seen = member(&facts, "main").etcd.known().expect("an answer");
            assert_eq!(seen.forbids_us, forbids_us, "{shell:?}: {leader} {said}");
            let asked = tree.records(shell).text("read:main").is_some();
            assert_eq!(asked, leader == 7, "{shell:?}: {leader}");
        }
        drop(running.stdin.take());
        running.wait().expect("its end");
    }
}

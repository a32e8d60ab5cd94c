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
fn an_etcd_that_only_prints_its_version_does_not_count_as_running() {
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

/// The journal has nothing of it. Where the inventory wants a unit, an old log says nothing.
#[test]
fn a_pod_that_keeps_ending_is_quoted_from_its_container_s_log() {
    let tree = Tree::new();
    let folder = "/var/log/pods/kube-system_etcd-main-h1_0f/etcd";
    let line = |text: &str| format!("2026-11-29T20:00:00.1Z stderr F {text}\n");
    tree.write(&format!("{folder}/1.log"), line("fatal: of the last start"));
    tree.write(&format!("{folder}/0.log"), line("fatal: of an earlier start"));
    let earlier = std::fs::File::options().write(true).open(tree.path(&format!("{folder}/0.log")));
    earlier.expect("a file").set_modified(std::time::UNIX_EPOCH).expect("a time");
    let said = |tree: &Tree| {
        SHELLS
            .map(|shell| member(&tree.facts(shell), "main").last_words.clone().unwrap_or_default())
    };
    assert_eq!(said(&tree), ["", ""]);
    tree.write(&layout("main").pod_manifest(), "kind: Pod\n");
    assert_eq!(said(&tree), ["fatal: of the last start"; 2]);
}

/// The kubelet names pods for their node, here the host.
#[test]
fn a_pod_is_not_quoted_for_a_cluster_whose_name_begins_its_own() {
    let tree = Tree::new();
    let node = Command::new("uname").arg("-n").output().expect("a name").stdout;
    let node = String::from_utf8(node).expect("a name").trim().to_lowercase();
    let log = |pod: &str| format!("/var/log/pods/kube-system_{pod}-{node}_0f/etcd/0.log");
    let line = |text: &str| format!("2026-11-29T20:00:00.1Z stderr F {text}\n");
    tree.write(&layout("main").pod_manifest(), "kind: Pod\n");
    let said = |shell| member(&tree.facts(shell), "main").last_words.clone();
    tree.write(&log("etcd-main-events"), line("fatal: of main-events"));
    assert_eq!(SHELLS.map(said), [None, None]);
    tree.write(&log("etcd-main"), line("fatal: of main"));
    tree.write(&log("etcd-main-events"), line("fatal: of main-events, later"));
    assert_eq!(SHELLS.map(said), [(); 2].map(|()| Some("fatal: of main".to_owned())));
}

/// A value may be secret, and an image's variable counts only for etcd.
#[test]
fn the_settings_that_an_image_gives_a_pod_are_seen_by_their_names() {
    let tree = Tree::new();
    executable(&tree.root().join("etcd"), "#!/bin/sh\nread -r line\n");
    let data = layout("main").data_dir();
    std::fs::create_dir_all(tree.path(&data)).expect("a directory");
    let mut running = Command::new(tree.root().join("etcd"))
        .args([
            "--name=etcd-1",
            &format!("--data-dir={}", tree.path(&data)),
            "--listen-peer-urls=x",
        ])
        .env_clear()
        .envs([("ETCD_NAME", ""), ("ETCD_QUOTA_BACKEND_BYTES", "hunter2"), ("ETCDCTL_API", "3")])
        .envs([("QUORATE_MANIFEST", "0f"), ("MY_ETCD_NAME", "x"), ("PATH", "/usr/bin:/bin")])
        .stdin(Stdio::piped())
        .spawn()
        .expect("a process");
    for shell in SHELLS {
        let records = format!("{:?}", tree.records(shell));
        assert!(!records.contains("hunter2"), "{records}");
        let facts = tree.facts(shell);
        let pod = member(&facts, "main").pod.known().expect("a pod");
        let names: Vec<&str> = pod.settings.iter().map(String::as_str).collect();
        assert_eq!(names, ["ETCD_NAME", "ETCD_QUOTA_BACKEND_BYTES"], "{shell:?}");
        assert_eq!(pod.manifest, "0f");
    }
    drop(running.stdin.take());
    running.wait().expect("its end");
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

/// A host with a member of this version whose leader has this id, and whose etcdctl answers so to what this shell pattern
/// fits.
fn with_answers(
    tree: &Tree,
    (version, leader): (&str, u64),
    (asked, said): (&str, &str),
    look: impl FnOnce(),
) {
    executable(&tree.root().join("etcd"), "#!/bin/sh\nread -r line\n");
    let release = tree.path("/opt/quorate/etcd/3.6.16");
    std::fs::create_dir_all(&release).expect("a directory");
    let data = tree.path(&layout("main").data_dir());
    std::fs::create_dir_all(&data).expect("a directory");
    let status = format!(
        "[{{\"Endpoint\":\"x\",\"Status\":{{\"header\":{{\"cluster_id\":9,\"member_id\":7,\"revision\":1}},\
         \"version\":\"{version}\",\"leader\":{leader},\"raftIndex\":1}}}}]"
    );
    executable(
        &Path::new(&release).join("etcdctl"),
        &format!(
            "#!/bin/sh\ncase \"$*\" in\n{asked}) echo '{said}' ;;\n*) echo '{status}' ;;\nesac\n"
        ),
    );
    let own = format!("--data-dir={data}");
    let mut running = etcd(tree, &["--name=etcd-1", &own, "--log-level=info"]);
    look();
    drop(running.stdin.take());
    running.wait().expect("its end");
}

/// etcd's own authentication concerns the whole cluster: one member is asked what it forbids us.
#[test]
fn the_leader_alone_is_asked_whether_it_lets_us_read() {
    let tree = Tree::new();
    let refusal = "Error: etcdserver: permission denied";
    for (leader, said, forbids_us) in [
        (7, refusal, true),
        (7, "Error: etcdserver: user name is empty", true),
        (7, "{\"header\":{\"member_id\":7}}", false),
        (7, "Error: context deadline exceeded", false),
        (77, refusal, false),
        (0, refusal, false),
    ] {
        with_answers(&tree, ("3.6.16", leader), ("*' get '*", said), || {
            for shell in SHELLS {
                let facts = tree.facts(shell);
                let seen = member(&facts, "main").etcd.known().expect("an answer");
                assert_eq!(seen.forbids_us, forbids_us, "{shell:?}: {leader} {said}");
                let asked = tree.records(shell).text("read:main").is_some();
                assert_eq!(asked, leader == 7, "{shell:?}: {leader}");
            }
        });
    }
}

/// etcd 3.4 has no question for it, and only its upgrade depends on the answer.
#[test]
fn a_member_of_3_4_is_asked_whether_its_authentication_is_on() {
    let tree = Tree::new();
    let off = "{\"header\":{\"cluster_id\":9,\"member_id\":7}}";
    let on = "Error: etcdserver: authentication failed, invalid user ID or password";
    for (version, said, expected) in [
        ("3.4.23", off, "Known(false)"),
        ("3.4.23", on, "Known(true)"),
        ("3.4.23", "Error: context deadline exceeded", "Unknown"),
        ("3.5.35", on, "Absent"),
    ] {
        with_answers(&tree, (version, 8), ("*--user=*' get '*", said), || {
            for shell in SHELLS {
                let facts = tree.facts(shell);
                let seen = member(&facts, "main").etcd.known().expect("an answer");
                let told = format!("{:?}", seen.authentication);
                assert!(told.starts_with(expected), "{shell:?}: {version} {said}: {told}");
            }
        });
    }
}

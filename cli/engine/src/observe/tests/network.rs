//! Which addresses are the host's own, and which of its ports are taken.

use std::collections::BTreeSet;

use super::*;
use test_kit::executable::executable;

fn answers(tree: &Tree, ip: &str) {
    executable(&tree.root().join("bin/ip"), &format!("#!/bin/sh\ncat >/dev/null\n{ip}\n"));
}

/// On a formed cluster as well: a login may lead elsewhere at any time.
#[test]
fn the_addresses_of_members_that_the_host_has_are_those_with_a_local_route() {
    let tree = begun();
    tree.write(&layout("main").marker(), "{}");
    tree.write(&layout("events").marker(), "{}");
    answers(
        &tree,
        "echo 'local 192.0.2.1 dev lo src 192.0.2.1 uid 0 \\ cache <local>'\n\
         echo 'local 192.0.2.77 dev lo src 192.0.2.77 uid 0'\n\
         echo '192.0.2.2 dev eth0 src 192.0.2.1 uid 0'\n\
         echo 'RTNETLINK answers: Network is unreachable'\necho 'Command failed -:3'",
    );
    for shell in SHELLS {
        let own = BTreeSet::from(["192.0.2.1".parse().unwrap()]);
        assert_eq!(tree.facts(shell).addresses, Observed::Known(own), "{shell:?}");
    }
    answers(&tree, "echo 'RTNETLINK answers: Network is unreachable'\necho 'Command failed -:1'");
    for shell in SHELLS {
        assert_eq!(tree.facts(shell).addresses, Observed::Known(BTreeSet::new()), "{shell:?}");
    }
}

#[test]
fn an_ip_that_can_not_say_it_leaves_the_addresses_unknown() {
    let tree = begun();
    for said in ["exit 1", "echo 'ip: unrecognized option: force'"] {
        answers(&tree, said);
        for shell in SHELLS {
            let addresses = tree.facts(shell).addresses;
            assert!(matches!(addresses, Observed::Unknown(_)), "{shell:?}: {addresses:?}");
        }
    }
}

/// Of a formed cluster ports matter while a member does not have all of its own.
#[test]
fn ports_of_a_formed_member_are_looked_at_until_its_process_has_them() {
    let tree = begun();
    tree.write(&layout("main").marker(), "{}");
    tree.write(&layout("events").marker(), "{}");
    let taken = "LISTEN 0 1 127.0.0.1:2381 0.0.0.0:* users:((\"java\",pid=7,fd=1))";
    executable(&tree.root().join("bin/ss"), &format!("#!/bin/sh\necho '{taken}'\n"));
    executable(&tree.root().join("etcd"), "#!/bin/sh\nread -r line\n");
    let ports = |shell| match tree.facts(shell).listeners {
        Observed::Known(all) => all.iter().map(|at| at.port).collect::<Vec<_>>(),
        Observed::Absent => Vec::new(),
        Observed::Unknown(why) => panic!("{why}"),
    };
    let run = |cluster: &str, [client, peer, metrics]: [u16; 3]| {
        let data = tree.path(&layout(cluster).data_dir());
        fs::create_dir_all(&data).expect("a directory");
        Command::new(tree.root().join("etcd"))
            .arg(format!("--data-dir={data}"))
            .arg(format!("--listen-peer-urls=https://192.0.2.1:{peer}"))
            .arg(format!(
                "--listen-client-urls=https://192.0.2.1:{client},https://127.0.0.1:{client}"
            ))
            .arg(format!("--listen-metrics-urls=http://127.0.0.1:{metrics}"))
            .arg("--quota-backend-bytes=1")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("a process")
    };
    let end = |mut child: std::process::Child| {
        drop(child.stdin.take());
        child.wait().expect("its end");
    };
    executable(
        &tree.root().join("bin/ss"),
        "#!/bin/sh\necho 'Cannot open netlink socket' >&2\nexit 1\n",
    );
    for shell in SHELLS {
        let facts = tree.facts(shell);
        assert!(matches!(facts.listeners, Observed::Unknown(_)), "the host is seen: {shell:?}");
    }
    executable(&tree.root().join("bin/ss"), &format!("#!/bin/sh\necho '{taken}'\n"));
    let events = run("events", [2382, 2383, 2384]);
    SHELLS.iter().for_each(|shell| assert_eq!(ports(shell), [2381], "main is down: {shell:?}"));
    let main = run("main", [2379, 2380, 12381]);
    SHELLS.iter().for_each(|shell| assert_eq!(ports(shell), [2381], "other ports: {shell:?}"));
    end(main);
    let main = run("main", [2379, 2380, 2381]);
    SHELLS.iter().for_each(|shell| assert_eq!(ports(shell), [0_u16; 0], "{shell:?}"));
    end(main);
    end(events);
}

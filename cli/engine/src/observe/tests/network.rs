//! Which addresses are the host's own, and which of its ports are taken.

use std::collections::BTreeSet;

use planner::facts::Caller;

use super::*;
use test_kit::executable::executable;

fn answers(tree: &Tree, ip: &str) {
    executable(&tree.root().join("bin/ip"), &format!("#!/bin/sh\ncat >/dev/null\n{ip}\n"));
}

/// On a formed cluster as well: a login may lead elsewhere at any time.
#[test]
fn the_addresses_of_members_that_the_host_has_are_those_with_a_local_route() {
    let tree = started_member();
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
    let tree = started_member();
    for said in ["exit 1", "echo 'ip: unrecognized option: force'"] {
        answers(&tree, said);
        for shell in SHELLS {
            let addresses = tree.facts(shell).addresses;
            assert!(matches!(addresses, Observed::Unknown(_)), "{shell:?}: {addresses:?}");
        }
    }
}

/// In a formed cluster ports matter only while a member does not listen on all of its own.
#[test]
fn ports_of_a_formed_member_are_looked_at_until_its_process_has_them() {
    let tree = started_member();
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

/// What `ss` prints where it is asked for connections to the members' ports.
fn connected(tree: &Tree, lines: &str) {
    let asked = "-Htn state established ( sport = :2379 or sport = :2380 or sport = :2381 or sport = :2382 or \
                 sport = :2383 or sport = :2384 )";
    let script = format!("#!/bin/sh\n[ \"$*\" = '{asked}' ] || exit 0\ncat <<'END'\n{lines}END\n");
    executable(&tree.root().join("bin/ss"), &script);
}

#[test]
fn whoever_is_connected_to_a_member_is_seen_once_and_the_host_itself_is_not() {
    let tree = started_member();
    connected(
        &tree,
        "0      0      192.0.2.1:2379  192.0.2.9:35318\n\
         0      71     192.0.2.1:2379  192.0.2.9:35320       \n\
         0      0      192.0.2.1:2380  192.0.2.2:40000\n\
         0      0      127.0.0.1:2379  127.0.0.1:40001\n\
         0      0      192.0.2.1:2379  192.0.2.1:40002\n\
         0      0      [::ffff:192.0.2.1]:2382 [::ffff:192.0.2.8]:40003\n\
         0      0      [fd00::1]:2382 [fd00::9]:40004\n\
         0      0      [fe80::1%eth0]:2382 [fe80::9%eth0]:40005\n",
    );
    let caller = |port: u16, from: &str| Caller { port, from: from.parse().unwrap() };
    let wanted = [
        caller(2379, "192.0.2.9"),
        caller(2380, "192.0.2.2"),
        caller(2382, "192.0.2.8"),
        caller(2382, "fd00::9"),
        caller(2382, "fe80::9"),
    ];
    for shell in SHELLS {
        let seen = tree.facts(shell).callers;
        assert_eq!(seen, Observed::Known(BTreeSet::from(wanted)), "{shell:?}");
    }
    connected(&tree, "");
    for shell in SHELLS {
        assert_eq!(tree.facts(shell).callers, Observed::Known(BTreeSet::new()), "{shell:?}");
    }
}

/// Nobody is known to be cut off where nobody could look.
#[test]
fn an_ss_that_can_not_say_who_is_connected_leaves_the_callers_unknown() {
    let tree = started_member();
    executable(&tree.root().join("bin/ss"), "#!/bin/sh\nexit 1\n");
    for shell in SHELLS {
        let seen = tree.facts(shell).callers;
        assert!(matches!(seen, Observed::Unknown(_)), "{shell:?}: {seen:?}");
    }
    let of = |line: &str| {
        let reply = format!("callers {}\n{line}\n", line.len());
        super::super::network::callers(&Records::parse(reply.as_bytes()).unwrap(), &[2379].into())
    };
    for odd in [
        "192.0.2.1:2379",
        "192.0.2.1 192.0.2.9",
        "a:2379 192.0.2.9",
        "192.0.2.1:x 192.0.2.9",
        "192.0.2.1:2379 b",
    ] {
        assert!(matches!(of(odd), Observed::Unknown(_)), "{odd}");
    }
}

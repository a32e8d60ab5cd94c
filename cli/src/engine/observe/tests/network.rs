//! Which addresses are the host's own.

use std::collections::BTreeSet;

use super::*;
use crate::engine::executable::executable;

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

//! Members that DNS named are listed by their addresses.

use super::bench::{Bench, Run, on_each_shell};
use crate::script;
use test_kit::executable::executable;

/// A member that keeps its peer URL in a file. While `busy` holds a line, a change is dropped without
/// a word, as etcd does while another one is not settled.
const ETCDCTL: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
case "$*" in
*"endpoint status"*) printf '"MemberID" : 10276657743932975437\n' ;;
*"member list"*)
    echo "91bc3c398fb3c146, started, etcd-1, https://10.0.0.1:2380, https://10.0.0.1:2379, false"
    echo "8e9e05c52164694d, started, etcd-2, $(cat url), https://10.0.0.2:2379, false"
    ;;
*"member update 8e9e05c52164694d --peer-urls="*)
    echo update >>updates
    if [ -s busy ]; then : >busy; exit 0; fi
    [ ! -e refuses ] || { echo "etcdserver: peer URLs are already in use" >&2; exit 1; }
    echo "${*##*--peer-urls=}" >url
    ;;
*) exit 64 ;;
esac
"#;

fn member(bench: &Bench, url: &str) {
    executable(&bench.path("etcdctl"), ETCDCTL);
    bench.write("url", url);
}

fn list(bench: &Bench) -> Run<'static> {
    let etcdctl = bench.arg("etcdctl");
    let args = [etcdctl.as_str(), "ca", "cert", "key", "https://own", "https://10.0.0.2:2380"];
    Run::unguarded(script::LIST_BY_ADDRESS, &args)
}

#[test]
fn a_member_is_listed_by_its_address_and_reported_once() {
    on_each_shell(|bench| {
        member(bench, "https://etcd-2.lab.test:2380");
        assert_eq!(bench.done(&list(bench)), "changed");
        assert_eq!(bench.read("url").trim(), "https://10.0.0.2:2380");
        assert_eq!(bench.done(&list(bench)), "already");
        assert_eq!(bench.read("updates"), "update\n");
    });
}

#[test]
fn a_change_that_etcd_dropped_is_made_again() {
    on_each_shell(|bench| {
        member(bench, "https://etcd-2.lab.test:2380");
        bench.write("busy", "yes\n");
        assert_eq!(bench.done(&list(bench)), "changed");
        assert_eq!(bench.read("updates"), "update\nupdate\n");
    });
}

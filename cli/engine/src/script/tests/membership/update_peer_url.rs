//! A member that moves is listed at its new peer URL before it is there.

use super::{LIST, URL, asked, cluster, fails};
use crate::script;
use crate::script::tests::bench::{Bench, Run, on_each_shell};

const NEW: &str = "https://10.0.0.9:2380";

fn update(bench: &Bench) -> Run<'static> {
    let etcdctl = bench.arg("etcdctl");
    let args = [etcdctl.as_str(), "ca", "cert", "key", "c3", NEW, "20", "1", "2"];
    Run::unguarded(script::UPDATE_PEER_URL, &args)
}

#[test]
fn a_peer_url_is_updated_once() {
    on_each_shell(|bench| {
        cluster(bench);
        assert_eq!(bench.done(&update(bench)), "changed");
        let moved = format!("c3, started, etcd-3, {NEW}, https://10.0.0.3:2379, false");
        assert_eq!(bench.read("list").lines().last(), Some(moved.as_str()));
        assert_eq!(bench.done(&update(bench)), "already");
        assert_eq!(asked(bench), [format!("1 update c3 --peer-urls={NEW}")]);
    });
}

/// The other one has the address still: that it is listed is not what was asked for.
#[test]
fn the_peer_url_of_another_member_is_not_taken_for_ours() {
    on_each_shell(|bench| {
        cluster(bench);
        bench.write("list", &LIST.replace("10.0.0.2:2380", "10.0.0.9:2380"));
        let said = fails(&bench.run(&update(bench)));
        let words = format!("the cluster does not list member c3 at {NEW}");
        assert!(said.contains(&words) && said.contains("Peer URLs already exists"), "{said}");
        assert_eq!(asked(bench).len(), 1, "nothing will change while it is asked again");
        assert!(bench.read("list").contains(&format!("c3, started, etcd-3, {URL}, ")));
    });
}

#[test]
fn a_second_peer_url_beside_the_new_one_goes() {
    on_each_shell(|bench| {
        cluster(bench);
        bench.write("list", &LIST.replace(URL, &format!("{URL},{NEW}")));
        assert_eq!(bench.done(&update(bench)), "changed");
        assert!(bench.read("list").contains(&format!("c3, started, etcd-3, {NEW}, ")));
    });
}

#[test]
fn an_update_that_etcd_dropped_or_refused_for_now_is_asked_for_again() {
    on_each_shell(|bench| {
        cluster(bench);
        bench.write("replies", "drop\netcdserver: leader changed\n");
        assert_eq!(bench.done(&update(bench)), "changed");
        assert_eq!(asked(bench).len(), 3);
    });
}

#[test]
fn a_member_that_is_no_longer_listed_gets_no_peer_url() {
    on_each_shell(|bench| {
        cluster(bench);
        super::without(bench, "c3");
        let said = fails(&bench.run(&update(bench)));
        assert!(said.contains("member not found"), "{said}");
    });
}

#[test]
fn no_peer_url_is_updated_where_nobody_says_who_is_a_member() {
    on_each_shell(|bench| {
        cluster(bench);
        bench.write("at-1", "161 0 100");
        super::silence(bench, "2");
        let said = fails(&bench.run(&update(bench)));
        assert!(said.contains("1 knows no leader; 2 does not answer"), "{said}");
        assert_eq!(asked(bench), [""; 0]);
    });
}

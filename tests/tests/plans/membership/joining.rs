//! How a member that was added joins.

use quorate_tests::fault::Fault;
use quorate_tests::site::plain;
use quorate_tests::world::Log;

use super::{Site, pods, rows};

#[test]
fn a_member_joins_only_as_the_list_has_it() {
    for shape in [plain(3), pods()] {
        let refused = |change: fn(&mut Site), words: &str| {
            let mut site = Site::added(&shape);
            change(&mut site);
            let said = site.start().unwrap_err();
            assert!(said.contains(words), "{said}");
            assert!(site.member().process.is_none() && site.member().log.is_none());
        };
        refused(|site| drop(rows(site).pop()), "member count is unequal");
        refused(
            |site| rows(site)[2].peer_url = "https://10.77.0.99:2380".to_owned(),
            "no match found for existing member",
        );
        refused(
            |site| rows(site)[2].name = "etcd-2".to_owned(),
            "member has already been bootstrapped",
        );
    }
}

/// A unit that joins is like one that forms: it starts without a log as long as it never saw a quorum.
#[test]
fn a_member_that_joined_once_does_not_join_again() {
    let mut site = Site::joined(&plain(3));
    assert!(site.member().quorum_seen);
    site.strike(Fault::DiskLost);
    let said = site.start().unwrap_err();
    assert!(said.starts_with("guard: "), "{said}");
    // Also where the others never heard its name.
    rows(&mut site)[2].name.clear();
    site.world.boot(&site.failed);
    assert_eq!(site.member().process, None);
}

#[test]
fn a_joined_log_is_of_the_same_bootstrap() {
    let log = Log::new("a".to_owned(), "t".to_owned(), "a=u,b=v".to_owned());
    let joined = log.joined("b".to_owned(), "77".to_owned());
    assert_eq!((joined.cluster_id(), joined.member_id()), (log.cluster_id(), "77".to_owned()));
    assert_eq!(joined.initial_cluster, log.initial_cluster);
}

//! What a real host said, whole, with parts left out, and damaged.

use inventories::AccountName;
use inventories::inventory::Arch;
use planner::facts::{HostFacts, Machine};
use proptest::prelude::*;
use templates::layout::PkiFile;

use super::super::unread::Unread;
use super::{Records, host, layout, member, now, request_of};
use test_kit::hostile;

/// A reply of a real host that runs a member of three, as it came.
fn captured() -> Records {
    Records::parse(include_bytes!("../captured/formed.txt")).expect("records")
}

fn captured_facts(records: &Records) -> Result<HostFacts, Unread> {
    let request = request_of(
        r#"
        [site]
        name = "lab"
        [hosts.etcd-1]
        address = "10.77.1.11"
        [hosts.etcd-2]
        address = "10.77.1.12"
        [hosts.etcd-3]
        address = "10.77.1.13"
        [clusters.main]
        version = "3.6.16"
        members = ["etcd-1", "etcd-2", "etcd-3"]
        [pki]
        plain-keys = true
        [release.sha256]
        "3.6.16-amd64" = "0000000000000000000000000000000000000000000000000000000000000000"
    "#,
    );
    host::seen(&request, records, now()).map(|seen| seen.facts)
}

#[test]
fn a_real_member_is_seen_whole() {
    let facts = captured_facts(&captured()).expect("facts");
    let Machine { arch, distribution, systemd, missing_tools, cores, .. } = &facts.machine;
    assert_eq!((arch, *systemd, *cores), (&Ok(Arch::Amd64), Some(252), 2));
    assert_eq!(distribution, "Debian GNU/Linux 12 (bookworm)");
    assert!(missing_tools.is_empty());
    assert_eq!(
        facts.account(&AccountName::default()).known().map(|user| user.group.as_str()),
        Some("etcd")
    );
    assert_eq!(facts.site.known().map(ToString::to_string).as_deref(), Some("lab"));
    assert!(facts.releases.values().all(|r| r.known().is_some_and(|r| r.damaged.is_empty())));

    let main = member(&facts, "main");
    let unit = main.unit.known().expect("a unit");
    assert!(unit.is_up() && unit.enabled && !unit.needs_reload);
    assert_eq!(facts.etcd_processes[0].pid, unit.main_pid);
    assert_eq!(facts.etcd_processes[0].unit.as_deref(), Some("etcd-main.service"));
    let running = main.running.known().expect("arguments");
    assert_eq!(running[0], "--name=etcd-1");
    let etcd = main.etcd.known().expect("an answer");
    let marker = main.marker.known().expect("a marker");
    assert_eq!((&etcd.cluster_id, &etcd.member_id), (&marker.cluster_id, &marker.member_id));
    assert_eq!(etcd.members.known().map(Vec::len), Some(3));
    assert!(main.quorum_seen && main.data.known().is_some_and(|data| data.wal));
    for file in PkiFile::ALL {
        let seen = main.files[&layout("main").pki_file(file)].known().expect("a file");
        let key = file.name().ends_with(".key");
        assert_eq!((seen.text.is_some(), main.certificate(file).is_some()), (!key, !key));
        assert_eq!(seen.mode, if key { 0o600 } else { 0o644 });
    }
}

#[test]
fn a_missing_record_is_never_an_absence() {
    let whole = captured_facts(&captured()).expect("facts");
    for missing in captured().keys() {
        let records = captured().map(|key, body| (key != missing).then_some(body));
        let Ok(facts) = captured_facts(&records) else { continue };
        for (name, seen) in &facts.clusters {
            let before = &whole.clusters[name];
            let became_absent = [
                seen.unit.is_absent() && !before.unit.is_absent(),
                seen.data.is_absent() && !before.data.is_absent(),
                seen.etcd.is_absent() && !before.etcd.is_absent(),
                seen.running.is_absent() && !before.running.is_absent(),
                seen.marker.is_absent() && !before.marker.is_absent(),
            ];
            assert!(!became_absent.contains(&true), "without {missing}: {seen:#?}");
            assert!(seen.quorum_seen || !before.quorum_seen, "without {missing}");
        }
        assert!(!facts.account(&AccountName::default()).is_absent(), "without {missing}");
        assert!(!facts.site.is_absent(), "without {missing}");
    }
}

/// Between one question about a process and the next it may end.
#[test]
fn a_process_that_ended_meanwhile_has_no_arguments() {
    let records =
        captured().map(|key, body| Some(if key == "argv:main" { Vec::new() } else { body }));
    let facts = captured_facts(&records).expect("facts");
    assert!(member(&facts, "main").running.is_absent());
}

/// Reads a reply as it came over the connection.
fn check(reply: &[u8]) {
    if let Ok(records) = Records::parse(reply) {
        let _ = captured_facts(&records);
    }
}

#[test]
fn the_corpus_is_read_without_panic() {
    for (name, bytes) in hostile::corpus("facts") {
        eprintln!("{name}");
        check(&bytes);
    }
}

proptest! {
    #[test]
    fn a_damaged_reply_is_read_without_panic(
        reply in hostile::damaged(vec![include_bytes!("../captured/formed.txt").to_vec()]),
    ) {
        check(&reply);
    }

    #[test]
    fn a_damaged_record_is_read_without_panic(
        (key, body) in prop::sample::select(captured().keys()).prop_flat_map(|key| {
            let whole = captured().bytes(&key).unwrap_or_default().to_vec();
            (Just(key), hostile::damaged(vec![whole]))
        }),
    ) {
        let records = captured().map(|name, old| Some(if name == key { body.clone() } else { old }));
        let _ = captured_facts(&records);
    }

    #[test]
    fn no_reply_makes_the_reading_panic(
        at in any::<prop::sample::Index>(),
        body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..60),
            "[0-9a-f :./'\\n-]{0,60}".prop_map(String::into_bytes),
        ],
    ) {
        let keys = captured().keys();
        let changed = at.get(&keys);
        let records = captured().map(|key, old| Some(if key == *changed { body.clone() } else { old }));
        let _ = captured_facts(&records);
    }
}

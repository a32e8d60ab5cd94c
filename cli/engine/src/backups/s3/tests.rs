//! What becomes of a backup where the server or the way to it fails.

mod server;

use std::io::{self, Read as _, Write as _};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rusty_s3::Credentials;
use time::macros::datetime;

use self::server::{Fault, Server};
use super::Bucket;
use super::client::{Client, Patience};
use crate::backups::name::{FileName, part_of};
use crate::backups::store::{Store, Stored};
use crate::backups::tests::id;

const BUSY: Fault = Fault::Refuse(503, "SlowDown");
const DENIED: Fault = Fault::Refuse(403, "AccessDenied");
const SECRET: &str = "wJalrXUtnFEMI";

/// Longer than two parts, and no part like another.
fn content() -> Vec<u8> {
    let block: Vec<u8> =
        (0_u32..1 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut content = block.repeat(17);
    content.chunks_mut(1 << 20).zip(0..).for_each(|(block, number)| block[0] = number);
    content
}

fn store(server: &Server, prefix: &str) -> Store {
    patient(server, prefix, Duration::from_secs(30))
}

fn patient(server: &Server, prefix: &str, all: Duration) -> Store {
    let target = server.target(prefix);
    let client = Client::new(&target, None, Credentials::new("AKIA", SECRET)).unwrap();
    let wait = Duration::from_millis(10);
    let client = client.within(Patience { once: all / 2, all, wait, tries: 4 });
    let client = Mutex::new(Some(Arc::new(client)));
    let bucket = Bucket { target, ca_file: None, look: |_| None, client };
    Store::S3 { name: "s3://bucket".to_owned(), bucket: Arc::new(bucket) }
}

fn write(store: &Store, name: &str, content: &[u8]) -> io::Result<()> {
    let mut upload = store.stage(name)?;
    content.chunks(1_000_000).try_for_each(|piece| upload.write_all(piece))?;
    upload.publish()
}

fn read(store: &Store, name: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    store.open(name)?.read_to_end(&mut bytes).map(|_| bytes)
}

fn nothing_is_left(server: &Server) {
    let state = server.state.lock().unwrap();
    assert!(state.uploads.is_empty(), "{:?}", state.uploads.keys());
}

#[test]
fn what_is_written_is_what_is_read_and_replaces_nothing() {
    let server = Server::start();
    let store = store(&server, "etcd/prod");
    let content = content();
    write(&store, "one", &content).unwrap();
    store.put("two", b"small").unwrap();
    assert_eq!(server.objects().keys().collect::<Vec<_>>(), ["etcd/prod/one", "etcd/prod/two"]);
    assert!(read(&store, "one").unwrap() == content);
    assert_eq!(store.read("two", 5).unwrap(), b"small");
    assert!(store.read("two", 4).is_err());
    for name in ["one", "two"] {
        let again = [write(&store, name, b"other"), store.put(name, b"other")];
        for error in again.map(Result::unwrap_err) {
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{error}");
        }
    }
    assert_eq!(store.read("two", 5).unwrap(), b"small");
    nothing_is_left(&server);
    assert_eq!(store.open("none").unwrap_err().kind(), io::ErrorKind::NotFound);
    write(&store, "empty", b"").unwrap();
    assert_eq!(read(&store, "empty").unwrap(), b"");
    store.remove("one").unwrap();
    store.remove("one").unwrap();
    assert!(store.open("one").is_err());
}

#[test]
fn a_server_that_is_busy_or_loses_answers_is_asked_again() {
    let content = content();
    for fault in [BUSY, Fault::Cut, Fault::Lose] {
        let server = Server::start();
        let store = store(&server, "");
        let kinds = ["begin", "part", "part", "complete", "put", "get", "get"];
        server.faults(&kinds.map(|kind| (kind, fault)));
        write(&store, "one", &content).unwrap();
        store.put("two", b"small").unwrap();
        assert!(read(&store, "one").unwrap() == content, "{fault:?}");
        assert_eq!(server.objects()["two"], b"small");
        nothing_is_left(&server);
        assert!(server.state.lock().unwrap().faults.is_empty());
    }
}

#[test]
fn a_server_that_stays_busy_is_given_up_soon_and_keeps_nothing() {
    let content = content();
    for (kind, fault) in [
        ("part", BUSY),
        ("complete", BUSY),
        ("part", Fault::Cut),
        ("complete", Fault::Cut),
        ("part", Fault::Hang(Duration::from_secs(60))),
    ] {
        let server = Server::start();
        let store = patient(&server, "", Duration::from_secs(4));
        store.put("former", b"former").unwrap();
        server.faults(&[(kind, fault); 4]);
        let began = Instant::now();
        let error = write(&store, "one", &content).unwrap_err().to_string();
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
        assert!(error.contains("503: SlowDown") || error.contains("no answer"), "{error}");
        assert_eq!(server.objects().keys().collect::<Vec<_>>(), ["former"]);
        nothing_is_left(&server);
    }
}

#[test]
fn what_is_refused_in_the_middle_is_aborted_and_not_tried_again() {
    for kind in ["begin", "part", "complete"] {
        let server = Server::start();
        let store = store(&server, "");
        server.faults(&[(kind, DENIED)]);
        let error = write(&store, "one", &content()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
        assert!(server.objects().is_empty());
        nothing_is_left(&server);
        let state = server.state.lock().unwrap();
        let asked = state.asked.iter().filter(|asked| *asked == kind).count();
        assert!(asked <= if kind == "part" { 2 } else { 1 }, "{:?}", state.asked);
    }
}

#[test]
fn an_upload_that_is_dropped_is_aborted() {
    let server = Server::start();
    let store = store(&server, "");
    let mut upload = store.stage("one").unwrap();
    upload.write_all(&content()).unwrap();
    assert_eq!(server.state.lock().unwrap().uploads.len(), 1);
    drop(upload);
    nothing_is_left(&server);
}

#[test]
fn a_completion_that_fails_after_its_status_is_no_object() {
    let server = Server::start();
    let store = store(&server, "");
    server.faults(&[("complete", Fault::Refuse(200, "InternalError"))]);
    let error = write(&store, "one", b"content").unwrap_err().to_string();
    assert!(error.contains("does not say that the upload is complete"), "{error}");
    assert!(server.objects().is_empty());
    nothing_is_left(&server);
}

#[test]
fn a_server_without_conditions_gets_none() {
    let server = Server::start();
    let store = store(&server, "");
    let none = Fault::Refuse(501, "NotImplemented");
    server.faults(&[("complete", none), ("put", none)]);
    write(&store, "one", b"content").unwrap();
    store.put("two", b"small").unwrap();
    assert_eq!(server.objects().len(), 2);
}

#[test]
fn an_answer_that_is_cut_is_asked_for_again_and_a_shorter_one_is_none() {
    let server = Server::start();
    let store = store(&server, "");
    let content = content();
    write(&store, "one", &content).unwrap();
    server.faults(&[("get", Fault::Half), ("get", Fault::Half)]);
    assert!(read(&store, "one").unwrap() == content);
    server.faults(&[("get", Fault::Short)]);
    let error = read(&store, "one").unwrap_err().to_string();
    assert!(error.contains("not the requested part of the object"), "{error}");
}

#[test]
fn an_object_that_changes_while_it_is_read_is_not_read_on() {
    let server = Server::start();
    let store = store(&server, "");
    let content = content();
    write(&store, "one", &content).unwrap();
    let mut reading = store.open("one").unwrap();
    server.state.lock().unwrap().objects.insert("one".to_owned(), content[1..].to_vec());
    assert!(reading.read_to_end(&mut Vec::new()).is_err());
}

#[test]
fn no_error_holds_what_opens_the_bucket() {
    let refusals = [307, 403, 503].map(|status| Fault::Refuse(status, "No"));
    for fault in [&refusals[..], &[Fault::Cut, Fault::Half]].concat() {
        for kind in ["begin", "part", "complete", "put", "get", "list", "uploads", "delete"] {
            let server = Server::start();
            let store = patient(&server, "", Duration::from_secs(4));
            store.put("there", b"there").unwrap();
            server.faults(&[(kind, fault); 8]);
            let mut said = vec![format!("{store:?}")];
            said.extend(write(&store, "one", b"small").err().as_ref().map(told));
            said.extend(store.put("two", b"small").err().as_ref().map(told));
            said.extend(read(&store, "there").err().as_ref().map(told));
            said.extend(store.files().err().as_ref().map(told));
            said.extend(store.remove("one").err().as_ref().map(told));
            let said = said.join("\n");
            for secret in [SECRET, "Signature=", "X-Amz-Credential"] {
                assert!(!said.contains(secret), "{said}");
            }
        }
    }
}

fn told(error: &io::Error) -> String {
    format!("{error}\n{error:?}")
}

#[test]
fn a_bucket_that_keeps_no_versions_is_reported() {
    let server = Server::start();
    let store = store(&server, "");
    assert!(store.caution().unwrap().starts_with("the bucket keeps no versions"));
    server.state.lock().unwrap().versioned = true;
    assert_eq!(store.caution(), None);
    server.faults(&[("versioning", DENIED)]);
    assert_eq!(store.caution(), None, "who may not ask knows nothing");
}

#[test]
fn a_bucket_is_listed_to_its_end_and_only_what_is_ours() {
    let server = Server::start();
    let store = store(&server, "prod");
    let ids: Vec<_> =
        (0..5).map(|day| id(datetime!(2026-11-20 00:00 UTC) + time::Duration::days(day))).collect();
    for id in &ids[..4] {
        store.put(&id.object(), b"12345").unwrap();
        store.put(&id.sidecar(), b"{}").unwrap();
    }
    store.put("notes.json", b"{}").unwrap();
    store.put(&format!("deeper/{}", ids[4].object()), b"1").unwrap();
    let upload = store.stage(&ids[4].object()).unwrap();
    server.state.lock().unwrap().page = 3;
    let mut expected: Vec<Stored> = Vec::new();
    for id in &ids[..4] {
        expected.push(Stored { name: FileName::Object(id.clone()), size: 5 });
        expected.push(Stored { name: FileName::Sidecar(id.clone()), size: 2 });
    }
    expected.push(Stored { name: FileName::Part(ids[4].clone()), size: 0 });
    assert_eq!(store.files().unwrap(), expected);
    // Credentials that may not list uploads still list the rest.
    server.faults(&[("uploads", DENIED)]);
    assert_eq!(store.files().unwrap(), expected[..8]);
    // Deleting a backup also aborts what is left of its upload; none being left is not an error.
    for refused in [DENIED, Fault::Refuse(405, "MethodNotAllowed"), Fault::Refuse(501, "")] {
        server.faults(&[("uploads", refused)]);
        store.remove(&part_of(&ids[0].object())).unwrap();
    }
    server.faults(&[("list", DENIED)]);
    assert_eq!(store.files().unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    store.remove(&part_of(&ids[4].object())).unwrap();
    nothing_is_left(&server);
    drop(upload);
}

//! What lies in a folder, of this machine or of another host, and what never appears there.

use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use inventories::{ClusterName, SiteName};
use remote::Target;
use remote::test_server::Sshd;
use tempfile::TempDir;
use time::macros::datetime;

use super::{id, opening, sidecar, snapshot};
use crate::backups::catalog::{self, Listing, State};
use crate::backups::sftp::FarFolder;
use crate::backups::sidecar::Grade;
use crate::backups::store::Staged;
use crate::backups::{BackupId, Store};

/// A place in a folder of the test's, and what must live as long.
struct Place {
    folder: TempDir,
    store: Store,
    _server: Option<Sshd>,
}

/// One of each kind that a test can look into.
fn places() -> [Place; 2] {
    let [near, far] = [(), ()].map(|()| tempfile::tempdir().unwrap());
    let server = Sshd::with("Subsystem sftp internal-sftp");
    let here = Store::Folder { name: "file:backups".to_owned(), path: near.path().join("backups") };
    let there = over_sftp(server.target(), far.path().join("backups"));
    [
        Place { folder: near, store: here, _server: None },
        Place { folder: far, store: there, _server: Some(server) },
    ]
}

fn over_sftp(target: Target, path: PathBuf) -> Store {
    let folder = FarFolder::new(path, Arc::new(move || Ok(target.clone())));
    Store::Sftp { name: "sftp://nas/backups".to_owned(), folder: Arc::new(folder) }
}

fn names(folder: &TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path().join("backups")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn put(store: &Store, id: &BackupId) {
    let plain = snapshot(1);
    store.put(&id.object(), &plain).unwrap();
    let text = sidecar(id, &plain, &plain).text().unwrap();
    store.put(&id.sidecar(), text.as_bytes()).unwrap();
}

fn states(store: &Store) -> Vec<(BackupId, String)> {
    let (site, cluster) = (SiteName::new("prod").unwrap(), ClusterName::new("main").unwrap());
    let copies = catalog::copies(store, &site, &cluster).unwrap();
    let said = |state: &State| match state {
        State::Good(_) => "good".to_owned(),
        State::Unfinished => "unfinished".to_owned(),
        State::Broken(flaw) => flaw.to_string(),
    };
    copies.into_iter().map(|copy| (copy.id.clone(), said(&copy.state))).collect()
}

#[test]
fn a_file_appears_whole_for_its_owner_alone_and_replaces_none() {
    for Place { folder, store, .. } in &places() {
        let mut staged = store.stage("one").unwrap();
        staged.write_all(b"half").unwrap();
        assert_eq!(names(folder), [".one.part"]);
        drop(staged);
        assert!(names(folder).is_empty());
        store.put("one", b"first").unwrap();
        let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.path().join("backups/one")), 0o600);
        assert_eq!(mode(folder.path().join("backups")), 0o700);
        let error = store.put("one", b"second").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(store.read("one", 100).unwrap(), b"first");
        assert_eq!(names(folder), ["one"]);
        assert!(store.read("one", 4).is_err());
    }
}

#[test]
fn a_file_without_a_name_leaves_nothing_and_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backups");
    std::fs::create_dir(&path).unwrap();
    let begin = || {
        let mut staged = Staged::nameless(&path, ".plain.part", "plain").unwrap();
        staged.write_all(b"secret").unwrap();
        staged
    };
    let staged = begin();
    if names(&folder) == [".plain.part"] {
        println!("skipped: this file system has no files without a name");
        return;
    }
    assert!(names(&folder).is_empty());
    staged.publish().unwrap();
    let mode = std::fs::metadata(path.join("plain")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::read(path.join("plain")).unwrap(), b"secret");
    assert_eq!(begin().publish().unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(names(&folder), ["plain"]);
}

#[test]
fn a_folder_that_is_not_there_holds_no_backup() {
    for Place { store, .. } in &places() {
        assert!(store.is_missing());
        assert!(states(store).is_empty());
        let error = store.is_there().unwrap_err();
        assert_eq!(
            (error.kind(), store.is_far()),
            (io::ErrorKind::NotFound, matches!(store, Store::Sftp { .. }))
        );
    }
}

#[test]
fn the_newest_one_that_was_opened_is_found_and_a_record_alone_is_nothing() {
    for Place { store, .. } in &places() {
        let ids =
            [1, 2, 3].map(|day| id(datetime!(2026-11-01 00:00 UTC) + time::Duration::days(day)));
        let (site, cluster) = (SiteName::new("prod").unwrap(), ClusterName::new("main").unwrap());
        let newest = || {
            let now = datetime!(2026-11-20 00:00 UTC);
            let listing = Listing::read(store, &site, &cluster).unwrap();
            listing.newest_opened(now).unwrap().map(|copy| copy.id)
        };
        let record = |id: &BackupId| {
            let plain = snapshot(1);
            let text = opening(&sidecar(id, &plain, &plain)).text().unwrap();
            store.put(&id.opening(), text.as_bytes()).unwrap();
        };
        record(&ids[2]);
        assert!(states(store).is_empty());
        put(store, &ids[0]);
        put(store, &ids[1]);
        assert_eq!(newest(), None);
        record(&ids[0]);
        assert_eq!(newest(), Some(ids[0].clone()));
        store.put(&ids[1].opening(), b"{}").unwrap();
        assert_eq!(newest(), Some(ids[0].clone()), "a damaged record says nothing");
        let grades = catalog::copies(store, &site, &cluster).unwrap();
        let grades: Vec<_> = grades.iter().map(catalog::Copy::grade).collect();
        assert_eq!(grades, [Some(Grade::Opened), Some(Grade::Stored)]);
    }
}

#[test]
fn the_newest_good_one_is_found_without_reading_the_older_ones() {
    for Place { store, .. } in &places() {
        let ids = [1, 2, 3, 30]
            .map(|day| id(datetime!(2026-11-01 00:00 UTC) + time::Duration::days(day)));
        ids.iter().for_each(|id| put(store, id));
        store.remove(&ids[2].sidecar()).unwrap();
        let (site, cluster) = (SiteName::new("prod").unwrap(), ClusterName::new("main").unwrap());
        let now = datetime!(2026-11-05 00:00 UTC);
        let newest = Listing::read(store, &site, &cluster).unwrap().newest_copies(now).unwrap();
        let found: Vec<_> =
            newest.iter().map(|copy| (&copy.id, copy.sidecar().is_some())).collect();
        // One without its sidecar, and one that is dated in the future, end no search.
        assert_eq!(found, [(&ids[1], true), (&ids[2], false), (&ids[3], true)]);
    }
}

#[test]
fn what_is_not_whole_is_named_as_such() {
    for Place { folder, store, .. } in &places() {
        let times =
            (0..6).map(|hour| id(datetime!(2026-11-29 00:00 UTC) + time::Duration::hours(hour)));
        let ids: Vec<BackupId> = times.collect();
        ids.iter().take(4).for_each(|id| put(store, id));
        store.remove(&ids[1].sidecar()).unwrap();
        store.remove(&ids[2].object()).unwrap();
        let path = |name: String| folder.path().join("backups").join(name);
        std::fs::write(path(ids[3].object()), "short").unwrap();
        std::fs::write(path(format!(".{}.part", ids[4].object())), "").unwrap();
        store.put(&ids[5].object(), b"x").unwrap();
        store.put(&ids[5].sidecar(), b"{}").unwrap();
        // Others' files, a link of our name, and the backup of another cluster.
        std::fs::write(path("notes.json".to_owned()), "{}").unwrap();
        let link = id(datetime!(2026-11-29 12:00 UTC));
        std::os::unix::fs::symlink("/dev/zero", path(link.object())).unwrap();
        let events = ids[0].object().replace(".main.", ".events.");
        std::fs::write(path(events), "").unwrap();
        let expected = [
            "good",
            "it has no sidecar: it is being read back, or its sidecar was lost",
            "its file is gone: only the sidecar is there",
            "its file has 5 bytes, but the sidecar says 544",
            "unfinished",
            "its sidecar is damaged",
        ];
        let expected: Vec<_> = ids.into_iter().zip(expected.map(str::to_owned)).collect();
        assert_eq!(states(store), expected);
    }
}

/// More than a piece, and no part like another.
fn content() -> Vec<u8> {
    (0..2_500_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[test]
fn much_is_read_as_it_was_written_and_what_is_deleted_is_gone() {
    for Place { folder, store, .. } in &places() {
        let mut staged = store.stage("one").unwrap();
        content().chunks(700_000).for_each(|piece| staged.write_all(piece).unwrap());
        staged.publish().unwrap();
        let mut read = Vec::new();
        store.open("one").unwrap().read_to_end(&mut read).unwrap();
        assert!(read == content());
        assert_eq!(store.open("none").unwrap_err().kind(), io::ErrorKind::NotFound);
        store.remove("one").unwrap();
        store.remove("one").unwrap();
        assert!(names(folder).is_empty());
    }
}

#[test]
fn a_login_that_may_delete_is_warned_about_and_nothing_is_tried_on_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    for (config, warns) in [("", true), (" -P remove", false)] {
        let server = Sshd::with(&format!("Subsystem sftp internal-sftp{config}"));
        let store = over_sftp(server.target(), folder.path().join("backups"));
        store.put(if warns { "one" } else { "two" }, b"x").unwrap();
        assert_eq!(store.caution().is_some(), warns, "{config}");
    }
    assert_eq!(names(&folder), ["one", "two"]);
}

#[test]
fn a_lost_session_fails_its_file_and_the_next_one_gets_another() {
    let folder = tempfile::tempdir().unwrap();
    let server = Sshd::with("Subsystem sftp internal-sftp");
    let target = server.target();
    let cable = remote::test_server::Cable::to(server.port);
    server.know(&format!("[127.0.0.1]:{} {}", cable.port, server.host_key("ed25519")));
    let target = Target { port: cable.port, ..target };
    let store = over_sftp(target, folder.path().join("backups"));
    let mut staged = store.stage("one").unwrap();
    cable.cut();
    let written = staged.write_all(&content()).and_then(|()| staged.publish());
    assert_eq!(written.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    store.put("two", b"second").unwrap();
    // Nobody could take it away: it is known as unfinished.
    assert_eq!(names(&folder), [".one.part", "two"]);
}
